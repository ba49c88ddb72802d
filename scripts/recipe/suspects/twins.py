"""Copies: utterances with the same audio whose transcripts are not the same, of which one at least is wrong."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from recipe.audio.address import is_url
from recipe.audio.fetch import is_command
from recipe.data.leaks import content

MOST_READ = 100_000  # recordings whose content is compared


class Comparable(Protocol):
    """What copies are looked for in: `seconds` [utterances], and the utterances with set, key, text (normalized),
    source, start and end."""

    seconds: np.ndarray

    def __iter__(self) -> Iterable: ...


def twins(table: Comparable) -> dict[int, str]:
    """For each row of a table whose audio another one has with another transcript, the key of that one. Only utterances
    of the same length, to a tenth of a millisecond, are compared, and of more than MOST_READ none."""
    lengths = np.round(table.seconds, 4)
    values, times = np.unique(lengths, return_counts=True)
    alike = np.isin(lengths, values[times > 1])
    if not 0 < np.count_nonzero(alike) <= MOST_READ:
        return {}
    groups: dict[tuple, list[tuple[int, str, str]]] = defaultdict(list)
    for row, one in enumerate(table):
        if alike[row] and not is_url(one.source) and not is_command(one.source) and (audio := content(one.source)):
            groups[lengths[row], one.start, one.end, audio].append((row, one.key, one.text))
    return {
        row: other
        for group in groups.values()
        for row, _, text in group
        for other in [next((key for _, key, said in group if said != text), None)]
        if other
    }
