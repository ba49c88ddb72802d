"""Batches that are prefetched in a thread while the ones before are at work."""

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

Batch = TypeVar("Batch")

PREFETCHED = 2  # batches that wait at most


@dataclass(frozen=True)
class _Finished:
    """There are no more batches: all were read, or reading the next one raised `error`."""

    error: Exception | None = None


def prefetch(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same batches in the same order, taken in a thread up to `PREFETCHED` + 1 ahead of their use.

    What taking one raises is raised where that batch would have come. The thread ends with the iterator: when it is
    used up, closed or garbage.
    """
    waiting: queue.Queue = queue.Queue(PREFETCHED)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        """Whether it was wanted."""
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        torch.set_num_threads(1)  # of this thread: more of them would wait in turns with those at work
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(_Finished())
        except Exception as error:  # noqa: BLE001 (raised again by the consumer)
            put(_Finished(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _Finished):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()
