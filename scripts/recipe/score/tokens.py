"""Tokens: what is counted, as the compute-wer package (0.2.5) does.

Three tokenizations of a text, after upper-casing and NFC (so NFC and NFD spellings compare equal):
- mixed (MER, the number in cer.txt): one token per character of Chinese, Japanese kana, Thai, Lao, Khmer, Myanmar and
  Tibetan; one per punctuation mark or symbol; runs of other letters, digits, combining marks and inner apostrophes
  are words.
- characters (CER): every character of the mixed tokens.
- words (WER): what white space separates.

In texts of faithful mode each digit is a mixed token of its own, as it is a character: that mode writes "one two three"
as 123, and one wrong digit of eight would be all of one token wrong. (The published normalizer takes digits apart by
itself.) A sign within a number (9:15, 1.5, -5) is a token as elsewhere, so it weighs what a digit does.

White space and control characters separate; invisible characters (joiners, soft hyphens, variation selectors) vanish.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

from recipe.score.policy import ScoringPolicy

CLUSTERS = ("Chinese", "English", "Number", "Japanese", "Other")

# Beginnings of Unicode names, as the compute-wer package sorts characters into clusters.
_CLUSTER_NAMES = (
    ("CJK UNIFIED IDEOGRAPH", "Chinese"),
    ("CJK COMPATIBILITY IDEOGRAPH", "Chinese"),
    ("LATIN CAPITAL LETTER", "English"),
    ("LATIN SMALL LETTER", "English"),
    ("DIGIT", "Number"),
    ("HIRAGANA LETTER", "Japanese"),
    ("KATAKANA LETTER", "Japanese"),
)

# Code points of scripts that are counted per character. The package has the blocks marked *; the others are the same
# scripts' characters outside these blocks, which it would join into words.
_PER_CHARACTER = (
    (0x0E00, 0x0E7F),  # Thai *
    (0x0E80, 0x0EFF),  # Lao *
    (0x0F00, 0x0FFF),  # Tibetan *
    (0x1000, 0x109F),  # Myanmar *
    (0x1780, 0x17FF),  # Khmer *
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark and zero
    (0x3040, 0x30FF),  # Hiragana, Katakana *
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK *
    (0xF900, 0xFAFF),  # CJK compatibility
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1B000, 0x1B16F),  # Kana supplement and extensions
    (0x20000, 0x3FFFF),  # CJK extensions B and later
)
_ZERO_WIDTH_SPACE = 0x200B

# Marks that choose a glyph and are no content: grapheme joiner and variation selectors.
_INVISIBLE_MARKS = {0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_TAG = re.compile(r"<[^<>]*>")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)(?=\d)")


def _spacing(code: int) -> str | None:
    """What becomes of a character in all tokenizations: " ", None (vanishes) or itself."""
    category = unicodedata.category(chr(code))
    if category[0] == "Z" or category == "Cc" or code == _ZERO_WIDTH_SPACE:
        return " "
    return None if category == "Cf" or code in _INVISIBLE_MARKS else chr(code)


def _separated(code: int) -> str | None:
    """What becomes of a character in the mixed tokenization: as `_spacing`, and a token of its own gets spaces around.

    Unassigned and private characters are tokens too: the package drops them, so that two different texts compare equal.
    """
    char = _spacing(code)
    if not char or char in " '":
        return char
    category = unicodedata.category(char)
    own = category[0] in "PS" or category in ("Cn", "Co") or any(low <= code <= high for low, high in _PER_CHARACTER)
    return f" {char} " if own else char


class Cached(dict):
    """The values of a function, each worked out once; for str.translate, or to look up tokens fast."""

    def __init__(self, function: Callable):
        super().__init__()
        self._function = function

    def __missing__(self, key: Any) -> Any:
        self[key] = value = self._function(key)
        return value


_SPACED = Cached(_spacing)
_SEPARATED = Cached(_separated)


def fold(text: str, remove_tags: bool = False) -> str:
    """Upper case and NFC; with `remove_tags`, spans of `<...>` become spaces first."""
    if remove_tags:
        text = _TAG.sub(" ", text)
    if text.isascii():
        return text.upper()
    # Case mapping can decompose a character and must see a canonical order, hence NFC on both sides.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).upper())


def mixed_tokens(folded: str) -> list[str]:
    """Tokens of a folded text in the mixed tokenization. Linear in the length of the text."""
    tokens = folded.translate(_SEPARATED).split()
    if "'" not in folded:
        return tokens
    parts = []
    for token in tokens:
        word = token.lstrip("'")  # an apostrophe that no letter precedes is a punctuation mark
        parts += ["'"] * (len(token) - len(word))
        if word:
            parts.append(word)
    return parts


def digits_apart(token: str) -> list[str]:
    """A mixed token, cut between every two digits: 1980S is 1 9 8 0S, MP3 stays."""
    return _BETWEEN_DIGITS.split(token)


def words(folded: str) -> list[str]:
    """Tokens of a folded text between white space."""
    return folded.translate(_SPACED).split()


def cluster(token: str) -> str:
    """The script cluster of a token: that of its characters where they agree, else "Other". Apostrophes and combining
    marks do not count."""
    found = {
        next((value for start, value in _CLUSTER_NAMES if name.startswith(start)), "Other")
        for name in (
            unicodedata.name(char, "") for char in token if char != "'" and unicodedata.category(char)[0] != "M"
        )
    }
    return found.pop() if len(found) == 1 else "Other"


class TokenizedText(NamedTuple):
    """A text as it is compared (see `fold`), its mixed tokens, and these with every number in one piece (the same list
    where digits do not count singly, or no number has two)."""

    folded: str
    mixed: list[str]
    whole: list[str]


def tokenize(text: str, policy: ScoringPolicy) -> TokenizedText:
    """Fold a text and cut it into mixed tokens, as the policy says of tags and digits."""
    folded = fold(text, policy.remove_tags)
    whole = mixed_tokens(folded)
    mixed = whole
    if policy.single_digits and _BETWEEN_DIGITS.search(folded):
        mixed = [part for token in whole for part in digits_apart(token)]
    return TokenizedText(folded, mixed, whole)
