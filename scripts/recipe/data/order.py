"""Shifted tables: transcripts that belong to the recording some lines before or behind their own.

Longer recordings have longer transcripts, whatever the language. Where lengths of recordings go with those of
transcripts a line further, and not with their own, the table is shifted. That takes no model, and is looked at in
windows, so that a part of a table is found, too. It stays silent where lengths say nothing: of single words, or where
neighbours are as long as each other.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from recipe.data import manifest
from recipe.data.leaks import CheckedSet

WINDOW, STEP = 200, 50  # lines looked at together, and from one time to the next
LEAST = 40  # fewer lines say nothing
FARTHEST = 10  # lines that a table is looked for shifted by, either way
CLEAR = 0.3  # correlation of ranks from which on lengths go together
SURE = 4.0  # standard deviations between the correlations of two places (Fisher's z)


class Shifted(NamedTuple):
    """Lines `first` to `last`, from 1, whose recordings go with the transcripts `by` lines further (negative: before);
    correlations of ranks with these and with their own."""

    first: int
    last: int
    by: int
    there: float
    own: float

    def words(self) -> str:
        """In words."""
        place = f"{abs(self.by)} {'line' if abs(self.by) == 1 else 'lines'} {'further' if self.by > 0 else 'before'}"
        return (
            f"utterances {self.first} to {self.last} are as long as the transcripts {place} want them (correlation "
            f"{self.there:.2f}, with their own {self.own:.2f}): the table of transcripts is likely shifted there"
        )


def in_set(one: CheckedSet) -> list[dict[str, Any]]:
    """Where the transcripts of a set are shifted, as leaks.json has it. RecipeError names the line of a manifest that
    cannot be read."""
    parts = shifted(
        (each.duration, len(each.text.encode("utf-8", "surrogatepass"))) for each in manifest.read(one.path)
    )
    return [{"set": [one.role, one.name], **part._asdict(), "finding": f"{one}: {part.words()}"} for part in parts]


def shifted(lengths: Iterable[tuple[float, int]]) -> Iterator[Shifted]:
    """Where a table is shifted, by (seconds of the recording, bytes of the transcript) of each line, as a stream."""
    before: Shifted | None = None
    for found in _windows(lengths):
        if before and found.by == before.by and found.first <= before.last + 1:
            share = (found.last - found.first + 1) / (found.last - before.first + 1)
            means = (share * new + (1 - share) * old for new, old in zip(found[3:], before[3:], strict=True))
            before = Shifted(before.first, found.last, found.by, *means)
            continue
        if before:
            yield before
        before = found
    if before:
        yield before


def _windows(lengths: Iterable[tuple[float, int]]) -> Iterator[Shifted]:
    """The windows that are shifted, each by itself: WINDOW lines, STEP further each time, and the last lines."""
    iterator, last = iter(lengths), 0
    window: deque[tuple[float, int]] = deque(maxlen=WINDOW)
    while fresh := list(islice(iterator, STEP if last else WINDOW)):
        window.extend(fresh)
        last += len(fresh)
        if found := _shift(np.array(window, dtype=float)):
            yield Shifted(last - len(window) + 1, last, *found)


def _shift(window: np.ndarray) -> tuple[int, float, float] | None:
    """(lines, correlation there, correlation with their own) of a window [lines, 2] that is shifted."""
    if len(window) < LEAST:
        return None
    seconds, sizes = (np.argsort(np.argsort(column, kind="stable"), kind="stable") for column in window.T)
    own = _correlation(seconds, sizes)
    lags = [lag for lag in range(-FARTHEST, FARTHEST + 1) if lag and len(window) - abs(lag) >= LEAST // 2]
    there = {lag: _correlation(seconds[max(0, -lag) : len(seconds) - max(0, lag)], _moved(sizes, lag)) for lag in lags}
    best = max(there, key=there.get)
    apart = np.arctanh(min(there[best], 0.999)) - np.arctanh(np.clip(own, -0.999, 0.999))
    sure = apart * np.sqrt((len(window) - abs(best) - 3) / 2) > SURE
    return (best, there[best], own) if there[best] > CLEAR and sure else None


def _moved(values: np.ndarray, lag: int) -> np.ndarray:
    """Those that stand `lag` places further, where there are any."""
    return values[max(0, lag) : len(values) + min(0, lag)]


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
