"""Whisper's text normalizers, the steps that the published script runs first.

The intricate part, English number words, is transformers' own; its steps around it are run here so that a line without
contractions, symbols or number words costs next to nothing, and so that no line takes more than linear time. The tests
hold both normalizers to the library's, word for word.
"""

import functools
import importlib.util
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

# British to American spelling, word by word: the table of OpenAI's Whisper (MIT licence), which transformers does not
# ship with the code.
SPELLING_FILE = Path(__file__).with_name("english_spelling.json")

_WORD = re.compile(r"\w+")
_BRACKETED = re.compile(r"[<\[][^>\]]*[>\]]")
_FILLER = re.compile(r"\b(?:hmm|mm|mhm|mmm|uh|um)\b")
_SPACES = re.compile(r"\s{3,}")
_SPACE_BEFORE_APOSTROPHE = re.compile(r"\s+'")
# Spelled out by the whisper_normalizer package, which the published script uses, and not by transformers.
_INFORMAL = {"kinda": "kind of", "sorta": "sort of", "dunno": "do not know", "cause": "because"}
_INFORMAL_WORD = re.compile(r"\b(?:kinda|sorta|dunno|cause)\b")
_COMMA_IN_NUMBER = re.compile(r"(\d),(\d)")
_FINAL_PERIOD = re.compile(r"\.([^0-9]|$)")
_SYMBOL_WITHOUT_NUMBER = re.compile(r"[.$¢€£]([^0-9])")
_PERCENT_WITHOUT_NUMBER = re.compile(r"([^0-9])%")
_LONG_NUMBER = re.compile(r"\d{4000,}")
_NOT_A_NUMBER = "\ue000"  # private use: keeps a word of digits from being read as a number


@functools.cache
def spelling() -> dict[str, str]:
    """British spelling -> American spelling, lower case."""
    return json.loads(SPELLING_FILE.read_text(encoding="utf-8"))


@functools.cache
def library() -> ModuleType:
    """The module of transformers' Whisper normalizers, loaded by its path: importing it through the package takes more
    than a second, as long as normalizing twenty thousand lines does."""
    package = importlib.util.find_spec("transformers")
    path = Path(package.submodule_search_locations[0], "models", "whisper", "english_normalizer.py")
    spec = importlib.util.spec_from_file_location("recipe_whisper_normalizers", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class _CleanCharacters(dict):
    """Code point after decomposition -> replacement: symbols and punctuation to spaces, marks to nothing, except what
    can belong to a number."""

    def __missing__(self, code: int) -> str:
        self[code] = library().remove_symbols_and_diacritics(chr(code), keep=".%$¢€£")
        return self[code]


_CLEAN_CHARACTERS = _CleanCharacters()


def _clean_characters(text: str) -> str:
    return unicodedata.normalize("NFKD", text).translate(_CLEAN_CHARACTERS)


class _English:
    """Whisper's English normalizer, its patterns compiled and each step left out where it would change nothing."""

    def __init__(self) -> None:
        whole = library().EnglishTextNormalizer(spelling())
        self.numbers: Callable[[str], str] = whole.standardize_numbers
        self.contractions = [(re.compile(pattern), full) for pattern, full in whole.replacers.items()]
        self.contracted_words = frozenset(pattern.replace(r"\b", "") for pattern in whole.replacers)
        # `and` alone is left as it is, but `and a half` is not.
        self.number_words = frozenset({*self.numbers.words, "half"} - {"and"})

    def __call__(self, text: str) -> str:
        text = text.lower()
        if "<" in text or "[" in text:
            text = _drop_bracketed(text)
        # Fillers leave runs of spaces, on which the next pattern is quadratic; two spaces are as good as more.
        text = _SPACES.sub("  ", _FILLER.sub("", text))
        words = set(_WORD.findall(text))
        if "'" in text or not self.contracted_words.isdisjoint(words):
            text = self._expand(text)
        if not words.isdisjoint(_INFORMAL):
            text = _INFORMAL_WORD.sub(lambda word: _INFORMAL[word[0]], text)
        text = _FINAL_PERIOD.sub(r" \1", _COMMA_IN_NUMBER.sub(r"\1\2", text))
        text = _clean_characters(text)
        words = text.split()
        if any(map(str.isdigit, text)) or not self.number_words.isdisjoint(words):
            words = self._spell_numbers(text).split()
        mapping = spelling()
        text = " ".join([mapping.get(word, word) for word in words])
        text = _SYMBOL_WITHOUT_NUMBER.sub(r" \1", text)
        return _PERCENT_WITHOUT_NUMBER.sub(r"\1 ", text) if "%" in text else text

    def _expand(self, text: str) -> str:
        text = _SPACE_BEFORE_APOSTROPHE.sub("'", text)
        for pattern, full in self.contractions:
            text = pattern.sub(full, text)
        return text

    def _spell_numbers(self, text: str) -> str:
        """Python refuses to read numbers of more than 4,300 digits, so such a run passes as a word."""
        text = _LONG_NUMBER.sub(lambda number: f" {_NOT_A_NUMBER}{number[0]} ", text)
        return self.numbers(text).replace(_NOT_A_NUMBER, "")


@functools.cache
def _english() -> _English:
    return _English()


@functools.cache
def _basic() -> Callable[[str], str]:
    return library().BasicTextNormalizer()


def _drop_bracketed(text: str) -> str:
    """Drop `<...>` and `[...]` as the normalizers do, but in linear time: behind the last closing bracket nothing can
    match, and an opening bracket left there would make them search to the end of the line once for each."""
    end = max(text.rfind(">"), text.rfind("]")) + 1
    rest = text[end:].replace("<", "^").replace("[", "^")  # any symbol: all become spaces in the end
    return _BRACKETED.sub("", text[:end]) + rest


def english(text: str) -> str:
    """Lower case, contractions and titles spelled out, numbers as digits, American spelling, symbols and diacritics
    removed. White space comes out as single or double spaces."""
    return _english()(text)


def basic(text: str) -> str:
    """For other languages: NFKC and lower case; symbols, punctuation and marks to spaces."""
    text = text.lower()
    if "<" in text or "[" in text:
        text = _drop_bracketed(text)
    return _basic()(text)
