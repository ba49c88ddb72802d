"""Decodings that are killed go on behind what they had found, and end with the same bytes."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT, write_data

from recipe.data.sorting import _BATCH, Spool
from recipe.decode import subtitles
from recipe.decode.blocks import BATCHES, ENTRIES, blocks
from recipe.decode.engines import Instruction
from recipe.decode.hypotheses import Hypothesis, Piece
from recipe.decode.requests import Request
from recipe.decode.segment import Span
from recipe.decode.unfinished import Unfinished
from recipe.files import RecipeError

# decode.py with blocks of two entries; with a number it is killed while it decodes so many entries and more.
SMALL_BLOCKS = f"""
import os, runpy, signal, sys
sys.path.insert(0, {str(ROOT / "scripts")!r})
from recipe.decode import blocks, run
blocks.ENTRIES = 2
killed_at, whole, done = int(os.environ.get("KILLED_AT", 99)), run.decode, 0
def decode(engine, requests, *args, **kwargs):
    global done
    done += len(requests)
    if done > killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(engine, requests, *args, **kwargs)
run.decode = decode
sys.argv[0] = {str(ROOT / "scripts/decode.py")!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Eight recordings, one that cannot be read, and a line that stands twice."""
    folder = tmp_path_factory.mktemp("unfinished") / "data"
    write_data(folder)
    with open(folder / "wav.scp", "a") as file:
        file.write("zz-gone wav/gone.wav\nspk0-utt0 wav/spk0-utt0.wav\n")
    return folder


def decode(base, recordings, folder, *flags, killed_at=99):
    words = [
        "--model-dir", base, "--scp-file", recordings / "wav.scp", "--output-file", folder / "text", "--subtitles-dir",
        folder / "subtitles", "--threads", 1, *flags,
    ]  # fmt: skip
    environ = os.environ | {"KILLED_AT": str(killed_at)}
    command = [sys.executable, "-c", SMALL_BLOCKS, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environ)


def files(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def calm(full_model, recordings, tmp_path_factory):
    """All files of a decoding that nobody disturbs."""
    folder = tmp_path_factory.mktemp("calm")
    assert decode(full_model, recordings, folder).returncode == 3
    return files(folder)


class TestKilled:
    @pytest.mark.slow
    def test_it_goes_on_behind_whole_blocks_and_ends_with_the_same_bytes(self, full_model, recordings, tmp_path, calm):
        for kill in (5, 3):
            assert decode(full_model, recordings, tmp_path, killed_at=kill).returncode == -9
        assert not (tmp_path / "text").exists()
        with open(tmp_path / "text.jsonl.unfinished", "ab") as file:
            file.write(b'{"key": "half a li')  # as a kill in the middle of a block leaves it
        done = decode(full_model, recordings, tmp_path)
        assert done.returncode == 3, done.stderr
        assert "going on behind 6 of 9 entries" in done.stderr and "decoding 3 entries" in done.stderr
        assert files(tmp_path) == calm and "text.jsonl.unfinished" not in calm

    @pytest.mark.slow
    @pytest.mark.parametrize("flags", [["--beams", "2"], ["--hotwords", "light"]])
    def test_of_other_settings_nothing_is_kept(self, full_model, recordings, tmp_path, flags):
        assert decode(full_model, recordings, tmp_path, killed_at=5).returncode == -9
        done = decode(full_model, recordings, tmp_path, *flags)
        assert "begins anew" in done.stderr and "decoding 9 entries" in done.stderr
        assert flags[0].strip("-") in done.stderr.partition("begins anew")[0].splitlines()[-1]

    @pytest.mark.slow
    def test_of_other_recordings_nothing_is_kept(self, full_model, recordings, tmp_path):
        folder = tmp_path / "data"
        write_data(folder)
        assert decode(full_model, folder, tmp_path, killed_at=5).returncode == -9
        lines = (folder / "wav.scp").read_text().splitlines(keepends=True)
        (folder / "wav.scp").write_text("".join([lines[-1], *lines[:-1]]))
        done = decode(full_model, folder, tmp_path)
        assert done.returncode == 0 and "decoding 8 entries" in done.stderr
        keys = [line.split("\t")[0] for line in (tmp_path / "text").read_text().splitlines()]
        assert keys == [line.split()[0] for line in [lines[-1], *lines[:-1]]]

    @pytest.mark.slow
    def test_strict_keeps_nothing_of_the_block_that_it_refuses(self, full_model, recordings, tmp_path, calm):
        refused = decode(full_model, recordings, tmp_path, "--strict")
        assert refused.returncode == 2 and "zz-gone: audio-missing" in refused.stderr
        done = decode(full_model, recordings, tmp_path)
        assert "going on behind 8 of 9 entries" in done.stderr and files(tmp_path) == calm


def hypothesis(key, text="turn on", **facts):
    return Hypothesis(key, text, "eos", 3, 1.5, **facts)


class TestUnfinished:
    def test_what_was_added_is_read_back_by_the_next_call(self, tmp_path):
        first = Unfinished(tmp_path / "text.jsonl", {"a": "1"})
        first.add([hypothesis("u1"), hypothesis("u2", "开灯")])
        first._lines.close()
        again = Unfinished(tmp_path / "text.jsonl", {"a": "1"})
        assert [one.key for one in again] == ["u1", "u2"] and len(again) == 2
        again.add([hypothesis("u3")])
        again.finish()
        assert [line[8:12] for line in (tmp_path / "text.jsonl").read_text().splitlines()] == ['"u1"', '"u2"', '"u3"']
        assert [file.name for file in tmp_path.iterdir()] == ["text.jsonl"]

    @pytest.mark.parametrize("facts", [{"a": "2"}, {"a": "1", "b": "1"}, None])
    def test_with_other_facts_it_is_empty(self, tmp_path, facts):
        first = Unfinished(tmp_path / "text.jsonl", {"a": "1"})
        first.add([hypothesis("u1")])
        first._lines.close()
        again = Unfinished(tmp_path / "text.jsonl", facts)
        assert len(again) == 0 and list(again) == []

    def test_two_at_once_are_refused(self, tmp_path):
        first = Unfinished(tmp_path / "text.jsonl", {})
        with pytest.raises(RecipeError, match="another process writes it"):
            Unfinished(tmp_path / "text.jsonl", {})
        first.finish()

    def test_a_hypothesis_stays_the_same_through_its_line(self):
        pieces = (
            Piece(Span(0.0, 2.5, (0.25, 2.0), True), "a", "eos", 2, ("looping",), raw="a/sil"),
            Piece(Span(2.5, 4.0, None), "", "error", error="audio-unreadable: x"),
        )
        whole = hypothesis("u", pieces=pieces, flags=("looping",), start=1.25, recording="r", raw="x", incomplete="y")
        for one in (whole, hypothesis("u"), hypothesis("u", error="z")):
            assert Hypothesis.from_json(one.to_json()) == one


def asked(seconds):
    return Request("u", "u.wav", Instruction(), seconds)


class TestBlocks:
    def test_they_have_the_audio_of_some_batches(self):
        found = list(blocks([asked(2.0)] * 100, batch_seconds=1.0))
        assert {len(block) for block in found[:-1]} == {BATCHES // 2} and sum(map(len, found)) == 100

    def test_they_have_no_more_entries_than_memory_should_hold(self):
        assert [len(block) for block in blocks([asked(0.0)] * (ENTRIES + 1), batch_seconds=1.0)] == [ENTRIES, 1]

    def test_they_do_not_depend_on_those_before(self):
        requests = [asked(1.0 + i % 7) for i in range(300)]
        found = list(blocks(requests, 1.0))
        assert list(blocks(requests[len(found[0]) :], 1.0)) == found[1:]

    def test_no_requests_are_no_blocks(self):
        assert list(blocks([], 1.0)) == []


def test_rows_on_disk_are_read_from_anywhere_as_often_as_wanted():
    spool, rows = Spool(), [(i, f"u{i}", None) for i in range(2 * _BATCH + 7)]
    for row in rows:
        spool.add(row)
    assert len(spool) == len(rows)
    for first, last in ((0, len(rows)), (3, 5), (_BATCH - 1, _BATCH + 1), (_BATCH, 2 * _BATCH), (len(rows) - 1, 10**6)):
        assert list(spool.rows(first, last)) == rows[first:last]
    assert list(spool.rows(5, 5)) == list(spool.rows(7, 5)) == list(spool.rows(10**6, 10**6 + 1)) == []


def test_subtitles_of_segments_in_any_order_and_of_recordings(tmp_path):
    found = [
        hypothesis("b", recording="r", start=2.0), hypothesis("alone"), hypothesis("c", recording="s", start=0.0),
        hypothesis("a", "first", recording="r", start=0.0), hypothesis("s", "whole"),
    ]  # fmt: skip
    subtitles.write_all(tmp_path, found)
    assert {file.stem for file in tmp_path.iterdir()} == {"r", "s", "alone"}
    lines = (tmp_path / "r.srt").read_text().splitlines()
    assert [lines[2], lines[6]] == ["first", "turn on"]
    assert (tmp_path / "s.srt").read_text().count("-->") == 2
