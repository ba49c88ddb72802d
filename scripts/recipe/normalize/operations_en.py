"""Signs between English numbers: ranges, sums, phone numbers in groups."""

import re

from recipe.normalize.dates_en import date
from recipe.normalize.numbers_en import DIGIT, one_by_one

_EQUATION = re.compile(r"\d ?(?:[=+*×÷]|equals?|is equal to|plus|times) ?-?\d")
_QUANTITY = r"\d(?: ?%|st|nd|rd|th|[gklms]|[ck]m|kg|lbs?|ft|mi|hrs?|mins?|°[cf]?)?|(?<=\d) ?[ap]\.?m\.?|(?<=\d)[€£$]"
_RANGE = re.compile(rf"({_QUANTITY})(?! -[\d$€£¥])(?: - | ?- ?)(?=[$€£¥₹]?\d)")
_WORDS = [
    (re.compile(r"(?<=(?<![\w'])[b-hj-z]) (?:equals?|is equal to) (?=-?\d|[b-hj-z](?![\w']))"), " = "),
    (re.compile(r"(?<=(?<![\w'])[b-hj-z]) plus (?=\d|[b-hj-z](?![\w']))"), " + "),
    (re.compile(r"(?<=\d) plus (?=-?\d)"), " + "),
    (re.compile(r"(?<=\d) (?:times|multiplied by) (?=-?\d)"), " * "),
    (re.compile(r"(?<=\d) divided by (?=-?\d)"), " ÷ "),
    (re.compile(r"(?<=\d) (?:equals?|is equal to) (?=-?\d)"), " = "),
    (re.compile(r"(?<=\d) (?:is )?greater than (?=-?\d)"), " > "),
    (re.compile(r"(?<=\d) (?:is )?less than (?=-?\d)"), " < "),
    (re.compile(r"(?<=\d) ?× ?(?=-?\d)"), " * "),
]
_WORD = re.compile(
    r"×|(?:\d|(?<![\w'])[b-hj-z]) (?:plus|times|multiplied|divided|equals?|is equal|is greater|is less|greater|less) "
)
_HINT = re.compile(
    r"-|\+|×|\*|=|\d ?x ?\d|5050|2020"
    r"| (?:(?:(?<=[smdkp%\d] )|(?<= [a-z] )|(?<=^[a-z] ))"
    r"(?:plus|minus|times|mult|div|equal|is |greater|less|over)|plus \d)"
)
_PLUS_OR_MINUS = re.compile(r"\bplus or (?:minus |-)(?=\d)|(?<=\d) plus or minus(?= \d)")
_TIMES_TEN = re.compile(r"(?<=\d) ?x ?(?=10\^)")
_BY = re.compile(r"(?<=\d) ?x ?(?=\d)")
_EVEN = re.compile(r"(?<![\w.:/-])50-50(?![\w.:/-])|(?<![\w.:/-])5050(?= (?:chance|split|odds|deal|bet)\b)")
_SIGHT = re.compile(r"(?<![\w.:/-])(?:2020|20-20)(?= (?:vision|hindsight)\b)")
_OVER = re.compile(
    r"(?<![\d.:/$€£¥₹₩-])(\d+) over (\d+)"
    r"(?![\d.:/%]| (?:more|years?|months?|weeks?|days?|hours?|minutes?|seconds?|(?!is)[a-z]+[^\W\dsu]s)\b)"
)
_MINUS = re.compile(r"(?<=\d) minus (?=\d)")
# $5-10: the sign is written once.
_SHARED_CURRENCY = re.compile(
    r"(?<![a-z])([a-z]{0,2}[$€£¥₹₩])(\d+(?:\.\d+?)??)(?:\.00)?(?:-| - )(?=\d++(?:\.\d++)?(?![\d.]*[-:/]))"
)
_UNARY_PLUS = re.compile(r"(?<![\w%)\]+])(?<![\d%] )\+(?=\d)")
# Groups of digits with dashes, three and more, are a name of seven digits and more (a telephone, a passport, an ISBN).
_GROUPS = re.compile(
    r"(?<![\w.:/$-])(?:\+?\d{1,3}[ -])?\(\d{2,4}\)[ -]?\d{3}[ -]\d{4}(?:-\d{1,4})?(?![\w/-])"
    r"|(?<![\w.:/$-])(?:\+?\d{1,3} (?=\d{3}-\d{3}-\d{4}))?\d+(?:-\d+){2,}(?![\w/-]|[.:]\d)"
)
# A telephone's groups behind the code of a country: +44 20 7946 0958.
_DASHES = re.compile(r"(?<![\w.:/$-])(?<!dash )\d+(?: dash \d+){2,}(?![\w/-]|[.:]\d| dash)")
_SPOKEN_DATE = re.compile(
    r"(?<![\w.:/$-])(?<!dash )((?:19|20)\d\d) dash (0?[1-9]|1[0-2]) dash (0?[1-9]|[12]\d|3[01])(?![\w/-]|[.:]\d| dash)"
)
_ZONE = re.compile(r"\b(gmt|utc) (plus|minus) (?=\d)")
_ABROAD = re.compile(r"(?<![\w%)] )(?<![\w%)])(?:\+|plus )(\d{1,3}(?: \d{1,12}){2,})(?![\w%]|[.:/-]\d| \d)")
_LOCAL = re.compile(r"(?<![\w.:/$-])(\d{3})-(\d{3}[1-9])(?![\w/-]|[.:%]\d)")
_COMMAS = re.compile(
    rf"(?<![a-z0-9'])(?:{DIGIT}(?: {DIGIT})+|(?<=plus ){DIGIT})(?:, {DIGIT}(?: {DIGIT})*){{2,}}"
    r"(?![a-z0-9'-]| (?:hundred|thousand|and\b))"
)
_FREE_CALL = re.compile(rf"\bone (eight|nine) hundred (?=(?:{DIGIT} ){{6}}{DIGIT}\b)")
_PLUS_NUMBER = re.compile(r"(?<![\d%] )\bplus (?=\d{7,}\b)")


