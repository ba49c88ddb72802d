"""Rows in the order of their keys, or as they came, in memory that does not grow with them: they lie on disk."""

import heapq
import marshal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from operator import itemgetter

from recipe.text.tables import Row

RUN = 50_000  # rows sorted in memory at a time
_BATCH = 500  # rows of a run in memory while runs are merged


class Sorter:
    """Sorts tuples of plain values of any number: add them, then iterate once."""

    def __init__(self, key: Callable[[tuple], object], run: int = 0):
        self._key = key
        self._run = run or RUN
        self._rows: list[tuple] = []
        self._runs: list = []

    def add(self, row: tuple) -> None:
        self._rows.append(tuple(row))
        if len(self._rows) >= self._run:
            self._spill()

    def _spill(self) -> None:
        self._rows.sort(key=self._key)
        file = tempfile.TemporaryFile(prefix="recipe-sort-")  # noqa: SIM115 - closed when the runs are merged
        for i in range(0, len(self._rows), _BATCH):
            marshal.dump(self._rows[i : i + _BATCH], file)
        file.seek(0)
        self._runs.append(file)
        self._rows = []

    def __iter__(self) -> Iterator[tuple]:
        self._rows.sort(key=self._key)
        return heapq.merge(*map(_load, self._runs), self._rows, key=self._key)


class Spool:
    """Tuples of plain values in the order in which they were added: add them, then read any stretch of them, as often
    as wanted."""

    def __init__(self):
        self._file = tempfile.TemporaryFile(prefix="recipe-spool-")  # noqa: SIM115 - it is gone with this object
        self._places: list[int] = []  # of each batch of _BATCH rows in the file
        self._rows: list[tuple] = []  # of the last batch, which is not full

    def __len__(self) -> int:
        return len(self._places) * _BATCH + len(self._rows)

    def add(self, row: tuple) -> None:
        self._rows.append(tuple(row))
        if len(self._rows) == _BATCH:
            self._places.append(self._file.seek(0, 2))
            marshal.dump(self._rows, self._file)
            self._rows = []

    def rows(self, first: int, last: int) -> Iterator[tuple]:
        """Those from `first`, counted from 0, to the one before `last`."""
        skipped = min(first // _BATCH, len(self._places))  # batches
        batches = chain(map(self._batch, self._places[skipped:]), [self._rows])
        begins = skipped * _BATCH
        return islice(chain.from_iterable(batches), first - begins, max(first, last) - begins)

    def _batch(self, place: int) -> list[tuple]:
        self._file.seek(place)
        return marshal.load(self._file)


def _load(file) -> Iterator[tuple]:
    with file:
        while True:
            try:
                batch = marshal.load(file)
            except EOFError:
                return
            yield from batch


def sorted_rows(read: Callable[[], Iterable[Row]]) -> tuple[Iterator[Row], bool]:
    """Rows in the order of their keys (equal keys: of their lines), and whether they were in that order already.
    `read` is called again to look through a table that is too large for memory."""
    rows = iter(read())
    head = list(islice(rows, RUN))
    ordered = is_sorted(head)
    if len(head) < RUN:
        return iter(head if ordered else sorted(head, key=itemgetter(0))), ordered
    if ordered and is_sorted(read()):
        return chain(head, rows), True
    sorter = Sorter(itemgetter(0, 1))
    for row in chain(head, rows):
        sorter.add(row)
    del head
    return map(Row._make, sorter), False


def is_sorted(rows: Iterable[Row]) -> bool:
    """Whether rows come in the order of their keys."""
    last = ""
    for row in rows:
        if row[0] < last:
            return False
        last = row[0]
    return True
