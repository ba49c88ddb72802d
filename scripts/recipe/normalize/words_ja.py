"""Japanese: numerals as digits, then dates, times of day, fractions, ratios and signs in one form each."""

import re

from recipe.normalize import arithmetic, measures_cjk
from recipe.normalize.dates_cjk import clock, half_of_day_first, ratio, rewrite_dates
from recipe.normalize.numbers_ja import digits_for_numerals, point_for_middle_dot

_ANY_DIGIT = re.compile(r"\d")
_NUMBER_GAP = re.compile(r"(?<=[^\W\da-z]) (?=\d)|(?<=[\d%]) (?=[^\W\da-z])")
_NEGATIVE = re.compile(r"(?<![\d%])マイナス ?(?=\d)")
_DECIMAL_POINT = re.compile(r"(?<![\d.])(\d+)点(\d+)(?![\d.点])")
_FIRST_YEAR = re.compile("(?<=明治|大正|昭和|平成|令和)元年")
_CLOCK = re.compile(r"(?<![\d.:/-])(\d{1,2})時(?:(\d{1,2})分(?!の\d)(?:(\d{1,2})秒)?|半)")
_WHOLE_HOUR = re.compile(r"(?<![\d.:/-])(\d|[12]\d):00(?![:.\d/%])")
_FRACTION = re.compile(r"(?<![\d.])(\d++(?:\.\d++)?)分の ?(\d++(?:\.\d++)?)")
_MIXED_FRACTION = re.compile(r"(?<![\d./:])(\d+)(?:と|また|か)(?=\d+/\d)")
_RATIO = re.compile(r"(?<![\d.:/])(\d+)対(\d+)(?![\d:/]|\.\d)")
_LAST_HOUR = 30  # programmes go on after midnight: 25時


def prepare(text: str) -> str:
    """What only a line shows that is not cleaned yet: small letters of units, middle dots."""
    return point_for_middle_dot(measures_cjk.name_letters(text, measures_cjk.LETTERS_JA))


def rewrite(text: str) -> str:
    """Numerals as digits, then dates, times, fractions, ratios, money and signs in one form."""
    text = _NUMBER_GAP.sub("", digits_for_numerals(_FIRST_YEAR.sub("1年", text)))
    if not _ANY_DIGIT.search(text):
        return text
    text = _NEGATIVE.sub("-", arithmetic.UNARY_PLUS.sub("プラス", text.replace("プラスマイナス", "±")))
    text = rewrite_dates(_DECIMAL_POINT.sub(r"\1.\2", text))
    text = _MIXED_FRACTION.sub(r"\1 ", _FRACTION.sub(r"\2/\1", text))
    text = half_of_day_first(_CLOCK.sub(_clock, text), "午前", "午後")
    text = _RATIO.sub(ratio, _WHOLE_HOUR.sub(r"\1時", text))
    return arithmetic.rewrite_ja(measures_cjk.rewrite_ja(text))


def _clock(match: re.Match) -> str:
    hour, minute, second = match.groups()
    minutes = int(minute or 30)
    if int(hour) > _LAST_HOUR or minutes > 59:
        return match[0]
    return clock(int(hour), minutes, second, "時")
