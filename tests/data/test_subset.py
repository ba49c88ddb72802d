"""Fractions of a manifest: nested, near their share of the hours, by whole speakers where there are many."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from recipe.data import subset
from recipe.data.manifest import Utterance
from recipe.data.subset import write_subset
from recipe.files import RecipeError, json_line, write_lines


def manifest(folder, utterances, speakers=None, seconds=lambda i: 1 + i % 5):
    """A manifest of made-up utterances, a speaker's as they come in turn."""
    lines = []
    for i in range(utterances):
        speaker = f"s{i % speakers}" if speakers else None
        one = Utterance(f"u{i}", f"{i}.wav", "语音转写：", f"text {i}", 100, 2, float(seconds(i)), speaker=speaker)
        lines.append(json_line(one.to_json()))
    write_lines(folder / "all.jsonl", lines)
    return folder / "all.jsonl"


def taken(folder, source, fraction, seed=1):
    found = write_subset(source, folder / "part.jsonl", fraction, seed)
    lines = (folder / "part.jsonl").read_text().splitlines()
    assert len(lines) == found.utterances
    hours = sum(json.loads(line)["duration"] for line in lines) / 3600
    assert found.hours == pytest.approx(hours, abs=1e-5)
    return lines, found


@pytest.mark.parametrize("speakers", [None, 10, 100])
def test_fractions_are_nested_and_near_their_share_of_the_hours(tmp_path, speakers):
    source = manifest(tmp_path, 1000, speakers)
    whole = source.read_text().splitlines()
    before = []
    for fraction in (0.05, 0.1, 0.3, 0.31, 0.9):
        lines, found = taken(tmp_path, source, fraction)
        assert set(before) <= set(lines), "the smaller fraction lies within"
        assert lines == [line for line in whole if line in set(lines)], "lines as they are, in their order"
        assert found.hours / found.of_hours == pytest.approx(fraction, abs=0.02)
        assert found.unit == ("speaker" if speakers == 100 else "utterance")
        before = lines


def test_of_many_speakers_each_is_taken_whole_or_not_at_all(tmp_path):
    lines, found = taken(tmp_path, manifest(tmp_path, 1000, 100), 0.2)
    speakers = {json.loads(line)["speaker"] for line in lines}
    assert found.units == len(speakers) == 20 and len(lines) == 200


def test_speakers_of_whom_a_few_say_most_are_not_many(tmp_path):
    source = manifest(tmp_path, 1000, 100, seconds=lambda i: 500 if i % 100 < 3 else 1)
    assert taken(tmp_path, source, 0.2)[1].unit == "utterance"


def test_another_seed_takes_others_and_the_same_one_the_same(tmp_path):
    source = manifest(tmp_path, 200)
    first, again, other = (taken(tmp_path, source, 0.5, seed)[0] for seed in (1, 1, 2))
    assert first == again != other


@given(fraction=st.floats(0.001, 0.999), larger=st.floats(0.001, 0.999))
def test_the_bin_rises_with_the_fraction(fraction, larger):
    seconds = subset.np.array([0.0, 3.0, 0.0, 1.0, 5.0, 0.5])
    low, high = sorted((fraction, larger))
    assert 1 <= subset._last_bin(seconds, low) <= subset._last_bin(seconds, high)


@pytest.mark.parametrize(("utterances", "fraction", "some"), [(2, 0.9, "all 2"), (0, 0.5, "none")])
def test_a_fraction_that_is_none_is_refused(tmp_path, utterances, fraction, some):
    source = manifest(tmp_path, utterances, seconds=lambda i: 1)
    with pytest.raises(RecipeError, match=f"a fraction of {fraction} of it is {some} of its utterances"):
        write_subset(source, tmp_path / "part.jsonl", fraction, 1)
    assert not (tmp_path / "part.jsonl").exists()


def test_the_script_names_a_line_that_is_none(tmp_path):
    write_lines(tmp_path / "a.jsonl", ["{}"])
    flags = ["--jsonl-file", "a.jsonl", "--fraction", "0.5", "--subset-file", "b.jsonl", "--facts-file", "b.json"]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/subset.py", *flags], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and "a.jsonl:1: not a line" in done.stderr and len(list(tmp_path.iterdir())) == 1
