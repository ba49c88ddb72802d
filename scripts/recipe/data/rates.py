"""Limits of the speech rate: the usual number of tokens per second, learned from the set."""

import math
from collections import Counter

from recipe.data.checked import Accepted, Rejected
from recipe.settings.data import Checks

_BINS = 32  # an octave
LEARN_FROM = 100  # utterances, at least
NARROWEST = 4.0  # least factor around the median


class Rates:
    """Histogram of tokens per second, from which the usual range is learned; of the same size for any corpus."""

    def __init__(self):
        self._bins: Counter = Counter()

    def add(self, item: Accepted | Rejected) -> None:
        if item.__class__ is Accepted and item.tokens:
            self._bins[round(_BINS * math.log2(item.tokens / item.seconds))] += 1

    def limits(self) -> tuple[float, float]:
        """(least, most) tokens per second: around the median, six robust standard deviations of the logarithm either
        way, or a factor of NARROWEST where that is more."""
        if self._bins.total() < LEARN_FROM:
            usual = Checks()
            return usual.min_tokens_per_second, usual.max_tokens_per_second
        middle = _median(self._bins)
        spread = Counter()
        for place, number in self._bins.items():
            spread[abs(place - middle)] += number
        octaves = max(math.log2(NARROWEST), 6 * 1.4826 * _median(spread) / _BINS)
        return 2 ** (middle / _BINS - octaves), 2 ** (middle / _BINS + octaves)


def _median(bins: Counter) -> int:
    left = bins.total() / 2
    for place in sorted(bins):
        left -= bins[place]
        if left <= 0:
            return place
    raise ValueError("no values")


def by_rate(item: Accepted | Rejected, least: float, most: float) -> Accepted | Rejected:
    """The item itself, or its rejection if it has fewer tokens per second than `least` or more than `most`."""
    if item.__class__ is Rejected or least * item.seconds <= item.tokens <= most * item.seconds:
        return item
    short = item.tokens < least * item.seconds
    reason = "transcript-too-short" if short else "transcript-too-long"
    limit = f"at least {least:.3g}" if short else f"at most {most:.3g}"
    return Rejected(item.key, reason, f"{item.tokens} tokens in {item.seconds:.2f} s, {limit} a second")
