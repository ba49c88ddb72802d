"""How long it takes to say a transcript, learned from a corpus: what is far too long for its recording is not all said.

The seconds of speech are a sum over the characters of the transcript (Latin letters and digits have a weight each,
others share 128), by ridge regression, times a factor for the speaker. Deviations are counted in robust standard
deviations of their logarithm, so that they compare across corpora.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

LEAST = 50  # utterances to learn from
RIDGE = 1.0  # weight of the penalty that draws characters to their mean, in utterances
SHRUNK = 5  # utterances of a speaker at which half of the speaker's own factor counts
_OWN, _SHARED = 128, 128  # weights
_WIDTH = _OWN + _SHARED + 1  # and one for every utterance
_LEAST_SECONDS = 0.05
_BLOCK = 2000  # utterances


class Spoken(NamedTuple):
    """A transcript, normalized and without spaces, its speaker, and the seconds of speech in its recording."""

    text: str
    speaker: str | None
    speech: float


@dataclass(frozen=True)
class SpeakingRate:
    """What was learned: seconds by character [257], factors of speakers as logarithms, and centre and spread of the
    logarithms of the deviations."""

    seconds: np.ndarray
    speakers: dict[str | None, float]
    centre: float
    spread: float

    def deviations(self, spoken: Iterable[Spoken]) -> np.ndarray:
        """By how many robust standard deviations each transcript [utterances] is too long for its recording; negative
        is too short."""
        found = [np.empty(0)]
        for block in _blocks(iter(spoken)):
            own = np.array([self.speakers.get(one.speaker, 0.0) for one in block])
            found.append((self.centre + own - _logarithms(block, self.seconds)) / self.spread)
        return np.concatenate(found)


def learn(read: Callable[[], Iterator[Spoken]]) -> SpeakingRate | None:
    """Learn from a corpus, which `read` goes through once more at each call; None if it is too small. Memory grows by
    16 bytes an utterance."""
    squares, products = np.zeros((_WIDTH, _WIDTH)), np.zeros(_WIDTH)
    characters = seconds = count = 0.0
    for block in _blocks(read()):
        counts = _counts(block)
        speech = np.array([one.speech for one in block])
        lengths = counts.sum(axis=1)
        weighted = counts / lengths[:, None]  # what is longer varies more
        squares += weighted.T @ counts
        products += weighted.T @ speech
        characters, seconds, count = characters + lengths.sum(), seconds + speech.sum(), count + len(block)
    if count < LEAST:
        return None
    squares += RIDGE * np.eye(_WIDTH)
    weights = np.linalg.solve(squares, products + RIDGE * seconds / characters)
    return SpeakingRate(weights, *_spread(read, weights))


def _spread(read: Callable[[], Iterator[Spoken]], weights: np.ndarray) -> tuple[dict[str | None, float], float, float]:
    """Factors of speakers, centre and spread of what the weights leave."""
    numbers: dict[str | None, int] = {}
    found, speakers = [], []
    for block in _blocks(read()):
        found.append(_logarithms(block, weights))
        speakers.append(np.array([numbers.setdefault(one.speaker, len(numbers)) for one in block], np.int64))
    values, whose = np.concatenate(found), np.concatenate(speakers)
    order = np.argsort(whose, kind="stable")
    groups = np.split(values[order], np.cumsum(np.bincount(whose))[:-1])
    middle = np.median(values)
    factors = np.array([(np.median(own) - middle) * len(own) / (len(own) + SHRUNK) for own in groups])
    values -= factors[whose]
    centre = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - centre)))
    return dict(zip(numbers, factors.tolist(), strict=True)), centre, max(spread, 1e-3)


def _logarithms(spoken: Sequence[Spoken], weights: np.ndarray) -> np.ndarray:
    """The logarithm of the seconds of speech over those that the weights expect [utterances]."""
    expected = np.maximum(_counts(spoken) @ weights, _LEAST_SECONDS)
    return np.log(np.maximum([one.speech for one in spoken], _LEAST_SECONDS) / expected)


def _counts(spoken: Sequence[Spoken]) -> np.ndarray:
    """How often each weight counts in each transcript [utterances, 257]."""
    codes = np.frombuffer("".join(one.text for one in spoken).encode("utf-32-le", "surrogatepass"), "<u4")
    weights = np.where(codes < _OWN, codes, _OWN + codes % _SHARED)
    rows = np.repeat(np.arange(len(spoken)), [len(one.text) for one in spoken])
    counts = np.bincount(rows * _WIDTH + weights, minlength=len(spoken) * _WIDTH).reshape(len(spoken), _WIDTH)
    counts[:, -1] = 1
    return counts.astype(np.float64)


def _blocks(rows: Iterator[Spoken]) -> Iterator[list[Spoken]]:
    while block := list(islice(rows, _BLOCK)):
        yield block
