"""English number words as digits: cardinals, decimals, ordinals, fractions, years, times of day, digit strings."""

import dataclasses
import re

from recipe.normalize.decimals import scale

_NAMES = re.findall(
    r"\w+",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety",
)
_ONES = dict(zip(_NAMES, range(1, 10)))
_TEENS = dict(zip(_NAMES[9:], range(10, 20)))
_TENS = dict(zip(_NAMES[19:], range(20, 100, 10)))
_TENS["fourty"] = 40
_POWERS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12, "quadrillion": 15}
_ZEROS = {"zero", "oh", "o"}
_DIGITS = {**_ONES, "zero": 0, "oh": 0, "o": 0}
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


_ORDINALS = {_ordinal(word): word for word in [*_ONES, *_TEENS, *_TENS, "hundred", *_POWERS]}
_DECADES = {word[:-1] + "ies": value for word, value in _TENS.items()}
_DENOMINATORS = {"half": 2, "quarter": 4} | {
    _ordinal(word): value for word, value in {**_ONES, **_TEENS, **_TENS}.items() if value > 2
}
_DENOMINATORS |= {"hundredth": 100, "thousandth": 1000}
_PLURAL_DENOMINATORS = {word + "s": value for word, value in _DENOMINATORS.items()} | {"halves": 2}

_WORDS = sorted(
    {
        *_ONES, *_TEENS, *_TENS, *_POWERS, *_DIGITS, *_ORDINALS, *_DECADES, *_DENOMINATORS, *_PLURAL_DENOMINATORS,
        "hundred", "and", "a", "point", "minus", "negative", "double", "triple",
    },
    key=len,
    reverse=True,
)  # fmt: skip
_LETTER = "a-z0-9'\u00df-\u024f\u1e00-\u1eff\u0300-\u036f"
_UNIT = rf"(?:(?:{'|'.join(_WORDS)})(?![{_LETTER}])|\d++(?:\.\d++)?(?![{_LETTER}%]|[.,:/^-]\d))"
_SEQUENCE = re.compile(rf"(?<![{_LETTER}.,:/^]){_UNIT}(?:(?: |(?<=[a-z])-(?=[a-z])){_UNIT})*")
_YEAR_CONTEXT = re.compile(r"\b(?:in|year) $")
_CLOCK_AFTER = re.compile(r" ?[ap]\.?m\b")
_CLOCK_CONTEXT = re.compile(r"\b(?:at|by|until|till|before|after|around|about|from|since) $")


@dataclasses.dataclass
class _Item:
    """A part of the output. `kind`: `digit` and `tens` (10 to 99) for spelled numbers that can join their neighbours;
    `decade`; `zero` for a spoken letter o; `number` for any other; `word`."""

    text: str
    kind: str


