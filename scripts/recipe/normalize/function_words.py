"""Words and letters by which a line in Latin letters shows that it is English, or what else it is.

`function_words.json` has the most frequent words of each language, and of English also what its rules rewrite (number
words, months). "half english" are words of English that others have too, "half others" words of others that occur in
names (Rio de Janeiro) or are English besides: these tell half as much.
"""

import json
import re
from functools import lru_cache
from pathlib import Path

_WORDS_FILE = Path(__file__).with_name("function_words.json")
# Letters that hardly a word in English has, unless a name.
_RARE_LETTERS = re.compile("[ßæøåąćčďđęěğıķľĺļłńňņőœřśşšșťţțůűųūźżžħġċėįāēīģơưăµ\u1ea0-\u1ef9ìòùõã]")

_DECIMAL_COMMA = re.compile(r"(?<![\d,])\d+(?:\.\d{3})*,(?:\d\d?|\d{4,})(?![\d,])")
# Nothing but English has these: 21st, it's, don't.
_ENGLISH_FORMS = re.compile(r"\d(?:st|nd|rd|th)\b|\b(?:i|it|that|s?he|there|what|who|you|we|they)'[a-z]|n't\b")
_WORDS = re.compile(r"[^\W\d_]{2,}|[^\x00-\x7f\W\d_]")


def _weights() -> tuple[dict[str, float], dict[str, tuple[float, tuple[str, ...]]]]:
    """What a word tells: for English; and for the others, with their codes."""
    lists = json.loads(_WORDS_FILE.read_text(encoding="utf-8"))
    words = {name: " ".join(lines).split() for name, lines in lists.items()}
    english = dict.fromkeys(words.pop("english"), 1.0) | dict.fromkeys(words.pop("half english"), 0.5)
    half = frozenset(words.pop("half others"))
    codes: dict[str, list[str]] = {}
    for code, listed in words.items():
        for word in listed:
            codes.setdefault(word, []).append(code)
    others = {
        word: (0.5 if word in half else 1.0, tuple(found)) for word, found in codes.items() if word not in english
    }
    return english, others


_OF_ENGLISH, _OF_OTHERS = _weights()


def not_english(text: str) -> frozenset[str] | None:
    """Of a cleaned line in Latin letters: None if it is English, or nothing tells; else the codes of the languages that
    it may be in, without any where its letters alone tell.

    Words and a decimal comma weigh 1; those that tell little, and words with a letter that English has in names alone,
    less; single letters of ASCII nothing.
    """
    words = _WORDS.findall(text)
    other = 1.0 if "," in text and _DECIMAL_COMMA.search(text) else 0.0
    if not other and _OF_OTHERS.keys().isdisjoint(words) and text.isascii():
        return None
    english = 0.0
    found: dict[str, float] = {}
    for word in words:
        if word in _OF_ENGLISH:
            english += _OF_ENGLISH[word]
        elif word in _OF_OTHERS:
            weight, codes = _OF_OTHERS[word]
            other += weight
            for code in codes:
                found[code] = found.get(code, 0) + weight
        elif not word.isascii():
            other += _of_letters(word)
    if other < 1 or other <= english + len(_ENGLISH_FORMS.findall(text)):
        return None
    best = max(found.values(), default=0)
    return frozenset(code for code, weight in found.items() if weight == best)


@lru_cache(maxsize=10_000)
def _of_letters(word: str) -> float:
    return 0.75 if _RARE_LETTERS.search(word) else 0.5
