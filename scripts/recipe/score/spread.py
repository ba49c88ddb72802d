"""How far a rate would move with other speakers and utterances: standard deviations, and how well these are known.

Units are resampled (Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation",
ICASSP 2004). The bare percentiles of resamples are too narrow where units are few: k of them vary as k - 1 free ones
do, and the standard deviation is itself uncertain. So it is the resamples' standard deviation that is used, larger by
sqrt(k / (k - 1)), and Student's t in place of the normal distribution. Where some units are larger than others, fewer
of them count. Kish's effective number, (sum n)^2 / sum n^2, says as how many for the rate; for its variance, in which
their squares add up, it is (sum n^2)^2 / sum n^4 (Satterthwaite, Biometrics Bulletin 2, 1946). What lies between them,
their geometric mean, gives the degrees of freedom.
docs/scoring.md has the simulation by which this was chosen.
"""

import math
from collections.abc import Sequence
from statistics import stdev
from typing import NamedTuple

from recipe.score.student import quantile, two_sided_p
from recipe.score.units import Cells, sums

CONFIDENCE = 0.95
ROUNDING = 1e-12  # a smaller deviation of rates is none


class Spread(NamedTuple):
    """A standard deviation of a rate and the degrees of freedom that it is known with."""

    deviation: float
    degrees: float


def resample(cells: Cells, samples: int, seed: int):
    """Sums of the counts over `samples` draws of as many units as there are, with replacement: an array of integers
    [samples, counts].

    `cells` is not empty. Units with the same counts are exchangeable, so how often each KIND of unit is drawn is one
    multinomial draw: exact, and its cost does not grow with the number of units. RandomState: its stream is the same in
    every numpy.
    """
    import numpy as np

    kinds = sorted(cells)
    values = np.array(kinds, dtype=np.int64)
    weights = np.array([cells[kind] for kind in kinds], dtype=np.float64)
    total = int(weights.sum())
    generator = np.random.RandomState(seed)
    step = max(1, 4_000_000 // len(kinds))  # bounds the memory of one piece
    pieces = [
        generator.multinomial(total, weights / total, size=min(step, samples - start)) @ values
        for start in range(0, samples, step)
    ]
    return np.concatenate(pieces)


def resampled_rates(cells: Cells, samples: int, seed: int):
    """The rate x / n in every resample that has reference tokens, from units of (n, x): an array; None where there are
    fewer than two units or resamples, or no reference tokens."""
    if samples < 2 or cells.total() < 2 or not any(n for n, _ in cells):
        return None
    drawn = resample(cells, samples, seed)
    drawn = drawn[drawn[:, 0] > 0]
    return drawn[:, 1] / drawn[:, 0] if len(drawn) > 1 else None


def of_units(cells: Cells, rates) -> Spread:
    """The spread of what is made of resamples, such as `rates`, by the chance of units of (n, ...)."""
    count = cells.total()
    return Spread(float(rates.std(ddof=1)) * math.sqrt(count / (count - 1)), _degrees(cells))


def of_utterances(cells: Cells) -> Spread:
    """The spread of the rate x / n by the chance of utterances alone, from at least two of (n, x): that of the ratio of
    two sums, to the first order (Cochran, Sampling Techniques, 1977, section 2.11)."""
    count, (n, x) = cells.total(), sums(cells, 2)
    squares = sum(times * (cell[1] - x / n * cell[0]) ** 2 for cell, times in sorted(cells.items()))
    return Spread(math.sqrt(squares * count / (count - 1)) / n, _degrees(cells))


def of_trainings(errors: Sequence[int], tokens: int) -> Spread:
    """How far the mean rate of two seeds and more would move with other seeds, from the errors of each."""
    return Spread(stdev(errors) / tokens / math.sqrt(len(errors)), len(errors) - 1)


def _degrees(cells: Cells) -> float:
    first, second, fourth = (sum(times * cell[0] ** power for cell, times in cells.items()) for power in (1, 2, 4))
    # In whole numbers up to the roots: fourth powers of many tokens are large.
    return max(1.0, math.sqrt(first**2 / second) * math.sqrt(second**2 / fourth) - 1)


def together(spreads: Sequence[Spread]) -> Spread:
    """What independent chances come to: variances add, degrees of freedom as Welch and Satterthwaite have them."""
    variances = [spread.deviation**2 for spread in spreads]
    parts = sum(value**2 / spread.degrees for value, spread in zip(variances, spreads, strict=True))
    total = sum(variances)
    return Spread(math.sqrt(total), total**2 / parts if parts else math.inf)


def margin(spreads: Sequence[Spread]) -> float:
    """How far the rate goes to each side with a confidence of 95 %, by the widest of `spreads`."""
    return max(quantile(CONFIDENCE, spread.degrees) * spread.deviation for spread in spreads)


def p_value(value: float, spreads: Sequence[Spread]) -> float | None:
    """The two-sided p of a difference that is zero, by the least sure of `spreads`: below 0.05 just where the margin is
    smaller than the difference. None for a difference without any deviation to go by."""
    known = [spread for spread in spreads if spread.deviation > ROUNDING]
    if not known:
        return None if value else 1.0
    return max(two_sided_p(value / spread.deviation, spread.degrees) for spread in known)
