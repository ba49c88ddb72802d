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
    "tera": "t", "peta": "p", "giga": "g", "mega": "m", "kilo": "k", "hecto": "h", "deci": "d", "centi": "c", "milli": "m",
    "micro": "μ", "nano": "n",
}  # fmt: skip
_PREFIXED = [(f"{prefix}[ -]?(?:{name})", _PREFIXES[prefix] + symbol) for name, symbol, some in _METRIC for prefix in some.split()]
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
    ("kilo(?:gram)?s?[ -]force", "kgf"),
    ("astronomical units?", "au"),
    ("light[ -]years?", "ly"),
    ("atmospheres?", "atm"),
    ("horse ?powers?", "hp"),
    ("british thermal units?", "btu"),
]
_NAMES_ALONE = [*_COMPOUND, *_PREFIXED, ("microns?", "μm")]
# These words are something else, too, without a number; behind one they are units.
_BEHIND_NUMBER = [
    ("met(?:er|re)s?", "m"), ("grams?|grammes?|g", "g"), ("lit(?:er|re)s?", "l"), ("volts?", "v"), ("watts?", "w"),
    ("watt hours?", "wh"), ("amp(?:ere)?s?", "amps"), ("joules?", "j"), ("newtons?", "newtons"), ("pascals?", "pa"),
    ("calories?|cals?", "cal"), ("bars?", "bar"), ("moles?|mols?", "mol"), ("ohms?", "ohm"), ("bits? per second", "bps"),
    ("kilos?|kgs", "kg"), ("kms", "km"), ("miles?|mi", "mi"), ("yards?|yds?", "yd"), ("inch(?:es)?", "inches"),
    ("feet|foot", "ft"), ("ounces?", "oz"), ("lbs?", "lb"), ("gallons?|gals?", "gal"), ("pints?|pt", "pt"), ("quarts?|qt", "qt"),
    ("acres?", "acres"), ("tons?|tonnes?", "tons"), ("hours?|hrs?|h", "hours"), ("minutes?|mins?", "minutes"),
    ("seconds?|secs?|(?<= )s", "seconds"), ("yrs?|years?", "years"), ("kelvins?", "kelvin"), ("knots?|kts?", "knots"),
    ("radians?|rad", "rad"), ("lumens?|lm", "lm"), ("μg|mcg|ug", "μg"), ("um", "μm"), ("ul", "μl"),
    ("kbit/s|kb/s|kbits?", "kbps"), ("mbit/s|mb/s", "mbps"), ("gbit/s|gb/s", "gbps"), ("kph", "kmh"),
]  # fmt: skip
_SYMBOLS = sorted({symbol for _, symbol in [*_NAMES_ALONE, *_BEHIND_NUMBER]} | {"ha", "cc", "m", "rpm"}, key=len, reverse=True)
_SYMBOL = "|".join(map(re.escape, _SYMBOLS))

