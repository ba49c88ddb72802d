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
        (r"\by'all\b", "you all"),
        (r"(?<=\d0)'s\b", "s"),  # the 1980's
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
# Abbreviations that are read as the word, and nothing else.
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "dr": "doctor", "prof": "professor", "sr": "senior", "jr": "junior",
    "capt": "captain", "lt": "lieutenant", "sgt": "sergeant", "gov": "governor", "sen": "senator", "ltd": "limited",
    "corp": "corporation", "dept": "department", "approx": "approximately", "etc": "et cetera", "vs": "versus",
    "ok": "okay",
}  # fmt: skip
# Those that are also words of their own need their period and a word behind it.
_WITH_PERIOD = {"gen": "general", "rep": "representative", "rev": "reverend", "col": "colonel", "st": "saint"}
_TITLE = re.compile(rf"(?<![a-z0-9.'])({'|'.join(_WITH_PERIOD)})\. (?=[a-z])")
_AMPERSAND = re.compile(r"(?<=[a-z0-9.]) ?& ?(?=[a-z0-9])")
_NUMBER_SIGN = re.compile(r"(?<![a-z0-9#])# ?(?=\d)")
_SECTION_SIGN = re.compile(r"§+ ?(?=\d)")
_HALF_POWER = re.compile(r"(?<!\ba )\bhalf a (?=(?:hundred|thousand|million|billion|trillion)\b)")
_MIXED_FRACTION = re.compile(r"(?<![\d.:/-])(\d+)(?: and a quarter| and(?= \d+/\d))\b")
# u.s., u.s.a, a.m.: letters each with a period, two at least.
_SPACED_INITIALS = re.compile(r"(?<![a-z0-9.'])(?:[a-z]\. )+(?=[a-z]\.)")
_INITIALS = re.compile(r"(?<![a-z0-9.'])(?:[a-z]\.)+(?:[a-z](?![a-z0-9'])\.?|(?<=\.[a-z]\.)(?![a-z0-9]))")

_MONTHS = {
    name[:3]: name
    for name in (
        "january", "february", "march", "april", "may", "june",
        "july", "august", "september", "october", "november", "december",
    )
}  # fmt: skip
_MONTHS |= {name: name for name in _MONTHS.values()} | {"sept": "september"}
_MONTH = rf"\b({'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b"
_DAY = r"(?<![\d.:/$-])(\d{1,2})(?:st|nd|rd|th)?"
# March and may are other words too: a year or `of` says that a month is meant.
_DAY_MONTH = re.compile(rf"(?:\bthe )?{_DAY} (?:of {_MONTH}\.?|{_MONTH}\.?(?=,? (?:19|20)\d\d\b))")
_THE_DAY = re.compile(rf"{_MONTH}\.? the (?=\d{{1,2}}(?:st|nd|rd|th)\b)")
_MONTH_DAY = re.compile(rf"{_MONTH}\.? (\d{{1,4}})(?:st|nd|rd|th)?\b")
_PAST = re.compile(r"\b(?:(half|(?:a )?quarter) past|(?:a )?quarter to) (\d{1,2})\b(?![.:/%]\d)")


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
    text = _NUMBER_SIGN.sub("number ", _AMPERSAND.sub(" and ", _SECTION_SIGN.sub("section ", text)))
    text = _TITLE.sub(lambda title: f"{_WITH_PERIOD[title[1]]} ", text)
    text = _SPACED_INITIALS.sub(lambda initials: initials[0].replace(" ", ""), text)
    text = _INITIALS.sub(lambda initials: initials[0].replace(".", "") + " ", text)
    text = digits_for_words(_HALF_POWER.sub("0.5 ", text))
    text = _PAST.sub(_clock_past, _MIXED_FRACTION.sub(_mixed_fraction, text))
    text = _THE_DAY.sub(r"\1 ", _DAY_MONTH.sub(lambda match: f"{match[2] or match[3]} {match[1]}", text))
    return _MONTH_DAY.sub(lambda match: f"{_MONTHS[match[1]]} {match[2]}", text)


def date(year: str, month: int, day: int) -> str:
    """As it is said: `march 3 2021`."""
    return f"{list(_MONTHS.values())[month - 1]} {day} {year}"


def _mixed_fraction(match: re.Match) -> str:
    return f"{match[1]} 1/4" if match[0].endswith("quarter") else match[1]


def spell(word: str) -> str:
    """The one spelling of a word, with or without `'s`: American, abbreviations in full."""
    stem, mark, end = word.partition("'")
    return (_ABBREVIATIONS.get(stem) or spelling().get(stem, stem)) + mark + end
