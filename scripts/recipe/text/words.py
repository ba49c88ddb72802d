"""Words of a text as they stand in it: what is given a time, a confidence and a place in subtitles.

Scripts without spaces (Han, kana) have a word a character. Punctuation belongs to the word before it, opening brackets
and quotes to the word behind them, so that the words with the white space between them are the text.
"""

import unicodedata
from typing import NamedTuple

from recipe.text.marks import wide

_SAID = "%‰&@#*/\\"  # counted as punctuation by Unicode, though they are read out
_OPENING = {"Ps", "Pi"}


class TextWord(NamedTuple):
    """A word: its place in the text, `text[start:end]`."""

    start: int
    end: int


def silent(char: str) -> bool:
    """Whether a character is white space or punctuation that nobody says."""
    return char.isspace() or (unicodedata.category(char)[0] in "PZC" and char not in _SAID)


def _opens(text: str, place: int) -> bool:
    """Whether the sign at `place` belongs to the word behind it. Typewriter quotes do at the beginning of a word."""
    if text[place] in "\"'":
        return text[place - 1 : place].strip() == "" and text[place + 1 : place + 2].strip() != ""
    return unicodedata.category(text[place]) in _OPENING


def _modifies(char: str) -> bool:
    """Whether a character is drawn on the one before it: an accent, the colour of an emoji."""
    category = unicodedata.category(char)
    return category.startswith("M") or category == "Sk"


def split(text: str) -> list[TextWord]:
    """The words of a text, in order; those of a text in which nothing is said are none.

    >>> [text[word.start : word.end] for word in split(text := "给 Anna 打电话, “OK” !")]
    ['给', 'Anna', '打', '电', '话,', '“OK” !']
    """
    words: list[TextWord] = []
    begun = None  # where signs begin that belong to the word behind them
    joins = False  # whether a character goes on with the last word
    for place, char in enumerate(text):
        if silent(char):
            opens = _opens(text, place) or not words or begun is not None
            if char.isspace():
                joins = False
            elif opens and not (joins and not wide(char)):
                begun = place if begun is None else begun
                joins = False
            else:
                words[-1] = TextWord(words[-1].start, place + 1)
                joins = joins and not wide(char)
        elif (joins and not wide(char)) or (words and words[-1].end == place and _modifies(char)):
            words[-1] = TextWord(words[-1].start, place + 1)
        else:
            words.append(TextWord(place if begun is None else begun, place + 1))
            begun, joins = None, not wide(char)
    if begun is not None and words:
        words[-1] = TextWord(words[-1].start, len(text.rstrip()))
    return words
