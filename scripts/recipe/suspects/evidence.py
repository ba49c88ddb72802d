"""What speaks for and against a transcript: the features that scores are made of, and what is usual of recordings.

Features grow with the disagreement of model and transcript. They are ratios, and losses by token, so that utterances of
any length compare. Of all that was tried these found most (docs/tried.md).
"""

import math

import numpy as np
from rapidfuzz.distance import Levenshtein

from recipe.suspects.judgement import TextLoss

FEATURES = (
    "margin",  # nats by which the transcript is less likely than the hypothesis, by the square root of the tokens
    "reference_loss",  # of the transcript by token, in nats
    "errors",  # edit distance of the normalized texts by the length of the longer one, 0 to 1
    "lengths",  # by how many times the normalized texts differ in length, as a logarithm
)
LOUD_END = -12.0  # dB of a recording's end that speech which was not cut hardly ever ends at
TOO_LONG = 2.0  # robust standard deviations by which a transcript is too long for its recording
USUAL = 0.95  # share of the utterances that are as usual, whatever they are like: segments may all be cut closely
BY_DECIBEL = 0.5  # nats that a score grows by each dB over what is usual
BY_DEVIATION = 1.0  # and by each deviation


def squeezed(normalized: str) -> str:
    """A normalized text as its characters are compared: without spaces."""
    return normalized.replace(" ", "")


def features(text: str, hypothesis: str, loss: TextLoss, of_hypothesis: TextLoss) -> tuple[float, ...]:
    """FEATURES of a transcript. `text` and `hypothesis` are normalized and squeezed, `loss` and `of_hypothesis` are
    theirs."""
    tokens = max(loss.tokens, of_hypothesis.tokens)
    return (
        (loss.total - of_hypothesis.total) / math.sqrt(tokens),
        loss.total / loss.tokens,
        Levenshtein.distance(text, hypothesis) / max(len(text), len(hypothesis), 1),
        abs(math.log((len(text) + 1) / (len(hypothesis) + 1))),
    )


def usual(values: np.ndarray, least: float) -> float:
    """Up to where values [utterances] are as usual, at least `least`."""
    return max(least, float(np.quantile(values, USUAL)))


def unusual(ends: np.ndarray, loud: float, deviations: np.ndarray, long: float) -> np.ndarray:
    """What scores grow by [utterances] where recordings end louder than `loud`, in dB, or where transcripts are too
    long for them by more deviations than `long`."""
    return BY_DECIBEL * np.maximum(0, ends - loud) + BY_DEVIATION * np.maximum(0, deviations - long)
