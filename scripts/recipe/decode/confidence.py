"""How sure the model is of a word: the probabilities of its tokens, calibrated.

A word's probability is the product of those of the tokens that spell it, and of a share of that of the word before it:
the model is sure of what follows a mistake, because it takes the mistake for granted (docs/tried.md has figures).
Trained models are surer than they are right; one parameter, a temperature that divides the log-odds (Guo et al. 2017,
"On Calibration of Modern Neural Networks", for two classes: right and wrong), is fitted on words that are known to be
right or wrong. It changes no order and no text.
"""

import difflib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from recipe.files import RecipeError, read_json
from recipe.text import words as text_words
from recipe.text.words import TextWord

NO_TEMPERATURE = 1.0  # changes nothing
CARRIED = 0.5  # share of the log-probability of the word before
_LEAST, _MOST = math.log(1e-6), math.log1p(-1e-6)  # of a word's log-probability: nothing is quite sure


@dataclass(frozen=True)
class Spelling:
    """A text as the model wrote it, token by token."""

    text: str
    ends: tuple[int, ...]  # where in it each token ends
    log_probs: tuple[float, ...]  # natural, of each token after those before it


def word_log_probs(spelling: Spelling, text: str, words: Sequence[TextWord]) -> list[float]:
    """Log-probability of each of the `words` of `text`, which is that of `spelling`, perhaps without marks; with a
    share of the one before it. Signs at a word's begin and end do not count, and a word of which no token is left has
    the lowest."""
    places = _places(spelling.text, text)
    token_of = [index for index, (start, end) in enumerate(_spans(spelling.ends)) for _ in range(start, end)]
    found = []
    for word in words:
        said = [place for place in range(word.start, word.end) if not text_words.silent(text[place])]
        tokens = {token_of[places[place]] for place in range(said[0], said[-1] + 1) if place in places}
        found.append(sum(spelling.log_probs[token] for token in tokens) if tokens else _LEAST)
    before = [0.0, *found[:-1]] if found else []
    return [min(max(own + CARRIED * other, _LEAST), _MOST) for own, other in zip(found, before, strict=True)]


def _spans(ends: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip((0, *ends), ends, strict=False))


def _places(written: str, text: str) -> dict[int, int]:
    """Place in `written` of each character of `text` that comes from it."""
    if written.startswith(text):
        return {place: place for place in range(len(text))}
    blocks = difflib.SequenceMatcher(None, text, written, autojunk=False).get_matching_blocks()
    return {block.a + i: block.b + i for block in blocks for i in range(block.size)}


def calibrated(log_prob: float, temperature: float = NO_TEMPERATURE) -> float:
    """Probability of a word whose log-probability is `log_prob` (under 0), its log-odds divided by `temperature`."""
    odds = log_prob - math.log(-math.expm1(log_prob))
    return 1 / (1 + math.exp(-odds / temperature))


def read_temperature(path: str | os.PathLike) -> float:
    """The temperature that calibrate.py wrote. RecipeError if the file has none."""
    found = read_json(path)
    temperature = found.get("temperature") if isinstance(found, dict) else None
    if not isinstance(temperature, int | float) or isinstance(temperature, bool) or not 0 < temperature < math.inf:
        raise RecipeError(
            f"{path}: temperature is {temperature!r}, expected a number over 0, as calibrate.py writes it"
        )
    return float(temperature)


def fit(log_probs: Sequence[float], right: Sequence[bool]) -> float:
    """The temperature at which words of these log-probabilities are most likely `right` or wrong as they are (maximum
    likelihood), between 0.05 and 20. NO_TEMPERATURE if all are right or all wrong, which tells nothing of it."""
    if len(set(right)) < 2:
        return NO_TEMPERATURE

    def surprise(logarithm: float) -> float:
        sure = (calibrated(one, math.exp(logarithm)) for one in log_probs)
        return -sum(math.log(max(p if good else 1 - p, 1e-12)) for p, good in zip(sure, right, strict=True))

    low, high = math.log(0.05), math.log(20)
    for _ in range(60):  # ternary search: in the logarithm there is one valley
        left, middle = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, middle) if surprise(left) <= surprise(middle) else (left, high)
    return math.exp((low + high) / 2)
