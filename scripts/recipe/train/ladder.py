"""A few shapes that all batches of a run are padded to, so that each can be recorded once as a CUDA graph.

Utterances are rounded up to rungs: of each rung the largest number of frames and the most text. A batch, cut by the
rounded lengths, then has as many rows as fit into the budget, and its shape follows from its rung. Which rungs there
are follows from the utterances before training: borders that make the least padding (optimal one-dimensional
partition, by dynamic programming), and as few as keep within `ALLOWED`.
"""

import dataclasses
import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from recipe.model.network import audio_token_count
from recipe.settings.train import TrainSettings
from recipe.text.prompt import IGNORED
from recipe.train.batching import Rounding, epoch_plan
from recipe.train.dataset import Utterances
from recipe.train.frozen import ADAPTOR_OUTPUTS, ENCODER_OUTPUTS

logger = logging.getLogger(__name__)

ALLOWED = 1.05  # padded frames of an epoch, as a multiple of those without shapes
NUMBERS = range(4, 49, 4)  # of rungs, that are tried in turn
_SAMPLE = 100_000  # utterances that rungs are fitted to
_BORDERS = 1024  # lengths that may be one, at most
# Share of a rung's utterances that its room for text is made for; the others take a higher one.
_TEXTS = 0.95
# Share of batches that the room for targets is made for; the others are cut earlier.
_TARGETS = 0.99


@dataclass(frozen=True)
class Shape:
    """The size of a batch: utterances, stacked frames, adaptor frames that become tokens, and tokens of each; and
    targets of all."""

    rows: int
    frames: int
    audio: int
    tokens: int
    targets: int


