"""Copies: utterances with the same audio whose transcripts are not the same, of which one at least is wrong."""

import logging
from collections import defaultdict
from collections.abc import Container, Iterable
from typing import Protocol

import numpy as np

from recipe.audio.address import is_command, is_url
from recipe.data.leaks import content

logger = logging.getLogger(__name__)

MOST_READ = 100_000  # recordings whose content is compared


class Comparable(Protocol):
    """What copies are looked for in: `seconds` [utterances], and the utterances with key, text (normalized),
    source, start, end and channel."""

    seconds: np.ndarray

    def __iter__(self) -> Iterable: ...


def twins(table: Comparable, suspects: Container[int]) -> dict[int, str]:
    """For each suspect, a row of the table, whose audio another utterance has with another transcript, the key of that
    one. Read are suspects and what is as long as one of them, to a tenth of a millisecond; of more than MOST_READ
    recordings none."""
    lengths = np.round(table.seconds, 4)
    asked = np.array([row in suspects for row in range(len(lengths))], bool)
    values, times = np.unique(lengths, return_counts=True)
    alike = np.isin(lengths, np.intersect1d(values[times > 1], lengths[asked]))
    if (count := np.count_nonzero(alike)) > MOST_READ:
        logger.warning("no copies are looked for: %d utterances are as long as suspects, over %d", count, MOST_READ)
        return {}
    groups: dict[tuple, list[tuple[int, str, str]]] = defaultdict(list)
    for row, one in enumerate(table):
        if alike[row] and not is_url(one.source) and not is_command(one.source) and (audio := content(one.source)):
            groups[lengths[row], one.start, one.end, one.channel, audio].append((row, one.key, one.text))
    return {
        row: other
        for group in groups.values()
        for row, _, text in group
        if asked[row]
        for other in [next((key for _, key, said in group if said != text), None)]
        if other
    }
