"""Dates in English, in one form: `march 3 2021`, `march 3`."""

import re

_MONTHS = {
    name[:3]: name
    for name in (
        "january", "february", "march", "april", "may", "june",
        "july", "august", "september", "october", "november", "december",
    )
}  # fmt: skip
_MONTHS |= {name: name for name in _MONTHS.values()} | {"sept": "september"}
_NAMES = list(dict.fromkeys(_MONTHS.values()))
MONTHS = "|".join(sorted(_MONTHS, key=len, reverse=True))
_MONTH = rf"\b({MONTHS})\b"
_DAY = r"(?<![\d.:/$-])(\d{1,2})(?:st|nd|rd|th)?"
_ORDINAL_DAY = r"(?<![\d.:/$-])(\d{1,2})(?:st|nd|rd|th)"
_YEAR = r"(?:1\d|20)\d\d\b"
# March, may and the like are other words too: a year, `of` or an ordinal says that a month is meant.
_OF_MONTH = re.compile(rf"(?:\bthe )?{_DAY} of {_MONTH}\.?")
_DAY_MONTH_YEAR = re.compile(rf"(?:\bthe )?{_DAY}[ -]{_MONTH}\.?(?=[, -]*{_YEAR})")
_VERB = r"(?! (?:be|have|not|also|as|well|still|only|come|go|get|see|take|need|never|even|just|seem|or)\b)"
_ORDINAL_MONTH = re.compile(rf"(?:\bthe )?{_ORDINAL_DAY} {_MONTH}{_VERB}\.?")
_CARDINAL_MONTH = re.compile(
    rf"(?<![\d.:/$-])(?<!\d )(\d{{1,2}}) {_MONTH.replace('|march', '').replace('|mar', '').replace('|may', '')}(?! \d)"
)
_ALONE = re.compile(r"(?<![\w.:/$-] )(?<![\w.:/$-])(\d{1,2}) (mar|march|may)\.?$")
_THE_DAY = re.compile(rf"{_MONTH}\.? the (?=\d{{1,2}}(?:st|nd|rd|th)\b)")
_MONTH_DAY = re.compile(rf"{_MONTH}[.]?[ -](\d{{1,4}})(?:st|nd|rd|th)?\b(?:[ ,-]+({_YEAR}))?")
_YEAR_FIRST = re.compile(
    rf"(?:^|(?<=\bon )|(?<=^in ))({_YEAR})(?: ?- ?|,? ){_MONTH}\.? "
    rf"(\d{{1,2}})(?:st|nd|rd|th)?\b(?![.:/-]\d)(?! {_YEAR})"
)
_NUMERIC = re.compile(r"(?<![\d./-])(0?[1-9]|[12]\d|3[01])([/-])(0?[1-9]|[12]\d|3[01])\2((?:19|20)\d\d)(?![\d/-]|\.\d)")
# With points the day is first; where it could be a month, too, it is left as it is.
_WITH_POINTS = re.compile(r"(?<![\w.:/-])(1[3-9]|2\d|3[01])\.(0?[1-9]|1[0-2])\.((?:19|20)\d\d)(?![\w:/-]|\.\w)")
_ANY_MONTH = re.compile("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")


def date(year: str, month: int, day: int) -> str:
    """As it is said: `march 3 2021`."""
    return f"{_NAMES[month - 1]} {day} {year}"


def _numeric(match: re.Match) -> str:
    """The month is first, as in America, unless it cannot be."""
    first, second = int(match[1]), int(match[3])
    month, day = (first, second) if first <= 12 else (second, first)
    return date(match[4], month, day) if month <= 12 else match[0]


def in_digits(text: str) -> str:
    """Dates all in digits with the year last: `3/4/2021`, `15-01-2020`, `21.06.1985`."""
    if "/" in text or "-" in text:
        text = _NUMERIC.sub(_numeric, text)
    return (
        _WITH_POINTS.sub(lambda match: date(match[3], int(match[2]), int(match[1])), text)
        if ".19" in text or ".20" in text
        else text
    )


def dates(text: str) -> str:
    """Dates with a month's name, when number words are digits."""
    if not _ANY_MONTH.search(text):
        return text
    for pattern in (_OF_MONTH, _DAY_MONTH_YEAR, _ORDINAL_MONTH, _CARDINAL_MONTH, _ALONE):
        text = pattern.sub(r"\2 \1", text)
    text = _YEAR_FIRST.sub(r"\2 \3 \1", _THE_DAY.sub(r"\1 ", text))
    return _MONTH_DAY.sub(_month_day, text)


def _month_day(match: re.Match) -> str:
    return f"{_MONTHS[match[1]]} {match[2]}" + (f" {match[3]}" if match[3] else "")
