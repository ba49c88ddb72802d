"""`faithful` mode: two spellings of the same content are to compare equal, and two contents are not.

A line is cleaned (one spelling for one character), English number words and Chinese numerals become digits, and
dates, times, percentages, fractions, ratios, money and units get one form each; what is left of punctuation goes.
docs/normalization.md lists the forms, and where it fails. Punctuation tells where numbers end while there is any, but
what we put out has none and must mean the same to us, so the steps are repeated until nothing changes: normalizing
twice is normalizing once.
"""

import re

from recipe.normalize import capitals_en, dates_en, languages, measures, words_en, words_ja, words_zh
from recipe.normalize.characters import HAN
from recipe.normalize.unicode_text import SIGNS, clean

_CJK = f"{HAN}\u3041-\u3096\u30a1-\u30fe\u31f0-\u31ff"
_MAX_PASSES = 8  # one to change the line, one to see that nothing changes; rarely one more

_ANY_HAN = re.compile(f"[{HAN}]")
_SCRIPT_CHANGE = re.compile(rf"(?<=[{_CJK}])(?=[a-z])|(?<=[a-z])(?=[{_CJK}])")
_LETTER = re.compile("[a-z]")

# --- Numbers in digits, in any language ---
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_BARE_DECIMAL = re.compile(r"(?<![\d.a-z])\.(?=\d)")
_ISO_DATE = re.compile(r"(?<![\d./-])((?:19|20)\d\d)([-./])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01])(?![\d/-]|\.\d)")
_PHONE = re.compile(
    r"(?<![a-z\d.:/-])"
    r"(?:(?:\+?\d{1,3}[- ])?(?:\(\d{2,4}\) ?|\d{2,4}-)\d{3,4}-\d{4}|0\d{2,3}-\d{7,8})"
    r"(?![a-z\d/-]|[.:]\d)"
    r"|(?<![\d.:/-] )(?<![a-z\d.:/-])"
    r"(?:\d{3} \d{3} \d{4}|\d{3}\.\d{3}\.\d{4}|1[3-9]\d \d{4} \d{4})"
    r"(?![a-z\d/-]|[.:]\d| \d)"
)
_LEADING_ZERO_HOUR = re.compile(r"(?<![\d.:/-])0(?=\d:[0-5]\d(?![\d/]))")
_COMPARISONS = {">=": "≥", "<=": "≤", "!=": "≠", "==": "="}
_COMPARISON = re.compile("[><!=]=")
_BRACKETED = re.compile("(?<![^ ])<(?! )([^<>]*)(?<! )>")  # <noise>, but not x < y
_TIGHT = re.compile(r"(?<=\d) ?\^ ?(?=-?\d)|(?<=\d) / (?=\d)")  # powers and fractions are one number
# Between two numbers, but ` -5` is a negative number.
_OPERATION = re.compile(r"(?<=[\d%])(?! -\d) ?([-+=×÷*<>~]) ?(?=-?\d)")

_WORD = rf"[^\s\d!-/:-@\[-`{{-~{_CJK}{SIGNS}°]+"
_TOKENS = (
    # A number: sign, parts of a decimal, time, fraction or power, and what belongs to it. No sign behind a letter.
    rf"(?:(?<![^\W{HAN}])(?<![%°)])-)?\d+(?:[.:/]\d+|\^-?\d+)*(?:%|(?:st|nd|rd|th|s)(?![^\W{HAN}]))?"
    rf"|[{SIGNS}]"
    r"|(?<=[\d%] )[-+=*<>~](?= -?\d)|[=<>~](?= ?-?\d)"  # an operation
    r"|(?<=\w )[=<>+*&@^](?= -?\w)|(?<=\w)[=<>+*&@^](?=-?\w)"  # one between words, x > y or x>y
    r"|(?:(?<=\d)|(?<=\d ))\+(?![+\d]| \d)"  # 18+
    r"|(?<![a-z\d])#(?= ?\d)"  # a number sign in a line without letters, where it is no word
    r"|°[cf]?(?![a-z])"
    r"|(?<![a-z])c\+\+|(?<![a-z])[cf]#|(?<![a-z\d])[a-f]\+(?![+\w])"  # programming languages, grades
    rf"|[{_CJK}][\u0300-\u036f\u3099\u309a]*"  # one character with its marks
    rf"|{_WORD}(?:'{_WORD})*"
)
_TOKEN = re.compile(_TOKENS)
# In English, 5 g are grams and 5g a generation of mobile networks.
_ENGLISH_TOKEN = re.compile(rf"(?<![\w.])[2-6]g(?!\w)|{_TOKENS}")


def _dates(text: str, declared: frozenset[str]) -> str:
    """Year, month, day in digits, as a Chinese date unless the line is in a language of letters."""
    in_letters = (_LETTER.search(text) or declared == {"en"}) and not _ANY_HAN.search(text)

    def write(match: re.Match) -> str:
        year, month, day = match[1], int(match[3]), int(match[4])
        return dates_en.date(year, month, day) if in_letters else f"{year}年{month}月{day}日"

    return _ISO_DATE.sub(write, text)


def _digits_only(match: re.Match) -> str:
    return re.sub(r"\D", "", match[0])


def _normalize_once(text: str, declared: frozenset[str]) -> str:
    text = clean(text)
    if "<" in text:
        text = _BRACKETED.sub(r" \1 ", text)
    text = _COMPARISON.sub(lambda match: _COMPARISONS[match[0]], text)
    text = _THOUSANDS.sub(_digits_only, text)
    text = _PHONE.sub(_digits_only, _BARE_DECIMAL.sub("0.", text))
    text = _SCRIPT_CHANGE.sub(" ", _dates(text, declared))
    spoken = languages.of_line(text, declared)
    if "en" in spoken:
        text = words_en.rewrite(text)
    if "zh" in spoken:
        text = words_zh.rewrite(text)
    if "ja" in spoken:
        text = words_ja.rewrite(text)
    text = _LEADING_ZERO_HOUR.sub("", measures.rewrite(text))
    text = _TIGHT.sub(lambda sign: sign[0].strip(), _OPERATION.sub(lambda sign: f" {sign[1]} ", text))
    token = _ENGLISH_TOKEN if "en" in spoken and not _ANY_HAN.search(text) else _TOKEN
    return " ".join(map(words_en.spell, token.findall(text)))


def normalize(text: str, declared: frozenset[str] = frozenset()) -> str:
    """The canonical form of a line, its tokens separated by single spaces.

    `declared` are the codes of the languages that the line is known to be in (`recipe.text.languages`); without any
    they are found from its characters and words.
    """
    if capitals_en.has_capitals(text) and "en" in languages.of_line(text.lower(), declared):
        text = capitals_en.read_capitals(text)
    for _ in range(_MAX_PASSES):
        before, text = text, _normalize_once(text, declared)
        if text == before:
            break
    return text
