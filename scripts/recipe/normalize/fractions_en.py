"""Halves and other fractions around English number words."""

import re

_HALF_POWER = re.compile(
    r"(?<!\ba )\bhalf (?:a )?(?=(?:hundred|thousand|lakh|million|crore|billion|trillion|percent|per cent)\b)"
)
_UNIT = (
    "hour|minute|second|day|week|month|year|mile|inch|pound|ounce|gallon|pint|cup|dozen|acre|yard|teaspoon|tablespoon|kilo(?:met(?:er|re)|gram)?"
    "|met(?:er|re)|lit(?:er|re)|gram|ton"
)
_HALF_UNIT = re.compile(rf"(?<!\band )(?<!\ba )(?<!\bone )(?<!\d )\bhalf (?:an? )?(?=(?:{_UNIT})s?\b)")
_AND_HALF = re.compile(rf"\b(?:an? |one |1 )({_UNIT}) and a half\b")
_NAMED_PARTS = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_MIXED = re.compile(
    r"(?<![\d.:/])(?<!\d-)(\d+)"
    r"(?: and an? (?:(half|quarter|1/\d+)|(\d+)(?:rd|th)(?=$|[.,;!?]| of\b))\b| and(?= \d+/\d)\b)"
)
# A third of them, and a third alone; a second is of time.
_PART_OF = re.compile(
    rf"(?:^|(?<= ))(?:a|an) (?:{'|'.join(f'({name})' for name in _NAMED_PARTS)})"
    r"(?= of (?:the|it|them|us|all|its|their|his|her|an?|my|our|your)\b|$)"
)
_PARTS = {"half": "1/2", "quarter": "1/4"}


def halves(text: str) -> str:
    """Halves of what is no number word: `half a million`, `half an hour`, `an hour and a half`."""
    if "half " in text:
        text = _HALF_UNIT.sub("1/2 ", _HALF_POWER.sub("0.5 ", text))
    if "th of " in text or "rd of " in text or text[:1] == "a":
        text = _PART_OF.sub(lambda match: f"1/{match.lastindex + 2}", text)
    return _AND_HALF.sub(lambda match: f"1.5 {match[1]}s", text) if " and a half" in text else text


def mixed_fractions(text: str) -> str:
    """`2 and a quarter` -> `2 1/4`, when number words are digits."""
    return _MIXED.sub(_mixed, text) if " and " in text else text


def _mixed(match: re.Match) -> str:
    whole, part, denominator = match.groups()
    if denominator:
        return f"{whole} 1/{denominator}"
    return f"{whole} {_PARTS.get(part, part)}" if part else whole
