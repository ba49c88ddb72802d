"""What only letter case tells of a letter behind a number, before case goes."""

import re

from recipe.normalize.characters import HAN

_LARGE_LETTER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)M(?![\w'])|(?<![\w.])(\d+\.\d+)B(?![\w'])")
_KELVIN = re.compile(r"(?<![\w.])(\d{2,}(?:\.\d+)?) K(?![\w'])")
_MILLIWATTS = re.compile(r"(?<=\d) ?mW(?!\w)")
_CAPITALS = re.compile(r"\d ?(?:[MBK]|mW)(?!\w)")
_ANY_HAN = re.compile(f"[{HAN}]")


def has_capitals(text: str) -> bool:
    """Whether letter case tells what a letter behind a number is."""
    return bool(_CAPITALS.search(text))


def read_capitals(text: str) -> str:
    """What only letter case tells, before it goes: 3M are millions and 3m metres, 300 K kelvin, mW milliwatts."""
    if _ANY_HAN.search(text):
        return text
    text = _LARGE_LETTER.sub(lambda match: f"{match[1]} million" if match[1] else f"{match[2]} billion", text)
    return _MILLIWATTS.sub(" milliwatts", _KELVIN.sub(r"\1 kelvin", text))
