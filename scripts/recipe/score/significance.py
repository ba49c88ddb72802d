"""How far an error rate can be trusted: bootstrap intervals and paired comparison of two systems.

Resampling follows Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation" (ICASSP
2004); the test is the matched-pairs sentence-segment word error test of Gillick and Cox, "Some statistical issues in
the comparison of speech recognition algorithms" (ICASSP 1989), as NIST's sc_stats applies it.
"""

import math
from collections import Counter
from operator import add
from typing import Any

from recipe.score.align import Edit

CONFIDENCE = 0.95
# Reference tokens, correct in both systems, that separate two segments in the matched-pairs test.
SEPARATION = 2
ROUNDING = 1e-12  # a smaller deviation of rates is none
# Of fewer, a bootstrap interval is too narrow, nobody knows by how much.
MIN_SPEAKERS, MIN_UTTERANCES = 10, 30


def caution(speakers: int | None, utterances: int) -> str | None:
    """Why the intervals of a test set of so many speakers (None: not known) and utterances cannot be trusted; None if
    there are enough. These are the words of the report, its tables and the log."""
    few = [
        f"only {count} {noun}{'s' * (count != 1)} (fewer than {least})"
        for count, noun, least in ((speakers, "speaker", MIN_SPEAKERS), (utterances, "utterance", MIN_UTTERANCES))
        if count is not None and count < least
    ]
    return f"{' and '.join(few)}: the intervals cannot be trusted" if few else None


class Units:
    """Counts per unit of resampling: a speaker, or an utterance where the speaker is not known. Memory grows with the
    number of speakers and of different counts, not with that of utterances."""

    def __init__(self):
        self._speakers: dict[str, tuple[int, ...]] = {}
        self._utterances: Counter[tuple[int, ...]] = Counter()

    def add(self, speaker: str | None, values: tuple[int, ...]) -> None:
        """Add the counts of one utterance, always as many and in the same order."""
        if speaker is None:
            self._utterances[values] += 1
        elif speaker in self._speakers:
            self._speakers[speaker] = tuple(map(add, self._speakers[speaker], values))
        else:
            self._speakers[speaker] = values

    def cells(self) -> Counter[tuple[int, ...]]:
        """How many units have the same counts, by the counts."""
        return self._utterances + Counter(self._speakers.values())

    def sums(self, length: int) -> tuple[int, ...]:
        """The counts summed over all units; `length` is the number of counts, for there may be no unit."""
        cells = self.cells()
        return tuple(sum(cell[index] * times for cell, times in cells.items()) for index in range(length))


