"""How the error rate falls with hours of training data, and what twice the data would likely give.

A curve has points, of each some models that differ in their seed; every seed draws its own data. The points' rates are
means over seeds. A power law is fitted to them and read off at twice the hours; its interval holds three chances, which
add up as those of `pairwise` do (`spread.together`):

- other speakers and utterances: the test set is resampled, the same for all models, and the law fitted again;
- other seeds and draws of data: the law is fitted to each seed alone;
- points that lie beside the law: what they deviate by beyond these two, carried to twice the hours.

Where that says too little, nothing is predicted, and it is said why.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recipe.files import RecipeError, read_json, sha256
from recipe.score import power_law, side_by_side
from recipe.score.policy import ScoringPolicy
from recipe.score.power_law import PowerLaw
from recipe.score.significance import VERSION, caution, of_seeds
from recipe.score.spread import CONFIDENCE, Spread, of_units, p_value, resample, together
from recipe.score.student import quantile
from recipe.settings.curve import MIN_POINTS, WHOLE

FORMAT = 1
WIDEST = 1.5  # an interval that ends at so many times the prediction says too little
LEVEL = 0.05  # of the corrected p from which on a point lies beside the law ...
DEVIATION = 1.05  # ... if it is also so many times more or less than the law says


@dataclass(frozen=True)
class CurvePoint:
    """Models that were trained on as many hours, by their utterances.jsonl in the order of their seeds."""

    fraction: float
    hours: float
    files: tuple[str, ...]


def points(files: Sequence[tuple[float, str]], facts: Sequence[str]) -> list[CurvePoint]:
    """The points of a curve, by rising hours, from (fraction, utterances.jsonl) of its models and the facts that
    subset.py wrote of each set and seed. Hours are means over the seeds, summed over sets. RecipeError if a fraction
    has no facts, or another number of models than the others."""
    read = [read_json(path) for path in facts]
    by_fraction: dict[float, list[str]] = {}
    for fraction, path in files:
        by_fraction.setdefault(fraction, []).append(path)
    if len({len(paths) for paths in by_fraction.values()}) > 1:
        counts = ", ".join(f"{fraction:g}: {len(paths)}" for fraction, paths in by_fraction.items())
        raise RecipeError(f"models at each fraction ({counts}): expected as many seeds at every one")
    found = [CurvePoint(fraction, _hours(read, fraction), tuple(paths)) for fraction, paths in by_fraction.items()]
    return sorted(found, key=lambda point: point.hours)


def _hours(facts: Sequence[Mapping[str, Any]], fraction: float) -> float:
    """Hours of training data at a fraction."""
    of, name = (facts, "of_hours") if fraction == WHOLE else ([f for f in facts if f["fraction"] == fraction], "hours")
    if not of:
        raise RecipeError(f"fraction {fraction:g}: no --facts of it; name those that subset.py wrote")
    # Of the whole there are facts for every fraction and seed, the same for a set.
    copies = {(one["fraction"], one["seed"]) for one in of}
    return sum(one[name] for one in of) / len(copies)


@dataclass(frozen=True)
class _Counts:
    """What scoring counted of all models of a curve: reference tokens [rows] and errors [rows, points, seeds], by unit
    of resampling and by utterance, and how many speakers and utterances there are."""

    units: tuple[np.ndarray, np.ndarray]
    utterances: tuple[np.ndarray, np.ndarray]
    speakers: int | None

    @property
    def tokens(self) -> int:
        return int(self.utterances[0].sum())

    @property
    def errors(self) -> np.ndarray:
        """Errors in all utterances [points, seeds], float64."""
        return self.utterances[1].sum(axis=0).astype(np.float64)


def curve(given: Sequence[CurvePoint], policy: ScoringPolicy, at: float | None = None) -> dict[str, Any]:
    """The learning curve through points of rising hours, and what its law says at `at` hours (twice the most);
    docs/curve.md has the keys of the result. RecipeError names what is no line of utterances.jsonl, or of other
    references."""
    at = 2 * given[-1].hours if at is None else at
    counts = _read(given)
    few = caution(counts.speakers, len(counts.utterances[0])) if policy.bootstrap else None
    hours = np.array([point.hours for point in given])
    unfit = _cannot_be_fitted(given, counts, policy)
    refused = few or unfit
    law = spread = None
    if not unfit:
        beside = _beside(hours, counts, policy)
        law, spread = _fitted(hours, counts, at, beside, policy)
        refused = refused or _does_not_fit(given, beside) or _says_too_little(law, spread)
    return {
        "format": FORMAT,
        "points": [_point(one, place, counts, law, policy) for place, one in enumerate(given)],
        "law": law and {name: float(getattr(law, name)[0]) for name in ("a", "b", "c")},
        "prediction": _prediction(at, at / given[-1].hours, None if refused else law, spread),
        "refused": refused,
        "caution": few,
        "settings": {"bootstrap": policy.bootstrap, "seed": policy.seed,
                     "unit": "speaker" if counts.speakers and counts.speakers > 1 else "utterance"},
        "versions": {"intervals": VERSION},
        "inputs": [{"file": Path(path).name, "sha256": sha256(path)} for point in given for path in point.files],
    }  # fmt: skip


def _read(given: Sequence[CurvePoint]) -> _Counts:
    files = {f"{point.fraction:g}, {number}": path for point in given for number, path in enumerate(point.files)}
    counts, speakers = side_by_side.read(files)
    shape = (-1, len(given), len(given[0].files))
    by_unit, by_utterance = (
        (array[:, 0].astype(np.int64), array[:, 1:].astype(np.int64).reshape(shape))
        for array in (side_by_side.units(counts, speakers), counts)
    )
    return _Counts(by_unit, by_utterance, len(set(speakers[speakers >= 0].tolist())) or None)


@dataclass(frozen=True)
class _Beside:
    """How much more of a point's logarithm there is than the law says, and how far chance moves that."""

    off: float
    spreads: list[Spread]


