"""Tables that are met in step with the references: where they have the order in which they are asked for, or nearly,
memory does not grow with them. In the workflow, all tables of a test set have the order of its manifest."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import numpy as np

Value = TypeVar("Value")


class InStep(Generic[Value]):
    """Values by key, each asked for once. Rows that are passed on the way to a key wait in memory. `twice`, if given,
    is called at the end if a key came twice, and raises the error that says where."""

    def __init__(self, rows: Iterable[tuple[str, Value]], twice: Callable[[], object] | None = None):
        self._rows = iter(rows)
        self._waiting: dict[str, Value] = {}
        self._twice = twice
        self._hashes = array("q")

    def _read(self) -> Iterator[tuple[str, Value]]:
        for key, value in self._rows:
            if self._twice:
                self._hashes.append(hash(key))
            yield key, value

    def take(self, key: str) -> Value | None:
        """The value of a key, forgotten once given; None without a row."""
        if self._waiting and key in self._waiting:
            return self._waiting.pop(key)
        for found, value in self._read():
            if found == key:
                return value
            self._waiting[found] = value
        return None

    def rest(self) -> dict[str, Value]:
        """All that nobody asked for."""
        self._waiting.update(self._read())
        return self._waiting

    def finish(self) -> None:
        """Go through what is left, for the errors in it."""
        for _ in self._read():
            pass
        if self._twice and has_repeated(self._hashes):
            self._twice()


def has_repeated(hashes: array) -> bool:
    """Whether one of them is there twice."""
    return len(np.unique(np.asarray(hashes))) < len(hashes)


def repeated(keys: Iterable[str]) -> frozenset[int]:
    """Hashes of the keys that come more than once; keys that do not may have one of them too, but hardly ever."""
    hashes = array("q", map(hash, keys))
    found, times = np.unique(np.asarray(hashes), return_counts=True)
    return frozenset(found[times > 1].tolist())
