"""Batches that are read in a thread while the ones before are at work."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import torch

Batch = TypeVar("Batch")

AHEAD = 2  # batches that wait at most


def read_ahead(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same batches, taken in a thread a little ahead of their use."""
    waiting: queue.Queue = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: Any) -> bool:
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
                if not put((batch, None)):
                    return
            put((None, None))
        except Exception as error:  # noqa: BLE001 (raised again by the consumer)
            put((None, error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            batch, error = waiting.get()
            if error is not None:
                raise error
            if batch is None:
                return
            yield batch
    finally:
        stopped.set()
        thread.join()
