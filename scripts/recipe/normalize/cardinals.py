"""The value of a cardinal in Chinese characters, digits among them: the grammar that Chinese and Japanese share.

A numeral is a list of elements: one digit, one unit (十, 百, 千; 万, 亿, 兆, 京, also as 億), or a number in digits
(1.5, 230). What cannot belong to one number is two: 八百一千 is 800 and 1000.
"""

import dataclasses
import re

from recipe.normalize.decimals import scale

DIGITS = dict(zip("零〇一二三四五六七八九两幺", "0012345678921"))
SMALL = {"十": 1, "百": 2, "千": 3}
LARGE = {"万": 4, "亿": 8, "億": 8, "兆": 12, "京": 16}
UNITS = {**SMALL, **LARGE}
_LONGEST = 20  # digits; a longer number is one of its own


@dataclasses.dataclass(frozen=True)
class Grammar:
    """How a language counts.

    `tenths`: a last digit counts in tenths of the unit before it (三千五 is 3500). `alone`: the units that need no
    digit before them.
    """

    tenths: bool
    alone: frozenset[str]


_DIGIT = f"[{''.join(DIGITS).replace('两', '')}]"
# Of a version or an address: 0 to 999, digits one by one or not. Hours in a row (八点九点十点) end in 点.
_PART = (
    rf"(?:\d{{1,3}}|[一二三四五六七八九]?百(?:零?{_DIGIT}|{_DIGIT}?十{_DIGIT}?)?|{_DIGIT}?十{_DIGIT}?|{_DIGIT}{{1,3}})"
)
_POINTS = re.compile(
    rf"(?<![\d.点十百千万亿億])(?<!{_DIGIT}){_PART}(?:点{_PART}){{2,}}(?![\d.点十百千万亿億時时分刻半钟]|{_DIGIT})"
)


def digits_of_chains(text: str, grammar: Grammar) -> str:
    """Numbers with several points as versions and addresses have them: 一九二点一六八点零点一 as 192.168.0.1."""
    return text if text.count("点") < 2 else _POINTS.sub(lambda match: _chain(match[0], grammar), text)


def _chain(numeral: str, grammar: Grammar) -> str:
    parts = [_part(part, grammar) for part in numeral.split("点")]
    return ".".join(parts) if all(map(str.isdigit, parts)) else numeral


def _part(numeral: str, grammar: Grammar) -> str:
    if SMALL.keys().isdisjoint(numeral):
        return "".join(DIGITS.get(character, character) for character in numeral)
    return "".join(read_cardinals(list(numeral), grammar))


class _Cardinal:
    """The number being read: what its large units closed, what stands below, and an amount that waits for its unit."""

    def __init__(self) -> None:
        self.groups: list[tuple[int, int]] = []  # (value, power of its large unit), powers descending
        self.below = 0  # since the last large unit
        self.limit = 4  # the next small unit must be of a smaller power than this
        self.waiting: str | None = None
        self.unit: int | None = None  # power of the last unit
        self.zero = False  # 零 since the last unit
        self.after_large = False  # the last element was a large unit

    def is_empty(self) -> bool:
        return self.waiting is None and self.unit is None

    def add_small(self, power: int, alone: bool) -> bool:
        """Whether 十, 百 or 千 can follow; `alone` says whether it counts once without a digit."""
        if power >= self.limit or (self.waiting is None and not alone):
            return False
        amount = 1 if self.waiting is None or (power == 1 and not self.waiting.strip("0")) else int(self.waiting)
        self.below += amount * 10**power
        self._close(power, power)
        return True

    def add_large(self, power: int) -> bool:
        """Whether 万, 亿, 兆 or 京 can follow."""
        amount = self.below + int(self.waiting or 0)
        if not amount and not (self.after_large and self.groups):
            return False
        if amount and self.groups and self.groups[-1][1] == power:
            return False
        while self.groups and self.groups[-1][1] <= power:
            amount += self.groups.pop()[0]
        self.groups.append((amount * 10**power, power))
        self.below = 0
        self._close(power, 4)
        self.after_large = True
        return True

    def _close(self, power: int, limit: int) -> None:
        self.waiting, self.unit, self.limit, self.zero, self.after_large = None, power, limit, False, False

    def split(self) -> "_Cardinal":
        """Without what stands since the last large unit, which begins a number of its own."""
        rest = _Cardinal()
        rest.below, rest.waiting, rest.limit = self.below, self.waiting, self.limit
        rest.unit = self.unit if self.below else None
        self.below, self.waiting = 0, None
        return rest

    def value(self, tenths: bool) -> str:
        total = sum(value for value, _ in self.groups) + self.below
        if self.waiting is None:
            return str(total)
        if self.unit is None:
            return self.waiting
        counts_tenths = tenths and self.unit > 1 and not self.zero and len(self.waiting) == 1
        return str(total + int(self.waiting) * (10 ** (self.unit - 1) if counts_tenths else 1))


