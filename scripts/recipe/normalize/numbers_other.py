"""Cardinals in words of languages other than English and Chinese, below a million, as digits.

`number_words.json` has for each language its words below 100, for the hundreds and for a thousand, as one writes them.
A number is read from its letters, without the spaces and hyphens in it: `zwei und zwanzig` is `zweiundzwanzig`. Words
that are no number said in one way (`zwanzig fünf` for 25) stay as they are, as do forms of case and gender that the
table does not have, zero and one (articles, more often than not), and what is another word as well.
"""

import json
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("number_words.json")
_LETTERS = re.compile(r"[^\W\d_]+")
_RUN = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)(?:[ '-][^\W\d_]+(?!\w))*")
_BEHIND_DIGITS = re.compile(r"\d[ -]?$")  # 20 mil
_BETWEEN = re.compile("([ '-])")
_LONGEST = 16  # words of one number
_MINUS = re.compile(r"(?<![\d%] )\b(?:minus|miinus|mínusz?|mīnus|минус|мінус) (?=\d)")
# At a line's start they are a sign: elsewhere au moins 5 is at least 5, and nove meno 5 a time.
_MINUS_AT_START = re.compile(r"^(?:moins|menos|meno) (?=\d)")
_PERCENT = {
    "de": "prozent", "nl": "procent", "sv": "procent", "da": "procent", "no": "prosent", "fi": "prosent(?:ti|tia|in)",
    "fr": "pour ?cents?", "es": "por ciento", "pt": "por cento", "it": "per ?cento", "ca": "per cent",
    "ro": "la sută", "pl": "procent(?:a|ów)?", "cs": "procent(?:o|a)?", "sk": "percent(?:o|á)?",
    "sl": "odstot(?:ek|ka|ke|kov)", "hr": "post(?:o|otak|otka)", "hu": "százalék", "et": "protsent(?:i)?",
    "lv": "procent(?:s|i|u)", "lt": "procent(?:as|ai|ų|us)", "ru": "процент(?:а|ов)?",
    "uk": "відсот(?:ок|ки|ка|ків)", "bg": "процента?|на сто", "el": "τοις εκατό", "id": "persen", "ms": "peratus",
    "vi": "phần trăm", "tl": "porsyento", "ga": "faoin gcéad", "hi": "प्रतिशत", "ko": "퍼센트|프로",
    "th": "เปอร์เซ็นต์", "ar": "(?:بال|في ال)م(?:ئة|ائة)", "he": "אחוז(?:ים)?", "mt": "fil-mija",
}  # fmt: skip


class _Cardinals:
    """The number words of one language."""

    def __init__(
        self, small: str, hundreds: str, thousands: str, before: dict[str, int], joint: str, other_words: str
    ) -> None:
        """Of words in order, separated by commas, in several forms by strokes: 0 to 99; 100, 200, ... 900; forms of
        a thousand. `before` are forms of 1 to 9 before a thousand alone; `joint` words between a hundred or thousand
        and what follows (*and*); `other_words` what is also another word, where it stands alone."""
        self.small = _values(small, range(100))
        self.hundreds = _values(hundreds, range(100, 1000, 100))
        self.thousands = [*_values(thousands, [1000])]
        self.before = {_squashed(word): value for word, value in before.items()}
        ones = [word for word, value in [*self.small.items(), *self.before.items()] if value == 1]
        for hundred in [word for word, value in self.hundreds.items() if value == 100]:
            self.hundreds |= dict.fromkeys((hundred.removeprefix(one) for one in ones), 100)
        self.joint = ("", *joint.split())
        self.other_words = frozenset(other_words.split())
        words = " ".join((small, hundreds, thousands, *before, *self.hundreds, joint))
        self.parts = frozenset(_LETTERS.findall(words.casefold()))

    def below_thousand(self, letters: str) -> int | None:
        """0 to 999; None for other letters."""
        if letters in self.small:
            return self.small[letters]
        for word, hundred in self.hundreds.items():
            if letters.startswith(word):
                rest = letters[len(word) :]
                tail = 0 if not rest else self._tail(rest)
                if tail is not None:
                    return hundred + tail
        return None

    def _tail(self, letters: str) -> int | None:
        """1 to 99 behind a hundred, with or without *and*."""
        for word in self.joint:
            value = self.small.get(letters[len(word) :]) if letters.startswith(word) else None
            if value:
                return value
        return None

    def value(self, letters: str) -> int | None:
        """0 to 999,999; None for other letters."""
        found = self.below_thousand(letters)
        if found is not None:
            return found
        for word in self.thousands:
            left, middle, right = letters.partition(word)
            if not middle:
                continue
            many = 1 if not left else self.before.get(left) or self._many(left)
            rest = 0 if not right else self._behind_thousand(right)
            if many and rest is not None:
                return 1000 * many + rest
        return None

    def _many(self, letters: str) -> int | None:
        """1 to 999 before a thousand, where the last word may have a form of its own."""
        found = self.below_thousand(letters)
        if found is not None:
            return found
        for ending, value in self.before.items():
            for word in self.joint:
                if letters.endswith(word + ending):
                    head = self.below_thousand(letters.removesuffix(word + ending))
                    if head and head % 10 == 0 and head % 100 != 10:
                        return head + value
        return None

    def _behind_thousand(self, letters: str) -> int | None:
        for word in self.joint:
            value = self.below_thousand(letters[len(word) :]) if letters.startswith(word) else None
            if value:
                return value
        return None

    def rewrite(self, match: re.Match) -> str:
        """Words with the numbers among them in digits."""
        pieces = _BETWEEN.split(match[0])
        words, between = pieces[::2], [*pieces[1::2], ""]
        output, start = "", 0
        while start < len(words):
            end = start + 1
            if self._is_part(words[start]):
                while end < len(words) and self._is_part(words[end]):
                    end += 1
            # up-to-date has no Danish two in it.
            within = (start > 0 and between[start - 1] != " ") or (end < len(words) and between[end - 1] != " ")
            counted = start == 0 and _BEHIND_DIGITS.search(match.string[max(0, match.start() - 2) : match.start()])
            read = _joined if within or counted else self._read
            output += read(words[start:end], between[start:end])
            start = end
        return output

    def _read(self, words: list[str], between: list[str]) -> str:
        """Words of numbers alone: as one number, or several below ten; as they are if they are anything else."""
        first, last = 0, len(words)
        while first < last and words[first] in self.joint:
            first += 1
        while first < last and words[last - 1] in self.joint:
            last -= 1
        inner = words[first:last]
        value = self._alone(inner[0]) if len(inner) == 1 else self.value("".join(inner[:_LONGEST]))
        if value is not None and len(inner) <= _LONGEST:
            return _joined([*words[:first], str(value), *words[last:]], [*between[:first], *between[last - 1 :]])
        values = [self.value(word) for word in inner]
        if (
            len(inner) > 1
            and all(value is not None and value < 10 for value in values)
            and self._are_listed(inner, values)
        ):
            return _joined([*words[:first], *map(str, values), *words[last:]], between)
        return _joined(words, between)

    def _are_listed(self, words: list[str], values: list[int]) -> bool:
        """Whether words are digits in a row, rather than two of which one means something else."""
        return len(words) > 2 or (min(values) > 1 and self.other_words.isdisjoint(words))

    def _alone(self, word: str) -> int | None:
        """The number that one word is and nothing else: a thousand may belong to what is before, and one and zero are
        articles and names too often."""
        value = None if word in self.other_words or word in self.thousands else self.value(word)
        return value if value and value > 1 else None

    @lru_cache(maxsize=100_000)  # noqa: B019 - there is one of a language, and it stays
    def _is_part(self, word: str) -> bool:
        return word in self.parts or self.value(word) is not None


def _values(words: str, values: Iterable[int]) -> dict[str, int]:
    return {
        _squashed(form): value
        for forms, value in zip(words.split(","), values, strict=True)
        for form in forms.split("|")
    }


def _squashed(word: str) -> str:
    return "".join(_LETTERS.findall(word.casefold()))


def _joined(words: list[str], between: list[str]) -> str:
    return "".join(map("".join, zip(words, between, strict=True)))


@cache
def _table() -> dict:
    return json.loads(_FILE.read_text(encoding="utf-8"))


@cache
def _cardinals(code: str) -> _Cardinals | None:
    found = _table().get(code)
    return found and _Cardinals(**found)


@cache
def _percent(code: str) -> re.Pattern | None:
    return re.compile(rf"(?<![^\W\d_])({_PERCENT[code]})(?![^\W\d_])") if code in _PERCENT else None


def rewrite(text: str, code: str) -> str:
    """Number words of a cleaned line in the language as digits, `minus 5` as `-5`, and its word for percent as `%`."""
    percent, cardinals = _percent(code), _cardinals(code)
    # `por ciento` is no hundred.
    parts = percent.split(text) if percent else [text]
    if cardinals:
        parts[::2] = [_RUN.sub(cardinals.rewrite, part) for part in parts[::2]]
    output = parts[0]
    for word, following in zip(parts[1::2], parts[2::2], strict=True):
        number = output.rstrip(" ")
        output = (number + "%" if number[-1:].isdigit() else output + word) + following
    return _MINUS_AT_START.sub("-", _MINUS.sub("-", output))
