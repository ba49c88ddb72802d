"""English number words as digits: cardinals, decimals, ordinals, fractions, years, times of day, digit strings."""

import dataclasses
import re

from recipe.normalize.alternatives import one_of
from recipe.normalize.decimals import scale
from recipe.normalize.surroundings_en import Surroundings, around

_NAMES = re.findall(
    r"\w+",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety",
)
_ONES = dict(zip(_NAMES, range(1, 10)))
_TEENS = dict(zip(_NAMES[9:], range(10, 20)))
_TENS = dict(zip(_NAMES[19:], range(20, 100, 10)))
_TENS["fourty"] = 40
_SMALL = {**_ONES, **_TEENS, **_TENS}
_POWERS = {
    "thousand": 3, "lakh": 5, "lac": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12, "quadrillion": 15,
    "quintillion": 18, "sextillion": 21, "septillion": 24, "octillion": 27, "nonillion": 30, "decillion": 33,
}  # fmt: skip
_ALL_POWERS = {"hundred": 2, **_POWERS}
_PLURAL_POWERS = {f"{word}s": word for word in _POWERS if word != "thousand"}
_NOUGHTS = ("zero", "nought", "naught")
_ZEROS = {*_NOUGHTS, "oh", "o"}
DIGIT_WORDS = "|".join(_ONES)
_DIGITS = {**_ONES, **dict.fromkeys(_ZEROS, 0)}
_IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def _ordinal(word: str) -> str:
    return _IRREGULAR_ORDINALS.get(word) or (word[:-1] + "ieth" if word.endswith("y") else word + "th")


_ORDINALS = {_ordinal(word): word for word in [*_ONES, *_TEENS, *_TENS, *_ALL_POWERS]}
_DECADES = {word[:-1] + "ies": value for word, value in _TENS.items()}
_DENOMINATORS = {"half": 2, "quarter": 4} | {_ordinal(word): value for word, value in _SMALL.items() if value > 2}
_DENOMINATORS |= {"hundredth": 100, "thousandth": 1000}
_PLURAL_DENOMINATORS = {word + "s": value for word, value in _DENOMINATORS.items()} | {"halves": 2}

_WORDS = {
    *_ONES, *_TEENS, *_TENS, *_POWERS, *_DIGITS, *_ORDINALS, *_DECADES, *_DENOMINATORS, *_PLURAL_DENOMINATORS,
    *_PLURAL_POWERS, "zeroth", "hundred", "hundreds", "and", "a", "point", "minus", "negative", "double", "triple",
}  # fmt: skip
_LETTER = "a-z0-9'\u00df-\u024f\u1e00-\u1eff\u0300-\u036f"
_UNIT = rf"(?:{one_of(_WORDS)}(?![{_LETTER}])|\d++(?:\.\d++)?(?![{_LETTER}%]|[.,:/^-]\d))"
_SEQUENCE = re.compile(rf"(?<![{_LETTER}.,:/^]){_UNIT}(?:(?: |(?<=[a-z])-(?=[a-z])){_UNIT})*")
# A digit as it is said alone, and two or three alike.
DIGIT = rf"(?:(?:double |triple )?(?:{'|'.join(_DIGITS)}))"


def one_by_one(words: str) -> str:
    """Digits read one by one, by words that match DIGIT: `four double two o` -> `4220`."""
    digits, times = "", 1
    for word in words.split():
        if word in _TIMES:
            times = _TIMES[word]
        else:
            digits, times = digits + str(_DIGITS[word]) * times, 1
    return digits


_TIMES = {"double": 2, "triple": 3}


@dataclasses.dataclass
class _Item:
    """A part of the output. `kind`: `digit` and `tens` (10 to 99) for spelled numbers that can join their neighbours;
    `decade`; `zero` for a spoken letter o; `number` for any other; `word`."""

    text: str
    kind: str