@dataclass(frozen=True)
class Ladder:
    """Shapes of batches within a budget of frames, smallest utterances first. `common_tokens` are those that every
    utterance has (see `UtteranceTable`), `targets` those that a batch may have."""

    frames: tuple[int, ...]
    text: tuple[int, ...]
    targets: int
    budget: int
    common_tokens: int
    audio_tokens: str

    @functools.cached_property
    def shapes(self) -> list[Shape]:
        """The shape of each rung."""
        found = []
        for frames, text in zip(self.frames, self.text, strict=True):
            audio = audio_token_count(frames, self.audio_tokens)
            # A place behind every text, for what stands for nothing.
            tokens = audio + text + self.common_tokens + 1
            found.append(Shape(max(1, self.budget // frames), frames, audio, tokens, self.targets))
        return found

    def rounding(self, train_set: Utterances, epoch: int) -> Rounding:
        """How an epoch's utterances are rounded when its batches are cut."""
        sizes = train_set.sizes(epoch)

        def lengths(indices: np.ndarray) -> np.ndarray:
            return rounded(self.frames, self.text, *sizes(indices))

        return Rounding(lengths, lambda indices: sizes(indices)[1] + 1, self.targets)

    def shape_of(self, rows: int, frames: int, tokens: int, targets: int) -> Shape | None:
        """The smallest shape that a batch of this size fits into; None if there is none."""
        for shape in self.shapes:
            room = shape.rows, shape.frames, shape.tokens - 1, shape.targets
            if all(own <= most for own, most in zip((rows, frames, tokens, targets), room, strict=True)):
                return shape
        return None


def rounded(rungs: tuple[int, ...], text: tuple[int, ...], frames: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """The frames [n] of the rungs of utterances of so many `frames` and tokens of text [n]."""
    place = np.maximum(np.searchsorted(rungs, frames), np.searchsorted(text, texts))
    return np.asarray(rungs)[place]


def fitted(train_set: Utterances, settings: TrainSettings, budget: int, audio_tokens: str) -> Ladder:
    """The shapes for batches of a run within `budget` padded frames."""
    indices = train_set.indices(0)
    indices = indices[:: -(-len(indices) // _SAMPLE)]
    longest, most_text = train_set.longest(), train_set.most_text()
    frames, texts = train_set.sizes(0)(indices)
    lengths = np.maximum(frames, texts)

    def plan(rounding: Rounding | None = None):
        own = train_set.lengths(0)
        return epoch_plan(indices, own, budget, settings.seed, 0, shuffle=settings.shuffle, rounding=rounding)

    least = 1 - plan().padding
    for borders in partitions(lengths, longest, NUMBERS):
        room = _text_room(borders, lengths, texts, most_text)
        ladder = Ladder(borders, room, int(texts.sum()) + len(texts), budget, train_set.utterances.common_tokens,
                        audio_tokens)  # fmt: skip
        targets = _batch_targets(plan(ladder.rounding(train_set, 0)), train_set)
        most = max(int(np.quantile(targets, _TARGETS, method="higher")), most_text + 1)
        ladder = dataclasses.replace(ladder, targets=most)
        padding = plan(ladder.rounding(train_set, 0)).padding
        if 1 - padding >= least / ALLOWED:
            break
    logger.info("%d shapes of batches; padding %.1f %%, without them %.1f %%", len(borders), 100 * padding,
                100 * (1 - least))  # fmt: skip
    return ladder


def _text_room(borders: tuple[int, ...], lengths: np.ndarray, texts: np.ndarray, most: int) -> tuple[int, ...]:
    """Tokens of text that each rung has room for."""
    rung, room = np.searchsorted(borders, lengths), []
    for place, frames in enumerate(borders[:-1]):
        own = texts[rung == place]
        usual = int(np.quantile(own, _TEXTS, method="higher")) if len(own) else 0
        room.append(max([*room[-1:], min(usual, frames, most)]))
    return (*room, most)


def _batch_targets(plan, train_set: Utterances) -> np.ndarray:
    """Targets, at most, of each batch of a plan of the first epoch."""
    own = train_set.sizes(0)(plan.utterances)[1] + 1
    before = np.concatenate([[0], np.cumsum(own)])
    return before[plan.ends] - before[plan.starts]


def partitions(lengths: np.ndarray, longest: int, numbers: range) -> Iterator[tuple[int, ...]]:
    """For each of `numbers` that many borders, the last one `longest`, such that rounding `lengths` up to the next one
    adds least in all; fewer where there are fewer different lengths."""
    unit = -(-longest // _BORDERS)
    values, counts = np.unique(np.append(np.minimum(-(-lengths // unit) * unit, longest), longest), return_counts=True)
    size = len(values)
    below, mass = np.append(0, np.cumsum(counts)), np.append(0, np.cumsum(counts * values))
    # What it costs to round values i to j, from i <= j, up to the last of them.
    cost = values * (below[1:] - below[:-1, None]) - (mass[1:] - mass[:-1, None])
    cost = np.where(np.tri(size, k=-1, dtype=bool), np.inf, cost)
    best, back = cost[0], []  # of the values up to each, with one border, and where the border before it lies
    for number in numbers:
        while len(back) + 1 < min(number, size):
            with_one_more = best[:-1, None] + cost[1:]
            back.append(with_one_more.argmin(0))
            best = with_one_more.min(0)
        ends = [size - 1]
        for place in reversed(back):
            ends.append(int(place[ends[-1]]))
        yield tuple(values[ends[::-1]].tolist())
        if number >= size:
            return


def in_shape(batch: dict[str, torch.Tensor], shape: Shape, pad_id: int) -> dict[str, torch.Tensor]:
    """A collated batch padded to a shape; rows that are nobody's have a frame and a token of padding, which nothing
    comes of: attention over nothing at all is not a number."""
    rows = {
        "input_features": (shape.frames, 0.0), ENCODER_OUTPUTS: (shape.frames, 0.0),
        ADAPTOR_OUTPUTS: (shape.audio, 0.0), "input_features_mask": (shape.frames, 0),
        "input_ids": (shape.tokens, pad_id), "attention_mask": (shape.tokens, 0), "labels": (shape.tokens, IGNORED),
    }  # fmt: skip
    found = dict(batch)
    for name in rows.keys() & batch.keys():
        (width, value), own = rows[name], batch[name]
        found[name] = own.new_full((shape.rows, width, *own.shape[2:]), value)
        found[name][: own.shape[0], : own.shape[1]] = own
        if name in ("input_features_mask", "attention_mask"):
            found[name][own.shape[0] :, 0] = 1
    return found


def padded_places(batch: dict[str, torch.Tensor], shape: Shape) -> dict[str, torch.Tensor]:
    """The places of audio and targets of a batch `in_shape`, as many as the shape has: the others are the last ones of
    the last row, which are padding. What is put there nobody sees, and what is predicted there has no label."""
    last = shape.rows * shape.tokens - 1
    sizes = {
        "audio_places": (shape.rows * shape.audio, last), "audio_frames": (shape.rows * shape.audio, 0),
        "target_places": (shape.targets, last - 1),
    }  # fmt: skip
    found = {}
    for name, (size, value) in sizes.items():
        found[name] = batch[name].new_full((size,), value)
        found[name][: len(batch[name])] = batch[name]
    return found