def spoken_groups(text: str) -> str:
    """Digit words in groups with commas between them, seven digits and more, are one number; so is `one eight hundred`
    before seven."""
    if " hundred " in text:
        text = _FREE_CALL.sub(lambda match: f"one {match[1]} zero zero ", text)
    return _COMMAS.sub(_spoken_group, text) if "," in text else text


def _spoken_group(match: re.Match) -> str:
    digits = one_by_one(match[0].replace(",", ""))
    return digits if len(digits) >= 7 else match[0]


def groups(text: str) -> str:
    """Groups of digits with dashes or brackets as one number."""
    if "-" in text or "(" in text:
        text = _LOCAL.sub(r"\1\2", _GROUPS.sub(_join, text))
    if " dash " in text:
        text = _DASHES.sub(_join, _SPOKEN_DATE.sub(_date, text))
    if "gmt" in text or "utc" in text:
        text = _ZONE.sub(lambda zone: f"{zone[1]} {'+ ' if zone[2] == 'plus' else '-'}", text)
    if "+" in text or "plus " in text:
        text = _ABROAD.sub(_join_abroad, text)
    return _UNARY_PLUS.sub("plus ", text) if "+" in text else text


def _date(match: re.Match) -> str:
    return date(match[1], int(match[2]), int(match[3]))


def _join_abroad(match: re.Match) -> str:
    digits = match[1].replace(" ", "")
    return digits if 8 <= len(digits) <= 15 else match[0]


def _join(match: re.Match) -> str:
    digits = re.sub(r"\D", "", match[0])
    return digits if len(digits) >= 7 else match[0]


def operations(text: str) -> str:
    """`2-5` is `2 to 5`, but a difference in an equation; plus, times, equals and over between numbers are signs."""
    if not _HINT.search(text) and not text.startswith("plus"):
        return text
    if "plus " in text:
        text = _PLUS_NUMBER.sub("", text)
    if _EQUATION.search(text):
        text = _MINUS.sub(" - ", text)
    else:
        if "50" in text or "20" in text:
            text = _SIGHT.sub("20/20", _EVEN.sub("50/50", text))
        text = _BY.sub(" by ", _TIMES_TEN.sub(" * ", text))
        if "-" in text:
            text = _RANGE.sub(r"\1 to ", _SHARED_CURRENCY.sub(r"\2 to \1", text))
    if " or " in text:
        text = _PLUS_OR_MINUS.sub("±", text)
    if _WORD.search(text):
        for pattern, sign in _WORDS:
            text = pattern.sub(sign, text)
    return _OVER.sub(r"\1/\2", text) if " over " in text else text