class _Reader:
    """Reads the words of one sequence from left to right."""

    def __init__(self, words: list[str], *, at_start: bool = False, vague: bool = False, of_time: bool = False):
        """`at_start`: nothing is before the words; `vague`: what is before them says `several` or the like;
        `of_time`: what is before them says that a second is none of two (per second)."""
        self.words = words
        self.position = 0
        self.at_start = at_start
        self.vague = vague
        self.of_time = of_time

    def peek(self, ahead: int = 0) -> str:
        index = self.position + ahead
        return self.words[index] if index < len(self.words) else ""

    def take(self) -> str:
        self.position += 1
        return self.words[self.position - 1]

    def items(self) -> list[_Item]:
        items: list[_Item] = []
        while self.position < len(self.words):
            items.append(self._item(items))
        return items

    def _item(self, before: list[_Item]) -> _Item:
        word = self.peek()
        if word in ("minus", "negative") and (self.peek(1) in _CARDINAL_STARTS or self.peek(1)[:1].isdigit()):
            return self._signed(before)
        if word in _TIMES and self.peek(1) in _DIGITS:
            return _Item(one_by_one(f"{self.take()} {self.take()}"), "digit")
        if word in ("oh", "o") and self.peek(1) == "point" and self.peek(2) in _DIGITS:
            self.take()
            return _Item("0" + self._decimals(), "number")
        if word in ("oh", "o"):
            self.take()
            return _Item(word, "zero")
        if word == "second" and (before[-1].kind != "word" or before[-1].text == "a" if before else self.of_time):
            return _Item(self.take(), "word")  # of time
        if word in _DECADES:
            return _Item(f"{_DECADES[self.take()]}s", "decade")
        if word == "point" and (self.peek(1) in _DIGITS or (self.at_start and self.peek(1) in _POINT_STARTS)):
            return _Item("0" + self._decimals(), "number")
        if word == "zeroth":
            self.take()
            return _Item("0th", "number")
        if word in _CARDINAL_STARTS or word in _ORDINALS or word[0].isdigit() or self._is_article():
            return self._number()
        if word in _BARE_POWERS and not self.vague and not (before and before[-1].text in _ALL_POWERS):
            return self._number()
        return _Item(self.take(), "word")

    def _signed(self, before: list[_Item]) -> _Item:
        """A sign, or between two numbers the operation, which stands for itself: `2 - 5` would be from two to five."""
        self.take()
        if before and before[-1].kind != "word":
            return _Item("minus", "word")
        return _Item("-" + self._number().text, "number")

    def _is_article(self) -> bool:
        return self.peek() == "a" and self.peek(1) in _ALL_POWERS

    def _number(self) -> _Item:
        start = self.position
        in_digits = self.peek()[0].isdigit()
        if in_digits and not (self._in_words(self.peek()) and self.peek(1) in _ALL_POWERS):
            value, is_ordinal = self.take(), False
        else:
            value, is_ordinal = self._cardinal()
        if is_ordinal:
            return _Item(ordinal(value), "number")
        if self.peek() == "hundreds" and len(value) == 2:
            self.take()
            return _Item(f"{value}00s", "number")
        spelled = start + 1 == self.position and not in_digits
        value, exact = self._continue(value)
        if exact and (denominator := self._denominator(value)):
            return _Item(f"{value}/{denominator}", "number")
        if spelled and exact and len(value) == 1:
            return _Item(value, "digit")
        kind = "tens" if exact and len(value) == 2 and not in_digits else "number"
        return _Item(value, kind)

    def _continue(self, value: str) -> tuple[str, bool]:
        """Decimals, `and a half` and a power after a number; whether there were none of them."""
        exact = True
        large = _POWERS.get(_singular(self.words[self.position - 1]), 0) > 3
        if self._points_follow():
            while self._points_follow():  # several in a version: 3.1.4
                value += self._decimals()
            exact = False
        elif [self.peek(ahead) for ahead in range(3)] == ["and", "a", "half"] and "." not in value and not large:
            self.position += 3
            value += ".5"
            exact = False
        scalable = value.count(".") < 2
        while scalable and (power := _ALL_POWERS.get(_singular(self.peek()))) and self.peek() != "thousands":
            if power < _ALL_POWERS.get(_singular(self.words[self.position - 1]), 0):
                break  # of the next number: hundred thousand, hundred thousand
            value = scale(value, power)
            large = power > 3
            self.take()
            exact = False
        if large and "." not in value and (part := self._part_of_power()):
            return _sum(value, *part), False
        return value, exact

    def _points_follow(self) -> bool:
        return self.peek() == "point" and (self.peek(1) in _POINT_STARTS or self.peek(1).isdigit())

    def _part_of_power(self) -> tuple[int, int] | None:
        """Numerator and denominator of what is added to six million in `six million and a half`."""
        power = 10 ** _POWERS[_singular(self.words[self.position - 1])]
        if self.peek() != "and":
            return None
        one = self.peek(1) in ("a", "one")
        numerator = 1 if one else _SMALL.get(self.peek(1), 0)
        denominator = (_DENOMINATORS if one else _PLURAL_DENOMINATORS).get(self.peek(2))
        if not (numerator and denominator):
            return None
        self.position += 3
        return power * numerator, denominator

    def _denominator(self, value: str) -> int | None:
        found = _DENOMINATORS if value == "1" else _PLURAL_DENOMINATORS
        if self.peek() in _TENS and found.get(self.peek(1), 20) < 10:  # twenty-fifths, but no twenty halves
            tens, ones = _TENS[self.take()], found[self.take()]
            return tens + ones
        denominator = found.get(self.peek())
        if denominator:
            self.take()
        return denominator

    def _decimals(self) -> str:
        self.take()
        if self.peek().isdigit():
            return "." + self.take()
        digits = ""
        while self.peek() in _DIGITS:
            digits += str(_DIGITS[self.take()])
        if not digits:  # `point twenty five`
            digits = str(self._below_hundred())
        return "." + digits

    def _below_hundred(self) -> int:
        word = self.take()
        if word in _TENS:
            return _TENS[word] + (_ONES[self.take()] if self.peek() in _ONES else 0)
        return _SMALL[word]

    def _in_words(self, word: str) -> bool:
        """Whether digits are part of a number in words: before `hundred` or a power, or behind `and`."""
        if not word.isdigit() or len(word) > 3 or word[0] == "0":
            return False
        behind_and = self.position > 0 and self.words[self.position - 1] == "and"
        return self.peek(1) in _ALL_POWERS or behind_and

    def _cardinal(self) -> tuple[str, bool]:
        """A cardinal as far as the grammar goes, or an ordinal (the second value)."""
        if self.peek() in _NOUGHTS:
            self.take()
            return "0", False
        if self.peek() == "a":
            self.words[self.position] = "one"
        total, group, limit = 0, int(self.peek() in _ALL_POWERS), 10**36
        start = self.position  # of the group
        room = 1000  # the next part of the group must be smaller than this
        while True:
            word = _singular(self.peek())
            base = _ORDINALS.get(word, word)
            value = _SMALL.get(base) or (int(base) if self._in_words(base) else 0)
            if value and value < room and not (group >= 100 and self.peek(1) == "hundred"):
                group += value
                room = 10 if base in _TENS else 0
            elif base == "hundred" and 0 < group < 100:
                group *= 100
                room = 100
            elif base in _POWERS and group and 10 ** _POWERS[base] < limit:
                limit = 10 ** _POWERS[base]
                total, group, room, start = total + group * limit, 0, 1000, self.position + 1
            elif base in _POWERS and group and 10 ** _POWERS[base] == limit:  # 53 thousand, 20 thousand
                self.position = start
                return str(total), False
            elif base in _ALL_POWERS and word != base and not (total or group):
                total = 10 ** _ALL_POWERS[base]
            elif word == "and" and self._and_continues(room, limit):
                self.take()
                continue
            else:
                return str(total + group), False
            self.take()
            if word != base:
                return str(total + group), True

    def _and_continues(self, room: int, limit: int) -> bool:
        """`and` belongs to the number after hundred or a power, before something below a hundred (two thousand and
        five, but not one hundred and two hundred, and not a million and two thirds)."""
        following = _ORDINALS.get(self.peek(1), self.peek(1))
        below_hundred = following in _SMALL or (following.isdigit() and len(following) < 3 and following[0] != "0")
        fraction = self.peek(2) in (_DENOMINATORS if following == "one" else _PLURAL_DENOMINATORS)
        power = 10 ** _POWERS.get(_singular(self.peek(2)), 0)
        return room in (100, 1000) and below_hundred and not fraction and self.peek(2) != "hundred" and power < limit


