"""Statistics: counts by part, distributions, fbank mean and variance, plots, advice."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import kaldiio
import numpy as np
import pytest
import soundfile
from conftest import ROOT, tone

from recipe.audio import reading as audio
from recipe.audio.fbank import fbank
from recipe.data import manifest, stats
from recipe.data.advice import advise
from recipe.data.manifest import Utterance
from recipe.data.stats_plots import STATS_PLOTS, plots


@pytest.fixture
def listed(tmp_path):
    """A manifest of ten utterances of two speakers and languages; returns its path."""
    lines = []
    for i in range(10):
        path = tmp_path / f"{i}.wav"
        wave = tone(1.0 + 0.1 * i, i) * (0.0 if i == 3 else 40.0 if i == 4 else 1.0)
        soundfile.write(path, np.clip(wave, -1, 1), 16000)
        seconds = len(wave) / 16000
        frames = manifest.speech_length(seconds)
        u = Utterance(
            f"u{i}", str(path), "p", "words", frames, 5, seconds, speaker=f"s{i % 2}", language="en", group=None
        )
        lines.append("5".join(u.fragments()) + "\n")
    (tmp_path / "set.jsonl").write_text("".join(lines))
    return tmp_path / "set.jsonl"


def run(listed, folder, *flags):
    command = [sys.executable, str(ROOT / "scripts/fbank_stats.py"), "--jsonl-file", str(listed)]
    done = subprocess.run([*command, "--output-dir", str(folder), *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "stats.json").read_text())


def test_everything_is_counted_and_measured(listed, tmp_path):
    found = run(listed, tmp_path / "out", "--sample", "0")
    assert (found["utterances"], found["tokens"]) == (10, 50)
    assert found["hours"] == pytest.approx(14.5 / 3600, abs=1e-4)
    assert found["duration_seconds"]["min"] == 1.0 and found["duration_seconds"]["max"] == 1.9
    assert sum(found["histograms"]["duration_seconds"]["counts"]) == 10
    assert found["by_speaker"]["s1"]["utterances"] == 5 and list(found["by_language"]) == ["en"]
    assert found["by_speaker"]["s0"]["tokens_per_second"] == pytest.approx(25 / 7, abs=1e-3)
    assert found["advice"]["freeze"] == ["encoder", "llm"]
    measured = found["audio"]
    assert measured["silent_utterances"] == 1 and measured["clipped_utterances"] == 1
    for name in ("level_histogram", "silence_histogram", "clipped_histogram"):
        assert sum(measured[name]["counts"]) == 10, name
    waves = [audio.read(u.source) for u in manifest.read(listed)]
    bins = np.concatenate([fbank(wave) for wave in waves])
    assert measured["frames"] == len(bins)
    assert np.allclose(measured["fbank_mean"], bins.mean(axis=0), atol=1e-3)
    assert np.allclose(measured["fbank_variance"], bins.var(axis=0), rtol=1e-3)
    cmvn = kaldiio.load_mat(f"{tmp_path}/out/cmvn.ark:7")
    assert cmvn.shape == (2, 81) and cmvn[0, 80] == len(bins)
    assert np.allclose(cmvn[0, :80] / cmvn[0, 80], bins.mean(axis=0), atol=1e-3)
    for name in STATS_PLOTS:
        assert ElementTree.parse(tmp_path / "out" / f"{name}.svg").getroot().tag.endswith("svg")


def test_samples_too_large_for_features_are_counted_as_unreadable(listed, tmp_path):
    large = tone(1.0)
    large[100] = 3e38
    soundfile.write(tmp_path / "0.wav", large, 16000, "FLOAT")
    found = run(listed, tmp_path / "out")["audio"]
    assert [one["key"] for one in found["unreadable"]] == ["u0"] and np.isfinite(found["fbank_variance"]).all()


def test_plots_are_files_of_their_own_that_say_where_nothing_was_measured():
    none = {"edges": [0, 1], "counts": [0]}
    names = ("level_histogram", "silence_histogram", "clipped_histogram")
    audio_found = dict.fromkeys(names, none) | {"fbank_mean": [], "fbank_variance": []}
    found = {"histograms": {"duration_seconds": none, "tokens_per_second": none}, "audio": audio_found}
    drawn = plots(found)
    assert tuple(drawn) == STATS_PLOTS
    assert all("no values" in ElementTree.fromstring(svg).itertext() for svg in drawn.values())


def test_names_of_plots_are_had_without_numpy():
    program = "import sys; from recipe.data.stats_plots import STATS_PLOTS; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT / "scripts")}, check=True)


def test_same_result_for_any_number_of_workers(listed, tmp_path, monkeypatch):
    utterances = list(manifest.read(listed))
    monkeypatch.setattr(stats, "CHUNK", 3)
    one, matrix = stats.fbank_statistics(utterances)
    three, again = stats.fbank_statistics(utterances, workers=3)
    assert one == three and np.array_equal(matrix, again)


def test_a_sample_is_spread_evenly():
    assert list(stats.evenly(range(10), 10, 5)) == [1, 3, 5, 7, 9]
    for sample in (1, 3, 7, 10, 99, 0):
        chosen = list(stats.evenly(range(10), 10, sample))
        assert len(chosen) == min(sample or 10, 10)
        assert max(np.diff([-1, *chosen, 10])) <= -(-10 // len(chosen)) + 1


def test_quantiles_are_those_of_the_values():
    values = np.round(np.random.default_rng(0).uniform(0, 30, 1001), 2)
    distribution = stats.Distribution(stats.DURATION_EDGES)
    for value in values:
        distribution.add(float(value))
    found = distribution.summary()
    assert found["median"] == np.median(values)
    assert found["p95"] == pytest.approx(np.quantile(values, 0.95), abs=0.05)
    assert found["mean"] == pytest.approx(values.mean(), abs=1e-3)
    assert stats.Distribution([0, 1]).summary() == {}


@pytest.mark.parametrize(
    ("hours", "trained"),
    [(0.5, ["adaptor"]), (999, ["adaptor"]), (1000, ["encoder", "adaptor"]), (4999, ["encoder", "adaptor"]),
     (7000, ["encoder", "adaptor"]), (10001, ["encoder", "adaptor", "llm"])],
)  # fmt: skip
def test_advice_is_the_published_one(hours, trained):
    advice = advise(hours)
    assert advice["train"] == trained
    assert sorted(advice["freeze"] + trained) == ["adaptor", "encoder", "llm"]
    assert ("no published advice" in advice["why"]) == (5000 <= hours <= 10000)
