"""Error rates of validation texts as they are written."""

import math

from rapidfuzz.distance import Levenshtein


class ErrorCounts:
    """Edit distances over characters without spaces and over white-space words, added up."""

    def __init__(self):
        self.counts = [0, 0, 0, 0]  # errors and length in characters, errors and length in words

    def add(self, reference: str, hypothesis: str) -> None:
        characters = reference.replace(" ", ""), hypothesis.replace(" ", "")
        words = reference.split(), hypothesis.split()
        added = [n for ref, hyp in (characters, words) for n in (Levenshtein.distance(ref, hyp), len(ref))]
        self.counts = [count + n for count, n in zip(self.counts, added, strict=True)]

    @property
    def cer(self) -> float:
        return _rate(*self.counts[:2])

    @property
    def wer(self) -> float:
        return _rate(*self.counts[2:])


def _rate(errors: int, length: int) -> float:
    """Errors by length; not a number where nothing was compared."""
    return errors / max(1, length) if errors or length else math.nan
