"""Whose rules act in a line: of the languages that it is said to be in, or that its characters and words show."""

import re

from recipe.normalize.characters import HAN
from recipe.normalize.unicode_text import KANA

_LATIN = re.compile("[a-z]")
_ANY_HAN = re.compile(f"[{HAN}]")


def of_line(text: str, declared: frozenset[str]) -> frozenset[str]:
    """Codes of the languages ("en", "zh", "ja", ...) whose rules act in a cleaned line.

    `declared` are those that the line is known to be in; without any they are found.
    """
    if declared:
        return declared
    found = {"en"} if _LATIN.search(text) else set()
    if KANA.search(text):
        found.add("ja")
    elif _ANY_HAN.search(text):
        found.add("zh")
    return frozenset(found)
