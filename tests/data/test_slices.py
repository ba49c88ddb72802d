"""Slices of a set: a line that is added changes its own, and what is put together is what one job writes."""

import filecmp
import os

import pytest
from conftest import SENTENCES

from recipe.data import datadir, join, prepare, slices
from recipe.data.checks import CheckPolicy
from recipe.data.prepare import DataOutputs
from recipe.files import RecipeError
from recipe.settings.data import Checks

COUNT = 5


def entries_of(folder):
    tables = datadir.tables(folder / "wav.scp")
    return join.join(str(folder / "wav.scp"), str(folder / "text"), tables, lambda *_: "语音转写：")


@pytest.fixture
def corpus(data_dir):
    """Some more lines than there are recordings, with one of each kind that joining refuses."""
    with open(data_dir / "wav.scp", "a") as scp, open(data_dir / "text", "a") as text:
        for i in range(40):
            scp.write(f"x{i:02} wav/{'none' if i % 9 == 0 else 'spk0-utt0'}.wav\n")
            text.write(f"x{i:02} {SENTENCES[i % 5]}\n")
        scp.write("x03 wav/spk0-utt0.wav\nx05 wav/spk1-utt1.wav\n")
        text.write("nobody light\n")
    return data_dir


def split(folder):
    slices.split(entries_of(folder), COUNT, "full", folder / "slices")
    return {str(i): folder / "slices" / str(i) for i in range(1, COUNT + 1)}


def add(folder, key, place):
    """A line in the middle of the tables."""
    for name, value in (("wav.scp", "wav/spk0-utt0.wav"), ("text", "turn on the light")):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join([*lines[:place], f"{key} {value}\n", *lines[place:]]))


def outputs(folder, name):
    return DataOutputs(*(str(folder / f"{name}.{end}") for end in ("jsonl", "tsv", "remarks")))


@pytest.mark.parametrize("learned", [False, True])
def test_put_together_they_give_what_one_job_writes(corpus, full_model, learned):
    policy = CheckPolicy(
        Checks(verify="full", max_tokens_per_second="auto" if learned else 40.0), str(corpus / "wav.scp")
    )
    whole = prepare.prepare(entries_of(corpus), str(full_model), policy, outputs(corpus, "whole"))
    checked = []
    for name, file in split(corpus).items():
        verify, entries = slices.read(file)
        assert verify == "full"
        checked.append(str(corpus / f"checked{name}"))
        prepare.prepare_shard(entries, str(full_model), policy, checked[-1])
    together = prepare.merge(checked, policy, outputs(corpus, "together"), str(corpus / "slices"))
    assert together == whole and whole.rejected["conflicting-key"] == 2 and whole.rejected["key-without-audio"] == 1
    for end in ("jsonl", "tsv", "remarks"):
        assert filecmp.cmp(corpus / f"whole.{end}", corpus / f"together.{end}", shallow=False)
    with pytest.raises(RecipeError, match="do not fit together"):
        prepare.merge(checked[::-1], policy, outputs(corpus, "wrong"), str(corpus / "slices"))


def test_a_line_more_changes_its_own_slice_only(corpus):
    before = {name: (file.read_bytes(), os.stat(file).st_mtime_ns) for name, file in split(corpus).items()}
    add(corpus, "spk0-utt3x", 4)
    after = {name: (file.read_bytes(), os.stat(file).st_mtime_ns) for name, file in split(corpus).items()}
    [changed] = [name for name in before if before[name] != after[name]]
    [line] = set(after[changed][0].splitlines()) - set(before[changed][0].splitlines())
    assert line.startswith(b'["spk0-utt3x"')


def test_another_way_to_check_changes_all(corpus):
    before = {name: file.read_bytes() for name, file in split(corpus).items()}
    slices.split(entries_of(corpus), COUNT, "header", corpus / "slices")
    assert all((corpus / "slices" / name).read_bytes() != content for name, content in before.items())
    assert slices.read(corpus / "slices/1")[0] == "header"


def test_fewer_slices_leave_none_behind(corpus):
    split(corpus)
    slices.split(entries_of(corpus), 2, "full", corpus / "slices")
    assert {file.name for file in (corpus / "slices").iterdir()} == {"1", "2", "order", "problems"}


def test_half_a_character_is_handed_on(tmp_path):
    """As JSON can have it."""
    entries = [
        join.Entry(i, f"k{i}", "none.wav", text, "\u8bed") for i, text in enumerate(["fine", "half \ud800", "fine"])
    ]
    slices.split(entries, 1, "header", tmp_path / "slices")
    _, found = slices.read(tmp_path / "slices/1")
    assert [entry.text for entry in found] == ["fine", "half \ud800", "fine"]


def test_another_file_is_no_slice(corpus):
    with pytest.raises(RecipeError, match="no slice of a set"):
        slices.read(corpus / "text")
