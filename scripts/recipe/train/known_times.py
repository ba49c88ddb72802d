"""Fitting a model's CTC branch to words whose times are known, so that it says well when words are said.

The CTC loss leaves open where in a word its tokens sound, and a branch trained by it alone says each of them in a
single frame that may lie anywhere near (docs/tried.md has figures). Where times are known, from a synthesizer, another
aligner or recordings that were put together, every frame can be told what it is of: a word's tokens share the word's
time evenly, what is in no word is blank, and a frame that two tokens share has both as its target. The rest of the
model is not changed.
"""

import itertools
import logging
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from recipe.data import datadir
from recipe.files import RecipeError
from recipe.model import alignment
from recipe.model.batches import batch_by_size
from recipe.model.ctc import CtcBranch
from recipe.model.ctc_tokens import CtcTokens
from recipe.model.features import FIRST_EDGE, FRAME_SECONDS, FrontEnd
from recipe.model.network import Recognizer
from recipe.text import words as text_words

logger = logging.getLogger(__name__)

BATCH_FRAMES = 4000  # padded, of a batch
TOGETHER = 16  # utterances that go through the encoder
SIGN = 0.5  # of the frame that a sign of the text is given, which nobody says
WARMUP = 0.1  # share of the training
APART = 0.7  # of the frame between two equal tokens, which is blank


class KnownWord(NamedTuple):
    """A word, or neighbours without a known border between them: seconds, and the text without white space."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class FitSettings:
    """How a branch is fitted: passes over the data, peak learning rate of AdamW, seed."""

    epochs: int = 10
    learning_rate: float = 2e-3
    seed: int = 1


@dataclass(frozen=True)
class KnownUtterance:
    """What a branch is fitted to: a waveform [samples] at 16 kHz, its text, and the times of all of its words."""

    key: str
    waveform: np.ndarray
    text: str
    words: Sequence[KnownWord]


class Deviation(NamedTuple):
    """How far times are from the known ones, over the begins and ends of words: seconds, absolute."""

    borders: int
    median: float
    most: float  # what 95 % of them are within

    @classmethod
    def of(cls, errors: Sequence[float]) -> "Deviation":
        """The deviation of so many seconds, absolute; at least one."""
        return cls(len(errors), float(np.median(errors)), float(np.quantile(errors, 0.95, method="higher")))


class FrameTargets(NamedTuple):
    """What the frames of an utterance are of: encoder outputs [frames, width] in 16 bits, and targets [frames,
    vocabulary], sparse, whose rows are 1 in all."""

    encoded: torch.Tensor
    targets: torch.Tensor


def read_ctm(path: str) -> dict[str, list[KnownWord]]:
    """Words by the key of their utterance, of a CTM: key, channel, begin, length, word (and more). RecipeError names
    the line that is none."""
    found: dict[str, list[KnownWord]] = {}
    for number, raw in datadir.raw_lines(path):
        columns = raw.decode(errors="replace").split()
        try:
            key, _, start, length, word = columns[:5]
            found.setdefault(key, []).append(KnownWord(float(start), float(start) + float(length), word))
        except ValueError:
            shown = " ".join(columns)[:60]
            raise RecipeError(
                f"{path}:{number}: {shown!r}, expected key, channel, begin, length (seconds) and word"
            ) from None
    return {key: sorted(words) for key, words in found.items()}


def frame_targets(text: str, words: Sequence[KnownWord], tokens: CtcTokens, frames: int, blank: int) -> torch.Tensor:
    """Targets [frames, blank + 1] of an utterance. ValueError if `words` are not those of `text`."""
    if not words:
        raise ValueError("no word has a time")
    wanted = alignment.target(text, tokens)
    owner = _owners(text, words)
    said: list[list[int]] = [[] for _ in words]
    signs: list[tuple[int, float]] = []  # of tokens that nobody says: frame after the word before them
    last = words[0].start
    for token, (start, end) in zip(wanted.tokens, wanted.places, strict=True):
        of = next((owner[place] for place in range(start, end) if place in owner), None)
        if of is None:
            signs.append((token, last))
            last += FRAME_SECONDS
        else:
            said[of].append(token)
            last = words[of].end
    targets = torch.zeros(frames, blank + 1)
    spoken = [part for word, own in zip(words, said, strict=True) for part in _shared(word, own)]
    edges = FIRST_EDGE + FRAME_SECONDS * np.arange(frames + 1)
    for token, start, end in spoken:
        shares = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
        targets[:, token] += torch.from_numpy(np.clip(shares, 0, None) / FRAME_SECONDS).float()
    for token, second in signs:
        row = targets[_frame(second, frames)]
        row *= 1 - SIGN
        row[token] += SIGN
    for before, behind in itertools.pairwise(spoken):
        if before[0] == behind[0] and behind[1] - before[2] < FRAME_SECONDS:
            row = targets[_frame(behind[1], frames)]
            row *= 1 - APART
    targets /= targets.sum(1, keepdim=True).clamp(min=1)
    targets[:, blank] += 1 - targets.sum(1)
    return targets


def _frame(second: float, frames: int) -> int:
    return min(max(0, int((second - FIRST_EDGE) / FRAME_SECONDS)), frames - 1)


def _shared(word: KnownWord, tokens: Sequence[int]) -> Iterator[tuple[int, float, float]]:
    """Tokens with their even shares of a word's time."""
    for number, token in enumerate(tokens):
        second = (word.end - word.start) / len(tokens)
        yield token, word.start + number * second, word.start + (number + 1) * second


