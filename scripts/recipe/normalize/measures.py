"""Percentages, units and money behind numbers in digits: one form for each."""

import re

_NUMBER = r"(?<!\d)\d++(?:\.\d++)?"

_PERCENT = re.compile(rf"({_NUMBER}) ?(?:%|percent\b|per cent\b)")
_PER_MILLE = re.compile(r"(?<![\d.])(\d++) ?‰")


def _number_and(names: dict[str, tuple[str, ...]]) -> re.Pattern:
    """A number and one of its names, one group for each key; `_name` tells which it was."""
    groups = "|".join(f"({'|'.join(alternatives)})" for alternatives in names.values())
    return re.compile(rf"({_NUMBER}) ?(?:{groups})(?![a-z\d])")


def _name(match: re.Match, names: dict[str, tuple[str, ...]]) -> str:
    return f"{match[1]} {list(names)[match.lastindex - 2]} "


_UNITS = {
    "km": ("kilometers?", "kilometres?", "kms", "公里", "千米"),
    "kg": ("kilograms?", "kilogrammes?", "kilos?", "kgs", "公斤", "千克"),
    "cm": ("centimeters?", "centimetres?", "厘米", "公分"),
    "mm": ("millimeters?", "millimetres?", "毫米"),
    "mg": ("milligrams?", "毫克"),
    "ml": ("milliliters?", "millilitres?", "毫升"),
    "°c": ("degrees? celsius", "degrees? centigrade", "° c", "摄氏度"),
    "°f": ("degrees? fahrenheit", "° f", "华氏度"),
    "sqm": ("square meters?", "square metres?", r"m\^?2", "平方米"),
    "sqkm": ("square kilometers?", "square kilometres?", r"km\^?2", "平方公里", "平方千米"),
}
_UNIT = _number_and(_UNITS)

_CURRENCY_SYMBOLS = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "元", "₩": "won", "¢": "cents"}
_CURRENCIES = {
    "dollars": ("us dollars?", "dollars?", "美元", "美金"),
    "euros": ("euros?", "欧元"),
    "pounds": ("pounds?", "英镑"),
    "cents": ("cents?", "美分"),
}
_SYMBOL_FIRST = re.compile(rf"(?:(?<![a-z])us ?(?=\$))?([$€£¥₩¢]) ?({_NUMBER})(?: ?元)?")
_SYMBOL_LAST = re.compile(rf"({_NUMBER}) ?([$€£¥₩¢])(?!\d)")
_CURRENCY = _number_and(_CURRENCIES)
_AND_CENTS = re.compile(r"(?<![\d.:/])(\d+) (dollars|euros|pounds) (?:and )?(\d{1,2}) cents\b")
_NO_CENTS = re.compile(r"(?<=\d)\.00(?= (?:dollars|euros|pounds|元))")


def _money(text: str) -> str:
    """The amount and then the currency: `$8.16`, `eight dollars and sixteen cents` -> `8.16 dollars`."""
    text = _SYMBOL_FIRST.sub(lambda match: f"{match[2]} {_CURRENCY_SYMBOLS[match[1]]} ", text)
    text = _SYMBOL_LAST.sub(lambda match: f"{match[1]} {_CURRENCY_SYMBOLS[match[2]]} ", text)
    text = " ".join(_CURRENCY.sub(lambda match: _name(match, _CURRENCIES), text).split())
    text = _AND_CENTS.sub(lambda match: f"{match[1]}.{int(match[3]):02d} {match[2]}", text)
    return _NO_CENTS.sub("", text)


def rewrite(text: str) -> str:
    """`25 percent` -> `25%`, `5 kilometers` -> `5 km`, `$5` -> `5 dollars`."""
    text = _PER_MILLE.sub(r"\1/1000", _PERCENT.sub(r"\1%", text))
    return _money(_UNIT.sub(lambda match: _name(match, _UNITS), text))
