"""Signs that a script may leave out, or write in two orders: Arabic, Hebrew, Thai, Lao and half-width Korean."""

import re
import unicodedata

# Vowel marks, doubling and the lengthened stroke of Arabic; vowel points and accents of Hebrew. Hamza and madda stay:
# they belong to the letter.
VOWEL_MARKS = re.compile(
    "[\u0610-\u061a\u0640\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]+"
)
# Any character of these scripts, presentation forms too.
_SCRIPTS = re.compile("[\u0590-\u06ff\u0e00-\u0eff\ufb1d-\ufdff\ufe70-\ufefc\uffa1-\uffdc]")
_THAI_OR_LAO = re.compile("[\u0e40\u0e48-\u0e4b\u0e4d\u0ec0\u0ec8-\u0ecb\u0ecd]")
# A tone mark is written above the vowel and typed behind it, but before SARA AM (which NFKC takes apart).
_TONE_FIRST = re.compile("([\u0e48-\u0e4b]|[\u0ec8-\u0ecb])([\u0e31\u0e34-\u0e37]|[\u0eb1\u0eb4-\u0eb7\u0ebb])")
_AM_FIRST = re.compile("(\u0e4d)([\u0e48-\u0e4b])|(\u0ecd)([\u0ec8-\u0ecb])")
# Conjoining Korean letters as NFKC makes them of half-width ones: a final consonant looks like an initial one.
_JAMO_SYLLABLE = re.compile("([\uac00-\ud7a3])([\u1100-\u1112])(?![\u1161-\u1175])")
_FINALS = {
    initial: chr(0x11A7 + index)
    for index, initial in zip(
        (1, 2, 4, 7, 8, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27), "ᄀᄁᄂᄃᄅᄆᄇᄉᄊᄋᄌᄎᄏᄐᄑᄒ", strict=True
    )
}
_HALF_WIDTH_KOREAN = re.compile("[\uffa1-\uffdc]+")


def needed(text: str) -> bool:
    """Whether the functions below can change a text."""
    return _SCRIPTS.search(text) is not None


def one_spelling(text: str) -> str:
    """A text in NFKC without vowel marks of Arabic and Hebrew, marks of Thai and Lao in one order."""
    text = VOWEL_MARKS.sub("", text)
    if _THAI_OR_LAO.search(text):
        text = text.replace("\u0e40\u0e40", "\u0e41").replace("\u0ec0\u0ec0", "\u0ec1")
        text = _AM_FIRST.sub(_swap, _TONE_FIRST.sub(r"\2\1", text))
    return text


def _swap(match: re.Match) -> str:
    first, second = filter(None, match.groups())
    return second + first


def full_width_korean(text: str) -> str:
    """Half-width Korean letters as syllables."""
    return _HALF_WIDTH_KOREAN.sub(_syllables, text)


def _syllables(match: re.Match) -> str:
    text = unicodedata.normalize("NFKC", match[0])
    return _JAMO_SYLLABLE.sub(_with_final, text)


def _with_final(match: re.Match) -> str:
    syllable, initial = match.groups()
    final = _FINALS.get(initial)
    open_syllable = (ord(syllable) - 0xAC00) % 28 == 0
    return unicodedata.normalize("NFC", syllable + final) if final and open_syllable else match[0]
