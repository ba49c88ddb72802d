"""Chinese: numerals as digits, then dates, times of day, decimals, fractions, ratios and signs in one form each."""

import re

from recipe.normalize import arithmetic, measures_cjk
from recipe.normalize.characters import HAN
from recipe.normalize.dates_cjk import clock, half_of_day_first, ratio, rewrite_dates
from recipe.normalize.numbers_zh import digits_for_numerals

_ANY_NUMERAL = re.compile(r"[\d零〇一二三四五六七八九十百千万亿两幺廿卅卌壹贰叁肆伍陆柒捌玖拾佰仟]")
_ANY_DIGIT = re.compile(r"\d")
_NUMBER_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}\d-])|(?<=[\d%]) (?=[{HAN}])")
_BELOW_ZERO = re.compile("零下(?= ?[0-9一二三四五六七八九十两百千])")
_SPACED_PERCENT = re.compile("百 ?分 ?之 ?")
_HUNDRED_PERCENT = re.compile("百分之?百")
_NEGATIVE = re.compile(r"(正?)负的? ?(?=\d)")
_TWO_THREE = {"俩": "两个", "仨": "三个"}
_TWO_OR_THREE = re.compile("(?<!伎)([俩仨])个?")
_AND_HALF = re.compile(r"(?<![\d.])(\d+)个半(?=小时|钟头|月|星期|礼拜|世纪|学期)")
_MINUTES_AND_HALF = re.compile(r"(?<![\d.])(\d+)(?:个半分(?=钟)|分半(?=钟))")
# 一小时零五分: 零 between two measures says nothing.
_ZERO_BETWEEN = re.compile(r"(?<=[\d半][年天月时钟分元块角米斤岁])零?0?(?=\d+(?:个?[年天月时钟分秒角毛厘寸两]|小时))")
_ZERO_BETWEEN_LONG = re.compile(
    r"(?<=\d(?:小时|个月|个钟|点钟|分钟|公里|公斤))零?0?(?=\d+(?:个?[天月时分秒米克两]|小时))"
)
_CLOCK = re.compile(
    r"(?<![\d.:/-])(\d{1,2})[点时]"
    r"(?:(\d{1,2})分(?![之贝钟])(?:(\d{1,2})秒)?|([1-5]\d)(?![\d.:/%]|[多万亿点])|(半|整)|([13])刻)"
)
_WHOLE_HOUR = re.compile(r"(?<![\d.:/-])(\d|1\d|2[0-4]):00(?![:.\d/%])")
_DECIMAL_POINT = re.compile(r"(?<![\d.])(\d+)点(\d+)(?![\d.刻点])(?=(分(?!贝|钟))?)")
_PERCENT = re.compile(r"百分之(-?\d++(?:\.\d++)?)(?:( ?[~到至] ?)(?:百分之)?(\d++(?:\.\d++)?)(?![\d%.]))?")
_PERCENT_RANGE = re.compile(r"(?<=\d)%(?= ?[~到至] ?\d++(?:\.\d++)?%)")
_PERCENT_HYPHEN = re.compile(r"(?<![\d.+*/×=~-])(\d++(?:\.\d++)?)% ?- ?(\d++(?:\.\d++)?)%(?! ?[=*/×+-])")
_DENOMINATORS = {"千": 3, "万": 4, "十万": 5, "百万": 6, "千万": 7, "亿": 8, "百亿": 10, "千亿": 11}
_FRACTION = re.compile(r"(?<![\d.])(\d+|[十百千]?万|[百千]?亿|千)分之(\d++(?:\.\d++)?)(?![\d.])")
_RATIO = re.compile(r"(?<![\d.:/])(\d+)比(\d+)(?![\d:/]|\.\d)")
_SCORE = re.compile("比分|爆冷|战平|[战大险完]胜|不敌|领先|落后|击败")
_COINS = re.compile(r"(?<![\d.])(\d+)([元块])(?:(\d)[角毛](?:(\d)分)?|0?(\d)分)(?![\d钟])")
_ROUND = re.compile(r"(?<=\d) ?圆(?=[整正\d]|$|[^形圈周柱的])")
_PHONE_PLUS = re.compile(r"\+ ?(\d{1,3})[ -]?(\d{7,11})(?!\d)")


