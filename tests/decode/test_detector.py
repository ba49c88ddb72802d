"""The detector of speech: the published probabilities, whatever is heard beside, and what it says of other weights."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import ROOT

from recipe.audio import reading
from recipe.decode import detector
from recipe.files import RecipeError


def published(streams):
    """Probabilities by the package's own network, a window a call."""
    package = importlib.util.find_spec("silero_vad").submodule_search_locations[0]
    network = torch.jit.load(str(Path(package) / "data/silero_vad.jit")).eval()
    found = []
    for stream in streams:
        network.reset_states()
        found.append(torch.cat([network(window[None], 16000)[0] for window in stream]).detach().numpy())
    return found


@pytest.fixture(scope="module")
def streams():
    """Windows of speech, at several loudnesses and lengths, of noise, of a tone and of nothing."""
    waves = [reading.read(str(file)) for file in sorted((ROOT / "data/test/wav").glob("*.flac"))[:4]]
    waves += [0.01 * waves[0], np.clip(20 * waves[1], -1, 1), waves[2][: detector.WINDOW], np.concatenate(waves)]
    random, seconds = np.random.default_rng(3), np.arange(48000) / 16000
    waves += [0.1 * random.standard_normal(48000), 0.3 * np.sin(2 * np.pi * 300 * seconds), np.zeros(16000)]
    return [
        torch.from_numpy(wave[: len(wave) // detector.WINDOW * detector.WINDOW].astype(np.float32)).view(-1, 512)
        for wave in waves
    ]


def test_probabilities_are_the_published_ones(streams):
    for ours, theirs in zip(detector.judge(streams), published(streams), strict=True):
        assert len(ours) == len(theirs) and np.abs(ours - theirs).max() < 1e-4


def test_more_streams_than_are_heard_together(streams):
    many = detector.judge(streams * 7)
    alone = [detector.judge([stream])[0] for stream in streams]
    assert all(np.array_equal(one, alone[i % len(streams)]) for i, one in enumerate(many))
    assert detector.judge([]) == []


@pytest.mark.parametrize("content", [b"nothing of the kind", None])
def test_another_file_is_an_error_that_says_what_to_do(content, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    if content:
        (tmp_path / "data/silero_vad.jit").write_bytes(content)
    else:
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "data/silero_vad.jit"))
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(detector.importlib.util, "find_spec", lambda name: package)
    detector._network.cache_clear()
    with pytest.raises(RecipeError, match=r"silero_vad\.jit is not the detector of silero-vad 6 .*requirements\.lock"):
        detector.judge([torch.zeros(3, 512)])


@pytest.fixture(autouse=True)
def fresh_network():
    yield
    detector._network.cache_clear()
