"""How far an error rate, and a difference of two, can be trusted: 95 % intervals and a paired test.

Both ask what other speakers and other utterances of the same kind would give, and nothing else: that another training
(another seed) would give another model is not in them (see `pairwise`, which knows of seeds).
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from recipe.score.spread import (
    CONFIDENCE,
    Spread,
    margin,
    of_trainings,
    of_units,
    of_utterances,
    p_value,
    resampled_rates,
    together,
)
from recipe.score.student import quantile
from recipe.score.units import Cells, Units, reduced, sums

# Version of the intervals and tests: another one gives others for the same counts.
VERSION = 2
# Of fewer, an interval says too little, and a test nothing.
MIN_SPEAKERS, MIN_UTTERANCES = 10, 30


def caution(speakers: int | None, utterances: int) -> str | None:
    """Why the intervals of a test set of so many speakers (None: not known) and utterances cannot be trusted, so that
    no verdict is given; None if there are enough. These are the words of the report, its tables and the log."""
    few = [
        f"only {count} {noun}{'s' * (count != 1)} (fewer than {least})"
        for count, noun, least in ((speakers, "speaker", MIN_SPEAKERS), (utterances, "utterance", MIN_UTTERANCES))
        if count is not None and count < least
    ]
    words = "the intervals cannot be trusted, and no difference is called significant"
    return f"{' and '.join(few)}: {words}" if few else None


def rate_interval(units: Units, samples: int, seed: int) -> list[float] | None:
    """95 % interval of an error rate (fractions: low, high) from units of (correct, substituted, deleted, inserted);
    None for fewer than two units or `samples`, or without reference tokens.

    It holds the rates x from which the observed one is no further than the margin of its spread, where the spread of x
    grows with its root, as that of counts does (Wilson's way, Journal of the American Statistical Association 22,
    1927). So it never passes zero and goes further up than down; of two or three units it would go up without end, and
    stops at 100 %, or the highest rate of a unit. Without any error, single tokens are what is counted on.
    """
    cells, utterances = (reduced(found, _tokens_and_errors) for found in (units.cells(), units.utterances()))
    return interval(cells, utterances, samples, seed)


def interval(
    cells: Cells, utterances: Cells, samples: int, seed: int, scale: int = 1, trainings: tuple[Spread, ...] = ()
) -> list[float] | None:
    """The interval of `rate_interval`, from units and utterances of (reference tokens, errors times `scale`).
    `trainings` is what the rate would differ by with other seeds, which is a chance besides that of the test set."""
    rates = resampled_rates(cells, samples, seed)
    if rates is None:
        return None
    n, errors = sums(cells, 2)
    rate = errors / scale / n
    to_each_side = margin(_with_trainings(_spreads(cells, utterances, rates), scale, trainings))
    width = to_each_side**2 / rate if rate else quantile(CONFIDENCE, math.inf) ** 2 / n
    middle, half = rate + width / 2, math.sqrt(width * rate + width**2 / 4)
    most = max(1.0, *(x / scale / tokens for tokens, x in cells if tokens))
    return [round(max(middle - half, 0.0), 6), round(min(middle + half, most), 6)]


def _tokens_and_errors(counts: tuple[int, ...]) -> tuple[int, ...]:
    cor, sub, dels, ins = counts
    return cor + sub + dels, sub + dels + ins


def _spreads(cells: Cells, utterances: Cells, rates) -> list[Spread]:
    """By the chance of units; and by that of utterances, than which no interval is narrower, where speakers are units:
    two or three of them may agree by chance."""
    found = [of_units(cells, rates)]
    return found if cells == utterances else [*found, of_utterances(utterances)]


def difference(units: Units, samples: int, seed: int) -> dict[str, Any]:
    """Difference of the rates of two systems, from units of (reference tokens, our errors, the other's errors).

    It is negative where ours is better. `value` is a fraction of the reference tokens, `relative` one of the other's
    errors, `ci` the 95 % interval of `value` and `p` the two-sided p of no difference (below 0.05 where the interval
    leaves out zero), `probability_of_improvement` the share of resamples in which ours is better (a tie counts half).
    None where there is nothing to divide by, no interval (see `rate_interval`), or for `p` no deviation to go by.
    """
    n, ours, others = units.sums(3)
    cells, utterances = (
        reduced(found, lambda counts: (counts[0], counts[1] - counts[2]))
        for found in (units.cells(), units.utterances())
    )
    return {
        "value": (ours - others) / n if n else None,
        "relative": (ours - others) / others if others else None,
        **certainty(cells, utterances, samples, seed),
    }


def of_seeds(
    errors: Sequence[int], tokens: int, cells: Cells, utterances: Cells, samples: int, seed: int
) -> dict[str, Any]:
    """What is told of models that differ in nothing but their seed, from the errors of each in as many reference
    tokens, and units and utterances of (reference tokens, errors of all of them): their `rates`, the mean `rate` and
    its sample standard deviation `sd` (None of a single one), and the mean's interval `ci`, which knows of both
    chances: that of the test set and that of training."""
    several = tokens > 0 and len(errors) > 1
    trainings = (of_trainings(errors, tokens),) if several else ()
    return {
        "rates": [count / tokens if tokens else None for count in errors],
        "rate": fmean(errors) / tokens if tokens else None,
        "sd": stdev(errors) / tokens if several else None,
        "ci": interval(cells, utterances, samples, seed, len(errors), trainings),
    }


def certainty(
    cells: Cells, utterances: Cells, samples: int, seed: int, scale: int = 1, trainings: tuple[Spread, ...] = ()
) -> dict[str, Any]:
    """How sure a difference of rates is: `ci`, `p` and `probability_of_improvement` as in `difference`, from units and
    utterances of (reference tokens, difference of errors times `scale`). `trainings` are what the two rates would
    differ by with other seeds, which is a chance besides that of the test set."""
    gains = resampled_rates(cells, samples, seed)
    if gains is None:
        return {"ci": None, "p": None, "probability_of_improvement": None}
    n, errors = sums(cells, 2)
    value = errors / scale / n
    spreads = _with_trainings(_spreads(cells, utterances, gains), scale, trainings)
    to_each_side = margin(spreads)
    return {
        "ci": [round(value - to_each_side, 6), round(value + to_each_side, 6)],
        "p": p_value(value, spreads),
        "probability_of_improvement": float(((gains < 0) + 0.5 * (gains == 0)).mean()),
    }


def _with_trainings(spreads: list[Spread], scale: int, trainings: tuple[Spread, ...]) -> list[Spread]:
    """Spreads of counts times `scale`, as those of the counts, each with the chance of training beside it."""
    return [together([Spread(one.deviation / scale, one.degrees), *trainings]) for one in spreads]
