"""Where speech is in recordings, and where to cut long ones.

The detector says for every 32 ms how likely there is speech. Cuts are made in the longest silences. The pieces tile the
recording: every sample is in exactly one of them, so nothing is lost at the joints, and silence is left for the
recognizer to be silent about.

What led up to a recording nobody knows, so the detector hears a moment of silence and then the beginning backwards.
After silence alone the first tenths of a second of a tone or of noise pass for speech (docs/decoding.md has figures).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from recipe.audio.reading import SAMPLING_RATE
from recipe.decode import detector
from recipe.decode.detector import WINDOW

WINDOW_SECONDS = WINDOW / SAMPLING_RATE
BLOCK_SECONDS = 600.0  # of audio in memory at a time
SPEECH = 0.5  # probability from which a window counts as speech
SILENCE = 0.35  # probability below which it counts as silence
# What is judged is cut into streams of this length at least, each led in by the windows before it.
STREAM_WINDOWS = 300
LEAD_IN_WINDOWS = 24
MIRRORED_WINDOWS = 20  # of the lead-in to a recording; before them there is silence
LEAD_IN = LEAD_IN_WINDOWS * WINDOW  # samples
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

    def with_speech(self, speech: tuple[float, float] | None) -> "Span":
        """The same piece with the speech that was found in it, whose times count from its start."""
        return replace(self, speech=speech and (self.start + speech[0], self.start + speech[1]))


def speech_probabilities(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Probability of speech [windows] for every window of WINDOW samples of the audio in `blocks` (16 kHz, float32,
    [samples]; all but the last a multiple of WINDOW long). Only one block is held at a time. RecipeError if the
    detector's package is not installed."""
    found, before = [], None
    for block in blocks:
        if len(block):
            led_in = np.concatenate([_lead_in(block) if before is None else before, block])
            before = led_in[-LEAD_IN:]
            found += _judge(_streams(led_in))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def find_speech(waveforms: Sequence[np.ndarray]) -> list[tuple[float, float] | None]:
    """Of each short recording (16 kHz, float32 [samples]), from the first speech in it to the last, in seconds; None:
    there is none. They are judged side by side, and what is found in one depends on none of the others. RecipeError if
    the detector's package is not installed."""
    streams = [_streams(np.concatenate([_lead_in(waveform), waveform])) for waveform in waveforms]
    found = iter(_judge([stream for own in streams for stream in own]))
    judged = [np.concatenate([next(found) for _ in own]) for own in streams]
    return [_speech(own, 0.0, len(one) / SAMPLING_RATE) for own, one in zip(judged, waveforms, strict=True)]


def _lead_in(block: np.ndarray) -> np.ndarray:
    """What leads in to a recording that begins with `block`, [LEAD_IN]; a short one goes back and forth."""
    mirrored = MIRRORED_WINDOWS * WINDOW
    found = np.pad(block[:mirrored], (mirrored, 0), "symmetric")[:mirrored]
    return np.concatenate([np.zeros(LEAD_IN - mirrored, np.float32), found])


def _streams(led_in: np.ndarray) -> list[torch.Tensor]:
    """Streams [windows, WINDOW] of samples and those that lead in to them."""
    windows = -(-(len(led_in) - LEAD_IN) // WINDOW)
    length = -(-windows // max(1, windows // STREAM_WINDOWS))
    padded = np.zeros((LEAD_IN_WINDOWS + windows) * WINDOW, np.float32)
    padded[: len(led_in)] = np.nan_to_num(led_in, posinf=0.0, neginf=0.0)
    whole = torch.from_numpy(padded).view(-1, WINDOW)
    return [whole[start : start + LEAD_IN_WINDOWS + length] for start in range(0, windows, length)]


def _judge(streams: Sequence[torch.Tensor]) -> list[np.ndarray]:
    """Probabilities [windows] of each stream, without its lead-in."""
    return [judged[LEAD_IN_WINDOWS:] for judged in detector.judge(streams)]


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
