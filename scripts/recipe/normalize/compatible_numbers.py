"""Numbers read out in Chinese, and Chinese numerals written as digits, exactly as the published normalizer does both.

The published normalizer reads every number out (`normalize_nsw` of its cn_tn.py) and then writes every Chinese numeral
as digits (`all_convert` of its format5res.py). Where the two disagree values change; this module repeats that, because
figures are only comparable if mistakes are too. `faithful` mode does not use it.
"""

import functools
import re
from collections.abc import Callable, Iterator

_DIGITS = "零一二三四五六七八九"
# Names of the powers of ten, largest first; above 10^4 one for every four digits.
_UNITS = [*zip(range(44, 4, -4), "载正涧沟穰秭垓京兆亿"), (4, "万"), (3, "千"), (2, "百"), (1, "十")]

# 二 is read 两 before a unit from 百 up, unless something other than a unit from 百 up comes before it.
_LIANG = re.compile("(?<![零一二三四五六七八九十])二(?=[百千万亿兆京垓秭穰沟涧正载])")

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PERCENTAGE = re.compile(r"(?<!\d)(\d++(?:\.\d++)?)%")
_LONG_NUMBER = re.compile(r"\d{4,32}")
_DATE = re.compile(r"\D((?:[089]\d|(?:19|20)\d\d)年(?:\d{1,2}月(?:\d{1,2}[日号])?)?|\d{1,2}月(?:\d{1,2}[日号])?)")
_MONEY_UNIT = "(?:亿|[千百]?万|[千百]|[元块角毛分])"
_MONEY = re.compile(rf"\D(\d++(?:\.\d++)?[多余几]?{_MONEY_UNIT}(?:\d{_MONEY_UNIT}?)?)")
_MOBILE = re.compile(r"\D((?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8})\D")
_LANDLINE = re.compile(r"\D((?:0(?:10|2[1-3]|[3-9]\d\d)-?)?[1-9]\d{6,7})\D")
_MEASURED = re.compile(
    r"(?<!\d)(\d++(?:\.\d++)?)[多余几]?"
    "(?:[千微][克米]|[匹张座回场尾条个首阙阵网炮顶丘棵只支袭辆挑担颗壳窠曲墙群腔砣客贯扎捆刀令打手罗坡山岭江溪钟队单双对"
    "出口头脚板跳枝件贴针线管名位身堂课本页家户层丝毫厘分钱两斤铢石钧锱忽寸尺丈里寻常铺程撮勺合升斗盘碗碟叠桶笼盆盒杯斛锅簋"
    "篮罐瓶壶卮盏箩箱煲啖袋钵年月日季刻时周天秒旬纪岁世更夜春夏秋冬代伏辈丸泡粒幢堆根道面片块])"
)
# A character after which no match of the patterns above can go on.
_END = re.compile(r"[^\d\s.+\-%多余几亿千百万元块角毛分年月日号微]")


def read_digits(number: str) -> str:
    """Digit by digit: 2024 -> 二零二四."""
    return "".join(_DIGITS[int(digit)] for digit in number)


def _read_integer(number: str) -> str:
    """A cardinal of two digits or more. Zeros alone read as nothing and leading zeros as 零, as published."""
    parts = []
    while stripped := number.lstrip("0"):
        if len(stripped) == 1:
            parts.append(("零" if len(number) > 1 else "") + read_digits(stripped))
            break
        power, unit = next(entry for entry in _UNITS if entry[0] < len(stripped))
        parts.append(unit + _read_integer(stripped[-power:]))
        number = number[:-power]
    return "".join(reversed(parts))


@functools.lru_cache(maxsize=1 << 14)
def read_cardinal(number: str) -> str:
    """As a quantity: 2024 -> 两千零二十四, 10.5 -> 十点五."""
    integer, point, decimals = number.partition(".")
    text = _read_integer(integer) if len(integer) > 1 else read_digits(integer)
    text = _LIANG.sub("两", text)
    if point:
        text = f"{text}点{read_digits(decimals)}"
    if text.startswith("点"):
        return "零" + text
    return text[1:] if text.startswith("一十") else text


def _read_date(date: str) -> str:
    year, mark, rest = date.rpartition("年")
    return read_digits(year) + mark + _NUMBER.sub(lambda match: read_cardinal(match[0]), rest)


def _read_money(money: str) -> str:
    return _NUMBER.sub(lambda match: read_cardinal(match[0]), money)


def _read_telephone(telephone: str) -> str:
    return "".join(_DIGITS[int(character)] for character in telephone if character.isdigit())


