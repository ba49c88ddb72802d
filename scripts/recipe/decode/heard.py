"""Words as they were heard: each with its time in the recording and the model's confidence in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recipe.model.alignment import Times
from recipe.text import words as text_words


@dataclass(frozen=True)
class HeardWord:
    """A word of a hypothesis, signs included as the text has them; of Chinese, a character."""

    word: str
    start: float | None = None  # seconds from the start of the recording; None: not known
    end: float | None = None
    confidence: float | None = None  # probability that it is right

    @property
    def timed(self) -> bool:
        return self.start is not None

    def later(self, seconds: float) -> "HeardWord":
        """The same word, its times counted from so many seconds earlier."""
        return replace(self, start=self.start + seconds, end=self.end + seconds) if self.timed else self

    @classmethod
    def from_json(cls, record: dict) -> "HeardWord":
        """The word that `to_json` wrote."""
        return cls(record["word"], record.get("start"), record.get("end"), record.get("confidence"))

    def to_json(self) -> dict:
        """The object in the list `words` of a hypothesis (docs/decoding.md)."""
        record = {"word": self.word}
        if self.timed:
            record |= {"start": round(self.start, 2), "end": round(self.end, 2)}
        return record if self.confidence is None else record | {"confidence": round(self.confidence, 2)}


def heard(
    text: str, times: Sequence[Times | None] | None, confidences: Sequence[float] | None
) -> tuple[HeardWord, ...]:
    """The words of `text` with what is known of them; nothing if nothing is."""
    if times is None and confidences is None:
        return ()
    words = [text[word.start : word.end] for word in text_words.split(text)]
    times = [None] * len(words) if times is None else times
    sure = [None] * len(words) if confidences is None else confidences
    return tuple(
        HeardWord(word, *(when or (None, None)), confidence)
        for word, when, confidence in zip(words, times, sure, strict=True)
    )


def sureness(words: Sequence[HeardWord]) -> float | None:
    """Confidence in an utterance: the share of its words that is expected to be right; None if it is not known."""
    known = [word.confidence for word in words if word.confidence is not None]
    return sum(known) / len(known) if known else None
