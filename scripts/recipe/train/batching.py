"""Batches: which utterances go together, by a budget of padded audio.

Utterances of like length share a batch, so that little is padding; the batches of an epoch come in random order, so
that lengths mix over the steps. Everything follows from the seed and the epoch.

Shuffled in full, a batch has utterances from anywhere in the corpus, each a read of its own. Shuffled in chunks, what
is read at a time are runs of neighbours (of a packed corpus, some 20 MB behind one another): runs are shuffled instead
of utterances, and batches only among those of the same few runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Literal

import numpy as np

from recipe.train.plans import EpochPlan, Plans

# Utterances are shuffled, cut into pools of about this many batches, and sorted by length inside a pool: large enough
# for little padding, small enough that batches differ from epoch to epoch.
POOL_BATCHES = 50
RUN = 100  # utterances that stay neighbours where chunks are shuffled
_BLOCK = 1 << 20  # utterances looked at at a time, about

# Lengths (stacked frames) [n] of the utterances with the indices [n].
Lengths = Callable[[np.ndarray], np.ndarray]
Shuffle = Literal["full", "chunks"]


@dataclass(frozen=True)
class Rounding:
    """How utterances are rounded up to a few lengths (see `ladder`), for batches that all have as many rows as fit:
    rounded lengths, the targets of each, and how many targets a batch may have."""

    lengths: Lengths
    targets: Lengths
    most_targets: int


def epoch_plan(
    utterances: np.ndarray,
    lengths: Lengths,
    budget: int,
    seed: int,
    epoch: int,
    ranks: int = 1,
    shuffle: Shuffle = "full",
    rounding: Rounding | None = None,
) -> EpochPlan:
    """The batches of an epoch that has `utterances` [n], an index perhaps more than once: within `budget` padded frames
    each, and as many for each rank. With `rounding` they are cut by rounded lengths, and rows that stay empty are
    padding too. Beside the plan itself it takes memory for a million of them at a time."""
    random = np.random.default_rng([seed, epoch])
    order = utterances.astype(np.int32)  # a copy: it is put in order in place
    real = sum(int(lengths(order[block]).sum()) for block in _blocks(len(order), _BLOCK))
    if shuffle == "chunks":
        order = _shuffled_runs(order, random)
    else:
        random.shuffle(order)
    pool = max(1, int(POOL_BATCHES * budget / max(1.0, real / len(order))))
    ends, padded = [], 0
    for block in _blocks(len(order), pool, _BLOCK):
        part = order[block].reshape(-1, min(pool, block.stop - block.start))
        found = (rounding.lengths if rounding else lengths)(part.ravel()).reshape(part.shape)
        # Short integers are sorted by radix, ten times as fast.
        short = found.astype(np.uint16) if found.max() < 2**16 else found
        by_length = np.argsort(short, axis=1, kind="stable")
        part[:] = np.take_along_axis(part, by_length, axis=1)
        found = np.take_along_axis(found, by_length, axis=1)
        if rounding:
            targets = rounding.targets(part.ravel()).reshape(part.shape)
            cuts = _cut(found, budget, targets, rounding.most_targets)
        else:
            cuts = _cut(found, budget)
        longest = found.ravel()[cuts - 1]
        rows = np.maximum(1, budget // longest) if rounding else np.diff(cuts, prepend=0)
        padded += int((longest * rows).sum())
        ends.append(block.start + cuts)
    ends = np.concatenate(ends)
    starts = np.concatenate([[0], ends[:-1]])
    turn = np.arange(len(ends), dtype=np.int32)
    random.shuffle(turn)
    if shuffle == "chunks":
        turn = _pool_by_pool(starts // pool, turn, ranks)
    return EpochPlan(order, *share(starts[turn], ends[turn], ranks), 1 - real / padded)


def _shuffled_runs(order: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The same numbers, cut into runs of `RUN` from a random place on, the runs in random order."""
    starts = np.arange(int(random.integers(RUN)) - RUN, len(order), RUN)
    ends = np.minimum(starts + RUN, len(order))
    turn = random.permutation(len(starts))
    starts, sizes = np.maximum(starts, 0)[turn], (ends - np.maximum(starts, 0))[turn]
    found, done = np.empty_like(order), 0
    for block in _blocks(len(starts), _BLOCK // RUN):
        counts = sizes[block]
        # Of each run its first place, and 0, 1, 2 ... of it.
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        found[done : done + len(within)] = order[np.repeat(starts[block], counts) + within]
        done += len(within)
    return found


def _pool_by_pool(pools: np.ndarray, turn: np.ndarray, ranks: int) -> np.ndarray:
    """Batches, whose `pools` are given, in the order of `turn` within each pool, and as many pools at a time as there
    are ranks, a batch of each in turn: so a rank has mostly one pool at a time, and reads the runs of that one."""
    turn = turn[np.argsort(pools[turn], kind="stable")]
    pool = pools[turn]
    place = np.arange(len(turn)) - np.searchsorted(pool, pool)
    return turn[np.lexsort((pool, place, pool // ranks))]


def _blocks(count: int, size: int, most: int = 0) -> Iterator[slice]:
    """`count` places in runs of a multiple of `size`, about `most`; what remains, fewer than `size`, is a run alone."""
    whole = count // size * size
    step = max(1, most // size) * size
    yield from (slice(start, min(start + step, whole)) for start in range(0, whole, step))
    if whole < count:
        yield slice(whole, count)


def _cut(lengths: np.ndarray, budget: int, targets: np.ndarray | None = None, most_targets: int = 0) -> np.ndarray:
    """Where batches end, as places in `lengths` [pools, n] row by row, whose rows ascend: each takes as many as fit
    into `budget` padded frames, and into `most_targets` if `targets` [pools, n] are given, at least one. All pools
    advance together, a batch at a time, its end bisected."""
    pools, size = lengths.shape
    up_to = None if targets is None else np.cumsum(targets, axis=1, dtype=np.int64)
    row, start, ends = np.arange(pools), np.zeros(pools, np.int64), []
    while len(row):
        low, high = start + 1, np.full(len(row), size)
        for _ in range(size.bit_length()):
            middle = (low + high) // 2
            last = np.minimum(middle, size - 1)
            over = (lengths[row, last] * (middle - start + 1) > budget) | (middle == high)
            if up_to is not None:
                over |= up_to[row, last] - up_to[row, start] + targets[row, start] > most_targets
            low, high = np.where(over, low, middle + 1), np.where(over, middle, high)
        ends.append(row * size + low)
        row, start = row[low < size], low[low < size]
    return np.sort(np.concatenate(ends))


def share(starts: np.ndarray, ends: np.ndarray, ranks: int) -> tuple[np.ndarray, np.ndarray]:
    """Split batches in two, the largest first, until their number is a multiple of `ranks`, so that each rank has as
    many and nothing is dropped or used twice. RuntimeError if there are too few utterances."""
    while len(starts) % ranks:
        sizes = ends - starts
        largest = int(sizes.argmax())
        if sizes[largest] < 2:
            raise RuntimeError(f"{len(starts)} utterances cannot be shared among {ranks} processes")
        middle = starts[largest] + sizes[largest] // 2
        starts, ends = np.insert(starts, largest + 1, middle), np.insert(ends, largest, middle)
    return starts, ends


class TrainingBatches:
    """The batches of a whole training run on one rank, epoch after epoch, for `DataLoader(batch_sampler=...)`.

    Yields lists of (epoch, index). It is one sequence without epochs of its own; the first `done` of it, which a run
    that goes on passes over, come empty, so that to skip them costs nothing.
    """

    def __init__(self, plans: Plans, budget: int, rank: int = 0, ranks: int = 1):
        self.plans = plans
        self.budget = budget
        self._rank = rank
        self._ranks = ranks
        self.length = 0  # batches in all, set by `set_length`
        self.done = 0

    def batches_in(self, epochs: float) -> int:
        """Number of batches of this rank in so many epochs (the last one may be a fraction)."""
        whole, fraction = int(epochs), epochs - int(epochs)
        count = sum(map(self._size, range(whole)))
        return count + (round(fraction * self._size(whole)) if fraction else 0)

    def _size(self, epoch: int) -> int:
        return self.plans.size(epoch) // self._ranks

    def set_length(self, batches: int) -> None:
        """Say how many batches the run has in all."""
        self.length = batches

    def epoch_at(self, batch: int) -> float:
        """Epochs done after `batch` batches."""
        epoch = 0
        # At the end of an epoch the next one, which may not be planned yet, is not asked.
        while batch and batch >= self._size(epoch):
            batch -= self._size(epoch)
            epoch += 1
        return epoch + (batch / self._size(epoch) if batch else 0.0)

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        given = epoch = 0
        while given < self.length:
            size = min(self._size(epoch), self.length - given)
            skipped = min(size, max(0, self.done - given))
            yield from repeat([], skipped)
            if skipped < size:
                numbers = range(skipped * self._ranks + self._rank, size * self._ranks, self._ranks)
                for batch in self.plans.batches(epoch, numbers, is_last=given + size == self.length):
                    yield [(epoch, index) for index in batch]
            given += size
            epoch += 1
