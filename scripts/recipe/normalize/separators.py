"""Numbers and dates in digits as each language writes them: what groups digits goes, a decimal sign is a point.

`1.234,5` is German, `1 234,5` French, `1,234.5` English and `12,34,567` Indian. Where a comma before three digits is
a decimal one and a point would be read as grouping, the comma stays: `1,234` is one number and `1.234` another.
"""

import re
from collections.abc import Callable

from recipe.normalize import languages

# Languages that write a decimal comma, and group digits by points or by spaces. All others are taken to write 1,234.5.
_POINTS = frozenset(re.findall(r"\w+", "de es it pt id da nl el ro hr sl vi tr is fo ca gl eu sr bs mk sq az lb"))
_SPACES = frozenset(re.findall(r"\w+", "fr sv pl cs sk fi no hu bg ru uk be et lv lt hy ka kk uz mn eo"))

_COMMAS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_INDIAN = re.compile(r"(?<![\d,.])[1-9]\d?(?:,\d\d)+,\d{3}(?![\d,])")
_APOSTROPHES = re.compile(r"(?<![\d,.'])[1-9]\d{0,2}(?:'\d{3})+(?![\d'\"])")
_POINTED = re.compile(r"(?<![\d,.])[1-9]\d{0,2}(?:\.\d{3})+(?!\.?\d)")
_SEVERAL_POINTS = re.compile(r"(?<![\d,.])[1-9]\d{0,2}(?:\.\d{3}){2,}(?!\.?\d)")
_SPACED = re.compile(r"(?<![\d,.:/+-])(?<![\d,.:/+-] )[1-9]\d{0,2}(?: \d{3})+(?![\d/:]| \d)")
_COMMAS_TWICE = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3}){2,}(?![\d,])|(?<![\d,.])\d{1,3}(?:,\d{3})+(?=\.\d)")
_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d+),(\d+)(?![,.]?\d)")
# In no language anything else than 1000.5.
_BOTH = re.compile(r"(?<![\d,.])\d{1,3}(?:\.\d{3})+,\d+(?![,.]?\d)")
_ADDRESS = re.compile(r"(?:25[0-5]|2[0-4]\d|1\d\d|\d\d?)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|\d\d?)){3}")
_DAY_FIRST = re.compile(
    r"(?<![\d,./:-])(0?[1-9]|[12]\d|3[01])([./-])(0?[1-9]|1[0-2])\2((?:19|20)\d\d)(?![\d/:-]|[.,]\d)"
)
_PERCENT_FIRST = re.compile(r"(?<![\w%])(?<!\d )% ?(\d+(?:[.,]\d+)*)(?![\d%]| ?%)")


def digits_only(match: re.Match) -> str:
    """A number without what is between its digits; an address of a network (127.0.0.1) stays."""
    return match[0] if _ADDRESS.fullmatch(match[0]) else re.sub(r"\D", "", match[0])


def _point(grouped_by_comma: bool) -> Callable[[re.Match], str]:
    def write(match: re.Match) -> str:
        integer, decimals = match.groups()
        ambiguous = not grouped_by_comma and len(decimals) == 3 and len(integer) <= 3 and integer[0] != "0"
        return match[0] if ambiguous else f"{integer}.{decimals}"

    return write


_WITH_COMMAS, _WITHOUT_COMMAS = _point(True), _point(False)


def rewrite(text: str, spoken: frozenset[str]) -> str:
    """Numbers of a cleaned line without what groups their digits and with a decimal point; dates in digits with the day
    first as year/month/day."""
    if "," in text and "." in text:
        text = _BOTH.sub(lambda number: number[0].replace(".", "").replace(",", "."), text)
    if spoken and spoken <= languages.WITH_RULES:
        return _COMMAS.sub(digits_only, text) if "," in text else text
    if "," not in text and "." not in text and "%" not in text and not any(sign in text for sign in "/'- "):
        return text
    text = _PERCENT_FIRST.sub(r"\1%", _APOSTROPHES.sub(digits_only, text))
    by_points, by_spaces = bool(spoken & _POINTS), bool(spoken & _SPACES)
    if not by_points and not by_spaces:
        text = _INDIAN.sub(digits_only, _COMMAS.sub(digits_only, text))
        return _DECIMAL_COMMA.sub(_WITH_COMMAS, text)
    text = _COMMAS_TWICE.sub(digits_only, _DAY_FIRST.sub(_date, text))
    # Where a line may be in languages of both kinds, only what both read alike.
    text = (_SEVERAL_POINTS if by_spaces else _POINTED).sub(digits_only, text)
    if not by_points:
        text = _SPACED.sub(digits_only, text)
    return _DECIMAL_COMMA.sub(_WITHOUT_COMMAS, text)


def _date(match: re.Match) -> str:
    return f"{match[4]}/{int(match[3])}/{int(match[1])}"