# --- What keeps a law from being fitted or believed -----------------------------------------------------------------


def _cannot_be_fitted(given: Sequence[CurvePoint], counts: _Counts, policy: ScoringPolicy) -> str | None:
    if len(given) < MIN_POINTS:
        return f"only {len(given)} points, the whole included: any law goes through them; name more fractions"
    if policy.bootstrap < 2:
        return "no intervals are asked for (score.bootstrap), and a prediction without one says nothing"
    if not counts.tokens:
        return "the test set has no reference tokens"
    for point, errors in zip(given, counts.errors, strict=True):
        if not errors.all():
            return f"no errors are left at {point.hours:.3g} h: there is nothing to fit; take a harder test set"
    if len(counts.units[0]) < 2:
        return "the test set has a single utterance or speaker"
    return None


def _does_not_fit(given: Sequence[CurvePoint], beside: Sequence[_Beside]) -> str | None:
    """Says which point lies beside the law, further than chance and by more than is of no matter."""
    for point, found in sorted(zip(given, beside, strict=True), key=lambda pair: -abs(pair[1].off)):
        p = p_value(found.off, found.spreads)
        if p is not None and p * len(given) < LEVEL and abs(found.off) > math.log(DEVIATION):
            words = f"{100 * abs(math.expm1(found.off)):.0f} % {'above' if found.off > 0 else 'below'} it"
            return (
                f"the points do not follow a power law: at {point.hours:.3g} h the error is {words}, more than chance"
            )
    return None


def _says_too_little(law: PowerLaw, spread: Spread) -> str | None:
    if law.b[0] <= 0:
        return "the error does not fall with more data"
    factor = _factor(spread)
    if factor > WIDEST:
        return (
            f"the interval is too wide: the error may be {factor:.2f} times the prediction; train more seeds, or score "
            "on a larger test set"
        )
    return None


# --- Chances --------------------------------------------------------------------------------------------------------


