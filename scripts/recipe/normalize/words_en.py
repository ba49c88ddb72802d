"""English in lower case: abbreviations, spelling, and the order in which all English rules act."""

import functools
import re

from recipe.normalize import (
    clock_en,
    dates_en,
    fractions_en,
    letters_en,
    money_en,
    operations_en,
    romans_en,
    streets_en,
    units_en,
    web_en,
)
from recipe.normalize.contractions_en import spelled_out
from recipe.normalize.decimals import scale
from recipe.normalize.numbers_en import digits_for_words
from recipe.normalize.whisper import spelling

# Abbreviations that are read as the word, and nothing else.
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "dr": "doctor", "prof": "professor", "sr": "senior", "jr": "junior",
    "maj": "major", "capt": "captain", "lt": "lieutenant", "sgt": "sergeant", "gov": "governor", "sen": "senator",
    "ltd": "limited", "cpl": "corporal", "pvt": "private", "cmdr": "commander", "adm": "admiral", "atty": "attorney",
    "assoc": "associate", "asst": "assistant", "inc": "incorporated", "bros": "brothers", "govt": "government",
    "intl": "international", "univ": "university", "corp": "corporation", "dept": "department",
    "approx": "approximately", "etc": "et cetera", "vs": "versus", "ok": "okay", "mt": "mount", "mts": "mountains",
    "hwy": "highway", "blvd": "boulevard", "pkwy": "parkway", "expy": "expressway", "jpg": "jpeg",
    "acknowledgement": "acknowledgment", "judgement": "judgment", "grey": "gray", "ageing": "aging",
    "tues": "tuesday", "thurs": "thursday", "wwi": "world war 1", "wwii": "world war 2",
    "doughnut": "donut", "doughnuts": "donuts",
}  # fmt: skip
# Those that are also words of their own need their period and a word behind it.
_WITH_PERIOD = {
    "gen": "general", "rep": "representative", "rev": "reverend", "col": "colonel", "st": "saint", "hon": "honorable",
    "ft": "fort", "pres": "president", "supt": "superintendent", "co": "company", "ave": "avenue", "rd": "road",
}  # fmt: skip
_TITLE = re.compile(
    rf"(?<![a-z0-9.'])(?<!\d )(?<!\b(?:sq|cu) )(?<!\b(?:sq|cu)\. )({'|'.join(_WITH_PERIOD)})\.(?: (?=[a-z])|$)"
)
# And these a number.
_BEFORE_NUMBER = {
    "ste": "suite",
    "rt": "route",
    "fl": "floor",
    "no": "number",
    "nos": "numbers",
    "vol": "volume",
    "fig": "figure",
    "ext": "extension",
    "apt": "apartment",
    "p": "page",
    "pp": "pages",
}
_NUMBERED = re.compile(rf"(?<![\w'])(?:({'|'.join(_BEFORE_NUMBER)})\. ?(?=\d)|(apt) (?=\d)|(vol)\. (?=[ivx]{{2}}))")
_A_POUND = re.compile(r"\b(an?|half|per) lbs?\b\.?")
_AMPERSAND = re.compile(r"(?<=[a-z0-9.]) ?& ?(?=[a-z0-9])")
_NUMBER_SIGN = re.compile(r"(?<![a-z0-9#])# ?(?=\d)")
_HASHTAG = re.compile(r"(?<![\w&#])#(?=[a-z])")
_SECTION_SIGN = re.compile(r"§+ ?(?=\d)")
_SIGN = re.compile("[#&§]")
_INDIAN_GROUPS = re.compile(r"(?<![\d,.])\d{1,2}(?:,\d{2})+,\d{3}(?![\d,])")
_COMMA_IN_NUMBER = re.compile(
    r"\b(thousand|million|billion|trillion), (?=(?:[a-z-]+ ){1,3}?(?:hundred|thousand|million)\b)"
)
_THOUSANDS = re.compile(r"(?<![\w.:/-])(?!40[13] ?k|457 ?k)(\d++(?:\.\d++)?) ?k(?![\w'])")
_DIGIT = re.compile(r"\d")


def rewrite(text: str, alone: bool = True) -> str:
    """A line in lower case with contractions spelled out, number words as digits, and one form for each date, time,
    amount and unit. If English is not `alone`, as beside Chinese, signs and letters behind numbers are left to the
    rules of the other language."""
    text = spelled_out(units_en.feet(text) if alone else text)
    if alone:
        text = _written_groups(text)
    text = _abbreviations(text)
    text = fractions_en.halves(clock_en.before_numbers(text))
    if ", " in text:
        text = _COMMA_IN_NUMBER.sub(r"\1 ", text)
    text = digits_for_words(letters_en.before_numbers(money_en.cents_in_words(text)))
    if _DIGIT.search(text):
        text = dates_en.dates(clock_en.times(fractions_en.mixed_fractions(text)))
    return _signs_and_units(text) if alone else text


def _written_groups(text: str) -> str:
    """What punctuation holds together: addresses of the web, dates in digits, numbers in groups."""
    if "," in text:
        text = _INDIAN_GROUPS.sub(lambda number: number[0].replace(",", ""), text)
    text = web_en.join_digits(web_en.spell_signs(text))
    return operations_en.spoken_groups(dates_en.in_digits(text))


def _abbreviations(text: str) -> str:
    if _SIGN.search(text):
        text = _HASHTAG.sub("hashtag ", text)
        text = _NUMBER_SIGN.sub("number ", _AMPERSAND.sub(" and ", _SECTION_SIGN.sub("section ", text)))
    if "." in text or "apt " in text:
        text = _NUMBERED.sub(lambda match: f"{_BEFORE_NUMBER[match[match.lastindex]]} ", text)
    text = streets_en.addresses(text)
    if "." not in text:
        return text
    return letters_en.initials(_TITLE.sub(lambda title: f"{_WITH_PERIOD[title[1]]} ", text))


def _signs_and_units(text: str) -> str:
    """What is read when number words are digits; without any, units' names and Roman numerals only."""
    text = letters_en.join_letters(text)
    if " lb" in text:
        text = _A_POUND.sub(r"\1 pound", text)
    if _DIGIT.search(text):
        text = units_en.lengths(web_en.point_numbers(text))
        text = money_en.amounts(operations_en.operations(operations_en.groups(text)))
        if "k" in text:
            text = _THOUSANDS.sub(lambda match: scale(match[1], 3), text)
    return romans_en.numerals(units_en.symbols(text))


@functools.cache
def _spellings() -> dict[str, str]:
    return {**spelling(), **_ABBREVIATIONS}


def spell(word: str) -> str:
    """The one spelling of a word, with or without `'s`: American, abbreviations in full."""
    spellings = _spellings()
    if "'" not in word:
        return spellings.get(word, word)
    stem, mark, end = word.partition("'")
    return spellings.get(stem, stem) + mark + end