class _CardinalReader:
    """Reads elements from left to right into `output`: numbers, and units that belong to none."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.output: list[str] = []
        self.number = _Cardinal()

    def close(self) -> None:
        if not self.number.is_empty():
            self.output.append(self.number.value(self.grammar.tenths))
        self.number = _Cardinal()

    def read(self, elements: list[str]) -> list[str]:
        for position, element in enumerate(elements):
            if element in SMALL:
                following = elements[position + 1 : position + 3]
                self._small(element, following)
            elif element in LARGE:
                self._large(element)
            elif element in "零〇" and self.number.unit is not None and self.number.waiting is None:
                self.number.zero, self.number.after_large = True, False
            elif "." in element or len(element) > _LONGEST:
                self.close()
                self.output.append(element)
            else:
                self._amount(DIGITS.get(element, element))
        self.close()
        return self.output

    def _amount(self, digits: str) -> None:
        number = self.number
        fits = number.unit is None or len(digits.lstrip("0")) <= number.unit
        zeros = number.waiting if number.unit is None and number.waiting and not number.waiting.strip("0") else ""
        if (number.waiting is not None and not zeros) or not fits:
            self.close()
        self.number.waiting = zeros + digits  # 零三十 is 30, and behind a number 零零三 stays
        self.number.after_large = False

    def _small(self, unit: str, following: list[str]) -> None:
        power = SMALL[unit]
        if self.number.add_small(power, self._stands_alone(unit, following)):
            return
        if unit == "十" or self.number.waiting is None:
            self.close()  # 十五十六: the digit belongs to the first
        else:
            digit, self.number.waiting = self.number.waiting, None  # 八百一千: to the second
            self.close()
            self.number.waiting = digit
        if not self.number.add_small(power, self._stands_alone(unit, following)):
            self.output.append(unit)

    def _stands_alone(self, unit: str, following: list[str]) -> bool:
        """千二百, 一万零百 and 二千百 in any language: what follows, or stands before, shows that it is a number."""
        number = self.number
        if unit == "十" or unit in self.grammar.alone or number.zero or (number.unit or 0) > 1:
            return True
        smaller = len(following) > 1 and SMALL.get(following[1], 9) < SMALL[unit]
        return smaller and DIGITS.get(following[0], "0") != "0"

    def _large(self, unit: str) -> None:
        power = LARGE[unit]
        if self.number.add_large(power):
            return
        rest = self.number.split()
        self.close()
        self.number = rest
        if not self.number.add_large(power):
            self.close()
            self.output.append(unit)


def read_cardinals(elements: list[str], grammar: Grammar) -> list[str]:
    """Numbers, and units that belong to none (千 of 千万别), in their order."""
    return _CardinalReader(grammar).read(elements)


def read_scaled(elements: list[str], grammar: Grammar) -> list[str] | None:
    """1.5亿, 3.5千万, or a number too long to calculate with: units move its point. None for any other numeral."""
    number = elements[0]
    if not number[0].isdigit() or not ("." in number or len(number) > _LONGEST):
        return None
    position = 1
    while position < len(elements) and elements[position] in UNITS:
        number = scale(number, UNITS[elements[position]])
        position += 1
    return [number, *read_cardinals(elements[position:], grammar)]


def about(elements: list[str]) -> tuple[list[str], list[str]] | None:
    """The two numerals of one that means about so many: 七八百 is 七百 and 八百, 十五六 is 十五 and 十六.

    Two digits that follow each other (or 三五) must stand alone between units.
    """
    for position in range(len(elements) - 1):
        first, second = elements[position : position + 2]
        if not (first in _COUNTED and second in _COUNTED and _may_be_about(first, second)):
            continue
        before, after = elements[:position], elements[position + 2 :]
        if (before and before[-1] not in UNITS) or (after and after[0] not in UNITS) or not (before or after):
            continue
        return [*before, first, *after], [*before, second, *after]
    return None


_COUNTED = frozenset("一二三四五六七八九两")


def _may_be_about(first: str, second: str) -> bool:
    return int(DIGITS[second]) - int(DIGITS[first]) == 1 or first + second == "三五"