def _beside(hours: np.ndarray, counts: _Counts, policy: ScoringPolicy) -> list[_Beside]:
    """How far each point lies beside the law."""
    off = _deviations(hours, _mean_curve(counts))[0]
    return [
        _Beside(float(one), _spreads(counts, lambda rates, i=place: _deviations(hours, rates)[:, i], policy))
        for place, one in enumerate(off)
    ]


def _fitted(
    hours: np.ndarray, counts: _Counts, at: float, beside: Sequence[_Beside], policy: ScoringPolicy
) -> tuple[PowerLaw, Spread]:
    """The law, and the spread of the logarithm of its rate at `at` hours."""
    law = power_law.fit(hours, _mean_curve(counts))
    chances = _spreads(counts, lambda resampled: np.log(power_law.fit(hours, resampled).at(at)), policy)
    free = len(hours) - (3 if len(hours) >= power_law.MIN_FOR_FLOOR else 2)
    unexplained = sum(one.off**2 - max(spread.deviation for spread in one.spreads) ** 2 for one in beside)
    scatter = Spread(math.sqrt(max(unexplained, 0.0) / free) * power_law.leverage(hours, at), free)
    return law, max((together([one, scatter]) for one in chances), key=_factor)


def _mean_curve(counts: _Counts) -> np.ndarray:
    """The rates of the points, means over seeds, as a curve alone [1, points]."""
    return counts.errors.mean(axis=1)[None] / counts.tokens


def _deviations(hours: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """How much more of each point's logarithm there is than the law of its curve says [curves, points]."""
    return np.log(rates) - np.log(power_law.fit(hours, rates).at(hours))


def _spreads(counts: _Counts, function, policy: ScoringPolicy) -> list[Spread]:
    """The spreads of what `function` makes of curves' rates [curves, points], a number each, with other test sets and
    other seeds: by units and by utterances, than which none is narrower."""
    errors = np.maximum(counts.errors, 0.5).T / counts.tokens
    trainings = []
    if len(errors) > 1:
        found = function(errors)
        trainings.append(Spread(float(found.std(ddof=1)) / math.sqrt(len(found)), len(found) - 1))
    by_units, by_utterances = (_of_test_set(*part, function, policy) for part in (counts.units, counts.utterances))
    return [together([one, *trainings]) for one in (by_units, by_utterances)]


def _of_test_set(tokens: np.ndarray, errors: np.ndarray, function, policy: ScoringPolicy) -> Spread:
    """The spread of what `function` makes of the mean curve, by the chance of the rows: reference tokens [rows] and
    errors [rows, points, seeds]."""
    cells = side_by_side.cells(tokens, *errors.sum(axis=2).T)
    drawn = resample(cells, policy.bootstrap, policy.seed)
    drawn = drawn[drawn[:, 0] > 0]
    return of_units(cells, function(np.maximum(drawn[:, 1:] / errors.shape[2], 0.5) / drawn[:, :1]))


def _factor(spread: Spread) -> float:
    """How many times the prediction its interval ends at."""
    return math.exp(min(quantile(CONFIDENCE, spread.degrees) * spread.deviation, 700.0))


# --- What is told ---------------------------------------------------------------------------------------------------


def _point(
    point: CurvePoint, place: int, counts: _Counts, law: PowerLaw | None, policy: ScoringPolicy
) -> dict[str, Any]:
    drawn = (side_by_side.cells(tokens, errors[:, place].sum(axis=1))
             for tokens, errors in (counts.units, counts.utterances))  # fmt: skip
    return {
        "fraction": point.fraction,
        "hours": point.hours,
        **of_seeds(counts.errors[place].tolist(), counts.tokens, *drawn, policy.bootstrap, policy.seed),
        "fitted": float(law.at(point.hours)[0]) if law else None,
    }


def _prediction(at: float, times: float, law: PowerLaw | None, spread: Spread | None) -> dict[str, Any]:
    """What the law says at some hours, `times` the most that was trained on; nothing of a law of which nothing is to be
    said."""
    rate = float(law.at(at)[0]) if law and spread else None
    ends = [rate / _factor(spread), rate * _factor(spread)] if rate else None
    return {"hours": at, "times": times, "rate": rate, "ci": ends}