def _owners(text: str, words: Sequence[KnownWord]) -> dict[int, int]:
    """The number of the word that each character of `text` is in that is said."""
    places = [place for place, char in enumerate(text) if not text_words.silent(char)]
    letters = [(char, number) for number, word in enumerate(words) for char in word.text if not text_words.silent(char)]
    if [text[place].casefold() for place in places] != [char.casefold() for char, _ in letters]:
        raise ValueError(f"its words with times are {' '.join(word.text for word in words)!r}, its text is {text!r}")
    return {place: number for place, (_, number) in zip(places, letters, strict=True)}


def prepared(recognizer: Recognizer, branch: CtcBranch, utterances: Iterable[KnownUtterance]) -> list[FrameTargets]:
    """Encoder outputs and targets of utterances; those whose words with times are not those of their text are left out,
    and the log says how many. RecipeError if that leaves none."""
    found, left_out = [], []
    for one, encoded in _encoded(recognizer, utterances):
        try:
            targets = frame_targets(one.text, one.words, branch.tokens, len(encoded), branch.blank)
        except ValueError as error:
            left_out.append(f"{one.key}: {error}")
            continue
        found.append(FrameTargets(encoded.half().cpu(), targets.to_sparse()))
    if left_out:
        logger.warning("%d utterances are left out; %s", len(left_out), left_out[0])
    if not found:
        raise RecipeError("no utterance has a text and the times of its words")
    return found


def deviation(recognizer: Recognizer, branch: CtcBranch, utterances: Iterable[KnownUtterance]) -> Deviation:
    """How far the times of a branch are from those that are known. ValueError if an utterance's words are not those of
    its text; words whose times it cannot say count as infinitely far."""
    errors: list[float] = []
    for one, encoded in _encoded(recognizer, utterances):
        owner = _owners(one.text, one.words)
        [times] = alignment.times(branch, [encoded], [one.text])
        for number, word in enumerate(one.words):
            own = [
                time
                for time, place in zip(times, text_words.split(one.text), strict=True)
                if any(owner.get(at) == number for at in range(place.start, place.end))
            ]
            known = None not in own
            errors += [abs(own[0].start - word.start), abs(own[-1].end - word.end)] if known else [math.inf] * 2
    return Deviation.of(errors)


def _encoded(
    recognizer: Recognizer, utterances: Iterable[KnownUtterance]
) -> Iterator[tuple[KnownUtterance, torch.Tensor]]:
    """Utterances with their encoder outputs [frames, width]."""
    front_end = FrontEnd(recognizer)
    rest = iter(utterances)
    while batch := list(itertools.islice(rest, TOGETHER)):
        features = [front_end.features(one.waveform) for one in batch]
        yield from zip(batch, _encode(recognizer, features), strict=True)


@torch.inference_mode()
def _encode(recognizer: Recognizer, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Encoder outputs [frames, width] of stacked frames [frames, 560] of each utterance."""
    device = recognizer.model.device
    frames = torch.tensor([len(one) for one in features], device=device)
    padded = nn.utils.rnn.pad_sequence(list(features), batch_first=True).to(device)
    mask = (torch.arange(padded.shape[1], device=device) < frames[:, None]).long()
    found = recognizer.model.encode(padded, mask)
    return [row[:length] for row, length in zip(found, frames.tolist(), strict=True)]


def fit(branch: CtcBranch, utterances: Sequence[FrameTargets], settings: FitSettings = FitSettings()) -> None:
    """Train a branch on the cross entropy of the frames' targets; it is left in eval mode."""
    torch.manual_seed(settings.seed)
    draws = random.Random(settings.seed)
    lengths = [len(one.encoded) for one in utterances]
    optimizer = torch.optim.AdamW(branch.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    done = 0
    branch.train()
    for epoch in range(settings.epochs):
        loss = 0.0
        for batch in _batches(lengths, draws):
            done += sum(lengths[i] for i in batch)
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * _rate(done / (settings.epochs * sum(lengths)))
            loss += _step(branch, [utterances[i] for i in batch], optimizer)
        logger.info("pass %d of %d: loss %.3f a frame", epoch + 1, settings.epochs, loss / sum(lengths))
    branch.eval()


def _rate(progress: float) -> float:
    """Share of the peak learning rate: up for a tenth of the training, then down as a half cosine."""
    return progress / WARMUP if progress < WARMUP else (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP))) / 2


def _batches(lengths: Sequence[int], draws: random.Random) -> list[list[int]]:
    """Utterances of like length together, in random order."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i] + draws.random() * 8)
    batches = batch_by_size(order, lengths, BATCH_FRAMES)
    draws.shuffle(batches)
    return batches


def _step(branch: CtcBranch, batch: Sequence[FrameTargets], optimizer: torch.optim.Optimizer) -> float:
    """One update; the loss summed over the frames."""
    device = next(branch.parameters()).device
    frames = torch.tensor([len(one.encoded) for one in batch], device=device)
    encoded = nn.utils.rnn.pad_sequence([one.encoded.float() for one in batch], batch_first=True).to(device)
    targets = nn.utils.rnn.pad_sequence([one.targets.to_dense() for one in batch], batch_first=True).to(device)
    loss = -(targets * branch(encoded, frames)).sum()
    optimizer.zero_grad()
    (loss / frames.sum()).backward()
    nn.utils.clip_grad_norm_(branch.parameters(), 1.0)
    optimizer.step()
    return loss.item()
