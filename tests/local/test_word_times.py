"""Times of words are near those that the synthesizer tells of its own speech."""

import sys
from itertools import islice
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "local"), str(ROOT / "benchmarks")]

import bench_word_times as bench  # noqa: E402
from espeak import SpokenWord  # noqa: E402
from sentences import Phrase  # noqa: E402
from word_times import said  # noqa: E402

from recipe.model import ctc, network  # noqa: E402
from recipe.train.known_times import deviation  # noqa: E402

FSDD = ROOT.parent / "shared" / "data" / "fsdd"


@pytest.fixture(scope="module")
def model():
    recognizer = network.load(ROOT / "models/tiny")
    return recognizer, ctc.load(ROOT / "models/tiny", recognizer.model.config.audio_config.hidden_size)


def test_what_is_written_otherwise_than_spoken_has_the_times_of_all_of_it():
    phrase = Phrase("Wake me at 7:30.", "wake me at seven thirty.")
    spoken = [SpokenWord(place, place / 10, place / 10 + 0.2) for place in (0, 5, 8, 11, 17)]
    found = [(phrase.written[one.place : one.end_place], one.start, one.end) for one in said(phrase, spoken)]
    assert found == [("Wake", 0.0, 0.2), ("me", 0.5, 0.7), ("at", 0.8, 1.0), ("7:30.", 1.1, pytest.approx(1.9))]


def test_what_is_spoken_as_one_word_is_one():
    phrase = Phrase("晚上好", "晚上好")
    found = said(phrase, [SpokenWord(0, 0.0, 0.5), SpokenWord(2, 0.5, 0.9)])
    assert [(phrase.written[one.place : one.end_place], one.start, one.end) for one in found] == [
        ("晚上", 0.0, 0.5), ("好", 0.5, 0.9),
    ]  # fmt: skip


def test_some_bundled_recordings(model):
    found = deviation(*model, islice(bench.of_bundled("test_general"), 10))
    assert found.borders > 100 and found.median <= 0.04 and found.most <= 0.12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test", "test_general"])
def test_the_bundled_sets(model, name):
    found = deviation(*model, bench.of_bundled(name))
    assert found.median <= 0.04 and found.most <= 0.12


@pytest.mark.slow
@pytest.mark.skipif(not FSDD.is_dir(), reason="the Free Spoken Digit Dataset is not here")
def test_digits_of_people(model, tmp_path):
    """By a branch that is fitted to digits of other takes; with pauses between them and without."""
    from recipe.train import known_times

    recognizer, branch = model
    parts = (bench.joined(FSDD, bench.TAKES["train"], 600, pause) for pause in (0.6, 0.0))
    targets = known_times.prepared(recognizer, branch, (one for part in parts for one in part))
    known_times.fit(branch, targets)
    for pause in (0.6, 0.0):
        found = deviation(recognizer, branch, bench.joined(FSDD, bench.TAKES["test"], 120, pause))
        assert found.median <= 0.04 and found.most <= 0.13
