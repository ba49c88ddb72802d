"""English names and symbols of units: one symbol for each, behind numbers and, where a name means nothing else, alone.

Prefixes and units are combined by rule (kilo + watt hour = kwh). Letter case is gone by now, so that one symbol of two
prefixes goes to the more usual unit: mw are megawatts, mv millivolts; the other keeps its name.
"""

import re

# name (a pattern), symbol, prefixes with a symbol of their own
_METRIC = [
    ("met(?:er|re)s?", "m", "kilo centi milli micro nano deci hecto"),
    ("gram(?:me)?s?", "g", "kilo milli micro nano"),
    ("lit(?:er|re)s?", "l", "milli centi deci hecto kilo micro"),
    ("watt[ -]?hours?", "wh", "kilo mega giga tera"),
    ("watts?", "w", "kilo mega giga tera"),
    ("volts?", "v", "kilo milli"),
    ("amp(?:ere)?[ -]?hours?", "ah", "milli"),
    ("amp(?:ere)?s?", "a", "milli"),
    ("hertz", "hz", "kilo mega giga tera"),
    ("bits? (?:per|a) second", "bps", "kilo mega giga tera"),
    ("bytes?", "b", "kilo mega giga tera peta"),
    ("pascals?", "pa", "kilo mega hecto"),
    ("joules?", "j", "kilo mega"),
    ("calories?", "cal", "kilo"),
    ("tons?|tonnes?", "t", "kilo mega giga"),
    ("moles?", "mol", "milli"),
    ("seconds?", "s", "milli micro nano"),
    ("bars?", "bar", "milli"),
    ("ohms?", "ohm", "kilo mega"),
    ("newtons?", "n", "kilo"),
    ("(?:electron ?volts?)", "ev", "kilo mega giga"),
    ("bels?", "b", "deci"),
]
_PREFIXES = {
    "tera": "t", "peta": "p", "giga": "g", "mega": "m", "kilo": "k", "hecto": "h", "deci": "d", "centi": "c",
    "milli": "m", "micro": "μ", "nano": "n",
}  # fmt: skip
# Compounds before their parts.
_COMPOUND = [
    ("pounds?(?:[ -]force)? per square inch", "psi"),
    ("revolutions per minute", "rpm"),
    ("beats per minute", "bpm"),
    ("frames per second", "fps"),
    ("dots per inch", "dpi"),
    ("parts per million", "ppm"),
    ("miles per gallon", "mpg"),
    ("miles? (?:per|an) hour", "mph"),
    ("(?:kilos?|kg)[ -]force", "kgf"),
    ("astronomical units?", "au"),
    ("light[ -]years?", "ly"),
    ("atmospheres?", "atm"),
    ("horse ?powers?", "hp"),
    ("british thermal units?", "btu"),
]
_ALONE = [
    ("watt[ -]?hours?", "wh"),
    ("amp(?:ere)?[ -]?hours?", "ah"),
    ("microns?", "μm"),
    ("hertz", "hz"),
    ("electron ?volts?", "ev"),
]
_NAMES = [*_COMPOUND, *_ALONE]
_PREFIXED_SYMBOLS = {
    (prefix, symbol): _PREFIXES[prefix] + symbol for _, symbol, prefixes in _METRIC for prefix in prefixes.split()
}
# These words are something else, too, without a number; behind one they are units.
_BEHIND_NUMBER = {
    "m": "meter meters metre metres", "g": "gram grams gramme grammes", "l": "liter liters litre litres",
    "v": "volt volts", "w": "watt watts", "wh": "", "amps": "amp ampere amperes", "j": "joule joules",
    "newtons": "newton", "pa": "pascal pascals", "cal": "calorie calories cals", "bar": "bars",
    "mol": "mole moles mols", "ohm": "ohms ω", "kohm": "kω", "bps": "", "kg": "kilo kilos kgs", "km": "kms",
    "mi": "mile miles", "yd": "yard yards yds", "inches": "inch", "ft": "foot feet", "oz": "ounce ounces", "lb": "lbs",
    "gal": "gallon gallons gals", "pt": "pint pints", "qt": "quart quarts", "acres": "acre",
    "tons": "ton tonne tonnes", "kelvin": "kelvins", "knots": "knot kts", "rad": "radian radians",
    "lm": "lumen lumens", "lx": "lux", "μg": "mcg ug", "μm": "um", "μl": "ul", "kmh": "kph",
    "milliwatts": "milliwatt", "hours": "hour hr hrs h", "minutes": "minute min mins", "seconds": "second sec secs",
    "years": "year yr yrs", "ml": "mls", "tbsp": "tablespoon tablespoons tbsps", "tsp": "teaspoon teaspoons tsps",
    "cups": "cup", "days": "day", "weeks": "week wk wks", "months": "month", "dozen": "",
}  # fmt: skip
_SYMBOL_OF = {word: symbol for symbol, words in _BEHIND_NUMBER.items() for word in [symbol, *words.split()]}
_TIMES = ("hours", "minutes", "seconds", "days", "weeks", "months", "years")
_SYMBOLS = sorted(
    {symbol for _, symbol in _NAMES} | {*_PREFIXED_SYMBOLS.values(), *_BEHIND_NUMBER, "ha", "cc"}, key=len, reverse=True
)
_SYMBOL = "|".join(map(re.escape, _SYMBOLS))

