"""Dates and times of day that Chinese and Japanese write alike: 2008/08, 08/08, 8:00 a.m."""

import re

_YEAR_MONTH = re.compile(r"(?<![\d./-])((?:19|20)\d\d)[/-](0[1-9]|1[0-2])(?![\d/.-])")
# Without a zero 8/8 and 11/12 are fractions, and 10-20 is a range.
_MONTH_DAY = re.compile(
    r"(?<![\d./-])(?=0|1\d.0)(0[1-9]|1[0-2])[/-](0[1-9]|[12]\d|3[01])(?![\d/.-]| ?(?:%|[^\W\d_a-z]*[元円]))"
)
_ZERO_IN_DATE = re.compile(r"(?<!\d)0(?=\d[月日号])")
_HALF_OF_DAY = re.compile(r"(?<![\d.:])(\d{1,2}(?::\d\d){1,2}|\d{1,2}[点時]) ?([ap])\.? ?m(?![a-z])\.?")


def rewrite_dates(text: str) -> str:
    """2008/08 is 2008年8月, 08/09 is 8月9日."""
    if "/" in text or "-" in text:
        text = _YEAR_MONTH.sub(lambda match: f"{match[1]}年{int(match[2])}月", text)
        text = _MONTH_DAY.sub(lambda match: f"{int(match[1])}月{int(match[2])}日", text)
    return _ZERO_IN_DATE.sub("", text) if "0" in text else text


def half_of_day_first(text: str, morning: str, afternoon: str) -> str:
    """9:15 a.m. with the word of the language for it before the time."""
    if "m" not in text:
        return text
    return _HALF_OF_DAY.sub(lambda match: f"{morning if match[2] == 'a' else afternoon}{match[1]}", text)


def clock(hour: int, minute: int, second: str | None, whole_hour: str) -> str:
    """A time in digits; `whole_hour` is what the language says behind an hour without minutes (点, 時)."""
    if not minute and not second:
        return f"{hour}{whole_hour}"
    return f"{hour}:{minute:02d}" + (f":{int(second):02d}" if second else "")


def ratio(match: re.Match) -> str:
    """The groups 3 and 2 as 3:2, but where that would be a time of day what was written."""
    first, second = match.groups()
    could_be_clock = len(first) <= 2 and int(first) <= 24 and len(second) == 2 and int(second) <= 59
    return match[0] if could_be_clock else f"{first}:{second}"
