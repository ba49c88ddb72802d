"""English text in lower case: contractions, abbreviations and spelling, and the order in which all English rules act."""

import re

from recipe.normalize import clock_en, dates_en, letters_en, money_en, operations_en, romans_en, streets_en, units_en, web_en
from recipe.normalize.characters import HAN
from recipe.normalize.decimals import scale
from recipe.normalize.numbers_en import digits_for_words
from recipe.normalize.whisper import spelling

_PRONOUN = "it|he|she|that|what|who|there|here|where|how|when"
_SUBJECT = "i|you|he|she|it|we|they|who|what|that|there"
# What a possessive is not followed by: behind a noun, 's is `is` before these.
_NO_NOUN = "a|an|the|not|in|on|at|to|with|from|very|too|so|here|there|my|your|his|our|their|this|that|always|never|going|gonna"
_CONTRACTIONS = [
    (re.compile(pattern), full)
    for pattern, full in (
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"(?<!\bai)n't\b", " not"),
        (r"\blet's\b", "let us"),
        (r"\by'all\b", "you all"),
        (r"\bc'mon\b", "come on"),
        (r"\by'know\b", "you know"),
        (r"\bd'you\b", "do you"),
        (r"(?<!\w)'(?:cause|cuz|coz)\b", "because"),
        (r"(?<!\w)'em\b", "them"),
        (r"(?<!\w)'til\b", "until"),
        (r"(?<!\w)'bout\b", "about"),
        (r"(?<=\d)'s\b", "s"),  # the 1980's
        (rf"\b({_PRONOUN})'s (?=(?:been|got|gone|done|had|become|made|taken|seen|never|already|just)\b)", r"\1 has "),
        (rf"\b({_PRONOUN})'s\b", r"\1 is"),
        (rf"(?<=[a-z]{{2}})'s(?= (?:{_NO_NOUN})\b)", " is"),
        (r"^([a-z]{2,})'s(?=[.!?]*$)", r"\1 is"),
        (rf"\b({_SUBJECT})'d (?=(?:been|gone|done|better|had)\b)", r"\1 had "),
        (rf"\b({_SUBJECT})'d\b", r"\1 would"),
        (r"(?<=[a-z])'re\b", " are"),
        (r"(?<=[a-z])'ll\b", " will"),
        (r"(?<=[a-z])'ve\b", " have"),
        (r"\bi'm\b", "i am"),
        (r"^([^']*\b[a-z]{2,}in)'(?![\w'])", r"\1g"),  # killin', but no quotation
    )
]
_COLLOQUIAL = {
    "gonna": "going to", "wanna": "want to", "gotta": "got to", "gimme": "give me", "lemme": "let me", "kinda": "kind of",
    "sorta": "sort of", "outta": "out of", "lotta": "lot of", "dunno": "do not know", "cuz": "because", "tryna": "trying to",
    "imma": "i am going to", "gotcha": "got you", "hafta": "have to", "oughta": "ought to", "shoulda": "should have",
    "coulda": "could have", "woulda": "would have", "thru": "through", "tonite": "tonight", "alright": "all right",
}  # fmt: skip
_COLLOQUIAL_WORD = re.compile(rf"\b({'|'.join(_COLLOQUIAL)})\b(?!')")
# Abbreviations that are read as the word, and nothing else.
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "dr": "doctor", "prof": "professor", "sr": "senior", "jr": "junior", "maj": "major",
    "capt": "captain", "lt": "lieutenant", "sgt": "sergeant", "gov": "governor", "sen": "senator", "ltd": "limited",
    "cpl": "corporal", "pvt": "private", "cmdr": "commander", "adm": "admiral", "atty": "attorney", "assoc": "associate",
    "asst": "assistant", "inc": "incorporated", "bros": "brothers", "govt": "government", "intl": "international",
    "univ": "university", "corp": "corporation", "dept": "department", "approx": "approximately", "etc": "et cetera",
    "vs": "versus", "ok": "okay", "mt": "mount", "mts": "mountains", "hwy": "highway", "blvd": "boulevard", "pkwy": "parkway",
    "expy": "expressway", "jpg": "jpeg", "acknowledgement": "acknowledgment", "judgement": "judgment", "grey": "gray",
    "ageing": "aging", "doughnut": "donut", "doughnuts": "donuts",
}  # fmt: skip
# Those that are also words of their own need their period and a word behind it.
_WITH_PERIOD = {
    "gen": "general", "rep": "representative", "rev": "reverend", "col": "colonel", "st": "saint", "hon": "honorable",
    "ft": "fort", "pres": "president", "supt": "superintendent",
    "co": "company", "ave": "avenue", "rd": "road",
}  # fmt: skip
_TITLE = re.compile(rf"(?<![a-z0-9.'])(?<!\d )({'|'.join(_WITH_PERIOD)})\.(?: (?=[a-z])|$)")
# And these a number.
_BEFORE_NUMBER = {"no": "number", "nos": "numbers", "vol": "volume", "fig": "figure", "ext": "extension", "apt": "apartment", "pp": "pages"}
_NUMBERED = re.compile(rf"(?<![\w'])({'|'.join(_BEFORE_NUMBER)})\. ?(?=\d)")
_A_POUND = re.compile(r"\b(an?|half|per) lbs?\b\.?")
_AMPERSAND = re.compile(r"(?<=[a-z0-9.]) ?& ?(?=[a-z0-9])")
_NUMBER_SIGN = re.compile(r"(?<![a-z0-9#])# ?(?=\d)")
_SECTION_SIGN = re.compile(r"§+ ?(?=\d)")
_SIGN = re.compile("[#&§]")
_HALF_POWER = re.compile(r"(?<!\ba )\bhalf (?:a )?(?=(?:hundred|thousand|lakh|million|crore|billion|trillion)\b)")
_HALF_UNIT = re.compile(
    r"(?<!\band )(?<!\ba )(?<!\bone )(?<!\d )\bhalf (?:an? )?(?=(?:hour|minute|second|day|week|month|year|mile|inch|pound|ounce|gallon|pint|cup|dozen|acre"
    r"|met(?:er|re)|kilomet(?:er|re)|lit(?:er|re)|kilo|gram|ton)s?\b)"
)
_AND_HALF = re.compile(
    r"\b(?:an? |one |1 )(hour|minute|second|day|week|month|year|mile|pound|ounce|gallon|pint|cup|dozen|acre|ton|kilo) and a half\b"
)
_BELOW_ZERO = re.compile(r"(?<![\w.:/-])(\d[\d.]*) (degrees?(?: celsius| fahrenheit| [cf]\b)? )?below (?:zero|0)\b")
_INDIAN_GROUPS = re.compile(r"(?<![\d,.])\d{1,2}(?:,\d{2})+,\d{3}(?![\d,])")
_FEET_INCHES = re.compile(r"(?<![\d.:/])(\d{1,2})' ?(\d{1,2})(?:\"|'')")
_INCHES = re.compile(r'(?<=\d)"')
_COMMA_IN_NUMBER = re.compile(
    r"\b(thousand|million|billion|trillion), (?=(?:[a-z-]+ ){1,3}?(?:hundred|thousand|million)\b)"
)
_MIXED_FRACTION = re.compile(r"(?<![\d.:/-])(\d+)(?: and an? (half|third|quarter|1/\d+)| and(?= \d+/\d))\b")
_THOUSANDS = re.compile(r"(?<![\w.:/-])(?!40[13] ?k|457 ?k)(\d++(?:\.\d++)?) ?k(?![\w'])")
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