_DIGIT = re.compile(r"\d")
_HINT = re.compile(
    r"met(?:er|re)|gram|lit(?:er|re)|watt|volt|amp|hertz|second|byte|pascal|joule|calor|ton|mole|bar|ohm|newton|bel"
    r"|micron|per|units?|year|atmosph|horse|force"
)
_NAME = re.compile("(?<![a-z])(?:" + "|".join(f"({name})" for name, _ in _NAMES_ALONE) + ")(?![a-z])")
_UNIT = re.compile(
    r"(\d)(?: ?|-(?=[a-z]{3}))(?:" + "|".join(f"({name})" for name, _ in _BEHIND_NUMBER) + r")(?![a-z\d']|-[a-z])"
)
_GENERATION = re.compile(r"(?<![\w.])[2-6]g(?!\w)")  # of mobile networks
# Pounds are money, unless something is weighed.
_POUNDS = re.compile(
    r"(\d) pounds?(?= (?:of|heavier|lighter|overweight|in weight)\b)"
    r"|(\b(?:weigh(?:s|ed|ing|t of)?|lost|gained) (?:about |around |over )?\d[\d.]*) pounds?\b"
)
_INCH = re.compile(r"(\d) ?in(?=\.?$|[.;,)] | (?:long|wide|tall|thick|deep|high|by|x)\b)")
_LENGTHS = [
    ("met(?:er|re)s?|m", "m"), ("miles?|mi", "mi"), ("yards?|yds?", "yd"), ("inch(?:es)?|in", "in"), ("feet|foot|ft", "ft"),
    ("km", "km"), ("cm", "cm"), ("mm", "mm"), ("dm", "dm"), ("μm", "μm"), ("nm", "nm"),
]  # fmt: skip
_SQUARE = re.compile(
    rf"(?<![a-z])(?:(sq)(?:uare)?|(cu)(?:bic)?)\.? ?(?:{'|'.join(f'({name})' for name, _ in _LENGTHS)})(?![a-z\d'])"
)
_POWER = re.compile(rf"(?:(?<=\d)|(?<=\d )|(?<=/)|(?<=per ))({_SYMBOL})\^?([23])(?![\w^])")
_DEGREE = re.compile(r"(\d) ?(?:°|degrees?) ?(celsius|centigrade|fahrenheit|[cf](?![a-z+#]))?(?![a-z])")
_PER = {
    "d": "day", "day": "day", "yr": "year", "year": "year", "mo": "month", "mth": "month", "month": "month", "wk": "week",
    "week": "week", "hr": "hour", "h": "hour", "hour": "hour", "min": "minute", "minute": "minute", "s": "second",
    "sec": "second", "second": "second", "person": "person", "night": "night", "head": "head", "unit": "unit", "each": "each",
}  # fmt: skip
_CURRENCY = "dollars?|euros?|pounds?|cents?|rupees?|yen|[$€£¥]"
_PER_UNIT = re.compile(
    rf"(\d(?: ?(?:{_CURRENCY}|kgf|(?:sq|cu)?(?:{_SYMBOL})))?) ?/ ?(?:({'|'.join(_PER)})|((?:sq|cu)?(?:{_SYMBOL})|lb))(?![a-z\d'])"
)
_TIMES = {"hours", "minutes", "seconds", "years"}
_AFTER_PER_NAMES = [pair for pair in _BEHIND_NUMBER if pair[1] not in _TIMES] + [("pounds?|lbs?", "lb")]
_AFTER_PER = re.compile(
    rf"(?<=\bper )(?:{'|'.join(f'({name})' for name, _ in _AFTER_PER_NAMES)}|(?P<time>yr|mo|wk|hr|min|sec))(?![a-z])"
)


def _squared(match: re.Match) -> str:
    return f"{match[1] or match[2]}{_LENGTHS[match.lastindex - 3][1]}"


def _per(match: re.Match) -> str:
    if match[1].endswith("km") and match[2] in ("h", "hr", "hour"):
        return match[0]  # km/h has a symbol of its own
    return f"{match[1]} per {_PER[match[2]] if match[2] else match[3]}"


def _after_per(match: re.Match) -> str:
    return _PER[match["time"]] if match["time"] else _AFTER_PER_NAMES[match.lastindex - 1][1]


def _degrees(match: re.Match) -> str:
    return f"{match[1]} °{match[2][0]}" if match[2] else f"{match[1]} degrees"


def _behind_number(match: re.Match) -> str:
    if match[0][1:] == "g" and _GENERATION.match(match.string, match.start()):
        return match[0]
    return f"{match[1]} {_BEHIND_NUMBER[match.lastindex - 2][1]}"


def symbols(text: str) -> str:
    """Names of units as symbols: `eight kilo watt hours` (with digits) -> `8 kwh`, `$3/d` -> `$3 per day`."""
    if _HINT.search(text):
        text = _NAME.sub(lambda match: _NAMES_ALONE[match.lastindex - 1][1], text)
    if "sq" in text or "cu" in text:
        text = _SQUARE.sub(_squared, text)
    if "per " in text:
        text = _AFTER_PER.sub(_after_per, text)
    if not _DIGIT.search(text):
        return text
    text = _POWER.sub(lambda match: ("sq" if match[2] == "2" else "cu") + match[1], text)
    text = _POUNDS.sub(lambda match: f"{match[1] or match[2]} lb", text)
    text = _UNIT.sub(_behind_number, _INCH.sub(r"\1 inches", _DEGREE.sub(_degrees, text)))
    return _PER_UNIT.sub(_per, text) if "/" in text else text