def resample(cells: Counter[tuple[int, ...]], samples: int, seed: int):
    """Sums of the counts over `samples` draws of as many units as there are, with replacement: an array of integers
    [samples, counts].

    `cells` is as `Units.cells` gives it, and not empty. Units with the same counts are exchangeable, so how often each
    KIND of unit is drawn is one multinomial draw: exact, and its cost does not grow with the number of units.
    RandomState: its stream is the same in every numpy.
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


def _bounds(values) -> list[float] | None:
    """The ends of the middle 95 % of the values, None of none; linear between neighbours, as numpy.percentile is."""
    import numpy as np

    if not len(values):
        return None
    tail = (1 - CONFIDENCE) / 2
    places = [tail * (len(values) - 1), (1 - tail) * (len(values) - 1)]
    return [round(float(bound), 6) for bound in np.interp(places, np.arange(len(values)), np.sort(values))]


def rate_interval(units: Units, samples: int, seed: int) -> list[float] | None:
    """95 % interval of an error rate (fractions: low, high) from units of (correct, substituted, deleted, inserted);
    None for fewer than two units, without `samples`, or without reference tokens."""
    cells = Counter()
    for (cor, sub, dels, ins), times in units.cells().items():
        cells[cor + sub + dels, sub + dels + ins] += times
    if samples == 0 or cells.total() < 2:
        return None
    sums = resample(cells, samples, seed)
    sums = sums[sums[:, 0] > 0]
    return _bounds(sums[:, 1] / sums[:, 0])


def difference(units: Units, samples: int, seed: int) -> dict[str, Any]:
    """Difference of the rates of two systems, from units of (reference tokens, our errors, the other's errors).

    It is negative where ours is better. `value` is a fraction of the reference tokens, `relative` one of the other's
    errors, `ci` the 95 % interval of `value`, `probability_of_improvement` the share of samples in which ours is better
    (a tie counts half). None where there is nothing to divide by, or no interval (see `rate_interval`).
    """
    n, ours, others = units.sums(3)
    result = {
        "value": (ours - others) / n if n else None,
        "relative": (ours - others) / others if others else None,
        "ci": None,
        "probability_of_improvement": None,
    }
    gains = _gains(units.cells(), samples, seed)
    if gains is not None:
        result["ci"] = _bounds(gains)
        result["probability_of_improvement"] = float(((gains < 0) + 0.5 * (gains == 0)).mean())
    return result


def paired_difference(cells: Counter[tuple[int, ...]], samples: int, seed: int) -> dict[str, Any]:
    """How sure the difference of two systems' rates is, from how many units have the same (reference tokens, our
    errors, the other's errors): `ci` as in `difference`, and the two-sided `p` of no difference, from the normal
    distribution with the resamples' standard deviation (shares of resamples could not tell small ones apart, and a
    correction for many comparisons needs those). None where there is no interval, or no deviation to go by.
    """
    gains = _gains(cells, samples, seed)
    if gains is None:
        return {"ci": None, "p": None}
    n, ours, others = (sum(cell[i] * times for cell, times in cells.items()) for i in range(3))
    deviation = float(gains.std(ddof=1)) if len(gains) > 1 else 0.0
    value = (ours - others) / n
    without = 1.0 if ours == others else None
    p = math.erfc(abs(value) / deviation / math.sqrt(2)) if deviation > ROUNDING else without
    return {"ci": _bounds(gains), "p": p}


def _gains(cells: Counter[tuple[int, ...]], samples: int, seed: int):
    """The difference of the rates in each resample that has reference tokens, an array; None without any."""
    if not samples or cells.total() < 2 or not any(cell[0] for cell in cells):
        return None
    sums = resample(cells, samples, seed)
    sums = sums[sums[:, 0] > 0]
    return (sums[:, 1] - sums[:, 2]) / sums[:, 0] if len(sums) else None


class MatchedPairs:
    """The matched-pairs test over segments: stretches with errors of either system, ended by the utterance's ends or by
    two reference tokens that both systems have right, so that errors in different segments are independent."""

    def __init__(self):
        self.segments = self.total = self.squares = 0

    def add(self, ours: list[Edit], others: list[Edit]) -> None:
        """Add one utterance by the edits of the two systems against the same reference."""
        # Place 2 i + 1 is reference token i, place 2 i the gap before it.
        errors = sorted(
            (2 * at_ref + (kind != "insert"), sign)
            for found, sign in ((ours, 1), (others, -1))
            for kind, at_ref, _ in found
        )
        balance = 0
        for index, (place, sign) in enumerate(errors):
            balance += sign
            last = index + 1 == len(errors)
            if last or errors[index + 1][0] // 2 - (place + 1) // 2 >= SEPARATION:
                self.segments += 1
                self.total += balance
                self.squares += balance * balance
                balance = 0

    def result(self) -> dict[str, Any]:
        """Number of segments, mean difference of errors per segment (negative where the first system is better), its
        standard deviation, z and the two-sided p; None where there are too few segments."""
        count = self.segments
        result = {"segments": count, "mean": None, "sd": None, "z": None, "p": None}
        if count < 2:
            return result
        # In whole numbers up to the division, so that equal differences give exactly zero.
        deviation = math.sqrt((self.squares * count - self.total**2) / (count * (count - 1)))
        result |= {"mean": self.total / count, "sd": deviation}
        if deviation > 0:
            z = self.total / count / deviation * math.sqrt(count)
            result |= {"z": z, "p": math.erfc(abs(z) / math.sqrt(2))}
        elif self.total == 0:
            result |= {"z": 0.0, "p": 1.0}
        return result
