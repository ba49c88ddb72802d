"""Long recordings: where speech is, and where to cut.

Silero's voice activity detector, which its package carries, says for every 32 ms how likely there is speech. Cuts are
made in the longest silences. The pieces tile the recording: every sample is in exactly one of them, so nothing is lost
at the joints, and silence is left for the recognizer to be silent about.
"""

import functools
import importlib.util
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from recipe.audio.reading import SAMPLING_RATE
from recipe.files import RecipeError

WINDOW = 512  # samples that the detector judges at a time
WINDOW_SECONDS = WINDOW / SAMPLING_RATE
BLOCK_SECONDS = 600.0  # of audio in memory at a time
SPEECH = 0.5  # probability from which a window counts as speech
SILENCE = 0.35  # probability below which it counts as silence
# A block is judged as so many streams side by side, each led in by the windows before it.
STREAMS = 32
STREAM_WINDOWS = 300
LEAD_IN_WINDOWS = 32
MIN_SILENCE_WINDOWS = 3  # 96 ms; a shorter dip in a search range is no silence to cut in
MIN_PIECE_SECONDS = 0.5


@dataclass(frozen=True)
class Span:
    """A piece of a recording, in seconds."""

    start: float
    end: float
    speech: tuple[float, float] | None  # from the first speech in it to the last; None: there is none
    forced: bool = False  # it ends where there was no silence to cut in

    def later(self, seconds: float) -> "Span":
        """The same piece, its times counted from so many seconds earlier."""
        speech = self.speech and (self.speech[0] + seconds, self.speech[1] + seconds)
        return replace(self, start=self.start + seconds, end=self.end + seconds, speech=speech)


@functools.cache
def _detector():
    """Silero's network; RecipeError if its package is missing. Its file is found without importing the package, which
    would set the number of threads of the whole process."""
    package = importlib.util.find_spec("silero_vad")
    if package is None:
        raise RecipeError("recordings over max_seconds are cut by the package silero-vad, which is not installed")
    file = Path(package.submodule_search_locations[0]) / "data" / "silero_vad.jit"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit.load is deprecated; the package comes in that form
        return torch.jit.load(str(file), map_location="cpu").eval()


@torch.inference_mode()
def speech_probabilities(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Probability of speech [windows] for every window of WINDOW samples of the audio in `blocks` (16 kHz, float32,
    [samples]; all but the last a multiple of WINDOW long). Only one block is held at a time. RecipeError if the
    detector's package is not installed."""
    found, before = [], np.zeros(LEAD_IN_WINDOWS * WINDOW, np.float32)
    for block in blocks:
        windows = -(-len(block) // WINDOW)
        if not windows:
            continue
        streams = max(1, min(STREAMS, windows // STREAM_WINDOWS))
        length = -(-windows // streams)
        padded = np.zeros((LEAD_IN_WINDOWS + streams * length) * WINDOW, np.float32)
        padded[: len(before)] = before
        padded[len(before) : len(before) + len(block)] = block
        before = padded[len(block) : len(block) + len(before)].copy()
        found.append(_judge(torch.from_numpy(padded).view(-1, WINDOW), length)[:windows])
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _judge(windows: torch.Tensor, length: int) -> np.ndarray:
    """Probabilities of all `windows` [windows, WINDOW] after the lead-in, in streams of `length` windows."""
    streams = windows.unfold(0, LEAD_IN_WINDOWS + length, length)  # [streams, samples, windows]
    detector = _detector()
    detector.reset_states()
    steps = [detector(streams[:, :, i].contiguous(), SAMPLING_RATE)[:, 0] for i in range(streams.shape[2])]
    return torch.stack(steps[LEAD_IN_WINDOWS:], 1).reshape(-1).numpy()


def cut(probabilities: np.ndarray, seconds: float, max_seconds: float) -> list[Span]:
    """Cut a recording of `seconds`, with the `probabilities` of speech [windows] in it, into pieces of at most
    `max_seconds`, which tile it.

    Each cut lies in the second half of what a piece may hold, in the middle of the longest silence there (the last
    one, if several are as long); where there is none, at the window that is least like speech, and the piece says so.
    """
    spans: list[Span] = []
    start = 0.0
    while seconds - start > max_seconds:
        first = int((start + max_seconds / 2) / WINDOW_SECONDS) + 1
        last = int(min(start + max_seconds, seconds - MIN_PIECE_SECONDS) / WINDOW_SECONDS)
        place, forced = _best_cut(probabilities[first:last])
        end = (first + place) * WINDOW_SECONDS
        spans.append(Span(start, end, _speech(probabilities, start, end), forced))
        start = end
    return [*spans, Span(start, seconds, _speech(probabilities, start, seconds))]


def _best_cut(probabilities: np.ndarray) -> tuple[int, bool]:
    """Index of the window to cut before, and whether there was no silence."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], probabilities < SILENCE, [False]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)  # [start, end) of each silence
    lengths = runs[:, 1] - runs[:, 0]
    if len(runs) and lengths.max() >= MIN_SILENCE_WINDOWS:
        longest = runs[len(runs) - 1 - int(lengths[::-1].argmax())]
        return int(longest.sum()) // 2, False
    return int(probabilities.argmin()) if len(probabilities) else 0, True


def _speech(probabilities: np.ndarray, start: float, end: float) -> tuple[float, float] | None:
    """From the first window with speech to the last between `start` and `end`, in seconds; None: there is none."""
    first = round(start / WINDOW_SECONDS)
    found = np.flatnonzero(probabilities[first : int(np.ceil(end / WINDOW_SECONDS))] >= SPEECH)
    if not len(found):
        return None
    return (first + int(found[0])) * WINDOW_SECONDS, min(end, (first + int(found[-1]) + 1) * WINDOW_SECONDS)