class _Reader:
    """Reads the words of one sequence from left to right."""

    def __init__(self, words: list[str]):
        self.words = words
        self.position = 0

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
        if word in ("double", "triple") and self.peek(1) in _DIGITS:
            self.take()
            digit = str(_DIGITS[self.take()])
            return _Item(digit * (2 if word == "double" else 3), "digit")
        if word in ("oh", "o"):
            self.take()
            return _Item(word, "zero")
        if word == "second" and before and (before[-1].kind != "word" or before[-1].text == "a"):
            return _Item(self.take(), "word")  # of time
        if word in _DECADES:
            return _Item(f"{_DECADES[self.take()]}s", "decade")
        if word == "point" and self.peek(1) in _DIGITS:
            return _Item("0" + self._decimals(), "number")
        if word in _CARDINAL_STARTS or word in _ORDINALS or word[0].isdigit() or self._is_article():
            return self._number()
        return _Item(self.take(), "word")

    def _signed(self, before: list[_Item]) -> _Item:
        """A sign, or between two numbers the operation, which stands for itself."""
        self.take()
        if before and before[-1].kind != "word":
            return _Item("-", "word")
        return _Item("-" + self._number().text, "number")

    def _is_article(self) -> bool:
        return self.peek() == "a" and self.peek(1) in ("hundred", *_POWERS)

    def _number(self) -> _Item:
        start = self.position
        if self.peek()[0].isdigit():
            value, ordinal = self.take(), False
        else:
            value, ordinal = self._cardinal()
        if ordinal:
            return _Item(value + _suffix(value), "number")
        spelled = start + 1 == self.position and not self.words[start][0].isdigit()
        value, exact = self._continue(value)
        if exact and (denominator := self._denominator(value)):
            return _Item(f"{value}/{denominator}", "number")
        if spelled and exact and len(value) == 1:
            return _Item(value, "digit")
        kind = "tens" if exact and len(value) == 2 and not self.words[start][0].isdigit() else "number"
        return _Item(value, kind)

    def _continue(self, value: str) -> tuple[str, bool]:
        """Decimals, `and a half` and a power after a number; whether there were none of them."""
        exact = True
        if self.peek() == "point" and "." not in value and (self.peek(1) in _POINT_STARTS or self.peek(1).isdigit()):
            value += self._decimals()
            exact = False
        elif [self.peek(ahead) for ahead in range(3)] == ["and", "a", "half"] and "." not in value:
            self.position += 3
            value += ".5"
            exact = False
        while self.peek() in _POWERS or self.peek() == "hundred":
            value = scale(value, 2 if self.peek() == "hundred" else _POWERS[self.peek()])
            self.take()
            exact = False
        return value, exact

    def _denominator(self, value: str) -> int | None:
        word = self.peek()
        found = _DENOMINATORS.get(word) if value == "1" else _PLURAL_DENOMINATORS.get(word)
        if found:
            self.take()
        return found

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
        return {**_ONES, **_TEENS}[word]

    def _cardinal(self) -> tuple[str, bool]:
        """A cardinal as far as the grammar goes, or an ordinal (the second value)."""
        if self.peek() == "zero":
            self.take()
            return "0", False
        if self.peek() == "a":
            self.words[self.position] = "one"
        total, group, limit = 0, 0, 10**18
        room = 1000  # the next part of the group must be smaller than this
        while True:
            word = self.peek()
            base = _ORDINALS.get(word, word)
            value = _ONES.get(base) or _TEENS.get(base) or _TENS.get(base)
            if value and value < room and not (group >= 100 and self.peek(1) == "hundred"):
                group += value
                room = 10 if base in _TENS else 0
            elif base == "hundred" and 0 < group < 100:
                group *= 100
                room = 100
            elif base in _POWERS and group and 10 ** _POWERS[base] < limit:
                limit = 10 ** _POWERS[base]
                total, group, room = total + group * limit, 0, 1000
            elif base in ("hundred", *_POWERS) and word != base and not (total or group):
                total = 100 if base == "hundred" else 10 ** _POWERS[base]
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
        five, but not one hundred and two hundred)."""
        following = _ORDINALS.get(self.peek(1), self.peek(1))
        below_hundred = following in _ONES or following in _TEENS or following in _TENS
        power = 10 ** _POWERS.get(self.peek(2), 0)
        return room in (100, 1000) and below_hundred and self.peek(2) != "hundred" and power < limit


_CARDINAL_STARTS = {*_ONES, *_TEENS, *_TENS, "zero"}
_POINT_STARTS = {*_DIGITS, *_TEENS, *_TENS}


def _suffix(number: str) -> str:
    if number[-2:] in ("11", "12", "13"):
        return "th"
    return {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")


def _join(items: list[_Item], clock: bool, year: bool) -> list[str]:
    """Neighbouring spelled numbers as what they are together: a time, a year, a string of digits. `clock` and `year`
    say what the words around expect."""
    kinds = [item.kind for item in items]
    texts = [item.text for item in items]
    if kinds in (["digit", "tens"], ["tens", "tens"]):
        first, second = texts
        if 1 <= int(first) <= 12 and int(second) < 60 and not (year and len(first) == 2):
            return [f"{first}:{second}"]
        return [first + second] if len(first) == 2 else texts
    if kinds == ["tens", "zero", "digit"]:
        hour = int(texts[0])
        return [f"{hour}:0{texts[2]}" if hour <= 12 else f"{hour}0{texts[2]}"]
    if kinds == ["digit", "zero", "digit"] and clock and all(len(text) == 1 for text in (texts[0], texts[2])):
        return [f"{texts[0]}:0{texts[2]}"]
    if kinds == ["tens", "decade"]:
        return ["".join(texts)]
    return _join_digits(items)


def _join_digits(items: list[_Item]) -> list[str]:
    """Three digits or more that are spoken one by one are one number; a spoken letter o among digits is a zero."""
    parts: list[str] = []
    digits: list[str] = []

    def flush() -> None:
        joined = "".join("0" if part in _ZEROS else part for part in digits)
        is_string = len(joined) > 2 and any(part not in _ZEROS for part in digits)
        parts.extend([joined] if is_string else digits)
        digits.clear()

    for item in items:
        if item.kind in ("digit", "zero"):
            digits.append(item.text)
        else:
            flush()
            parts.append(item.text)
    flush()
    return parts


def _rewrite(match: re.Match) -> str:
    words = re.split("[ -]", match[0])
    if all(word[0].isdigit() for word in words):
        return match[0]
    before = match.string[max(0, match.start() - 8) : match.start()]
    clock = bool(_CLOCK_CONTEXT.search(before) or _CLOCK_AFTER.match(match.string, match.end()))
    year = bool(_YEAR_CONTEXT.search(before)) and not clock
    output: list[str] = []
    joinable: list[_Item] = []
    for item in [*_Reader(words).items(), _Item("", "word")]:
        if item.kind in ("digit", "tens", "zero", "decade"):
            joinable.append(item)
            continue
        output += _join(joinable, clock, year)
        joinable.clear()
        output.append(item.text)
    return " ".join(output[:-1])


def digits_for_words(text: str) -> str:
    """Write the number words of lower-case English text as digits; everything else stays."""
    return _SEQUENCE.sub(_rewrite, text)
