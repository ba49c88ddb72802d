"""What speaks for and against a transcript: the features that scores are made of, and how loud its recording ends.

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
LOUD_END = -12.0  # dB of `judge.level_at_end` that speech which was not cut hardly ever ends at
USUAL_ENDS = 0.95  # share of the recordings whose ends are usual, however loud: segments may all be cut closely
BY_DECIBEL = 0.5  # nats that a score grows by each dB over both


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


def loudest_usual_end(levels: np.ndarray) -> float:
    """The level up to which recordings end as usual, in dB; `levels` [utterances] are those at their ends."""
    return max(LOUD_END, float(np.quantile(levels, USUAL_ENDS)))
