"""A power law of error rates over hours of training data, error = a * hours^-b + c, fitted to many curves at once.

Learning curves fall as power laws over wide ranges (Hestness et al., "Deep learning scaling is predictable,
empirically", arXiv 1712.00409). It is fitted by least squares of the errors' logarithms, so that a tenth more or fewer
errors weighs the same at every point. What no amount of data takes away, c, is 0 for fewer than MIN_FOR_FLOOR points:
three parameters of three or four points would say nothing about chance.
"""

from dataclasses import dataclass

import numpy as np

MIN_FOR_FLOOR = 5
_FLOORS = np.linspace(0.0, 0.99, 100)  # shares of a curve's least error


@dataclass(frozen=True)
class PowerLaw:
    """Laws of some curves: a, b and c, float64 [curves] each."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray

    def at(self, hours: float | np.ndarray) -> np.ndarray:
        """The laws' rates at some hours: [curves] for one number, [curves, points] for an array of points."""
        if np.ndim(hours):
            return self.a[:, None] * np.asarray(hours) ** -self.b[:, None] + self.c[:, None]
        return self.a * hours**-self.b + self.c


def fit(hours: np.ndarray, rates: np.ndarray) -> PowerLaw:
    """The law of each curve, of `rates` [curves, points] above 0 at `hours` [points], at least two different ones."""
    floors = _FLOORS if len(hours) >= MIN_FOR_FLOOR else _FLOORS[:1]
    least = rates.min(axis=1)
    best = np.full(len(rates), np.inf)
    found = np.zeros((3, len(rates)))
    for share in floors:
        law = _line(hours, rates, share * least)
        off = ((np.log(law.at(hours)) - np.log(rates)) ** 2).sum(axis=1)
        better = off < best - 1e-12
        found[:, better] = np.stack([law.a, law.b, law.c])[:, better]
        best[better] = off[better]
    return PowerLaw(*found)


def _line(hours: np.ndarray, rates: np.ndarray, floor: np.ndarray) -> PowerLaw:
    """The laws with a given c [curves]: lines through logarithms."""
    x, y = np.log(hours), np.log(rates - floor[:, None])
    centred = x - x.mean()
    slope = (y * centred).sum(axis=1) / (centred**2).sum()
    return PowerLaw(np.exp(y.mean(axis=1) - slope * x.mean()), -slope, floor)


def leverage(hours: np.ndarray, at: float) -> float:
    """How far the line of a law moves at `at` hours, in standard deviations of a single point: root of 1/k + d^2 / S of
    k points, d from their mean, with sum of squares S."""
    x = np.log(hours)
    return float(np.sqrt(1 / len(x) + (np.log(at) - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()))
