"""Counts of several models side by side: what utterances.jsonl of each says of the same references.

Memory holds a whole number per utterance and model.
"""

import json
import logging
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

import numpy as np

from recipe.files import RecipeError, read_lines
from recipe.score.units import Cells

_COUNTS = ("n", "sub", "del", "ins")
_REST = ', "alignment": ['  # ends what is looked at of a line: inside a JSON text the quotes have backslashes
_PROGRESS = 100_000
logger = logging.getLogger(__name__)


def read(files: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """(reference tokens and each model's errors, int32 [utterances, 1 + models]; numbers of speakers, int32
    [utterances], -1 where none is known), from the files of models by name, of the same references in the same order.
    RecipeError names the line that is of another utterance, or of none."""
    found, numbers, known = array("i"), array("i"), {}
    readers = [_rows(path) for path in files.values()]
    for done, rows in enumerate(zip_longest(*readers), 1):
        _check(rows, files)
        _, tokens, _, speaker, _ = rows[0]
        found.append(tokens)
        found.extend(row[2] for row in rows)
        numbers.append(-1 if speaker is None else known.setdefault(speaker, len(known)))
        if done % _PROGRESS == 0:
            logger.info("%d utterances of %d models are read", done, len(files))
    counts = np.frombuffer(found, np.int32) if found else np.zeros(0, np.int32)
    return counts.reshape(-1, 1 + len(files)), np.array(numbers, np.int32)


def _check(rows: Sequence[tuple | None], files: Mapping[str, str]) -> None:
    """RecipeError unless all models have a line here, of the same utterance with as many reference tokens."""
    paths = list(files.values())
    first = next(row for row in rows if row is not None)
    for path, row in zip(paths, rows, strict=True):
        if row is None:
            raise RecipeError(
                f"{path}: ends before {first[4]}, key {first[0]!r}; score all models on the same references"
            )
        if row[:2] != first[:2]:
            raise RecipeError(
                f"{row[4]}: key {row[0]!r} with {row[1]} reference tokens, but {first[4]} has {first[0]!r} with "
                f"{first[1]}; score all models on the same references"
            )


def _rows(path: str) -> Iterator[tuple[str, int, int, str | None, str]]:
    """(key, reference tokens, errors, speaker, file:line) of each line."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        head, rest, _ = line.partition(_REST)
        where = f"{path}:{number}"
        try:
            row = json.loads(head + "}" if rest else line)
            tokens, *errors = (row[name] for name in _COUNTS)
            if not all(type(count) is int and count >= 0 for count in (tokens, *errors)):
                raise ValueError(f"counts are {[tokens, *errors]}")
            yield row["key"], tokens, sum(errors), row.get("speaker"), where
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RecipeError(f"{where}: no line of compute_wer.py --utterances: {error}") from None


def units(counts: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Counts by unit of resampling: of each speaker, where there are two and more, and of each other utterance."""
    if speakers.max(initial=-1) < 1:
        return counts.astype(np.int64)
    known = speakers >= 0
    sums = np.zeros((int(speakers.max()) + 1, counts.shape[1]), np.int64)
    np.add.at(sums, speakers[known], counts[known])
    return np.concatenate([sums, counts[~known]])


def cells(*columns: np.ndarray) -> Cells:
    """How many rows have the same counts, from whole numbers [rows] of each of these."""
    kinds, times = np.unique(np.stack(columns, axis=1).astype(np.int64), axis=0, return_counts=True)
    return Counter(dict(zip(map(tuple, kinds.tolist()), times.tolist(), strict=True)))
