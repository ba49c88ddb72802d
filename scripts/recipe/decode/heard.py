"""Words as they were heard: each with its time in the recording and the model's confidence in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from recipe.decode import confidence
from recipe.model.alignment import Times
from recipe.text import words as text_words

PLACES = 2  # decimals of seconds and confidences: sums of other batches differ far behind them


@dataclass(frozen=True)
class HeardWord:
    """A word of a hypothesis, signs included as the text has them; of Chinese, a character."""

    word: str
    start: float | None = None  # seconds from the start of the recording; None: not known
    end: float | None = None
    confidence: float | None = None  # probability that it is right
    log_prob: float | None = field(default=None, compare=False, repr=False)  # what the confidence is made of; not kept

    @property
    def timed(self) -> bool:
        return self.start is not None

    def later(self, seconds: float) -> "HeardWord":
        """The same word, its times counted from so many seconds earlier."""
        if not self.timed:
            return self
        return replace(self, start=round(self.start + seconds, PLACES), end=round(self.end + seconds, PLACES))

    @classmethod
    def from_json(cls, record: dict) -> "HeardWord":
        """The word that `to_json` wrote."""
        return cls(record["word"], record.get("start"), record.get("end"), record.get("confidence"))

    def to_json(self) -> dict:
        """The object in the list `words` of a hypothesis (docs/decoding.md)."""
        record = {"word": self.word} | ({"start": self.start, "end": self.end} if self.timed else {})
        return record if self.confidence is None else record | {"confidence": self.confidence}


def heard(
    text: str,
    times: Sequence[Times | None] | None,
    log_probs: Sequence[float] | None,
    temperature: float = confidence.NO_TEMPERATURE,
) -> tuple[HeardWord, ...]:
    """The words of `text` with their times and log-probabilities (`confidence.word_log_probs`), of which confidences
    are made; nothing if neither is known."""
    if times is None and log_probs is None:
        return ()
    words = [text[word.start : word.end] for word in text_words.split(text)]
    times = [None] * len(words) if times is None else times
    log_probs = [None] * len(words) if log_probs is None else log_probs
    return tuple(
        HeardWord(word, *_rounded(when), _sure(log_prob, temperature), log_prob)
        for word, when, log_prob in zip(words, times, log_probs, strict=True)
    )


def _rounded(when: Times | None) -> tuple[float | None, float | None]:
    return (None, None) if when is None else (round(when.start, PLACES), round(when.end, PLACES))


def _sure(log_prob: float | None, temperature: float) -> float | None:
    return None if log_prob is None else round(confidence.calibrated(log_prob, temperature), PLACES)


def sureness(words: Sequence[HeardWord]) -> float | None:
    """Confidence in an utterance: the share of its words that is expected to be right; None if it is not known."""
    known = [word.confidence for word in words if word.confidence is not None]
    return round(sum(known) / len(known), PLACES) if known else None