def _replace_in_turn(text: str, pattern: re.Pattern, read: Callable[[str], str]) -> str:
    """Read out every match, each at the FIRST place where its text occurs, which may be inside a longer number that
    the pattern did not match: so the published normalizer does it (`15 5个` becomes 一五 五个)."""
    for found in pattern.findall(text):
        text = text.replace(found, read(found), 1)
    return text


def _pieces(text: str, size: int = 2000) -> Iterator[str]:
    """Cut a long line where no number, unit or telephone number can continue, so that time stays linear in its length:
    `_replace_in_turn` searches from the start of what it is given."""
    start = 0
    while len(text) - start > size and (end := _END.search(text, start + size)):
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def read_numbers(text: str) -> str:
    """Read out every number of a line, in the order of the published rules (fractions are among them, but no `/`
    reaches them)."""
    return "".join(map(_read_numbers, _pieces(text))).lstrip("^").rstrip("$")


def _read_numbers(text: str) -> str:
    if not re.search(r"\d", text):
        return text
    text = f"^{text}$"
    if "年" in text or "月" in text:
        text = _replace_in_turn(text, _DATE, _read_date)
    text = _replace_in_turn(text, _MONEY, _read_money)
    text = _replace_in_turn(text, _MOBILE, _read_telephone)
    text = _replace_in_turn(text, _LANDLINE, _read_telephone)
    if "%" in text:
        text = _PERCENTAGE.sub(lambda match: "百分之" + read_cardinal(match[1]), text)
    text = _replace_in_turn(text, _MEASURED, read_cardinal)
    text = _LONG_NUMBER.sub(lambda match: read_digits(match[0]), text)
    text = _NUMBER.sub(lambda match: read_cardinal(match[0]), text)
    return text[1:-1]


# How many digits a number has whose highest unit is this one.
_PLACES = {"零": 1, "十": 2, "百": 3, "千": 4, "万": 5, "十万": 6, "百万": 7, "千万": 8}
_VALUES = dict(zip("一二三四五六七八九两幺", "12345678921"))
_NUMERALS = re.compile("[零一二三四五六七八九两幺十百千万]+(?=([里克米])?)")


def _place_digits(digits: list[str], units: list[str], skipped_zero: bool) -> str:
    """The digits at the places that their units name. A digit without a unit is a ten after a lone hundred (三百五 is
    350) and otherwise a one, whatever was meant (三千五 becomes 3005); if they do not pair then, the units are lost."""
    units = list(units)
    if units == ["百"] and len(digits) != 1 and not skipped_zero:
        units.append("十")
    if len(digits) == len(units) + 1:
        units.append("零")
    if len(digits) != len(units):
        return "".join(digits)
    written: list[str] = []  # from the ones upwards
    for digit, unit in zip(reversed(digits), reversed(units)):
        written.extend("0" * (_PLACES[unit] - 1 - len(written)))
        written.append(digit)
    return "".join(reversed(written))


@functools.lru_cache(maxsize=1 << 14)
def _write_numerals(numerals: str, before_measure: bool) -> str:
    """One run of numerals as digits. `before_measure`: 里, 克 or 米 follows, so that a final 千 belongs to it (千米).

    The published state machine in its own order: a character that cannot continue the number ends it and is kept as it
    is; 两 that no numeral follows is such a character.
    """
    text: list[str] = []
    digits: list[str] = []
    units: list[str] = []
    state = "start"  # then "digit", "lone ten" or "unit": what was read last
    skipped_zero = False
    last = len(numerals) - 1
    for position, numeral in enumerate(numerals):
        if numeral in _VALUES and not (numeral == "两" and position == last):
            digits.append(_VALUES[numeral])
            state = "digit"
        elif numeral == "十" and state in ("start", "unit"):
            digits.append("1")
            units.append(numeral)
            state = "lone ten" if state == "start" else state
        elif numeral == "零" and state in ("start", "digit"):
            digits.append("0")
        elif numeral == "零" and state == "unit":
            skipped_zero = True
        elif numeral in _PLACES and state == "digit" and not (numeral == "千" and position == last and before_measure):
            units.append(numeral)
            state = "unit"
        elif state == "unit" and units[-1] + numeral in _PLACES:
            units[-1] += numeral
        else:
            if digits:
                text.append(_place_digits(digits, units, skipped_zero))
                digits, units, skipped_zero = [], [], False
            text.append(numeral)
            state = "start"
    if digits:
        text.append(_place_digits(digits, units, skipped_zero))
    return "".join(text)


def write_numerals(text: str) -> str:
    """Write every run of Chinese numerals as digits: 三百五十 -> 350. Neither 亿 nor 〇 counts as a numeral."""
    return _NUMERALS.sub(lambda run: _write_numerals(run[0], run[1] is not None), text)
