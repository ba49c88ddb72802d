"""What ends a training between two of its steps, or has it keep a checkpoint there: SIGTERM, by which schedulers say
that a job is about to be killed, and the time since the last checkpoint.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from ctypes import c_bool

from recipe.files import RecipeError
from recipe.train.processes import rank


class Terminated(RecipeError):
    """A training that was told to end, and has; the same command goes on with it."""

    status = 128 + signal.SIGTERM


class Notice:
    """What this process knows of the matter; the processes of a run tell each other before they act on it. `minutes`
    are those after which a checkpoint is due, 0 for never."""

    def __init__(self, minutes: float):
        self._seconds = minutes * 60
        self._kept_at = time.monotonic()
        self.told_to_end = False
        self._over = multiprocessing.RawValue(c_bool, False)  # shared with the processes that read audio

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint, by the clock of the first process."""
        return rank() == 0 and 0 < self._seconds <= time.monotonic() - self._kept_at

    def kept(self) -> None:
        """A checkpoint was written: the time until the next one begins."""
        self._kept_at = time.monotonic()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear SIGTERM instead of dying of it. It is Python's main thread that hears signals; a training in another
        one, as some notebooks have it, dies as before."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, self._hear)
        try:
            yield
        finally:
            self._over.value = True
            signal.signal(signal.SIGTERM, before)

    def _hear(self, number: int, frame) -> None:
        self.told_to_end = True

    def outlive(self, worker: int) -> None:
        """For a process that reads audio: go on after SIGTERM, which schedulers send to all processes of a job, as
        long as the training does. Without its readers it would end with an error."""
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0) if self._over.value else None)
