"""English postal addresses: kinds of streets, points of the compass and American states in full."""

import re

_KINDS = {
    "st": "street", "ave": "avenue", "av": "avenue", "rd": "road", "ln": "lane", "dr": "drive", "ct": "court",
    "pl": "place", "blvd": "boulevard", "hwy": "highway", "expy": "expressway", "pkwy": "parkway", "ter": "terrace",
    "cir": "circle", "sq": "square",
}  # fmt: skip
_KIND = "|".join(_KINDS)
# Between the house number and the kind are names, and none of these (5 miles from St. Louis).
_NO_NAME = (
    r"(?!(?:at|in|to|from|of|on|near|for|the|and|is|was|with|by|saw"
    r"|miles?|people|men|women|times|years?|minutes?|hours?|days?)\b)"
)
_NAME = rf"(?:{_NO_NAME}[a-z]+|\d+(?:st|nd|rd|th))"
_STREET = re.compile(
    rf"(?<![\w.:/$-])(\d+[a-z]? (?:[nsew]\.? )?{_NAME} (?:{_NAME} )?(?:{_NAME} )??)({_KIND})\b(?!')\.?(?! ft\b)"
    rf"|((?<!\w)on {_NAME} (?:{_NAME} )?)(st|ave|rd|blvd|dr|ln)\b(?!')\.?(?=$|,| (?:and|at|in|near|is|was)\b)"
    r"|((?<![\w.'])\d+(?:st|nd|rd|th) )(ave|blvd|st)\b(?!'|\. [a-z])\.?"
    rf"|((?<![\w.'])[a-z]+ )(st|rd|ave|blvd|ln)(?:\.?$|\.(?=[,;]))"  # at an end it is no saint
)
_KIND_WORD = re.compile(rf" (?:{_KIND})(?![a-z0-9'])")
_COMPASS = {"n": "north", "s": "south", "e": "east", "w": "west"}
_POINT_LETTER = re.compile(r"\d[a-z]? [nsew]\.? ")
_POINT = re.compile(
    rf"(?<![\w.:/$-])(\d+[a-z]? )([nsew])\.? (?=(?:{_NAME} ){{1,3}}(?:{'|'.join([*_KINDS, *_KINDS.values()])})\b)"
)
_STATES = {
    "ak": "alaska", "ar": "arkansas", "az": "arizona", "ca": "california", "ct": "connecticut", "dc": "d c",
    "fl": "florida", "ga": "georgia", "ia": "iowa", "il": "illinois", "ks": "kansas", "ky": "kentucky",
    "md": "maryland", "mi": "michigan", "mn": "minnesota", "mo": "missouri", "ms": "mississippi", "mt": "montana",
    "nc": "north carolina", "nd": "north dakota", "ne": "nebraska", "nh": "new hampshire", "nj": "new jersey",
    "nm": "new mexico", "nv": "nevada", "ny": "new york", "ri": "rhode island", "sc": "south carolina",
    "sd": "south dakota", "tn": "tennessee", "tx": "texas", "ut": "utah", "va": "virginia", "vt": "vermont",
    "wa": "washington", "wi": "wisconsin", "wv": "west virginia", "wy": "wyoming",
}  # fmt: skip
# These are words, too, and need a comma before them.
_STATE_WORDS = {
    "al": "alabama", "co": "colorado", "de": "delaware", "hi": "hawaii", "id": "idaho", "in": "indiana",
    "la": "louisiana", "ma": "massachusetts", "me": "maine", "oh": "ohio", "ok": "oklahoma", "or": "oregon",
    "pa": "pennsylvania",
}  # fmt: skip
_STATE = re.compile(
    rf"(?:(?<=[a-z], )(?:{'|'.join([*_STATE_WORDS, *_STATES])})|(?<=[a-z] )(?:{'|'.join(_STATES)}))"
    r"(?=,? \d{5}(?![\d.,:/]))"
)
_POSTCODE = re.compile(r"\d{5}")
_NUMBER = re.compile(r"\d")


def addresses(text: str) -> str:
    """`12 S 1st St, Troy, NY 12180` -> `12 south 1st street, Troy, new york 12180`, in lower case."""
    if _KIND_WORD.search(text):
        text = _STREET.sub(_street, text)
    if not _NUMBER.search(text):
        return text
    if _POINT_LETTER.search(text):
        text = _POINT.sub(lambda match: f"{match[1]}{_COMPASS[match[2]]} ", text)
    if not _POSTCODE.search(text):
        return text
    return _STATE.sub(lambda match: {**_STATES, **_STATE_WORDS}[match[0]], text)


def _street(match: re.Match) -> str:
    name, kind = filter(None, match.groups())
    return f"{name}{_KINDS[kind]}"
