"""Whether confidences mean what they say: of words that a model is 80 % sure of, 80 % should be right.

A word of a hypothesis is right if the alignment with the fewest edits pairs it with the same word of the reference;
case and the signs around a word do not count. Source of the error: Naeini, Cooper, Hauskrecht 2015, "Obtaining Well
Calibrated Probabilities Using Bayesian Binning", with bins of equal width.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from recipe.score.align import edits
from recipe.text import words as text_words

BINS = 10


class Bin(NamedTuple):
    """Words whose confidence is from `low` to `high`: their number, their mean confidence, the share that is right."""

    low: float
    high: float
    words: int
    confidence: float
    right: float


class Reliability(NamedTuple):
    """Bins with words in them, all words, and the expected calibration error: the mean over words of how far apart
    confidence and share of right words are in their bin."""

    bins: list[Bin]
    words: int
    error: float


def right_words(words: Sequence[str], reference: str) -> list[bool]:
    """Of each of the `words` of a hypothesis, whether it is right."""
    said = [_folded(reference[word.start : word.end]) for word in text_words.split(reference)]
    heard = [_folded(word) for word in words]
    right = [True] * len(heard)
    for kind, _, place in edits(said, heard):
        if kind != "delete":
            right[place] = False
    return right


def _folded(word: str) -> str:
    sounding = [place for place, char in enumerate(word) if not text_words.silent(char)]
    return word[sounding[0] : sounding[-1] + 1].casefold() if sounding else ""


def reliability(judged: Iterable[tuple[float, bool]]) -> Reliability:
    """Of (confidence, whether it is right) of words."""
    found: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for confidence, right in judged:
        found[min(int(confidence * BINS), BINS - 1)].append((confidence, right))
    bins = [
        Bin(
            number / BINS,
            (number + 1) / BINS,
            len(words),
            sum(confidence for confidence, _ in words) / len(words),
            sum(right for _, right in words) / len(words),
        )
        for number, words in enumerate(found)
        if words
    ]
    total = sum(one.words for one in bins)
    error = sum(one.words * abs(one.confidence - one.right) for one in bins) / total if total else 0.0
    return Reliability(bins, total, error)
