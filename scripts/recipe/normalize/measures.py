"""Percentages, units and money behind numbers in digits: one form for each."""

import re

# With a decimal comma where `separators` had to leave it.
_NUMBER = r"(?<!\d)(?:(?<![.,])\d{1,3},\d{3}(?![\d,])|\d++(?:\.\d++)?)"

_PERCENT = re.compile(r"(?<=\d) ?(?:%|percent\b|per cent\b|pct\b)")
_AND_HALF = re.compile(r"(?<![\d.:/-])(\d+) 1/2(?![\d/.])")
_PER_THOUSANDS = re.compile(r"(?<![\d.])(\d++) ?([‰‱])")
_THOUSANDS_OF = {"‰": "1000", "‱": "10000"}


def _number_and(names: dict[str, tuple[str, ...]]) -> re.Pattern:
    """A number and one of its names, one group for each key; `_name` tells which it was."""
    groups = "|".join(f"({'|'.join(alternatives)})" for alternatives in names.values())
    return re.compile(rf"({_NUMBER}) ?(?:{groups})(?:(?<![a-z\d])|(?![a-z\d]))")


def _name(match: re.Match, names: dict[str, tuple[str, ...]]) -> str:
    return f"{match[1]} {list(names)[match.lastindex - 2]} "


_UNITS = {
    "kmh": ("km/h", "kph", "(?:kilomet(?:er|re)s?|km) (?:per|an) hour", "(?:公里|千米|km)(?: ?每|/)小时"),
    "mph": ("mph", "miles? (?:per|an) hour", "英里每小时"),
    "km": ("kilometers?", "kilometres?", "kms", "公里", "千米"),
    "kg": ("kilograms?", "kilogrammes?", "kilos?", "kgs", "公斤", "千克(?![拉朗])"),
    "cm": ("centimeters?", "centimetres?", "厘米", "公分"),
    "mm": ("millimeters?", "millimetres?", "毫米"),
    "mg": ("milligrams?", "毫克"),
    "ml": ("milliliters?", "millilitres?", "毫升"),
    "kwh": ("kwh", "kilowatt[ -]?hours?", "千瓦时"),
    "kw": ("kw", "kilowatts?", "千瓦"),
    "hz": ("hz", "hertz", "赫兹"),
    "mhz": ("mhz", "megahertz", "兆赫兹?"),
    "ghz": ("ghz", "gigahertz", "吉赫兹?"),
    "db": ("db", "decibels?", "分贝"),
    "mb": ("mb", "megabytes?", "兆字节"),
    "gb": ("gb", "gigabytes?", "吉字节"),
    "tb": ("tb", "terabytes?"),
    "ms": ("ms", "milliseconds?", "毫秒"),
    "μm": ("μm", "um", "micromet(?:er|re)s?", "microns?", "微米"),
    "nm": ("nm", "nanomet(?:er|re)s?", "纳米"),
    "oz": ("oz", "ounces?", "盎司"),
    "ft": ("ft", "feet", "foot", "英尺"),
    "hours": ("hrs?", "hours?"),
    "minutes": ("mins?", "minutes?"),
    "ha": ("ha", "hectares?", "公顷"),
    "°c": ("degrees? celsius", "degrees? centigrade", "° c", "摄氏度"),
    "°f": ("degrees? fahrenheit", "° f", "华氏度"),
    "cum": ("cubic meters?", "cubic metres?", r"m\^?3", "立方米"),
    "sqft": ("square f(?:ee|oo)t", r"sq\.? ft"),
    "sqm": ("square meters?", "square metres?", r"m\^?2", "平方米"),
    "sqkm": ("square kilometers?", "square kilometres?", r"km\^?2", "平方公里", "平方千米"),
}
_UNIT = _number_and(_UNITS)
# 五千米, 5千米 and 5000米 are said alike.
_THOUSANDS = re.compile(r"(?<![\d.,:/])(\d{1,12})000 ?(?=(?:米|克(?![拉朗])|瓦))")

