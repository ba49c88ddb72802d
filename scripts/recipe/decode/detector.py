"""Silero's voice activity detector: how likely there is speech in each window of 32 ms.

The package silero-vad (version 6) carries it as TorchScript, which hears one window a call. Only the memory cell has to
hear them one after the other: here spectra and convolutions are computed for many windows at once, and the spectra by
FFT, where the published network multiplies by the whole Fourier matrix and computes phases, too, which nothing uses.
Probabilities are the published ones but for rounding (tests/decode/test_detector.py), in less time
(`benchmarks/bench_detector.py`). The weights are those of the TorchScript: the package's silero_vad_16k.safetensors has
others, of an earlier version.
"""

import functools
import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from recipe.files import RecipeError

WINDOW = 512  # samples that are judged at a time
_CONTEXT = 64  # samples before a window that are heard with it
_FFT, _HOP = 256, 128
_WIDTH = 128  # of the memory cell
# The shapes of what is multiplied are always the same, filled up with zeros: of others sums round otherwise, and what
# is found in a recording would depend on what else there is.
_WINDOWS = 128  # of which spectra and convolutions are computed together
STREAMS = 32  # that the memory cell hears side by side
_STEPS = 16  # of the memory cell in one call
MISSING = (
    "the package silero-vad is not installed: recordings over max_seconds are cut by it, and skip_silence needs it"
)
_FILE = "data/silero_vad.jit"
# The names of its network for 16 kHz, and those of the same parts here.
_PARTS = {
    "stft.forward_basis_buffer": "fourier.weight",
    **{f"encoder.{i}.reparam_conv.{kind}": f"convolutions.{i}.{kind}" for i in range(4) for kind in ("weight", "bias")},
    **{f"decoder.rnn.{kind}": f"memory.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")},
    **{f"decoder.decoder.2.{kind}": f"verdict.{kind}" for kind in ("weight", "bias")},
}


def is_installed() -> bool:
    """Whether the detector's package is there."""
    return importlib.util.find_spec("silero_vad") is not None


@torch.inference_mode()
def judge(streams: Sequence[torch.Tensor]) -> list[np.ndarray]:
    """Probabilities of speech [windows] of each stream, float32 samples at 16 kHz [windows, WINDOW]. What is found in a
    stream depends on none of the others. RecipeError if the detector's package is missing, or has other weights."""
    found: dict[int, np.ndarray] = {}
    order = sorted(range(len(streams)), key=lambda i: -len(streams[i]))
    for rows in (order[first : first + STREAMS] for first in range(0, len(order), STREAMS)):
        judged = _side_by_side([streams[index] for index in rows])
        found.update((index, judged[: len(streams[index]), row]) for row, index in enumerate(rows))
    return [found[index] for index in range(len(streams))]


def _side_by_side(streams: list[torch.Tensor]) -> np.ndarray:
    """Probabilities [windows of the longest, STREAMS] of STREAMS streams at most, the longest first."""
    network, lengths = _network(), [len(stream) for stream in streams]
    heard = network.hear(torch.cat([_with_context(stream) for stream in streams])).split(lengths)
    steps = -(-max(lengths) // _STEPS) * _STEPS
    together = torch.zeros(steps, STREAMS, _WIDTH)
    for row, one in enumerate(heard):
        together[: len(one), row] = one
    return network.remember(together).numpy()


def _with_context(stream: torch.Tensor) -> torch.Tensor:
    """Windows with the end of those before them, [windows, _CONTEXT + WINDOW]; before the first there are zeros."""
    before = functional.pad(stream[:-1, -_CONTEXT:], (0, 0, 1, 0))
    return torch.cat([before, stream], dim=1)


class _Network(torch.nn.Module):
    """The published network for 16 kHz."""

    def __init__(self):
        super().__init__()
        # The Fourier matrix, each row times a window; the first row is that of the constant, and so the window.
        self.fourier = torch.nn.Conv1d(1, _FFT + 2, _FFT, bias=False)
        self.convolutions = torch.nn.ModuleList(
            torch.nn.Conv1d(inputs, outputs, 3, padding=1, stride=stride)
            for inputs, outputs, stride in ((_FFT // 2 + 1, 128, 1), (128, 64, 2), (64, 64, 2), (64, _WIDTH, 1))
        )
        self.memory = torch.nn.LSTM(_WIDTH, _WIDTH)
        self.verdict = torch.nn.Conv1d(_WIDTH, 1, 1)

    def hear(self, windows: torch.Tensor) -> torch.Tensor:
        """What is heard [windows, _WIDTH] in windows with their context [windows, _CONTEXT + WINDOW]."""
        filled = functional.pad(windows, (0, 0, 0, -len(windows) % _WINDOWS))
        return torch.cat([self._hear(some) for some in filled.split(_WINDOWS)])[: len(windows)]

    def _hear(self, windows: torch.Tensor) -> torch.Tensor:
        frames = functional.pad(windows, (0, _CONTEXT), "reflect").unfold(1, _FFT, _HOP)
        heard = torch.fft.rfft(frames * self.fourier.weight[0, 0]).abs().transpose(1, 2)
        for convolution in self.convolutions:
            heard = functional.relu(convolution(heard))
        return heard[:, :, 0]  # four frames, halved twice

    def remember(self, heard: torch.Tensor) -> torch.Tensor:
        """Probabilities [steps, STREAMS] of speech in what was heard [steps, STREAMS, _WIDTH]."""
        judged, state = [], None
        for some in heard.split(_STEPS):
            remembered, state = self.memory(some, state)
            judged.append(self.verdict(functional.relu(remembered).transpose(1, 2)))
        return torch.sigmoid(torch.cat(judged))[:, 0]


@functools.cache
def _network() -> _Network:
    """The network with the package's weights. Their file is found without importing the package, which would set the
    number of threads of the whole process."""
    package = importlib.util.find_spec("silero_vad")
    if package is None:
        raise RecipeError(MISSING)
    file, network = Path(package.submodule_search_locations[0]) / _FILE, _Network()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch.jit.load, which is deprecated
            published = torch.jit.load(str(file), map_location="cpu").state_dict()
        network.load_state_dict({here: published[f"_model.{there}"] for there, here in _PARTS.items()})
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise RecipeError(
            f"{file} is not the detector of silero-vad 6 ({str(error).strip().splitlines()[0]}): install the version "
            "that requirements.lock names"
        ) from error
    return network.eval()
