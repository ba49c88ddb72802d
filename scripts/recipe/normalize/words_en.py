"""English text in lower case: contractions, initials, titles, spelling, and numbers where words and digits meet."""

import re

from recipe.normalize.numbers_en import digits_for_words
from recipe.normalize.whisper import spelling

_PRONOUN = "it|he|she|that|what|who|there|here|where|how|when"
_SUBJECT = "i|you|he|she|it|we|they|who|what|that|there"
_CONTRACTIONS = [
    (re.compile(pattern), full)
    for pattern, full in (
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"(?<!\bai)n't\b", " not"),
        (r"\blet's\b", "let us"),
        (rf"\b({_PRONOUN})'s (?=(?:been|got|gone|done|had|become|made|taken|seen|never|already|just)\b)", r"\1 has "),
        (rf"\b({_PRONOUN})'s\b", r"\1 is"),
        (rf"\b({_SUBJECT})'d (?=(?:been|gone|done|better|had)\b)", r"\1 had "),
        (rf"\b({_SUBJECT})'d\b", r"\1 would"),
        (r"(?<=[a-z])'re\b", " are"),
        (r"(?<=[a-z])'ll\b", " will"),
        (r"(?<=[a-z])'ve\b", " have"),
        (r"\bi'm\b", "i am"),
        (r"\bgonna\b", "going to"),
        (r"\bwanna\b", "want to"),
        (r"\bgotta\b", "got to"),
    )
]
_CONTRACTED = re.compile("'|cannot|gonna|wanna|gotta")
_TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor", "vs": "versus"}
# u.s., u.s.a, a.m.: letters each with a period, two at least.
_INITIALS = re.compile(r"(?<![a-z0-9.'])(?:[a-z]\.)+(?:[a-z](?![a-z0-9'])\.?|(?<=\.[a-z]\.)(?![a-z0-9]))")

_MONTHS = {
    name[:3]: name
    for name in (
        "january", "february", "march", "april", "may", "june",
        "july", "august", "september", "october", "november", "december",
    )
}  # fmt: skip
_MONTHS |= {name: name for name in _MONTHS.values()} | {"sept": "september"}
_MONTH_DAY = re.compile(rf"\b({'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.? (\d{{1,4}})(?:st|nd|rd|th)?\b")
_PAST = re.compile(r"\b(?:(half|quarter) past|quarter to) (\d{1,2})\b(?![.:/%]\d)")


def _clock_past(match: re.Match) -> str:
    hour = int(match[2])
    if match[1]:
        return f"{hour}:{30 if match[1] == 'half' else 15}"
    return f"{(hour - 2) % 12 + 1}:45"


def rewrite(text: str) -> str:
    """Contractions spelled out, initials joined, number words as digits, dates and times of day in one form."""
    if _CONTRACTED.search(text):
        for pattern, full in _CONTRACTIONS:
            text = pattern.sub(full, text)
    text = _INITIALS.sub(lambda initials: initials[0].replace(".", "") + " ", text)
    text = _PAST.sub(_clock_past, digits_for_words(text))
    return _MONTH_DAY.sub(lambda match: f"{_MONTHS[match[1]]} {match[2]}", text)


def spell(word: str) -> str:
    """The one spelling of a word: American, titles in full."""
    return _TITLES.get(word) or spelling().get(word, word)