_DIGIT = re.compile(r"\d")
_HINT = re.compile(
    "|".join(
        [
            *_PREFIXES,
            " per ",
            " an hour",
            "horse",
            "unit",
            "light",
            "atmos",
            "micron",
            "watt",
            "amp",
            "hertz",
            "electron",
        ]
    )
)
_PREFIXED = re.compile(
    rf"(?<![a-z])({'|'.join(_PREFIXES)})[ -]?(?:{'|'.join(f'({name})' for name, _, _ in _METRIC)})(?![a-z])"
)
_NAME = re.compile("(?<![a-z])(?:" + "|".join(f"({name})" for name, _ in _NAMES) + ")(?![a-z])")
_UNIT = re.compile(r"(\d)(?: ?|-(?=[a-z]{3}))([a-zμω]+)(?![a-z\d']|-[a-z])")
_GENERATION = re.compile(r"(?<![\w.])[2-6]g(?!\w)")  # of mobile networks
# Pounds are money, unless something is weighed.
_POUNDS = re.compile(
    r"(\d) pounds?(?= (?:of|heavier|lighter|overweight|in weight)\b)"
    r"|(\b(?:weigh(?:s|ed|ing|t of)?|lost|gained) (?:about |around |over )?\d[\d.]*) pounds?\b"
)
_INCH = re.compile(r"(\d) in(?=\.?$|[.;,)] | (?:long|wide|tall|thick|deep|high|by|x)\b)")
_LENGTHS = [
    ("met(?:er|re)s?|m", "m"), ("miles?|mi", "mi"), ("yards?|yds?", "yd"), ("inch(?:es)?|in", "in"),
    ("feet|foot|ft", "ft"), ("km", "km"), ("cm", "cm"), ("mm", "mm"), ("dm", "dm"), ("μm", "μm"), ("nm", "nm"),
]  # fmt: skip
_SQUARE = re.compile(
    rf"(?<![a-z])(?:(sq)(?:uare)?|(cu)(?:bic)?)\.? ?(?:{'|'.join(f'({name})' for name, _ in _LENGTHS)})(?![a-z\d'])"
)
_POWER = re.compile(rf"(?:(?<=\d)|(?<=\d )|(?<=/)|(?<=per ))({_SYMBOL})\^?([23])(?![\w^])")
_TWO_OR_THREE = re.compile(r"[a-z\u03bc]\^?[23]")
_BELOW_ZERO = re.compile(r"(?<![\w.:/-])(\d[\d.]*) (degrees?(?: celsius| fahrenheit| [cf]\b)? )?below (?:zero|0)\b")
_FEET_INCHES = re.compile(r"(?<![\d.:/])(\d{1,2})' ?(\d{1,2})(?:\"|'')")
# Six foot two: what is behind a foot without a unit or something counted are inches.
_FOOT = re.compile(
    r"(?<![\d.:/-])(\d{1,2}) (?:foot|f(?:ee)?t(?= \d+[.,;]?$)) (\d(?:\.\d+)?|1[01])"
    r"(?![\d.:/%]\d|\d| ?(?:[\d%\"']|in(?= ?(?:$|[.,;])| (?:long|wide|tall))"
    rf"|(?:by|x|{'|'.join(_SYMBOL_OF)}|[a-z]{{2,}}[^\W\dsu]s)\b))"
)
_INCHES = re.compile(r'(?<=\d)"')
_DEGREE = re.compile(
    r"(\d) ?(?:(?:°|degrees?|deg\b\.?) ?(celsius|centigrade|fahrenheit|[cf](?![a-z+#]))?"
    r"|(celsius|centigrade|fahrenheit))(?![a-z])"
)
_PER = {
    "d": "day", "day": "day", "yr": "year", "year": "year", "mo": "month", "mth": "month", "month": "month",
    "wk": "week", "week": "week", "hr": "hour", "h": "hour", "hour": "hour", "min": "minute", "minute": "minute",
    "s": "second", "sec": "second", "second": "second", "person": "person", "night": "night", "head": "head",
    "unit": "unit", "each": "each",
}  # fmt: skip
_CURRENCY = "dollars?|euros?|pounds?|cents?|rupees?|yen|[$€£¥]"
_PER_UNIT = re.compile(
    rf"(\d(?: ?(?:{_CURRENCY}|(?:sq|cu)?(?:{_SYMBOL})))?) ?/ ?"
    rf"(?:({'|'.join(_PER)})|((?:sq|cu)?(?:{_SYMBOL})))(?![a-z\d'])"
)
_SQUARED = re.compile(r"(?<= per second) squared\b")
_POWERS = re.compile(r"(\d|(?<![\w'])[b-hj-z]) (?:(squared)|cubed)\b")
_TO_POWER = re.compile(
    r"(?<![\d.:/-])(\d[\d.]*) to the "
    r"(?:power(?: of)? (-?\d+)|(-?\d+)(?:st|nd|rd|th)? power|(-\d+)(?:st|nd|rd|th)?)(?![\w.:/%])"
)
_POWER_OF_TEN = re.compile(r"(?<=\* 10) to the (\d+)(?:st|nd|rd|th)\b")
_AFTER_PER = re.compile("(?<= per )([a-zμ]+)(?![a-z'])")


