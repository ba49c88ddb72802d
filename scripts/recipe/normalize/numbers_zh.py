"""Chinese numerals as digits: cardinals, their colloquial short forms, decimals, strings of digits."""

import re

from recipe.normalize.cardinals import DIGITS, LARGE, Grammar, about, digits_of_chains, read_cardinals, read_scaled
from recipe.normalize.decimals import scale

_GRAMMAR = Grammar(tenths=True, alone=frozenset("十"))

# --- Formal numerals (壹), and the characters for tens (廿) ---
_FORMAL = str.maketrans("壹贰叁参肆伍陆柒捌玖拾佰仟", "一二三三四五六七八九十百千")
_ANY_NUMERAL = "零〇一二三四五六七八九十百千万亿壹贰叁参肆伍陆柒捌玖拾佰仟"
# 参, 肆, 伍, 陆 and 拾 are parts of words too; where no numeral is beside them they are nothing else.
_ANY = re.compile(f"[{_ANY_NUMERAL}两幺廿卅卌兆京]")
_FORMAL_NUMERAL = re.compile(
    "参[加与谋议考观照数赛展股战政见事差]|[队入退落行为]伍|放肆|陆[军续地]|[大登着内水海]陆|[收捡]拾|拾[取荒级]"
    f"|([壹贰叁柒捌玖]|(?<=[{_ANY_NUMERAL}点负])[参肆伍陆拾佰仟]|[参肆伍陆拾佰仟](?=[{_ANY_NUMERAL}元圆角分]))"
)
_TENS = {"廿": "二十", "卅": "三十", "卌": "四十"}
_TENS_CHARACTER = re.compile("[廿卅卌]")

# --- Where a numeral is ---
_NUMERAL = "零〇一二三四五六七八九两幺十百千万亿"
# 兆 of 兆赫 is a prefix, and 京 a city, unless smaller units follow.
_UNIT = rf"(?:[十百千万亿]|兆(?![赫瓦帕欧比字流宽光内带网])|京(?= ?[{_NUMERAL}兆\d]))"
# Numerals, with digits before a unit among them (35万, 3千5百, 1.5亿) or behind one (3万4000), and decimals read one by
# one behind 点. A space may be before a unit, and behind it.
_RUN = re.compile(
    rf"(?<![\d.])(?!(?:(?<=\d)|(?<=\d ))两)(?:\d++(?:\.\d++)? ?(?={_UNIT})|(?=[{_NUMERAL}]))"
    rf"(?:[{_NUMERAL}]|{_UNIT}| {_UNIT}|\d++(?= ?{_UNIT})|(?<=[百千万亿兆京零〇])\d++(?![.:/%\d-]|年)"
    rf"|(?<=[十百千万亿兆京]) [一二三四五六七八九](?![零〇一二三四五六七八九]))*+"
    r"(?: ?点 ?([零〇一二三四五六七八九幺]++)(?! ?[十百千刻点:]| ?分(?!钟))([万亿]?))?"
)
_ELEMENT = re.compile(r"\d+(?:\.\d+)?|\D")
_UNJOINED = re.compile(r"(?:\d+ )?(?:万一|千万(?P<adverb>))$")
_ADVERB_BEFORE = frozenset("别不要记注小保请")  # behind 千万, by all means
_CLOCK_CONTEXT = re.compile("(?:[上下中]午|早上|早晨|清晨|凌晨|傍晚|晚上|夜里|[今明昨当]晚|[今明]早|[今明昨]天) ?$")
# After two digits that differ by one or two, these mean about so many (三五个), not a number of two digits.
_MEASURES = frozenset(
    "个块次份箱天岁本张瓶只件名位人家条辆台部分秒钟小时里斤公米度元毛倍层间种样句步口杯碗盘袋包盒枚支架场轮篇页章节项套双对月周英美欧日港韩卢镑磅吨升厘盎"
)
_NO_UNIT = re.compile("千(?:[米瓦赫焦帕伏]|卡(?!车)|字节|克(?![拉朗]))|百[姓帕]")  # part of a unit, or of a word
_SPOKEN_YEAR = re.compile("[一二两]千[一二三四五六七八九]")  # no tenths: 二千九年 is 2009, as it must be in Japanese


