"""Whose rules act in a line: of the languages that it is said to be in, or that its characters and words show."""

import re
from functools import lru_cache

from recipe.normalize.characters import HAN
from recipe.normalize.function_words import not_english
from recipe.normalize.kanji import shows_japanese
from recipe.text.languages import named

# What stands for a language that no label names and no word tells: it is none that has rules of its own.
OTHER = "other"

LATIN = re.compile("[a-z]")
_ANY_HAN = re.compile(f"[{HAN}]")
# Scripts that (nearly) one language has, or languages that write numbers alike.
_SCRIPTS = {
    "ru": "\u0400-\u052f",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff",
    "th": "\u0e01-\u0e3a\u0e40-\u0e5b",
    "hi": "\u0900-\u097f",
    "ar": "\u0620-\u06ff\u0750-\u077f",
    "he": "\u05d0-\u05f2",
    "hy": "\u0531-\u058a",
    "ka": "\u10a0-\u10ff",
}
_ANY_SCRIPT = re.compile("|".join(f"([{characters}])" for characters in _SCRIPTS.values()))
_NOT_LATIN = {*_SCRIPTS, "zh", "ja", "yue", "bg", "uk", "be", "sr", "mk", "fa", "ur", "mr", "bn", "ta", "te"}
EAST_ASIAN = frozenset({"zh", "ja"})  # with rules of their own, beside which those of English step back
WITH_RULES = EAST_ASIAN | {"en", "yue"}
# Languages of Chinese that are written in its characters and with its numerals.
_CHINESE = {"zh", "yue", "wuu", "nan", "hak", "gan", "hsn", "lzh"}
# Languages that the prompts do not name, by other codes and names (those of the prompts: recipe.text.languages).
_OTHERS = {
    "de": "deu ger german deutsch 德语 德文", "fr": "fra fre french français francais 法语 法文",
    "es": "spa spanish castilian español espanol 西班牙语", "it": "ita italian italiano 意大利语",
    "ru": "rus russian русский 俄语 俄文", "uk": "ukr ukrainian українська", "be": "bel belarusian",
    "he": "heb hebrew iw עברית 希伯来语", "hy": "hye arm armenian", "ka": "kat geo georgian",
    "tr": "tur turkish türkçe",
    "ca": "cat catalan català", "gl": "glg galician", "eu": "eus baq basque", "no": "nor nob nno nb nn norwegian norsk",
    "is": "isl ice icelandic", "fo": "fao faroese", "sr": "srp serbian", "bs": "bos bosnian",
    "mk": "mkd mac macedonian",
    "sq": "sqi alb albanian", "az": "aze azerbaijani", "kk": "kaz kazakh", "uz": "uzb uzbek", "mn": "mon mongolian",
    "fa": "fas per persian farsi", "ur": "urd urdu", "bn": "ben bengali bangla", "mr": "mar marathi", "ta": "tam tamil",
    "te": "tel telugu", "gu": "guj gujarati", "kn": "kan kannada", "ml": "mal malayalam", "pa": "pan punjabi",
    "ne": "nep nepali", "si": "sin sinhala", "my": "mya bur burmese", "km": "khm khmer", "lo": "lao",
    "sw": "swa swahili", "rw": "kin kinyarwanda", "af": "afr afrikaans", "cy": "cym wel welsh", "la": "lat latin",
    "am": "amh amharic", "so": "som somali", "ha": "hau hausa", "yo": "yor yoruba", "zu": "zul zulu", "xh": "xho xhosa",
    "eo": "epo esperanto", "lb": "ltz luxembourgish", "jv": "jav jw javanese", "su": "sun sundanese",
    "wuu": "wu shanghainese 吴语 上海话", "nan": "hokkien 闽南语", "hak": "hakka 客家话",
}  # fmt: skip
# All others that have a code of two letters, but those that tables use for regions (cn, jp, kr, tw, vn, ...).
_REST = """
    aa ab ak am an as av ay ba bm bo br ce co cv dv dz ee ff fj fy gd gn gv ht ig iu ki kl ks ku kv kw ky lg li ln lu mg
    mi nd ng nv ny oc om or os ps qu rm rn sa sc sd se sg sh sm sn ss st tg ti tk tn to ts tt ty ug ve vo wa wo yi za
"""
_NAMES = {name: code for code, names in _OTHERS.items() for name in (code, *names.split())}
_NAMES |= {code: code for code in _REST.split() if code not in _NAMES}
# Codes of languages that are rather regions behind another language: en-in, pt-br.
_REGIONS = frozenset(
    re.findall(
        r"\w+", "ar at be br ca ch cy et ga gl id ie in is lt lv ml mt my ne no pa pt ro sa se sg si sk sl sv tl za"
    )
)
_BETWEEN = re.compile(r"[\s_/+&|,;-]+")


@lru_cache(maxsize=10_000)
def of_label(label: str | None) -> frozenset[str]:
    """Codes of the languages that a label names, all of several ("zh-en"); none of one that names none that is known
    ("mix", "und", "auto")."""
    if not label:
        return frozenset()
    parts = [part for part in _BETWEEN.split(label.strip()) if part]
    codes = [_code(part) for part in parts]
    if all(codes) and not any(part.isupper() or part in _REGIONS for part in parts[1:]):
        found = frozenset(filter(None, codes))  # de-en
    else:  # a region or a script follows: de-AT, pt-br, es_419
        found = named(label) or frozenset(filter(None, codes[:1]))
    if found & _CHINESE:
        found = found | {"zh"}
    return found


def _code(name: str) -> str | None:
    known = named(name)
    return next(iter(known)) if len(known) == 1 else _NAMES.get(name.casefold())


def of_line(text: str, declared: frozenset[str] = frozenset()) -> frozenset[str]:
    """Codes of the languages ("en", "zh", "ja", "de", OTHER, ...) whose rules act in a cleaned line.

    `declared` are those that the line is known to be in; without any they are found. Latin letters in a line of another
    script are taken for English.
    """
    if declared:
        return declared | {"en"} if declared <= _NOT_LATIN and LATIN.search(text) else declared
    found: set[str] = set()
    if not text.isascii():
        if spoken := east_asian(text, declared):
            found.add(spoken)
        elif script := _ANY_SCRIPT.search(text):
            found.add(list(_SCRIPTS)[script.lastindex - 1])
    if LATIN.search(text):
        others = None if found else not_english(text)
        found |= {"en"} if others is None else others or {OTHER}
    return frozenset(found)


def east_asian(text: str, declared: frozenset[str]) -> str | None:
    """ "zh" or "ja" if the line, cleaned or not, is in one of them; kana decide where both or none are declared."""
    spoken = declared & EAST_ASIAN
    if len(spoken) == 1:
        return next(iter(spoken))
    if declared and not spoken:
        return None
    if text.isascii():
        return None
    if shows_japanese(text):
        return "ja"
    return "zh" if _ANY_HAN.search(text) else None