def _singular(word: str) -> str:
    return _PLURAL_POWERS.get(word, word)


def _sum(value: str, numerator: int, denominator: int) -> str:
    """An integer and a fraction, as an integer if it is one."""
    whole = int(value) * denominator + numerator
    return f"{whole}/{denominator}" if whole % denominator else str(whole // denominator)


_CARDINAL_STARTS = {*_SMALL, *_NOUGHTS}
_BARE_POWERS = {"hundred", "thousand", "lakh", "crore"}  # `thousand litres`
_POINT_STARTS = {*_DIGITS, *_TEENS, *_TENS}


def ordinal(number: str) -> str:
    """An ordinal in digits: 21 is `21st`, 112 `112th`."""
    if number[-2:] in ("11", "12", "13"):
        return f"{number}th"
    return number + {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")


def _join(items: list[_Item], context: Surroundings, *, first: bool) -> list[str]:
    """Neighbouring spelled numbers as what they are together: a time, a year, a count, a string of digits. `first`: no
    number word is before them."""
    kinds = [item.kind for item in items]
    texts = [item.text for item in items]
    if kinds in (["digit", "tens"], ["tens", "tens"]) and texts[0] != "0":
        first, second = texts
        hour = 1 <= int(first) <= (23 if context.at else 12) and int(second) < 60
        if hour and not context.count and not (context.year and len(first) == 2):
            return [f"{first}:{second}"]
        return [first + second]
    if kinds == ["tens", "zero", "digit"]:
        hour = int(texts[0]) <= 12 and not context.count and not context.year
        return [f"{texts[0]}:0{texts[2]}" if hour else f"{texts[0]}0{texts[2]}"]
    if kinds == ["zero", "digit", "tens"] and context.clock and int(texts[2]) < 60:
        return [f"{texts[1]}:{texts[2]}"]
    if kinds == ["digit", "zero", "digit"] and context.clock and all(len(text) == 1 for text in (texts[0], texts[2])):
        return [f"{texts[0]}:0{texts[2]}"]
    if kinds == ["tens", "decade"]:
        return ["".join(texts)]
    if kinds[:1] == ["zero"] and first and context.exclaimed:
        return [texts[0], *_join_digits(items[1:])]
    return _join_digits(items)


def _join_digits(items: list[_Item]) -> list[str]:
    """Three digits or more that are spoken one by one are one number, and so is a zero with what follows; a spoken
    letter o among digits is a zero."""
    parts: list[str] = []
    digits: list[str] = []

    def flush() -> None:
        joined = "".join("0" if part in _ZEROS else part for part in digits)
        is_string = len(joined) > 2 or (len(joined) == 2 and joined[0] == "0")
        is_string = is_string and any(part not in _ZEROS for part in digits)
        parts.extend([joined] if is_string else digits)
        digits.clear()

    for item in items:
        if item.kind in ("digit", "zero") or (item.kind == "tens" and len(digits) == 1 and digits[0] in (*_ZEROS, "0")):
            digits.append(item.text)
        else:
            flush()
            parts.append(item.text)
        if item.kind == "tens":
            flush()
    flush()
    return parts


def _rewrite(match: re.Match) -> str:
    words = match[0].replace("-", " ").split(" ")
    if all(word[0].isdigit() for word in words):
        return match[0]
    context = around(match, _SEQUENCE)
    output: list[str] = []
    joinable: list[_Item] = []
    first = True  # no number was before
    reader = _Reader(words, at_start=not match.start(), vague=context.vague, of_time=context.of_time)
    for item in [*reader.items(), _Item("", "word")]:
        if item.kind in ("digit", "tens", "zero", "decade"):
            joinable.append(item)
            continue
        output += _join(joinable, context, first=first)
        first = first and not joinable and item.kind == "word"
        joinable.clear()
        output.append(item.text)
    return " ".join(output[:-1])


def digits_for_words(text: str) -> str:
    """Write the number words of lower-case English text as digits; everything else stays."""
    return _SEQUENCE.sub(_rewrite, text)
