"""The estimated share of wrong transcripts.

Of the highest scores, those over a threshold, hardly any belong to right transcripts. If one in ten of all utterances
is there, and half of the made wrong ones, a fifth is wrong. The threshold is where the upper end of an interval of that
ratio is lowest, as of Garg et al. 2021 (best bin estimation); the interval is that of resampled utterances.
"""

from dataclasses import dataclass

import numpy as np

BINS = 200
RESAMPLED = 500
LEAST_FOUND = 0.8  # share of the made wrong ones that have to be over the threshold


@dataclass(frozen=True)
class WrongShare:
    """The estimated share of wrong transcripts, 0 to 1, with its 95 % interval, and the threshold of scores that it was
    read off at."""

    share: float
    low: float
    high: float
    threshold: float


def wrong_share(scores: np.ndarray, wrong: np.ndarray, seed: int = 0) -> WrongShare:
    """Estimate the share of wrong transcripts among utterances with `scores` [utterances], where made wrong ones have
    the scores `wrong` [made]. What is wrong in a way that none of the made ones is like, such as one letter, is not
    seen, and not counted."""
    edges = np.unique(np.quantile(wrong, np.linspace(0, 1, BINS + 1)))
    counts, made = (_over(values, edges) for values in (scores, wrong))
    share, at, upper = _ratio(
        np.cumsum(counts[::-1])[::-1] / len(scores), np.cumsum(made[::-1])[::-1] / len(wrong), len(scores), len(wrong)
    )
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLED):
        again, made_again = (draw.multinomial(values.sum(), values / values.sum()) for values in (counts, made))
        over, made_over = (np.cumsum(values[::-1])[::-1] / values.sum() for values in (again, made_again))
        found.append(_ratio(over, made_over, len(scores), len(wrong))[0])
    # Where none is over the threshold, none is in any resample.
    low, high = np.quantile(found, (0.025, 0.975)) if share else (0.0, upper)
    return WrongShare(share, float(min(low, share)), float(max(high, share)), float(edges[max(0, at - 1)]))


def _over(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many values lie below the first edge, between each two, and from the last on."""
    return np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1)


def _ratio(over: np.ndarray, made_over: np.ndarray, count: int, made: int) -> tuple[float, int, float]:
    """The share of wrong ones, the bin from which on it was read off, and the upper end of its interval: the bin is the
    one with the lowest, of the ratio of two shares (of its logarithm, by their standard errors)."""
    usable = made_over >= LEAST_FOUND
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = over / made_over
        error = np.sqrt((1 - over) / (over * count) + (1 - made_over) / (made_over * made))
        # Of none the upper end is that of the rule of three.
        upper = np.where(over > 0, ratio * np.exp(1.96 * error), 3 / count / made_over)
        upper = np.where(usable, upper, np.inf)
    best = int(np.argmin(upper))
    return float(min(1.0, ratio[best])), best, float(min(1.0, upper[best]))