def _read_digits(run: str, following: str) -> list[str]:
    """A run without units: a string of digits, or two digits that mean about so many."""
    if run == "幺":
        return [run]
    if len(run) > 1 and "两" in run:
        if run in ("一两", "两三") and (run == "两三" or following in _MEASURES):
            return ["1~2" if run == "一两" else "2~3"]
        return [*(DIGITS[numeral] for numeral in run[:-1]), "两" if run[-1] == "两" else DIGITS[run[-1]]]
    digits = "".join(DIGITS[numeral] for numeral in run)
    if len(digits) == 2 and 1 <= int(digits[1]) - int(digits[0]) <= 2 and digits[0] != "0" and following in _MEASURES:
        return ["~".join(digits)]
    return [digits]


def _read(run: str, following: str) -> list[str]:
    """Numbers, and characters that are none, of a run without decimals."""
    elements = _ELEMENT.findall(run.replace(" ", ""))
    if all(element in DIGITS for element in elements):
        return _read_digits(run, following)
    if following == "年" and _SPOKEN_YEAR.fullmatch(run):
        elements.insert(2, "零")
    weight = len(elements) > 1 and elements[-1] == "两"
    if weight:
        return [*_read(run[:-1], ""), "两"]
    if both := about(elements):
        return [f"{_one(both[0])}~{_one(both[1])}"]
    return read_scaled(elements, _GRAMMAR) or read_cardinals(elements, _GRAMMAR)


def _one(elements: list[str]) -> str:
    return " ".join(read_cardinals(elements, _GRAMMAR))


def _rewrite(match: re.Match) -> str:
    text, decimals, unit = match.string, match[1], match[2]
    run = match[0] if decimals is None else match[0][: match[0].index("点")].rstrip()
    following = text[match.end() : match.end() + 1]
    unjoined = _UNJOINED.match(run)
    if unjoined and (unjoined["adverb"] is None or following in _ADVERB_BEFORE):
        return match[0]
    parts = []
    no_unit = decimals is None and run.endswith(("千", "百")) and _NO_UNIT.match(text, match.end() - 1)
    last = run[-1] if no_unit else ""
    run = run.removesuffix(last)
    if run.strip():
        parts = _read(run.strip(), following)
    if last:
        parts.append(last)
    if decimals is not None:
        parts[-1:] = _with_decimals(parts[-1], decimals, unit, text[max(0, match.start() - 4) : match.start()])
    after_sign = text[match.start() - 1 : match.start()] in ("-", "~")
    return f"{'' if after_sign else ' '}{' '.join(parts)}{'' if following in ('-', '~') else ' '}"


def _with_decimals(integer: str, decimals: str, unit: str, before: str) -> list[str]:
    digits = "".join(DIGITS[numeral] for numeral in decimals)
    if not integer.isdigit():
        return [integer, "点", digits, unit]
    could_be_clock = not unit and len(digits) == 2 and digits[0] == "0" and len(integer) <= 2 and int(integer) <= 24
    if could_be_clock and _CLOCK_CONTEXT.search(before):
        return [f"{integer}:{digits}"]
    number = f"{integer}.{digits}"
    return [scale(number, LARGE[unit]) if unit else number]


def digits_for_numerals(text: str) -> str:
    """Write the Chinese numerals of simplified Chinese text as digits; numerals that are no number (千万别) stay."""
    if not _ANY.search(text):
        return text
    text = _FORMAL_NUMERAL.sub(lambda match: match[0].translate(_FORMAL) if match[1] else match[0], text)
    text = _TENS_CHARACTER.sub(lambda match: _TENS[match[0]], text)
    return _RUN.sub(_rewrite, digits_of_chains(text, _GRAMMAR))