def rewrite(text: str) -> str:
    """A line in lower case with contractions spelled out, number words as digits, and one form for each date, time, amount
    and unit. In a line with Chinese, signs and letters behind numbers are left to its rules."""
    alone = not _ANY_HAN.search(text)
    if alone and '"' in text:
        text = _FEET_INCHES.sub(lambda match: f"{match[1]} ft {match[2]} inches", text)
    text = _spelled_out(text)
    if alone:
        if "," in text:
            text = _INDIAN_GROUPS.sub(lambda number: number[0].replace(",", ""), text)
        text = web_en.join_digits(web_en.spell_signs(text))
        text = operations_en.spoken_groups(dates_en.in_digits(text))
    if _SIGN.search(text):
        text = _NUMBER_SIGN.sub("number ", _AMPERSAND.sub(" and ", _SECTION_SIGN.sub("section ", text)))
    if "." in text:
        text = _NUMBERED.sub(lambda match: f"{_BEFORE_NUMBER[match[1]]} ", text)
    text = streets_en.addresses(text)
    if "." in text:
        text = letters_en.initials(_TITLE.sub(lambda title: f"{_WITH_PERIOD[title[1]]} ", text))
    text = clock_en.before_numbers(text)
    if "half " in text:
        text = _HALF_UNIT.sub("1/2 ", _HALF_POWER.sub("0.5 ", text))
    if " and a half" in text:
        text = _AND_HALF.sub(lambda match: f"1.5 {match[1]}s", text)
    if ", " in text:
        text = _COMMA_IN_NUMBER.sub(r"\1 ", text)
    text = digits_for_words(letters_en.before_numbers(text))
    if _DIGIT.search(text):
        text = dates_en.dates(clock_en.times(_MIXED_FRACTION.sub(_mixed_fraction, text)))
    return _signs_and_units(text) if alone else text


def _spelled_out(text: str) -> str:
    if "'" in text or "cannot" in text:
        for pattern, full in _CONTRACTIONS:
            text = pattern.sub(full, text)
    return _COLLOQUIAL_WORD.sub(lambda word: _COLLOQUIAL[word[1]], text)


def _signs_and_units(text: str) -> str:
    """The rules that only lines with digits need, units' names apart."""
    text = letters_en.join_letters(text)
    if " lb" in text:
        text = _A_POUND.sub(r"\1 pound", text)
    if not _DIGIT.search(text):
        return romans_en.numerals(units_en.symbols(text))
    text = web_en.point_numbers(text)
    if " below " in text:
        text = _BELOW_ZERO.sub(lambda match: f"-{match[1]} {match[2] or 'degrees '}", text)
    if text.count('"') == 1:
        text = _INCHES.sub(" inches", text)
    text = money_en.amounts(operations_en.operations(operations_en.groups(text)))
    text = _THOUSANDS.sub(lambda match: scale(match[1], 3), text)
    return romans_en.numerals(units_en.symbols(text))


_DIGIT = re.compile(r"\d")
_PARTS = {"half": "1/2", "third": "1/3", "quarter": "1/4"}


def _mixed_fraction(match: re.Match) -> str:
    return f"{match[1]} {_PARTS.get(match[2], match[2])}" if match[2] else match[1]


def spell(word: str) -> str:
    """The one spelling of a word, with or without `'s`: American, abbreviations in full."""
    stem, mark, end = word.partition("'")
    return (_ABBREVIATIONS.get(stem) or spelling().get(stem, stem)) + mark + end
