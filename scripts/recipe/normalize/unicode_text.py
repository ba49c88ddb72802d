"""One spelling for one character: what every language needs before its own rules."""

import re
import unicodedata
from collections.abc import Callable

from recipe.normalize import spelling_marks
from recipe.normalize.characters import HAN, simplify_line
from recipe.normalize.kanji import KANA

_HAN_PAIR = re.compile(f"[{HAN}]{{2}}")
_HAN_GAP = re.compile(f"(?<=[{HAN}])[ \u3000]+(?=[{HAN}])")
_CIRCLE_ZERO = re.compile("(?<=[一二三四五六七八九〇○])○|○(?=[一二三四五六七八九])")
_ONE_FORM = re.compile("[ -_a-~\u4e00-\u9fff]*")  # ASCII but for an accent, and the most of Han: one form already
_MODEL_TAG = re.compile(r"<\|[^|<>]*\|>")
_SUPERSCRIPT = re.compile("(?<=[0-9a-zA-Z])⁻?[⁰¹²³⁴-⁹]+")
_VULGAR_FRACTION = re.compile("(?<=[0-9])(?=[¼-¾⅐-⅟↉])")
# Python's casefold writes this mark (iota below a Greek vowel) as a letter.
_YPOGEGRAMMENI = "\u0345"
# Symbols that are no punctuation, for character classes: currencies, signs, mathematical operators.
SIGNS = "¢-¥฿\u20a0-\u20cf§±×÷‰‱♭\u2200-\u22ff"
_MEANINGFUL = re.compile(f"[{SIGNS}°]")
# Among the operators: dots, stars and ellipses.
_SEPARATORS = frozenset("∙⋅⋆⋮⋯⋰⋱")


class _Table(dict):
    """A function of one character for `str.translate`, called once for each character that is met."""

    def __init__(self, function: Callable[[str], str]) -> None:
        super().__init__()
        self.function = function

    def __missing__(self, code: int) -> str:
        self[code] = self.function(chr(code))
        return self[code]


_SINGLES = {
    **dict.fromkeys("‘’ʼ`´′＇", "'"),
    **dict.fromkeys("‐‑‒–−", "-"),
    **dict.fromkeys("—―\u200b", " "),
    **dict.fromkeys("，、､﹐﹑", ";"),  # not the comma of 1,000
    "∶": ":",
    "∕": "/",
    "∗": "*",
    **dict.fromkeys("〜∼", "~"),
    **dict.fromkeys("№♯", "#"),
    "≦": "≤",
    "≧": "≥",
    **dict.fromkeys("≃≅≒", "≈"),
    # Arabic signs
    "٪": "%",
    "٫": ".",
    "٬": ",",
    "؉": "‰",
    "؊": "‱",
}
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200c-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]+"
)


def _before_nfkc(character: str) -> str:
    """ASCII for quotes, dashes and the decimal digits of any script; a space for a spacing accent, which NFKC would
    make a space and a combining mark."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if single := _SINGLES.get(character):
        return single
    if category != "Sk" or character == "^":
        return character
    return f" {unicodedata.normalize('NFD', character)[1:]}"  # with the mark of one that has two


def _after_nfkc(character: str) -> str:
    """A separator for punctuation and symbols that mean nothing to later rules."""
    if character == "⁄":
        return "/"
    if character.isascii() or unicodedata.category(character)[0] not in "PS":
        return character
    return character if _MEANINGFUL.match(character) and character not in _SEPARATORS else ";"


_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")
_BEFORE_NFKC = _Table(_before_nfkc)
_AFTER_NFKC = _Table(_after_nfkc)


def _power(superscript: re.Match) -> str:
    return "^" + unicodedata.normalize("NFKC", superscript[0]).replace("−", "-")


def _fold(text: str) -> str:
    """NFKC and case folding; every combining mark stays."""
    text = unicodedata.normalize("NFKC", text)
    decomposed = unicodedata.normalize("NFD", text)
    if _YPOGEGRAMMENI in decomposed:
        text = _YPOGEGRAMMENI.join(part.casefold() for part in decomposed.split(_YPOGEGRAMMENI))
    else:
        text = text.casefold()
    return unicodedata.normalize("NFKC", text)


def _one_form(text: str) -> str:
    """A text in lower case with one form of each character."""
    marked = spelling_marks.needed(text)
    text = _SUPERSCRIPT.sub(_power, _INVISIBLE.sub("", text))
    text = _CIRCLE_ZERO.sub("〇", _VULGAR_FRACTION.sub(" ", text)).translate(_BEFORE_NFKC)
    text = _fold(spelling_marks.full_width_korean(text) if marked else text)
    return (spelling_marks.one_spelling(text) if marked else text).translate(_AFTER_NFKC)


def clean(text: str, japanese: bool = False) -> str:
    """Canonical characters, lower case, simplified Chinese, ASCII digits; white space as single spaces.

    Superscripts become `^2`, so that 5² is not 52. Combining marks stay, but for vowel marks of Arabic and Hebrew;
    invisible characters and variation selectors go. A Japanese line, which one with kana is, keeps its characters:
    Japanese has simplified ones of its own.
    """
    text = _MODEL_TAG.sub(" ", text)
    if text.isascii():
        return " ".join(text.lower().translate(_CONTROLS).split())
    text = text.lower() if _ONE_FORM.fullmatch(text) else _one_form(text)
    if not (japanese or KANA.search(text)):
        if " " in text and not _HAN_PAIR.search(text):  # characters set apart, as some corpora are written
            text = _HAN_GAP.sub("", text)
        text = simplify_line(text)
    return " ".join(text.translate(_CONTROLS).split())
