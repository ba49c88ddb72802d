"""Chinese numerals as digits: cardinals, their colloquial short forms, decimals, strings of digits."""

import re

from recipe.normalize.decimals import scale

_DIGITS = dict(zip("零〇一二三四五六七八九两幺", "0012345678921"))
_SMALL = {"十": 1, "百": 2, "千": 3}
_LARGE = {"万": 4, "亿": 8}
_FORMAL = str.maketrans("壹贰叁肆伍陆柒捌玖拾佰仟", "一二三四五六七八九十百千")
_FORMAL_RUN = re.compile("[零壹贰叁肆伍陆柒捌玖拾佰仟万亿]{2,}")

_NUMERAL = "[零〇一二三四五六七八九两幺十百千万亿]"
# Numerals, with digits before a unit among them (35万, 3千5百, 1.5亿), and decimals read one by one behind 点.
_RUN = re.compile(
    rf"(?<![\d.])(?:\d++(?:\.\d++)?(?= ?[十百千万亿]) ?)?{_NUMERAL}(?:{_NUMERAL}|\d++(?=[十百千万亿]))*+"
    r"(?:点([零〇一二三四五六七八九幺]++)(?! ?[十百千分刻点:])([万亿]?))?"
)
_ELEMENT = re.compile(r"\d+(?:\.\d+)?|\D")
_CLOCK_CONTEXT = re.compile("(?:[上下中]午|早上|早晨|清晨|凌晨|傍晚|晚上|夜里|[今明昨当]晚|[今明]早|[今明昨]天) ?$")
# After two digits that differ by one or two, these mean about so many (三五个), not a number of two digits.
_MEASURES = frozenset(
    "个块次份箱天岁本张瓶只件名位人家条辆台部分秒钟小时里斤公米度元毛倍层间种样句步口杯碗盘袋包盒枚支架场轮篇页章节项套双对月周"
)


_KILO = re.compile("[米瓦]|克(?![拉朗])")  # 千 before these is part of the unit


class _Cardinal:
    """The number being read: what stands before 亿, before 万, below 万, and a digit that waits for its unit."""

    def __init__(self) -> None:
        self.above, self.middle, self.low = 0, 0, 0
        self.digit: int | None = None
        self.unit: int | None = None  # power of the last unit
        self.limit = 9  # a unit below 万 must be of a smaller power than this
        self.zero = False  # 零 since the last unit

    def add_small(self, power: int) -> bool:
        """Whether 十, 百 or 千 can follow."""
        if power >= self.limit or (self.digit is None and power != 1):
            return False
        self.low += (1 if self.digit is None else self.digit) * 10**power
        self.digit, self.unit, self.limit, self.zero = None, power, power, False
        return True

    def add_large(self, power: int) -> bool:
        """Whether 万 or 亿 can follow."""
        amount = self.low + (self.digit or 0)
        if power == 4:
            if self.middle or not amount:
                return False
            self.middle = amount * 10**4
        else:
            if self.above or not (self.middle + amount):
                return False
            self.above, self.middle = (self.middle + amount) * 10**8, 0
        self.low, self.digit, self.unit, self.limit, self.zero = 0, None, power, 9, False
        return True

    def value(self) -> str:
        """A last digit without 零 before it counts in tenths of the last unit: 三千五 is 3500, 三千零五 is 3005."""
        total = self.above + self.middle + self.low
        if self.digit is None:
            return str(total)
        tenths = self.unit is not None and self.unit > 1 and not self.zero
        return str(total + self.digit * (10 ** (self.unit - 1) if tenths else 1))

    def is_empty(self) -> bool:
        return self.digit is None and self.unit is None


def _read_cardinals(elements: list[str]) -> list[str]:
    """Numbers, and numerals that are none (a unit without anything before it), in their order."""
    output: list[str] = []
    number = _Cardinal()

    def close() -> None:
        nonlocal number
        if not number.is_empty():
            output.append(number.value())
        number = _Cardinal()

    for position, element in enumerate(elements):
        if element in _SMALL or element in _LARGE:
            add, power = (number.add_small, _SMALL) if element in _SMALL else (number.add_large, _LARGE)
            if add(power[element]):
                continue
            close()
            if element == "十":
                number.add_small(1)
            else:
                output.append(element)
        elif element == "两" and position == len(elements) - 1 and position:
            close()
            output.append(element)  # the weight
        elif element in "零〇" and number.unit is not None and number.digit is None:
            number.zero = True
        elif "." in element or len(element) > 15:
            close()
            output.append(element)
        else:
            if number.digit is not None:
                close()
            number.digit = int(_DIGITS.get(element, element))
    close()
    return output


def _read_digits(run: str, following: str) -> list[str]:
    """A run without units: a string of digits, or two digits that mean about so many."""
    if run == "幺":
        return [run]
    if len(run) > 1 and "两" in run:
        return [*(_DIGITS[numeral] for numeral in run[:-1]), "两" if run[-1] == "两" else _DIGITS[run[-1]]]
    digits = "".join(_DIGITS[numeral] for numeral in run)
    if len(digits) == 2 and 1 <= int(digits[1]) - int(digits[0]) <= 2 and digits[0] != "0" and following in _MEASURES:
        return list(digits)
    return [digits]


def _read_scaled(elements: list[str]) -> list[str] | None:
    """1.5亿, 3.5千万, or a number too long to calculate with: units move its point."""
    number = elements[0]
    if not number[0].isdigit() or not ("." in number or len(number) > 15):
        return None
    units = {**_SMALL, **_LARGE}
    position = 1
    while position < len(elements) and elements[position] in units:
        number = scale(number, units[elements[position]])
        position += 1
    return [number, *_read_cardinals(elements[position:])]


def _rewrite(match: re.Match) -> str:
    text = match.string
    decimals, unit = match[1], match[2]
    run = match[0] if decimals is None else match[0][: match.start(1) - match.start() - 1]
    following = text[match.end() : match.end() + 1]
    belongs_to_measure = decimals is None and run.endswith("千") and _KILO.match(text, match.end())
    if belongs_to_measure:
        run = run[:-1]
    elements = _ELEMENT.findall(run.replace(" ", ""))
    if not elements:
        parts = []
    elif all(element in _DIGITS for element in elements):
        parts = _read_digits(run, following)
    else:
        parts = _read_scaled(elements) or _read_cardinals(elements)
    if belongs_to_measure:
        parts.append("千")
    if decimals is not None:
        parts[-1:] = _with_decimals(parts[-1], decimals, unit, text[max(0, match.start() - 4) : match.start()])
    return f" {' '.join(parts)} "


def _with_decimals(integer: str, decimals: str, unit: str, before: str) -> list[str]:
    digits = "".join(_DIGITS[numeral] for numeral in decimals)
    if not integer[0].isdigit():
        return [integer, "点", digits, unit]
    could_be_clock = not unit and len(digits) == 2 and digits[0] == "0" and len(integer) <= 2 and int(integer) <= 24
    if could_be_clock and _CLOCK_CONTEXT.search(before):
        return [f"{integer}:{digits}"]
    number = f"{integer}.{digits}"
    return [scale(number, _LARGE[unit]) if unit else number]


def digits_for_numerals(text: str) -> str:
    """Write the Chinese numerals of simplified Chinese text as digits; numerals that are no number (千万别) stay."""
    text = _FORMAL_RUN.sub(lambda run: run[0].translate(_FORMAL), text)
    return _RUN.sub(_rewrite, text)
