"""One spelling for one character: what every language needs before its own rules."""

import re
import unicodedata

from recipe.normalize.characters import simplify_line

# Python's casefold writes this mark (iota below a Greek vowel) as a letter.
_YPOGEGRAMMENI = "\u0345"
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SUPERSCRIPT = re.compile("(?<=[0-9a-zA-Z])[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_VULGAR_FRACTION = re.compile("(?<=[0-9])(?=[¼-¾⅐-⅟↉])")
_MODEL_TAG = re.compile(r"<\|[^|<>]*\|>")
# Invisible: joiners, marks of direction, soft hyphen, byte-order mark, variation selectors.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200c-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]")
_SINGLES = str.maketrans(
    {
        **dict.fromkeys("‘’ʼ`´′", "'"),
        **dict.fromkeys("‐‑‒–−", "-"),
        **dict.fromkeys("—―", " "),
        "⁄": "/",
        "∶": ":",
        "〜": "~",
        "\u200b": " ",
        # Not the comma of 1,000.
        **dict.fromkeys("，、､﹐﹑", ";"),
    }
)
_CONTROL_OR_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff]")


def _fold(text: str) -> str:
    """NFKC and case folding; every combining mark stays."""
    text = unicodedata.normalize("NFKC", text)
    if _YPOGEGRAMMENI in unicodedata.normalize("NFD", text):
        parts = unicodedata.normalize("NFD", text).split(_YPOGEGRAMMENI)
        text = _YPOGEGRAMMENI.join(part.casefold() for part in parts)
    else:
        text = text.casefold()
    return unicodedata.normalize("NFKC", text)


def _one_character(character: str) -> str:
    """A decimal digit of any script as ASCII; a spacing accent, which NFKC makes a space and a mark, as a space."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    return " " if category == "Sk" and character != "^" else character


class _Separators(dict):
    """Code point -> itself or, for punctuation and symbols without a meaning to later rules, a separator."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        dropped = code > 127 and unicodedata.category(character)[0] in "PS" and character not in "°×÷±√€£¥₩¢‰"
        self[code] = ";" if dropped else character
        return self[code]


_SEPARATORS = _Separators()


def clean(text: str) -> str:
    """Canonical characters, lower case, simplified Chinese, ASCII digits; white space as single spaces.

    Superscripts become `^2`, so that 5² is not 52. Combining marks stay. Text with kana keeps its characters: it is
    Japanese, whose own simplified characters are others.
    """
    text = _MODEL_TAG.sub(" ", text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
        text = _SUPERSCRIPT.sub(lambda digits: "^" + digits[0].translate(_SUPERSCRIPTS), text)
        text = _VULGAR_FRACTION.sub(" ", text).translate(_SINGLES)
        text = _fold("".join(map(_one_character, text))).translate(_SINGLES).translate(_SEPARATORS)
        if not KANA.search(text):
            text = simplify_line(text)
    return _CONTROL_OR_SPACE.sub(" ", text.casefold()).strip()
