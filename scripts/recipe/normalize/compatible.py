"""`compatible` mode: agrees with the published normalizer, mistakes included, so that published figures compare.

A line goes through these steps (they are the published ones; this is an implementation of our own):

1. `=`, `(` and `)` become spaces; the line is split at white space and each token classed by its characters: english
   (ASCII letters, digits and some punctuation, but not digits alone), chinese (the same and Han; digits alone), other.
2. Neighbouring tokens of one class go together through Whisper's normalizer: english and chinese through the English
   one, other through the basic one.
3. Chinese and other: every number is read out in Chinese, spaces between Han are dropped (so that neighbouring numbers
   merge), every Chinese numeral is written as digits.
4. Every character is a token, except that Latin and Cyrillic words stay whole.
5. Chinese and other: characters are simplified.

With `kana`, step 1 puts the line's reading in katakana in its place before splitting it.
"""

import functools
import itertools
import re

from recipe.normalize import whisper
from recipe.normalize.characters import simplify_characters
from recipe.normalize.compatible_numbers import read_numbers, write_numerals
from recipe.normalize.kana import to_kana
from recipe.normalize.steps import Note, take

_TO_SPACE = str.maketrans("=()", "   ")
_CHINESE = re.compile(r"[\u4e00-\u9fa5A-Za-z0-9,.!?:;，。！？：；、%'\-~]+")
_ENGLISH = re.compile(r"[A-Za-z0-9,.!?:;，。！？：；、%'\-~]+")
_NUMBER = re.compile(r"[0-9,.!?:;，。！？：；、%']+")
_PLAIN_HAN = re.compile(r"[\u4e00-\u9fa5,!?:;，。！？：；、'\s\-~]+")
_PUNCTUATION = re.compile(r"[^\u4e00-\u9fa5]+")
# Words of Latin and Cyrillic letters and ASCII symbols, or one character of anything else (digits too).
_TOKEN = re.compile(r"[^\s0-9\u0180-\u03ff\u0500-\U0010ffff]+|\S")
_HAN_GAP = re.compile(r"(?<=[0-9\u4e00-\u9fa5])\s+(?=[0-9\u4e00-\u9fa5])")
# Symbols that are left beside numbers.
_SPOKEN_SYMBOLS = str.maketrans({"+": "加", "-": "负", ".": "点"})


def _spaces_for_brackets(text: str) -> str:
    return text.translate(_TO_SPACE)


def _token_class(token: str) -> str:
    if _ENGLISH.fullmatch(token):
        return "chinese" if _NUMBER.fullmatch(token) else "english"
    return "chinese" if _CHINESE.fullmatch(token) else "other"


def _normalize_run(kind: str, text: str) -> str:
    """One run of tokens of one class; output tokens separated by single spaces."""
    if kind == "other":
        text = whisper.basic(text)
    elif kind == "chinese" and _PLAIN_HAN.fullmatch(text):
        text = _PUNCTUATION.sub(" ", text)  # all that Whisper's English normalizer does to it, for a tenth of the time
    else:
        text = whisper.english(text)
    if kind == "english":
        return " ".join(_TOKEN.findall(text))
    text = write_numerals(_HAN_GAP.sub("", read_numbers(text)))
    return " ".join(_TOKEN.findall(simplify_characters(text.translate(_SPOKEN_SYMBOLS))))


# Short runs recur: numbers, names, whole commands.
_normalize_short_run = functools.lru_cache(maxsize=1 << 14)(_normalize_run)


# The classes of tokens, as explanations call the steps that their runs go through.
_STEPS = {"english": "English run", "chinese": "Chinese run", "other": "other run"}


def normalize(text: str, *, kana: bool = False, note: Note | None = None) -> str:
    """The published normalizer's output for one line, its tokens separated by single spaces. `note` is told what each
    step did, the later ones run by run."""
    text = take([("characters", _spaces_for_brackets), *([("kana", to_kana)] if kana else [])], text, note)
    normalized: list[str] = []
    for kind, tokens in itertools.groupby(text.split(), _token_class):
        run = " ".join(tokens)
        work = _normalize_short_run if len(run) <= 64 else _normalize_run
        normalized.append(work(kind, run))
        if note and normalized[-1] != run:
            note(_STEPS[kind], run, normalized[-1])
    return " ".join(filter(None, normalized))
