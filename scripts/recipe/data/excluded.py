"""Utterances that are to be left out: a table whose first column is the key, with a header line.

Columns are separated by tabs. If one is called `set`, a line is about the set that it names (role/name), otherwise
about all sets; if one is called `kind`, it says why. All others are for whoever edits the table.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from recipe.data.sorting import Sorter, sorted_rows
from recipe.files import read_lines
from recipe.text.tables import Row

EXCLUDED = "excluded"  # the reason among rejects
SET, KIND = "set", "kind"


class ExcludedLine(NamedTuple):
    """A line of the table: the key, the set (None: all), the kind (may be empty), and the number of the line."""

    key: str
    set: str | None
    kind: str
    number: int


def read(path: str | os.PathLike) -> Iterator[ExcludedLine]:
    """The lines of a table, plain or with gzip. RecipeError if it cannot be read."""
    lines = ((number, line.split("\t")) for number, line in read_lines(path) if line.strip())
    header = [name.strip().casefold() for name in next(lines, (0, []))[1]]
    place = {name: header.index(name) for name in (SET, KIND) if name in header}

    def cell(cells: Sequence[str], name: str) -> str:
        return cells[place[name]].strip() if place.get(name, len(cells)) < len(cells) else ""

    for number, cells in lines:
        if key := cells[0].strip():
            yield ExcludedLine(key, cell(cells, SET) or None, cell(cells, KIND), number)


class Excluded:
    """What is to be left out of a set, looked up with keys that never fall; the table is a stream by key."""

    def __init__(self, path: str | os.PathLike, label: str):
        self._name = os.path.basename(path)
        rows = lambda: (  # noqa: E731 - read again where it has to be sorted
            Row(line.key, line.number, line.kind) for line in read(path) if line.set in (None, label)
        )
        self._rows, _ = sorted_rows(rows)
        self._row = next(self._rows, None)

    def problem(self, key: str) -> tuple[str, str] | None:
        """(reason, detail) if the key is to be left out."""
        while self._row is not None and self._row.key < key:
            self._row = next(self._rows, None)
        if self._row is None or self._row.key != key:
            return None
        return EXCLUDED, f"{self._name}:{self._row.number}{f': {self._row.value}' if self._row.value else ''}"


def unknown(path: str | os.PathLike, rejects: Iterable[tuple[str, str | os.PathLike]]) -> Iterator[ExcludedLine]:
    """The lines that no set has an utterance for, by key. `rejects` are the sets, each with its table of rejects."""
    lines, found = Sorter(itemgetter(0, 3)), Sorter(itemgetter(0, 1))
    for line in read(path):
        lines.add(line)
    for label, file in rejects:
        for _, text in read_lines(file):
            key, _, reason, *_ = f"{text}\t\t\t".split("\t")
            if reason == EXCLUDED:
                found.add((key, label))
    groups = groupby(found, key=itemgetter(0))
    key, sets = next(groups, (None, ()))
    having = {label for _, label in sets}
    for row in lines:
        line = ExcludedLine._make(row)
        while key is not None and key < line.key:
            key, sets = next(groups, (None, ()))
            having = {label for _, label in sets}
        if key != line.key or (line.set and line.set not in having):
            yield line