def prepare(text: str) -> str:
    """What only a line shows that is not cleaned yet: small letters of units."""
    return measures_cjk.name_letters(text, measures_cjk.LETTERS_ZH)


def rewrite(text: str) -> str:
    """Numerals as digits, then dates, times, decimals, fractions, ratios, money and signs in one form."""
    if "俩" in text or "仨" in text:
        text = _TWO_OR_THREE.sub(lambda match: _TWO_THREE[match[1]], text)
    if not _ANY_NUMERAL.search(text):
        return text
    if "百" in text:
        text = _HUNDRED_PERCENT.sub("100%", _SPACED_PERCENT.sub("百分之", text))
    if "零下" in text:
        text = _BELOW_ZERO.sub("负", text)
    text = digits_for_numerals(arithmetic.share_units(text))
    if " " in text:
        text = _NUMBER_GAP.sub("", text)
        if "  " in text:
            text = " ".join(text.split())
    if not _ANY_DIGIT.search(text):
        return text
    text = _times(_durations(rewrite_dates(_signs(text))))
    if "分之" in text:
        text = _FRACTION.sub(_fraction, _PERCENT.sub(_percent, text))
    if "%" in text:
        if "-" in text:
            text = _PERCENT_HYPHEN.sub(lambda match: arithmetic.rising_range(match, "%"), text)
        text = _PERCENT_RANGE.sub("", text)
    if "圆" in text:
        text = _ROUND.sub("元", text)
    if "分" in text or "毛" in text or "角" in text:
        text = _COINS.sub(_coins, text)
    if "比" in text:
        text = _RATIO.sub(_score if _SCORE.search(text) else ratio, text)
    return arithmetic.rewrite_zh(measures_cjk.rewrite_zh(text))


def _signs(text: str) -> str:
    if "负" in text:
        text = _NEGATIVE.sub(lambda match: "±" if match[1] else "-", text)
    return arithmetic.UNARY_PLUS.sub("正", _PHONE_PLUS.sub(r"\1\2", text)) if "+" in text else text


def _times(text: str) -> str:
    """九点十五分 is 9:15, 九点整 and 9:00 are 9点, 9:15 a.m. is 上午9:15; what is no time is a decimal (三点五)."""
    if "点" in text or "时" in text:
        text = _DECIMAL_POINT.sub(_decimal, _CLOCK.sub(_clock, text))
    text = half_of_day_first(text, "上午", "下午")
    return _WHOLE_HOUR.sub(r"\1点", text) if ":00" in text else text


def _durations(text: str) -> str:
    """一个半小时 is 1.5个小时, 一小时零五分 1小时5分."""
    if "半" in text:
        text = _AND_HALF.sub(r"\1.5个", _MINUTES_AND_HALF.sub(r"\1.5分", text))
    return _ZERO_BETWEEN.sub("", _ZERO_BETWEEN_LONG.sub("", text)) if "0" in text else text


def _clock(match: re.Match) -> str:
    hour, minute, second, short_minute, word, quarters = match.groups()
    minutes = int(minute or short_minute or {"半": 30, "整": 0}.get(word) or int(quarters or 0) * 15)
    if int(hour) > 24 or minutes > 59:
        return match[0]
    return clock(int(hour), minutes, second, "点")


def _decimal(match: re.Match) -> str:
    """9点5分 is no decimal, but a time of day or neither; 90点5分 is a decimal."""
    integer, decimals, minutes = match.groups()
    return match[0] if minutes and len(integer) <= 2 and int(integer) <= 24 else f"{integer}.{decimals}"


def _percent(match: re.Match) -> str:
    """百分之三十到四十一: the percentage is said once."""
    first, to, second = match.groups()
    return (
        f"{first}{to}{second}%"
        if to and float(second) > float(first)
        else match[0].replace(f"百分之{first}", f"{first}%")
    )


def _fraction(match: re.Match) -> str:
    power = _DENOMINATORS.get(match[1])
    return f"{match[2]}/{10**power if power else match[1]}"


def _score(match: re.Match) -> str:
    """Where a match is spoken of, 17比16 is no time."""
    return f"{match[1]}:{match[2]}"


def _coins(match: re.Match) -> str:
    """25元3毛 is 25.3元."""
    amount, unit, tenths, hundredths, only_hundredths = match.groups()
    return f"{amount}.{tenths or 0}{hundredths or only_hundredths or ''}{unit}"
