"""Batches: which utterances go together, by a budget of padded audio.

Utterances of like length share a batch, so that little is padding; the batches of an epoch come in random order, so
that lengths mix over the steps. Everything follows from the seed and the epoch.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from recipe.model.batches import batch_by_size

# Utterances are shuffled, cut into pools of about this many batches, and sorted by length inside a pool: large enough
# for little padding, small enough that batches differ from epoch to epoch.
POOL_BATCHES = 50


def epoch_batches(frames: Sequence[int], budget: int, seed: int, epoch: int) -> list[list[int]]:
    """All batches of one epoch, in the order of training: every index of `frames` exactly once."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(frames))
    lengths = np.asarray(frames)
    pool = max(1, int(POOL_BATCHES * budget / max(1.0, lengths.mean())))
    batches = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches.extend(batch_by_size(part.tolist(), frames, budget))
    random.shuffle(batches)
    return batches


def share(batches: list[list[int]], ranks: int) -> list[list[int]]:
    """Split batches in two, the largest first, until their number is a multiple of `ranks`, so that each rank has as
    many and nothing is dropped or used twice. RuntimeError if there are too few utterances."""
    batches = list(batches)
    while len(batches) % ranks:
        largest = max(range(len(batches)), key=lambda i: (len(batches[i]), -i))
        batch = batches[largest]
        if len(batch) < 2:
            raise RuntimeError(f"{len(batches)} utterances cannot be shared among {ranks} processes")
        middle = len(batch) // 2
        batches[largest : largest + 1] = [batch[:middle], batch[middle:]]
    return batches


# Epoch -> indices of its utterances (an index may come twice) and the frames of each.
Plan = Callable[[int], tuple[Sequence[int], Sequence[int]]]


class TrainingBatches:
    """The batches of a whole training run on one rank, epoch after epoch, for `DataLoader(batch_sampler=...)`.

    `plan` says for an epoch which utterances it has, and their frames in it. Yields lists of (epoch, index). As one
    sequence without epochs of its own it can be taken up again at any step by skipping what was done.
    """

    def __init__(self, plan: Plan, budget: int, seed: int, rank: int = 0, ranks: int = 1):
        self._plan = plan
        self.budget = budget
        self._seed = seed
        self._rank = rank
        self._ranks = ranks
        self.length = 0  # batches in all, set by `set_length`
        self._sizes: list[int] = []

    def _epoch(self, epoch: int) -> list[list[int]]:
        indices, frames = self._plan(epoch)
        batches = share(epoch_batches(frames, self.budget, self._seed, epoch), self._ranks)
        return [[indices[i] for i in batch] for batch in batches[self._rank :: self._ranks]]

    def batches_in(self, epochs: float) -> int:
        """Number of batches of this rank in so many epochs (the last one may be a fraction)."""
        whole, fraction = int(epochs), epochs - int(epochs)
        count = sum(len(self._epoch(epoch)) for epoch in range(whole))
        return count + (round(fraction * len(self._epoch(whole))) if fraction else 0)

    def set_length(self, batches: int) -> None:
        """Say how many batches the run has in all."""
        self.length = batches

    def epoch_at(self, batch: int) -> float:
        """Epochs done after `batch` batches."""
        done = epoch = 0
        while True:
            if epoch == len(self._sizes):
                self._sizes.append(len(self._epoch(epoch)))
            if done + self._sizes[epoch] > batch:
                return epoch + (batch - done) / self._sizes[epoch]
            done += self._sizes[epoch]
            epoch += 1

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        done = epoch = 0
        while done < self.length:
            for batch in self._epoch(epoch)[: self.length - done]:
                yield [(epoch, index) for index in batch]
                done += 1
            epoch += 1
