"""Roman numerals in English: cardinals behind `chapter` and the like, ordinals behind names."""

import re

from recipe.normalize.numbers_en import ordinal

_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_NUMERAL = "x{0,3}(?:ix|iv|v?i{0,3})"
_NUMBERED = (
    "chapter|section|part|volume|act|scene|book|article|appendix|phase|type|class|grade|level|stage|title|figure|table"
    "|world war|super bowl|mark|schedule|annex|category|unit|season|episode|lesson|exhibit"
)
_REGAL = (
    "henry|george|william|charles|james|edward|richard|louis|philip|peter|alexander|frederick|napoleon|ferdinand|francis|leo"
    "|john|paul|pius|benedict|gregory|clement|innocent|elizabeth|catherine|nicholas|ivan|robert|alfonso|ramses|ptolemy|darius"
)
# A single letter is a numeral behind few words, and i is a pronoun, too (the part i like).
_PART = re.compile(
    rf"\b(?:({_NUMBERED}) (?=[ivx]{{2}})({_NUMERAL})"
    r"|(chapter|volume|act|scene|article|section|super bowl) ([vx]))(?![\w'])"
)
_FIRST = re.compile(rf"\b({_NUMBERED}) i(?=$|[.,;:!?)]| (?:of|and|is|was|in)\b)")
_RULER = re.compile(rf"\b({_REGAL}) (?=[ivx])({_NUMERAL})(?![\w'])")
# Of a name that is not known as a ruler's, only what is no word or abbreviation by itself (IV, VI, XL).
_NAME = re.compile(
    r"(?<![\w'])((?!the\b|and\b|for\b|with\b)[a-z]{3,}) (ii|iii|vii|viii|ix|xi{1,3}|xiv|xvi{0,3})(?![\w'])"
)
_THE = re.compile(rf"\b({_REGAL}) the (?=\d+(?:st|nd|rd|th)\b)")
_HINT = re.compile(r" [ivx]+(?![\w'])| the \d")


def numerals(text: str) -> str:
    """`chapter iv` -> `chapter 4`; `Henry III`, `Henry the 3rd` -> `henry 3rd`."""
    if not _HINT.search(text):
        return text
    text = _FIRST.sub(lambda match: f"{match[1]} 1", text)
    text = _PART.sub(lambda match: f"{match[1] or match[3]} {_value(match[2] or match[4])}", text)
    text = _NAME.sub(_ordinal, _RULER.sub(_ordinal, text))
    return _THE.sub(lambda match: f"{match[1]} ", text)


def _ordinal(match: re.Match) -> str:
    return f"{match[1]} {ordinal(str(_value(match[2])))}"


def _value(numeral: str) -> int:
    values = [_VALUES[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(-value if value < after else value for value, after in zip(values, following, strict=True))
