"""Whose rules act in a line: of the languages that it is said to be in, or that its characters and words show."""

import re

from recipe.normalize.characters import HAN
from recipe.normalize.kanji import shows_japanese

_LATIN = re.compile("[a-z]")
_ANY_HAN = re.compile(f"[{HAN}]")


def of_line(text: str, declared: frozenset[str]) -> frozenset[str]:
    """Codes of the languages ("en", "zh", "ja", ...) whose rules act in a cleaned line.

    `declared` are those that the line is known to be in; without any they are found.
    """
    if declared:
        return declared
    found = {"en"} if _LATIN.search(text) else set()
    if spoken := east_asian(text, declared):
        found.add(spoken)
    return frozenset(found)


def east_asian(text: str, declared: frozenset[str]) -> str | None:
    """ "zh" or "ja" if the line, cleaned or not, is in one of them; kana decide where both or none are declared."""
    spoken = declared & {"zh", "ja"}
    if len(spoken) == 1:
        return next(iter(spoken))
    if declared and not spoken:
        return None
    if text.isascii():
        return None
    if shows_japanese(text):
        return "ja"
    return "zh" if _ANY_HAN.search(text) else None
