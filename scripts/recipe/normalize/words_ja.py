"""Japanese: numerals as digits, then dates, times of day, fractions, ratios and signs in one form each."""

import re

from recipe.normalize import arithmetic, measures_cjk
from recipe.normalize.numbers_ja import digits_for_numerals, point_for_middle_dot

_ANY_DIGIT = re.compile(r"\d")
_NUMBER_GAP = re.compile(r"(?<=[^\W\da-z]) (?=\d)|(?<=[\d%]) (?=[^\W\da-z])")
_NEGATIVE = re.compile(r"(?<![\d%])マイナス ?(?=\d)")
_DECIMAL_POINT = re.compile(r"(?<![\d.])(\d+)点(\d+)(?![\d.点])")
_FIRST_YEAR = re.compile("(?<=明治|大正|昭和|平成|令和)元年")
_YEAR_MONTH = re.compile(r"(?<![\d./-])((?:19|20)\d\d)[/-](0[1-9]|1[0-2])(?![\d/.-])")
_MONTH_DAY = re.compile(r"(?<![\d./-])(0[1-9]|1[0-2])[/-](0[1-9]|[12]\d|3[01])(?![\d/.-])")
_ZERO_IN_DATE = re.compile(r"(?<!\d)0(?=\d[月日])")
_CLOCK = re.compile(r"(?<![\d.:/-])(\d{1,2})時(?:(\d{1,2})分(?!の\d)(?:(\d{1,2})秒)?|半)")
_WHOLE_HOUR = re.compile(r"(?<![\d.:/-])(\d|[12]\d):00(?![:.\d/%])")
_BEFORE_OR_AFTER_NOON = re.compile(r"(?<![\d.:])(\d{1,2}(?::\d\d){1,2}|\d{1,2}時) ?([ap])\.? ?m(?![a-z])\.?")
_FRACTION = re.compile(r"(?<![\d.])(\d++(?:\.\d++)?)分の ?(\d++(?:\.\d++)?)")
_MIXED_FRACTION = re.compile(r"(?<![\d./:])(\d+)(?:と|また|か)(?=\d+/\d)")
_RATIO = re.compile(r"(?<![\d.:/])(\d+)対(\d+)(?![\d:/]|\.\d)")
_LAST_HOUR = 30  # programmes go on after midnight: 25時


def prepare(text: str) -> str:
    """What only a line shows that is not cleaned yet: small letters of units, decimal points in the middle of the line."""
    return point_for_middle_dot(measures_cjk.name_letters(text, measures_cjk.LETTERS_JA))


def rewrite(text: str) -> str:
    """Numerals as digits, then dates, times, fractions, ratios, money and signs in one form."""
    text = _NUMBER_GAP.sub("", digits_for_numerals(text))
    if not _ANY_DIGIT.search(text):
        return text
    text = _NEGATIVE.sub("-", _FIRST_YEAR.sub("1年", text))
    text = _dates(_DECIMAL_POINT.sub(r"\1.\2", text))
    text = _MIXED_FRACTION.sub(r"\1 ", _FRACTION.sub(r"\2/\1", text))
    text = _RATIO.sub(_ratio, _times(text))
    return arithmetic.rewrite_ja(measures_cjk.rewrite_ja(text))


def _dates(text: str) -> str:
    text = _YEAR_MONTH.sub(lambda match: f"{match[1]}年{int(match[2])}月", text)
    text = _MONTH_DAY.sub(lambda match: f"{int(match[1])}月{int(match[2])}日", text)
    return _ZERO_IN_DATE.sub("", text)


def _times(text: str) -> str:
    text = _CLOCK.sub(_clock, text)
    text = _BEFORE_OR_AFTER_NOON.sub(lambda match: f"午{'前' if match[2] == 'a' else '後'}{match[1]}", text)
    return _WHOLE_HOUR.sub(r"\1時", text)


def _clock(match: re.Match) -> str:
    hour, minute, second = match.groups()
    minutes = int(minute or 30)
    if int(hour) > _LAST_HOUR or minutes > 59:
        return match[0]
    if not minutes and not second:
        return f"{int(hour)}時"
    return f"{int(hour)}:{minutes:02d}" + (f":{int(second):02d}" if second else "")


def _ratio(match: re.Match) -> str:
    """3対2 is 3:2, but where that would be a time of day it stays."""
    first, second = match.groups()
    could_be_clock = len(first) <= 2 and int(first) <= 24 and len(second) == 2 and int(second) <= 59
    return match[0] if could_be_clock else f"{first}:{second}"
