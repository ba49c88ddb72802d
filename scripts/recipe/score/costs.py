"""What errors cost by group: how many there are, and what the error rate would be without them.

Of a test set with N reference tokens and E errors, a group has n tokens with e errors. If its tokens fared as the rest
does, the rate would be lower by (e - n (E - e) / (N - n)) / N, the EXCESS in points (percentage points of the set's
error rate); without any error in the group, by e / N, ALL of it. Groups overlap, so points do not add up.

The interval of the excess is of the chance of utterances alone: the variance of a smooth function of sums, to the first
order (Cochran, Sampling Techniques, 1977, section 2.11, for a ratio), with Student's t by the utterances that the group
is in. It needs sums of squares only, and so one pass.
"""

import heapq
import math
from dataclasses import dataclass, field
from operator import add
from typing import NamedTuple

from recipe.score.spread import CONFIDENCE
from recipe.score.student import quantile

_PAIRS = [(i, j) for i in range(4) for j in range(i, 4)]
EXAMPLES = 3  # utterances named, those with the most errors of the group


@dataclass
class Whole:
    """All utterances of which a kind of group is known: tokens, errors, and sums of their squares and products."""

    utterances: int = 0
    tokens: int = 0
    errors: int = 0
    squares: list[int] = field(default_factory=lambda: [0, 0, 0])  # of n n, n e, e e

    def add(self, tokens: int, errors: int) -> None:
        """Add an utterance."""
        self.utterances += 1
        self.tokens += tokens
        self.errors += errors
        for place, value in enumerate((tokens * tokens, tokens * errors, errors * errors)):
            self.squares[place] += value


@dataclass
class GroupSums:
    """The same of one group, over the utterances that have tokens or errors of it."""

    utterances: int = 0
    tokens: int = 0
    errors: int = 0
    # Products of (tokens of the group, errors of it, tokens and errors of the utterance), each pair once, as _PAIRS.
    products: list[int] = field(default_factory=lambda: [0] * 10)
    examples: list[tuple[int, int, str]] = field(default_factory=list)  # (errors, -order, key), a heap

    def add(self, key: str, own: tuple[int, int], all_of_it: tuple[int, int]) -> None:
        """Add an utterance: (tokens, errors) of the group, and of the whole utterance."""
        self.utterances += 1
        self.tokens += own[0]
        self.errors += own[1]
        n, e, tokens, errors = *own, *all_of_it
        added = (n * n, n * e, n * tokens, n * errors, e * e, e * tokens, e * errors,
                 tokens * tokens, tokens * errors, errors * errors)  # fmt: skip
        self.products = list(map(add, self.products, added))
        if own[1]:
            entry = (own[1], -self.utterances, key)
            keep = heapq.heappush if len(self.examples) < EXAMPLES else heapq.heappushpop
            keep(self.examples, entry)


class Cost(NamedTuple):
    """A group and what its errors cost. Shares are of the tokens and errors of all utterances of which the kind is
    known; `excess`, its interval and `all_points` are percentage points of their error rate. None: there is no rest to
    compare with, or too few utterances for an interval."""

    kind: str
    name: str
    utterances: int
    tokens: int
    errors: int
    rate: float | None
    token_share: float
    error_share: float
    excess: float | None
    low: float | None
    high: float | None
    all_points: float
    examples: tuple[str, ...]


def cost(kind: str, name: str, group: GroupSums, whole: Whole) -> Cost:
    """What a group costs."""
    n, e, tokens, errors = group.tokens, group.errors, whole.tokens, whole.errors
    excess = low = high = None
    if tokens > n:
        excess = 100 * (e - n * (errors - e) / (tokens - n)) / tokens
        if (margin := _margin(group, whole)) is not None:
            low, high = excess - 100 * margin, excess + 100 * margin
    return Cost(
        kind, name, group.utterances, n, e,
        e / n if n else None, n / tokens if tokens else 0.0, e / errors if errors else 0.0,
        excess, low, high, 100 * e / tokens if tokens else 0.0,
        tuple(key for _, _, key in sorted(group.examples, reverse=True)),
    )  # fmt: skip


def _margin(group: GroupSums, whole: Whole) -> float | None:
    """How far the excess goes to each side with a confidence of 95 %, as a share; None of fewer than two utterances."""
    if group.utterances < 2:
        return None
    n, e, tokens, errors = group.tokens, group.errors, whole.tokens, whole.errors
    below = tokens * (tokens - n)
    numerator = e * tokens - n * errors
    # Derivatives of numerator / below by n, e, the tokens and the errors.
    slope = (
        -errors / below + numerator * tokens / below**2,
        1 / (tokens - n),
        e / below - numerator * (2 * tokens - n) / below**2,
        -n / below,
    )
    products = dict(zip(_PAIRS, group.products, strict=True))
    # Utterances without the group count as well: they are in the whole.
    products |= dict(zip([(2, 2), (2, 3), (3, 3)], whole.squares, strict=True))
    variance = sum((1 + (i != j)) * slope[i] * slope[j] * products[i, j] for i, j in _PAIRS)
    count = whole.utterances
    return quantile(CONFIDENCE, group.utterances - 1) * math.sqrt(max(0.0, variance) * count / (count - 1))
