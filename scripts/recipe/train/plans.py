"""The batches of each epoch, planned once by the first process, ahead of their use, and kept as files for the others.

A file has int32 numbers: how many batches, the end of each (and before them 0), and the utterances, batch after batch.
Only those of the epochs about the one in use are kept, but the number of batches of every epoch that was ever planned.
"""

import hashlib
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recipe.files import json_line, make_folder, open_atomic, read_json, sha256, write_json
from recipe.train.processes import rank, told_by_first

FACTS = "epochs.json"  # of each epoch its number, its batches and the share of padding
_AHEAD = 2  # epochs whose files are made at the start
_NUMBER = np.dtype("<i4")
_WAIT = 0.05  # seconds between two looks for a file
_BLOCK = 1 << 18  # batches written at a time


@dataclass(frozen=True)
class EpochPlan:
    """All batches of an epoch, in the order of training: number i has utterances[starts[i] : ends[i]]."""

    utterances: np.ndarray  # int32
    starts: np.ndarray  # int64 [batches]
    ends: np.ndarray
    padding: float  # share of padding among all frames

    def batches(self) -> Iterator[list[int]]:
        """The batches, one by one."""
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield self.utterances[start:end].tolist()


class Plans:
    """Plans of epochs in `folder`, made by `make` in the first process; in the others it is None, and they wait. The
    first one may be `ahead` of another by so many batches (of all ranks), and keeps what that has yet to open.

    `folder` belongs to one way of planning: whatever is in it is taken as it is.
    """

    def __init__(self, folder: Path, make: Callable[[int], EpochPlan] | None = None, ahead: int = 0):
        self._folder = folder
        self._make = make
        self._ahead = ahead
        self._lock = threading.Lock()
        self._planned: dict[int, Future] = {}  # epochs whose files are there, or being made
        self._thread = ThreadPoolExecutor(1)
        known = read_json(folder / FACTS) if (folder / FACTS).is_file() else []
        self._facts: dict[int, tuple[int, float]] = {epoch: (batches, padding) for epoch, batches, padding in known}

    def count(self, epochs: int) -> None:
        """Find out how many batches the first `epochs` epochs have; for the first process, before the others ask."""
        for epoch in range(epochs):
            if epoch not in self._facts:
                if epoch < _AHEAD:
                    self._plan(epoch).result()
                else:
                    self._note(epoch, self._make(epoch))
        self._keep_facts()

    def size(self, epoch: int) -> int:
        """Batches of an epoch, of all ranks."""
        if epoch not in self._facts:
            if self._make:
                self._plan(epoch).result()
            else:
                self._facts[epoch] = int(np.fromfile(self._waited_for(epoch), _NUMBER, 1)[0]), math.nan
        return self._facts[epoch][0]

    def padding(self, epoch: int) -> float:
        """Share of padding in an epoch; for the first process."""
        self.size(epoch)
        return self._facts[epoch][1]

    def batches(self, epoch: int, numbers: Sequence[int], is_last: bool = True) -> Iterator[list[int]]:
        """Batches of an epoch by their numbers. Unless it is the last one, the next epoch is planned meanwhile."""
        if self._make:
            self._plan(epoch).result()
            self._forget(epoch)
            if not is_last:
                self._plan(epoch + 1)
        with open(self._waited_for(epoch), "rb", buffering=0) as file:
            [count] = _read(file, 0, 1)
            for number in numbers:
                start, end = _read(file, 1 + number, 2)
                yield _read(file, count + 2 + start, end - start)

    def close(self) -> None:
        """Wait for what is being planned."""
        self._thread.shutdown(cancel_futures=True)

    def _file(self, epoch: int) -> Path:
        return self._folder / f"epoch-{epoch}"

    def _waited_for(self, epoch: int) -> Path:
        """An epoch's file, once it is there. If the first process ends, whoever started the run ends this one."""
        while not self._file(epoch).is_file():
            time.sleep(_WAIT)
        return self._file(epoch)

    def _plan(self, epoch: int) -> Future:
        """The epoch's file in the making, in a thread."""
        with self._lock:
            if epoch not in self._planned:
                self._planned[epoch] = self._thread.submit(self._write, epoch)
            return self._planned[epoch]

    def _write(self, epoch: int) -> None:
        if epoch in self._facts and self._file(epoch).is_file():
            return
        plan = self._make(epoch)
        sizes = plan.ends - plan.starts
        with open_atomic(self._file(epoch), "wb") as file:
            file.write(np.concatenate([[len(sizes), 0], np.cumsum(sizes)]).astype(_NUMBER).tobytes())
            for first in range(0, len(sizes), _BLOCK):
                starts, counts = plan.starts[first : first + _BLOCK], sizes[first : first + _BLOCK]
                # Places in the plan, batch after batch: the first of each batch, and 0, 1, 2 ... of it.
                within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
                file.write(plan.utterances[np.repeat(starts, counts) + within].astype(_NUMBER).tobytes())
        known = epoch in self._facts
        self._note(epoch, plan)
        if not known:
            self._keep_facts()

    def _note(self, epoch: int, plan: EpochPlan) -> None:
        self._facts[epoch] = len(plan.ends), plan.padding

    def _keep_facts(self) -> None:
        write_json(self._folder / FACTS, [[epoch, *facts] for epoch, facts in sorted(self._facts.items())])

    def _forget(self, current: int) -> None:
        """Delete files of epochs that no process reads any more."""
        oldest, between = current - 1, 0
        while oldest > 0 and (between := between + self._facts.get(oldest, (0,))[0]) < self._ahead:
            oldest -= 1
        with self._lock:
            for epoch in [epoch for epoch in self._planned if epoch < oldest]:
                del self._planned[epoch]
        for file in self._folder.glob("epoch-*"):
            if int(file.name.partition("-")[2]) < oldest:
                file.unlink(missing_ok=True)


def open_plans(
    folder: Path, make: Callable[[int], EpochPlan], cause: Sequence[Any], table: Path, epochs: int, ahead: int = 0
) -> Plans:
    """The plans of a run, in a folder of `folder`, of which the first process has counted so many epochs. `cause` and
    the file `table` say what they are made of, beside the code: plans of anything else are deleted. For `ahead` see
    `Plans`."""

    def begun() -> Path:
        name = hashlib.sha256(json_line([*cause, sha256(table)]).encode()).hexdigest()[:16]
        for other in folder.glob("*"):
            if other.name != name:
                shutil.rmtree(other)
        Plans(make_folder(folder / name), make).count(epochs)
        return folder / name

    return Plans(told_by_first(begun), None if rank() else make, ahead)


def _read(file: BinaryIO, first: int, count: int) -> list[int]:
    """Numbers of an open file."""
    return np.frombuffer(os.pread(file.fileno(), count * _NUMBER.itemsize, first * _NUMBER.itemsize), _NUMBER).tolist()
