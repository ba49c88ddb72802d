"""Counts of utterances, gathered for what chance may draw: speakers, and utterances."""

from collections import Counter
from collections.abc import Callable
from operator import add

Counts = tuple[int, ...]
Cells = Counter[Counts]
"""How many units have the same counts, by the counts."""


class Units:
    """Counts per unit: a speaker, or an utterance where the speaker is not known. Memory grows with the number of
    speakers and of different counts, not with that of utterances."""

    def __init__(self):
        self._speakers: dict[str, Counts] = {}
        self._spoken: Cells = Counter()  # utterances of known speakers
        self._others: Cells = Counter()  # utterances without

    def add(self, speaker: str | None, values: Counts) -> None:
        """Add the counts of one utterance, always as many and in the same order."""
        if speaker is None:
            self._others[values] += 1
            return
        self._spoken[values] += 1
        known = self._speakers.get(speaker)
        self._speakers[speaker] = tuple(map(add, known, values)) if known else values

    def cells(self) -> Cells:
        """The units: speakers, and utterances whose speaker is not known."""
        return self._others + Counter(self._speakers.values())

    def utterances(self) -> Cells:
        """All utterances, whoever speaks."""
        return self._others + self._spoken

    def sums(self, length: int) -> Counts:
        """The counts summed over all units; `length` is the number of counts, for there may be no unit."""
        return sums(self.cells(), length)


def sums(cells: Cells, length: int) -> Counts:
    """The first `length` counts summed over all units."""
    return tuple(sum(cell[index] * times for cell, times in cells.items()) for index in range(length))


def reduced(cells: Cells, function: Callable[[Counts], Counts]) -> Cells:
    """The units with what `function` makes of their counts."""
    made: Cells = Counter()
    for cell, times in cells.items():
        made[function(cell)] += times
    return made
