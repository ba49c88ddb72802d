"""Words that are in no other transcript of their language: what a transcript in another language is made of."""

import zlib

from recipe.data.leaks import said
from recipe.text.marks import wide

LEAST = 3  # words, of which a share says something
_SLOTS = 1 << 23  # bytes; so large a table takes the words of any corpus with few that meet


class Vocabulary:
    """Which words more than one transcript of a language has: a table of fixed size. Scripts without spaces count for
    nothing, since their words are not told apart."""

    def __init__(self):
        self._seen = bytearray(_SLOTS)

    def add(self, language: str | None, text: str) -> None:
        """Take note of a transcript."""
        for slot in _slots(language, text):
            self._seen[slot] = min(2, self._seen[slot] + 1)

    def unknown(self, language: str | None, text: str) -> float:
        """The share of the words of a transcript that was added which no other one of its language has; 0 of less than
        LEAST words."""
        slots = _slots(language, text)
        return sum(self._seen[slot] < 2 for slot in slots) / len(slots) if len(slots) >= LEAST else 0.0


def _slots(language: str | None, text: str) -> set[int]:
    """Places of the words of a transcript in the table."""
    words = {word for word in said(text).split() if not wide(word[0])}
    return {zlib.crc32(f"{language} {word}".encode("utf-8", "surrogatepass")) % _SLOTS for word in words}
