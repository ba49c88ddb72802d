"""Whisper's own text normalizers, as transformers maintains them, made cheap to load and safe on any line.

The normalizers' module is loaded by its path: importing it through the transformers package takes more than a second,
as long as normalizing ten thousand lines does.
"""

import functools
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

# British to American spelling, word by word: the table of OpenAI's Whisper (MIT licence), which transformers does not
# ship with the code.
SPELLING_FILE = Path(__file__).with_name("english_spelling.json")

_BRACKETED = re.compile(r"[<\[][^>\]]*[>\]]")
_FILLER = re.compile(r"\b(?:hmm|mm|mhm|mmm|uh|um)\b")
# Spelled out by the whisper_normalizer package, which the published script uses, and not by transformers.
_INFORMAL = {"kinda": "kind of", "sorta": "sort of", "dunno": "do not know", "cause": "because"}
_INFORMAL_WORD = re.compile(r"\b(?:kinda|sorta|dunno|cause)\b")
_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"\s{3,}")
_LONG_NUMBER = re.compile(r"\d{4000,}")
_NOT_A_NUMBER = "\ue000"  # private use: keeps a word of digits from being read as a number


@functools.cache
def spelling() -> dict[str, str]:
    """British spelling -> American spelling, lower case."""
    return json.loads(SPELLING_FILE.read_text(encoding="utf-8"))


@functools.cache
def _library() -> ModuleType:
    package = importlib.util.find_spec("transformers")
    path = Path(package.submodule_search_locations[0], "models", "whisper", "english_normalizer.py")
    spec = importlib.util.spec_from_file_location("recipe_whisper_normalizers", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@functools.cache
def _english_normalizer(*, with_contractions: bool) -> Callable[[str], str]:
    normalizer = _library().EnglishTextNormalizer(spelling())
    if not with_contractions:
        normalizer.replacers = {}
    return normalizer


@functools.cache
def _contracted_words() -> frozenset[str]:
    """Every word without an apostrophe that the English normalizer spells out (`mr`, `gonna`)."""
    return frozenset(pattern.replace(r"\b", "") for pattern in _english_normalizer(with_contractions=True).replacers)


@functools.cache
def _basic_normalizer() -> Callable[[str], str]:
    return _library().BasicTextNormalizer()


def _drop_bracketed(text: str) -> str:
    """Drop `<...>` and `[...]` as the normalizers do, but in linear time: behind the last closing bracket nothing can
    match, and an opening bracket left there would make them search to the end of the line once for each."""
    end = max(text.rfind(">"), text.rfind("]")) + 1
    rest = text[end:].replace("<", "^").replace("[", "^")  # any symbol: all become spaces in the end
    return _BRACKETED.sub("", text[:end]) + rest


def _shield_long_numbers(text: str) -> str:
    """Python refuses to read numbers of more than 4,300 digits, so such a run passes as a word."""
    return _LONG_NUMBER.sub(lambda match: f" {_NOT_A_NUMBER}{match[0]} ", text)


def english(text: str) -> str:
    """Whisper's English normalizer: lower case, contractions and titles spelled out, numbers as digits, American
    spelling, symbols and diacritics removed."""
    text = text.lower()
    if "<" in text or "[" in text:
        text = _drop_bracketed(text)
    # Fillers leave runs of spaces, on which a later pattern is quadratic; two spaces are as good as more.
    text = _SPACES.sub("  ", _FILLER.sub("", text))
    text = _INFORMAL_WORD.sub(lambda word: _INFORMAL[word[0]], text)
    if len(text) >= 4000:
        text = _shield_long_numbers(text)
    # Fifty patterns for contractions are most of the work, and most lines have none.
    with_contractions = "'" in text or not _contracted_words().isdisjoint(_WORD.findall(text))
    return _english_normalizer(with_contractions=with_contractions)(text).replace(_NOT_A_NUMBER, "")


def basic(text: str) -> str:
    """Whisper's normalizer for other languages: NFKC and lower case; symbols, punctuation and marks to spaces."""
    text = text.lower()
    if "<" in text or "[" in text:
        text = _drop_bracketed(text)
    return _basic_normalizer()(text)
