"""Transcripts that are wrong by construction: what tells how wrong ones look to a model, in a corpus of which nobody
knows which are wrong."""

import zlib
from collections.abc import Sequence

from recipe.data.leaks import said
from recipe.text import words as text_words

LEAST_DELETED, MOST_DELETED = 0.25, 0.6  # shares of the words
_WAYS = 4


def made_wrong(key: str, text: str, others: Sequence[str]) -> str | None:
    """A wrong transcript in the place of `text`: one of `others` (half of the time, and always where there are less
    than two words), or `text` without some words that follow each other, or with words of another one behind it, as
    of a recording that was cut. None where all say the same. The same for the same key and texts."""
    draw = zlib.crc32(key.encode())
    start = draw // _WAYS % len(others) if others else 0
    different = (other for other in [*others[start:], *others[:start]] if said(other) != said(text))
    if (other := next(different, None)) is None:
        return None
    way, words = draw % _WAYS, text_words.split(text)
    if way < 2 or len(words) < 2:
        return other
    part = LEAST_DELETED + (MOST_DELETED - LEAST_DELETED) * (draw >> 16 & 255) / 255
    count = min(len(words) - 1, max(1, round(part * len(words))))
    if way == 3:
        return f"{text.rstrip()} {_end(other, count)}"
    first = (draw >> 8) % (len(words) - count + 1)
    rest = text[words[first + count].start :] if first + count < len(words) else ""
    return (text[: words[first].start] + rest).strip()


def _end(text: str, count: int) -> str:
    """The last words of a text."""
    words = text_words.split(text)
    return text[words[-min(count, len(words))].start :] if words else text