_CURRENCY_SYMBOLS = {
    "$": "dollars", "€": "euros", "£": "pounds", "¥": "元", "₩": "won", "¢": "cents", "₹": "rupees", "₽": "rubles",
    "₺": "lira", "₫": "dong", "฿": "baht", "₱": "pesos", "₪": "shekels",
}  # fmt: skip
_SYMBOLS = f"[{''.join(_CURRENCY_SYMBOLS)}]"
_NAMES_OF_SIGNS = {**_CURRENCY_SYMBOLS, "r$": "reais"}
_SIGN = rf"(?:(?<![a-z])r(?=\$))?{_SYMBOLS}"
_CURRENCIES = {
    "dollars": ("us dollars?", "dollars?", "美元", "美金"),
    "euros": ("euros?", "欧元"),
    "pounds": ("pounds?", "英镑"),
    "cents": ("cents?", "美分"),
    "pence": ("pence", "便士"),
    "rupees": ("rupees?", "卢比"),
    "rubles": ("rubles?", "roubles?", "卢布"),
}
_ANY_SYMBOL = re.compile(_SYMBOLS)
_SYMBOL_FIRST = re.compile(rf"(?:(?<![a-z])us ?(?=\$))?({_SIGN}) ?({_NUMBER})(?: ?元)?")
# $5-10 and $5-$10: between amounts a hyphen is no sign.
_SHARED_SYMBOL = re.compile(rf"({_SIGN})({_NUMBER})-(?={_NUMBER}(?![\d.]*[-:/]))")
_RANGE_OF_MONEY = re.compile(rf"({_SYMBOLS} ?{_NUMBER}) ?-(?= ?{_SIGN})")
_SYMBOL_LAST = re.compile(rf"({_NUMBER}) ?({_SYMBOLS})(?!\d)")
_CURRENCY = _number_and(_CURRENCIES)
_AND_CENTS = re.compile(
    r"(?<![\d.:/])(\d+) (?:(dollars|euros) (?:and )?(\d{1,2}) cents|(pounds) (?:and )?(\d{1,2}) pence)\b"
)
_ONLY_CENTS = re.compile(r"(?<![\d.,:/~-])(?<!\d to )(?<!\d and )(?<!\d - )(?<!\d ~ )0\.(\d\d) (dollars|pounds)\b")
_SMALL_COINS = {"dollars": "cents", "pounds": "pence"}
_NO_CENTS = re.compile(r"(?<=\d)\.00(?= (?:dollars|euros|pounds|元))")


def _money(text: str) -> str:
    """The amount and then the currency: `$8.16`, `eight dollars and sixteen cents` -> `8.16 dollars`."""
    if _ANY_SYMBOL.search(text):
        text = _RANGE_OF_MONEY.sub(r"\1 - ", _SHARED_SYMBOL.sub(r"\2 - \1", text))
        text = _SYMBOL_FIRST.sub(lambda match: f"{match[2]} {_NAMES_OF_SIGNS[match[1]]} ", text)
        text = _SYMBOL_LAST.sub(lambda match: f"{match[1]} {_CURRENCY_SYMBOLS[match[2]]} ", text)
    text = " ".join(_CURRENCY.sub(lambda match: _name(match, _CURRENCIES), text).split())
    if " cents" in text or " pence" in text:
        text = _AND_CENTS.sub(_with_cents, text)
    if "." not in text:
        return text
    return _ONLY_CENTS.sub(lambda match: f"{int(match[1])} {_SMALL_COINS[match[2]]}", _NO_CENTS.sub("", text))


def _with_cents(match: re.Match) -> str:
    amount, *found = filter(None, match.groups())
    return f"{amount}.{int(found[1]):02d} {found[0]}"


def rewrite(text: str) -> str:
    """`25 percent` -> `25%`, `5 kilometers` -> `5 km`, `$5` -> `5 dollars`."""
    if " 1/2" in text:
        text = _AND_HALF.sub(r"\1.5", text)
    if "%" in text or "per" in text or "pct" in text:
        text = _PERCENT.sub("%", text)
    if "‰" in text or "‱" in text:
        text = _PER_THOUSANDS.sub(lambda match: f"{match[1]}/{_THOUSANDS_OF[match[2]]}", text)
    if "000" in text:
        text = _THOUSANDS.sub(r"\1千", text)
    return _money(_UNIT.sub(lambda match: _name(match, _UNITS), text))
