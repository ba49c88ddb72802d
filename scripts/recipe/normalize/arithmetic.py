"""Operations and ranges in Chinese and Japanese words, between numbers in digits: 二加三 is 2 + 3, 三到五 is 3 ~ 5."""

import re

_BEFORE = r"(?<=[\d%]) ?"
_AFTER = r" ?(?=[-±]?\d)"

_OPERATORS_ZH = {
    "大于等于": "≥", "小于等于": "≤", "不等于": "≠", "约等于": "≈", "大于": ">", "小于": "<", "等于": "=",
    "加上": "+", "加": "+", "减去": "-", "减": "-", "乘以": "×", "乘": "×", "除以": "÷",
}  # fmt: skip
_OPERATORS_JA = {
    "プラス": "+", "足す": "+", "たす": "+", "引く": "-", "ひく": "-", "マイナス": "-", "掛ける": "×", "かける": "×",
    "割る": "÷", "わる": "÷", "イコール": "=", "大なり": ">", "小なり": "<", "不等号": "≠",
}  # fmt: skip


def _pattern(operators: dict[str, str]) -> re.Pattern:
    return re.compile(f"{_BEFORE}({'|'.join(operators)}){_AFTER}")


_OPERATION_ZH = _pattern(_OPERATORS_ZH)
_OPERATION_JA = _pattern(_OPERATORS_JA)
_EQUATION_ZH = re.compile(
    rf"(?<=[a-z\d%]) ?({'|'.join(word for word in _OPERATORS_ZH if word.endswith('于'))}){_AFTER}"
)
_MAYBE_OPERATION = re.compile(r"[a-z\d%] ?[大小不约等加减乘除到至]")
# A sign, and no operation.
UNARY_PLUS = re.compile(r"(?<![a-z\d%)+])(?<![a-z\d%)+] )\+ ?(?=\d)")
# 3到5, 3~5, and 3-5 before what is counted; not 5-3, a score or a difference.
_TO_ZH = re.compile(rf"{_BEFORE}[到至]{_AFTER}")
_COUNTED = (
    "[个万亿年月日天号岁次名人位倍度%米升克吨公千元块厘毫小分秒周级层页章只件条张本辆台点时楼间套组节课门头匹双口杯碗瓶"
    "袋包盒轮场回遍步颗粒句字行集期届亩寸尺斤两角毛]"
)
_HYPHEN = re.compile(
    rf"(?<![\d.:/+=*<>~-])(?<![a-z])(\d{{1,4}}(?:\.\d+)?)-(\d{{1,4}}(?:\.\d+)?)(?= ?(?:{_COUNTED}|[a-zμ°]))"
)
# The second number of a range is written short (730-40), and what both count is said once (3到5万).
_SHORT = re.compile(r"(\d{2,4})[-~](\d{1,3})$")
_SIMPLE = r"(?:\d{1,4}(?:\.\d+)?|[一二三四五六七八九十百千两]{1,4}(?:点[零一二三四五六七八九]{1,4})?)"
_NO_NUMERAL_BEFORE = r"(?<![\d.:/+=*<>~一二三四五六七八九十百千万亿零〇两点分-])"
_MAYBE_SHARED = re.compile(r"[-~到至][\d一二三四五六七八九十两]")
_SHARED_UNIT = re.compile(rf"{_NO_NUMERAL_BEFORE}({_SIMPLE})([-~到至])({_SIMPLE}) ?([万亿]+)")
# から between what is counted: 10時から18時.
_TO_JA = re.compile(r"(?<=[\d%年月日時分秒人度円歳個回代])(?:から|~)(?=-?\d)")


def rewrite_zh(text: str) -> str:
    """Words between two numbers as signs: + - × ÷ = ≠ ≈ < > ≤ ≥, and ~ for a range."""
    if _MAYBE_OPERATION.search(text):
        for pattern in (_OPERATION_ZH, _EQUATION_ZH):
            text = pattern.sub(lambda match: f" {_OPERATORS_ZH[match[1]]} ", text)
        text = _TO_ZH.sub("~", text)
    return _HYPHEN.sub(rising_range, text) if "-" in text else text


def rewrite_ja(text: str) -> str:
    """Words between two numbers as signs: + - × ÷ = < >, and ~ for a range."""
    text = _OPERATION_JA.sub(lambda match: f" {_OPERATORS_JA[match[1]]} ", text)
    return _TO_JA.sub("~", text)


def rising_range(match: re.Match, unit: str = "") -> str:
    """Two numbers as a range of a unit, if the second is more: else they may be a score or a difference."""
    first, second = match.groups()
    return f"{first}~{second}{unit}" if float(first) < float(second) else match[0]


def share_units(text: str) -> str:
    """3到5万 as 3万~5万, 45-6万 as 45万~46万; numerals may be in words."""
    return _SHARED_UNIT.sub(_share, text) if _MAYBE_SHARED.search(text) else text


def _share(match: re.Match) -> str:
    first, sign, second, unit = match.groups()
    if first[0].isdigit() and second[0].isdigit():
        second = whole_range(f"{first}~{second}").partition("~")[2]
        if float(first) >= float(second):
            return match[0]
    return f"{first}{unit}{'~' if sign == '-' else sign}{second}{unit}"


def whole_range(written: str) -> str:
    """730-40 as 730~740: the second number without its first digits."""
    short = _SHORT.match(written)
    if not short:
        return written.replace("-", "~")
    first, second = short.groups()
    full = first[: -len(second)] + second
    return f"{first}~{full if len(second) < len(first) and int(full) > int(first) else second}"
