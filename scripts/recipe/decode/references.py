"""When the words of transcripts were said, also of recordings of hours; and cutting these into utterances at pauses."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from recipe.audio.reading import SAMPLING_RATE, a_frame_at_least
from recipe.decode import segment
from recipe.decode.heard import HeardWord, heard
from recipe.model import alignment
from recipe.model.ctc import CtcBranch
from recipe.model.features import FRAME_SECONDS, FrontEnd
from recipe.model.network import Recognizer
from recipe.text import words as text_words

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 30.0  # that the encoder hears at a time
FRAME_SAMPLES = round(FRAME_SECONDS * SAMPLING_RATE)
MARGIN = 0.5  # seconds of a pause that a segment keeps at either side, at most


class Segment(NamedTuple):
    """A part of a recording: seconds, and what is said in it."""

    start: float
    end: float
    text: str

    def later(self, seconds: float) -> "Segment":
        """The same part, its times counted from so many seconds earlier."""
        return self._replace(start=self.start + seconds, end=self.end + seconds)


class Aligner:
    """Aligns transcripts with recordings by a model's CTC branch."""

    def __init__(self, recognizer: Recognizer, branch: CtcBranch):
        self._recognizer = recognizer
        self._branch = branch
        self._front_end = FrontEnd(recognizer)

    def words(self, waveform: np.ndarray, text: str) -> tuple[HeardWord, ...]:
        """The words of `text`, which is said in a waveform [samples] at 16 kHz of any length, with their times in it;
        without times if the text is longer than the audio can hold. RecipeError if both together are too long."""
        wanted = alignment.target(text, self._branch.tokens)
        windows = _windows(waveform)
        most = sum(1 + (end - start) // FRAME_SAMPLES for start, end in windows)  # one of each is not whole
        alignment.refuse_too_long(most, wanted)
        parts = (self._emissions(waveform, *span, wanted.tokens) for span in windows)
        return heard(text, alignment.align(alignment.joined(parts, most), wanted), None)

    @torch.inference_mode()
    def _emissions(self, waveform: np.ndarray, start: int, end: int, tokens: Sequence[int]) -> alignment.Emissions:
        """Of the samples from `start` to `end`."""
        part = waveform[start:end]
        device = self._recognizer.model.device
        features = self._front_end.features(a_frame_at_least(part))[None].to(device)
        frames = torch.tensor([features.shape[1]], device=device)
        encoded = self._recognizer.model.encode(features, torch.ones_like(features[..., 0], dtype=torch.long))
        scores = self._branch(encoded.float(), frames)[0]
        return alignment.emissions(scores, self._branch.blank, tokens, start / SAMPLING_RATE)


def _windows(waveform: np.ndarray) -> list[tuple[int, int]]:
    """Parts [first sample, last) of a waveform, cut where there is no speech."""
    seconds = len(waveform) / SAMPLING_RATE
    if seconds <= WINDOW_SECONDS:
        return [(0, len(waveform))]
    block = round(segment.BLOCK_SECONDS * SAMPLING_RATE)
    blocks = (waveform[start : start + block] for start in range(0, len(waveform), block))
    spans = segment.cut(segment.speech_probabilities(blocks), seconds, WINDOW_SECONDS)
    return [(round(span.start * SAMPLING_RATE), round(span.end * SAMPLING_RATE)) for span in spans]


def segments(text: str, words: Sequence[HeardWord], seconds: float, max_seconds: float) -> list[Segment]:
    """Utterances of at most about `max_seconds` of a recording of `seconds`, cut in the middle of the longest pause in
    the second half of what one may hold. Their texts are `text`, part by part; words without a time stay with those
    before them. A word that is longer by itself is a longer utterance."""
    places = text_words.split(text)
    timed = [number for number, word in enumerate(words) if word.timed]
    cuts = _cuts([words[number] for number in timed], max_seconds)
    firsts = [0] + [timed[cut] for cut in cuts]
    stops = [places[first].start for first in firsts[1:]] + [len(text)]
    found = []
    for first, stop, begin, end in zip(firsts, stops, [0, *cuts], [*cuts, len(timed)], strict=True):
        before = words[timed[begin - 1]].end if begin else 0.0
        behind = words[timed[end]].start if end < len(timed) else seconds
        start, stopped = words[timed[begin]].start, words[timed[end - 1]].end
        starts = max((before + start) / 2, start - MARGIN) if begin else max(0.0, start - MARGIN)
        ends = min((stopped + behind) / 2, stopped + MARGIN) if end < len(timed) else min(seconds, stopped + MARGIN)
        found.append(Segment(starts, ends, text[places[first].start if first else 0 : stop].strip()))
    return found


def _cuts(words: Sequence[HeardWord], max_seconds: float) -> list[int]:
    """Numbers of the words that utterances begin with, but for the first."""
    cuts: list[int] = []
    first = 0
    while words[-1].end - words[first].start > max_seconds:
        latest = next(
            (n for n in range(first + 1, len(words)) if words[n].end - words[first].start > max_seconds), None
        )
        if latest is None:
            break
        fair = [n for n in range(first + 1, latest + 1) if words[n].start - words[first].start >= max_seconds / 2]
        first = max(fair or [latest], key=lambda n: (words[n].start - words[n - 1].end, n))
        cuts.append(first)
    return cuts
