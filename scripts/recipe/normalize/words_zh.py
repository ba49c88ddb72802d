"""Chinese: numerals as digits, then dates, times of day, decimals, fractions, ratios and signs in one form each."""

import re

from recipe.normalize.characters import HAN
from recipe.normalize.numbers_zh import digits_for_numerals

_NUMBER_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}\d-])|(?<=[\d%]) (?=[{HAN}])")
_BELOW_ZERO = re.compile("零下(?= ?[0-9一二三四五六七八九十两百千])")
_NEGATIVE = re.compile(r"负 ?(?=\d)")
_TWO_THREE = {"俩": "两个", "仨": "三个"}
_TWO_OR_THREE = re.compile("(?<!伎)([俩仨])个?")
_AND_HALF = re.compile(r"(?<![\d.])(\d+)个半(?=小时|钟头|月|星期|礼拜|世纪|学期)")
_ZERO_IN_DATE = re.compile(r"(?<!\d)0(?=\d[月日号])")
_CLOCK = re.compile(
    r"(?<![\d.:/-])(\d{1,2})[点时]"
    r"(?:(\d{1,2})分(?![之贝])(?:(\d{1,2})秒)?|([1-5]\d)(?![\d.:/%]|[多万亿])|(半|整)|([13])刻)"
)
_DECIMAL_POINT = re.compile(r"(?<![\d.])(\d+)点(\d+)(?![\d.刻])(?=(分(?!贝))?)")
_PERCENT = re.compile(r"百分之(-?\d++(?:\.\d++)?)")
_FRACTION = re.compile(r"(?<![\d.])(\d+|[千万])分之(\d+)(?![\d.])")
_RATIO = re.compile(r"(?<![\d.:/])(\d+)比(\d+)(?![\d:/]|\.\d)")


def rewrite(text: str) -> str:
    """Numerals as digits, then dates, times, decimals, fractions, ratios and signs in one form."""
    text = _BELOW_ZERO.sub("负", text.replace("百分之百", "100%"))
    text = _TWO_OR_THREE.sub(lambda match: _TWO_THREE[match[1]], text)
    text = _AND_HALF.sub(r"\1.5个", _NUMBER_GAP.sub("", digits_for_numerals(text)))
    text = _NEGATIVE.sub("-", _ZERO_IN_DATE.sub("", text))
    text = _DECIMAL_POINT.sub(_decimal, _CLOCK.sub(_clock, text))
    text = _FRACTION.sub(_fraction, _PERCENT.sub(r"\1%", text))
    return _RATIO.sub(_ratio, text)


def _clock(match: re.Match) -> str:
    hour, minute, second, short_minute, word, quarters = match.groups()
    minutes = int(minute or short_minute or {"半": 30, "整": 0}.get(word) or int(quarters or 0) * 15)
    if int(hour) > 24 or minutes > 59:
        return match[0]
    return f"{int(hour)}:{minutes:02d}" + (f":{int(second):02d}" if second else "")


def _decimal(match: re.Match) -> str:
    """9点5分 is no decimal, but a time of day or neither; 90点5分 is a decimal."""
    integer, decimals, minutes = match.groups()
    return match[0] if minutes and len(integer) <= 2 and int(integer) <= 24 else f"{integer}.{decimals}"


def _fraction(match: re.Match) -> str:
    denominator = {"千": "1000", "万": "10000"}.get(match[1], match[1])
    return f"{match[2]}/{denominator}"


def _ratio(match: re.Match) -> str:
    """3比2 is 3:2, but where that would be a time of day it stays."""
    first, second = match.groups()
    could_be_clock = len(first) <= 2 and int(first) <= 24 and len(second) == 2 and int(second) <= 59
    return match[0] if could_be_clock else f"{first}:{second}"
