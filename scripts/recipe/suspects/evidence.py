"""What speaks for and against a transcript: the features that scores are made of.

All grow with the disagreement of model and transcript, but for the last, which says how hard the recording is to the
model anyway. They are ratios and losses by token, so that utterances of any length compare.
"""

import math
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from recipe.suspects.judge import TextLoss

RATE = "rate"
LEAST_SECONDS = 0.01
FEATURES = (
    "margin",  # nats by token that the transcript is less likely than the hypothesis
    "margin_root",  # the same by the square root of the tokens: a few lost words of many are much by it
    "largest",  # loss of the transcript's least likely token, in nats
    "reference_loss",  # of the transcript by token, in nats
    "errors",  # edit distance of the normalized texts by the length of the longer one, 0 to 1
    "lengths",  # by how many times the normalized texts differ in length, as a logarithm
    RATE,  # characters, as a logarithm, from what is usual for the seconds
    "hypothesis_loss",  # of the hypothesis by token, in nats
)


def squeezed(normalized: str) -> str:
    """A normalized text as its characters are compared: without spaces."""
    return normalized.replace(" ", "")


def features(text: str, hypothesis: str, loss: TextLoss, of_hypothesis: TextLoss) -> tuple[float, ...]:
    """FEATURES of a transcript, that of RATE left at 0 (see `off_rate`). `text` and `hypothesis` are normalized and
    squeezed, `loss` and `of_hypothesis` are theirs."""
    margin = loss.total - of_hypothesis.total
    tokens = max(loss.tokens, of_hypothesis.tokens)
    return (
        margin / tokens,
        margin / math.sqrt(tokens),
        loss.largest,
        loss.total / loss.tokens,
        Levenshtein.distance(text, hypothesis) / max(len(text), len(hypothesis), 1),
        abs(math.log((len(text) + 1) / (len(hypothesis) + 1))),
        0.0,
        of_hypothesis.total / of_hypothesis.tokens,
    )


class UsualLength(NamedTuple):
    """How many characters recordings of some length usually have, a line through medians: logarithms of seconds, and of
    characters plus one."""

    log_seconds: np.ndarray
    log_characters: np.ndarray


def usual_rate(characters: np.ndarray, seconds: np.ndarray) -> UsualLength:
    """The usual length of transcripts, by medians of tenths of a set. `characters` and `seconds` [utterances]."""
    order = np.argsort(seconds, kind="stable")
    logs = np.log(characters + 1)
    parts = [part for part in np.array_split(order, 10) if len(part)]
    medians = [(np.median(np.log(np.maximum(seconds[part], LEAST_SECONDS))), np.median(logs[part])) for part in parts]
    return UsualLength(*map(np.array, zip(*medians, strict=True)))


def off_rate(characters: np.ndarray, seconds: np.ndarray, usual: UsualLength) -> np.ndarray:
    """RATE [utterances]: how far the logarithm of the characters is from the usual one."""
    expected = np.interp(np.log(np.maximum(seconds, LEAST_SECONDS)), *usual)
    return np.abs(np.log(characters + 1) - expected)