def _with_prefix(match: re.Match) -> str:
    return _PREFIXED_SYMBOLS.get((match[1], _METRIC[match.lastindex - 2][1]), match[0])


def _squared(match: re.Match) -> str:
    return f"{match[1] or match[2]}{_LENGTHS[match.lastindex - 3][1]}"


def _per(match: re.Match) -> str:
    if match[1].endswith("km") and match[2] in ("h", "hr", "hour"):
        return match[0]  # km/h has a symbol of its own
    return f"{match[1]} per {_PER[match[2]] if match[2] else match[3]}"


def _after_per(match: re.Match) -> str:
    word = match[1]
    if word in ("pound", "pounds"):
        return "lb"
    symbol = _SYMBOL_OF.get(word, word)
    return _PER.get(word, word) if symbol in _TIMES else symbol


def _degrees(match: re.Match) -> str:
    scale = match[2] or match[3]
    return f"{match[1]} °{scale[0]}" if scale else f"{match[1]} degrees"


def _behind_number(match: re.Match) -> str:
    word = match[2]
    if word == "g" and _GENERATION.match(match.string, match.start()):
        return match[0]
    if word == "s" and match.string[match.start() + 1] == " ":  # but 80s are years
        word = "seconds"
    symbol = _SYMBOL_OF.get(word)
    return f"{match[1]} {symbol}" if symbol else match[0]


def lengths(text: str) -> str:
    """Lengths and depths with signs or words around the number: `5'10"`, `8"`, `5 degrees below zero`."""
    if " below " in text:
        text = _BELOW_ZERO.sub(lambda match: f"-{match[1]} {match[2] or 'degrees '}", text)
    if " f" in text:
        text = _FOOT.sub(r"\1 ft \2 inches", text)
    return _INCHES.sub(" inches", text) if text.count('"') == 1 else text


def feet(text: str) -> str:
    """`5'10"` -> `5 ft 10 inches`; before apostrophes are read."""
    return _FEET_INCHES.sub(lambda match: f"{match[1]} ft {match[2]} inches", text) if '"' in text else text


def symbols(text: str) -> str:
    """Names of units as symbols: `eight kilo watt hours` (with digits) -> `8 kwh`, `$3/d` -> `$3 per day`."""
    if _HINT.search(text):
        text = _NAME.sub(lambda match: _NAMES[match.lastindex - 1][1], _PREFIXED.sub(_with_prefix, text))
    if "sq" in text or "cu" in text:
        text = _SQUARE.sub(_squared, text)
    if "ed" in text:
        text = _POWERS.sub(lambda match: f"{match[1]}^{2 if match[2] else 3}", _SQUARED.sub(" ^ 2", text))
    if " to the " in text:
        text = _POWER_OF_TEN.sub(r"^\1", text)
        text = _TO_POWER.sub(lambda match: f"{match[1]}^{match[2] or match[3] or match[4]}", text)
    if "per " in text:
        text = _AFTER_PER.sub(_after_per, text)
    if not _DIGIT.search(text):
        return text
    if _TWO_OR_THREE.search(text):
        text = _POWER.sub(lambda match: ("sq" if match[2] == "2" else "cu") + match[1], text)
    if "pound" in text:
        text = _POUNDS.sub(lambda match: f"{match[1] or match[2]} lb", text)
    if "°" in text or "deg" in text or "celsius" in text or "fahrenheit" in text:
        text = _DEGREE.sub(_degrees, text)
    if " in" in text:
        text = _INCH.sub(r"\1 inches", text)
    text = _UNIT.sub(_behind_number, text)
    return _PER_UNIT.sub(_per, text) if "/" in text else text
