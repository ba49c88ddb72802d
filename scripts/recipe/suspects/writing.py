"""Rankings as tables."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from recipe.data.checked import one_line
from recipe.data.sorting import Sorter
from recipe.files import open_atomic
from recipe.suspects.table import JudgedTable

HEADER = ("key", "score", "kind", "set", "reference", "hypothesis", "detail")
NOT_JUDGED = "not-judged"  # in the place of a kind: the recording could not be decoded, or is too long for the encoder
FINE = "-"  # in the place of a kind: no suspect


def write(
    path: str, table: JudgedTable, order: np.ndarray, scores: np.ndarray, told: dict[int, tuple[str, str]]
) -> None:
    """Write all utterances in an order [utterances] of rows; `told` has kind and detail of suspects, by row."""
    _write(path, _ordered(table, order, scores, told))


def write_first(path: str, ranking: str, count: int) -> None:
    """Write the first rows of a table that `write` wrote."""
    with open(ranking, encoding="utf-8", newline="\n") as file:
        rows = (line.removesuffix("\n").split("\t") for line in file)
        _write(path, islice(rows, 1, count + 1))


def _ordered(
    table: JudgedTable, order: np.ndarray, scores: np.ndarray, told: dict[int, tuple[str, str]]
) -> Iterator[tuple[str, ...]]:
    """The lines of the ranking."""
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    sorter = Sorter(lambda row: row[0])
    for row, one in enumerate(table):
        judged = not math.isnan(scores[row])
        kind, detail = told.get(row, (FINE if judged else NOT_JUDGED, ""))
        shown = f"{scores[row]:.4f}" if judged else ""
        sorter.add(
            (
                int(places[row]),
                one.key,
                shown,
                kind,
                one.set,
                one_line(one.reference),
                one_line(one.hypothesis),
                one_line(detail),
            )
        )
    return (row[1:] for row in sorter)


def _write(path: str, rows: Iterable[Sequence[str]]) -> None:
    with open_atomic(path) as file:
        for row in chain([HEADER], rows):
            file.write("\t".join(row) + "\n")
