"""`faithful` mode: two spellings of the same content are to compare equal, and two contents are not.

A line is cleaned (one spelling for one character), English number words and Chinese numerals become digits, and
dates, times, percentages, fractions, ratios, money and units get one form each; what is left of punctuation goes.
docs/normalization.md lists the forms, and where it fails. Punctuation tells where numbers end while there is any, but
what we put out has none and must mean the same to us, so the steps are repeated until nothing changes: normalizing
twice is normalizing once.
"""

import re
from functools import lru_cache, partial

from recipe.normalize import (
    capitals_en,
    dates_en,
    languages,
    measures,
    numbers_other,
    separators,
    words_en,
    words_ja,
    words_zh,
)
from recipe.normalize.characters import HAN
from recipe.normalize.steps import Note, Step, take
from recipe.normalize.unicode_text import SIGNS, clean

_CJK = f"{HAN}\u3041-\u3096\u30a1-\u30fe\u31f0-\u31ff"
_MAX_PASSES = 8  # one to change the line, one to see that nothing changes; rarely one more

_SCRIPT_CHANGE = re.compile(rf"(?<=[{_CJK}])(?=[a-z])|(?<=[a-z])(?=[{_CJK}])")

# --- Numbers in digits, in any language ---
_DIGIT = re.compile("[0-9]")
_SCIENTIFIC = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)?)e(?:\+|(-))0*(\d+)(?![\w.,]*\d)")
_TIME_ZONE = re.compile(r"\b(gmt|utc) ?([-+]) ?(?=\d)")
_SIGN_APART = re.compile(r"^- (?=[\d./ ]+%?$)")  # nothing else in the line
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
_END_OF_PHONE = re.compile(r"\d\d\d[- .]\d\d\d\d")
_LEADING_ZERO_HOUR = re.compile(r"(?<![\d.:/-])0(?=\d:[0-5]\d(?![\d/]))")
_COMPARISONS = {">=": "≥", "<=": "≤", "!=": "≠", "==": "="}
_COMPARISON = re.compile("[><!=]=")
_BRACKETED = re.compile("(?<![^ ])<(?! )([^<>]*)(?<! )>")  # <noise>, but not x < y
_TIGHT = re.compile(r"(?<=\d) ?\^ ?(?=-?\d)|(?<=\d) / (?=\d)")  # powers and fractions are one number
# Between two numbers, but ` -5` is a negative number.
_OPERATION = re.compile(r"(?<=[\d%])(?! -\d) ?([-+=×÷*<>~]) ?(?=-?\d)")

_WORD = rf"[^\s\d!-/:-@\[-`{{-~{_CJK}{SIGNS}°]+"
_TOKENS = (
    rf"[{_CJK}][\u0300-\u036f\u3099\u309a]*"  # one character with its marks; first, as there are many
    # A number: sign, parts of a decimal, time, fraction or power, and what belongs to it. No sign behind a letter.
    rf"|(?:(?<![^\W{_CJK}])(?<![%°)])-)?(?:(?<![\d,.])\d{{1,3}},\d{{3}}(?![\d,])|\d+)(?:[.:/]\d+|\^-?\d+)*(?:%|(?:st|nd|rd|th|s)(?![^\W{HAN}]))?"
    rf"|[{SIGNS}]"
    r"|(?<=[\d%] )[-+=*<>~](?= -?\d)|[=<>~](?= ?-?\d)"  # an operation
    r"|(?<=\w )[=<>+*&@^](?= -?\w)|(?<=\w)[=<>+*&@^](?=-?\w)"  # one between words, x > y or x>y
    r"|(?:(?<=\d)|(?<=\d ))\+(?![+\d]| \d)"  # 18+
    r"|(?<![a-z\d])#(?= ?\d)"  # a number sign in a line without letters, where it is no word
    r"|°[cf]?(?![a-z])"
    # Programming languages, grades.
    r"|(?=[a-f][+#])(?:(?<![a-z])c\+\+|(?<![a-z])[cf]#|(?<![a-z\d])[a-f]\+(?![+\w]))"
    rf"|{_WORD}(?:'{_WORD})*"
)
_TOKEN = re.compile(_TOKENS)
# In English, 5 g are grams and 5g a generation of mobile networks.
_ENGLISH_TOKEN = re.compile(rf"(?<![\w.])[2-6]g(?!\w)|{_TOKENS}")


def _dates(text: str, spoken: frozenset[str]) -> str:
    """Year, month, day in digits as they are said in English and Chinese, and in no other language's words."""

    def write(match: re.Match) -> str:
        year, month, day = match[1], int(match[3]), int(match[4])
        if not spoken or spoken & languages.EAST_ASIAN:
            return f"{year}年{month}月{day}日"
        return dates_en.date(year, month, day) if "en" in spoken else f"{year}/{month}/{day}"

    return _ISO_DATE.sub(write, text)


def _characters(text: str, declared: frozenset[str]) -> str:
    east_asian = languages.east_asian(text, declared)
    if east_asian:
        text = (words_zh if east_asian == "zh" else words_ja).prepare(text)
    text = clean(text, japanese=east_asian == "ja")
    if "<" in text:
        text = _BRACKETED.sub(r" \1 ", text)
    return _COMPARISON.sub(lambda match: _COMPARISONS[match[0]], text) if "=" in text else text


def _numbers(text: str, spoken: frozenset[str]) -> str:
    """Numbers that are in digits already, and dates of them; letters apart from Chinese."""
    if _DIGIT.search(text):
        text = separators.rewrite(text, spoken)
        if "." in text:
            text = _BARE_DECIMAL.sub("0.", text)
        if _END_OF_PHONE.search(text):
            text = _PHONE.sub(separators.digits_only, text)
        if "-" in text or "." in text or "/" in text:
            text = _dates(text, spoken)
        if "-" in text or "+" in text:
            text = _SCIENTIFIC.sub(lambda number: f"{number[1]}×10^{number[2] or ''}{number[3]}", text)
            text = _TIME_ZONE.sub(lambda zone: f"{zone[1]} {'-' if zone[2] == '-' else '+ '}", text)
            text = _SIGN_APART.sub("-", text)
    return _SCRIPT_CHANGE.sub(" ", text) if not text.isascii() and languages.LATIN.search(text) else text


def _units(text: str) -> str:
    if not _DIGIT.search(text):
        return text
    text = measures.rewrite(text)
    if ":" in text:
        text = _LEADING_ZERO_HOUR.sub("", text)
    text = _OPERATION.sub(lambda sign: f" {sign[1]} ", text)
    return _TIGHT.sub(lambda sign: sign[0].strip(), text) if "^" in text or " / " in text else text


def _tokens(text: str, spoken: frozenset[str]) -> str:
    if "en" not in spoken:
        return " ".join(_TOKEN.findall(text))
    token = _TOKEN if spoken & languages.EAST_ASIAN else _ENGLISH_TOKEN
    return " ".join(map(words_en.spell, token.findall(text)))


# Each step has the name that explanations call it by.
_OF_EAST_ASIAN: dict[str, Step] = {
    "zh": ("Chinese", words_zh.rewrite),
    "ja": ("Japanese", words_ja.rewrite),
}


@lru_cache(maxsize=1000)
def _cleaning(declared: frozenset[str]) -> tuple[Step, ...]:
    return (("characters", partial(_characters, declared=declared)),)


@lru_cache(maxsize=1000)
def _steps(spoken: frozenset[str]) -> tuple[Step, ...]:
    """What is done to a cleaned line in these languages."""
    steps = [("numbers in digits", partial(_numbers, spoken=spoken))]
    if "en" in spoken:
        steps.append(("English", partial(words_en.rewrite, alone=not spoken & languages.EAST_ASIAN)))
    steps += [step for code, step in _OF_EAST_ASIAN.items() if code in spoken]
    others = spoken - languages.WITH_RULES
    if len(others) == 1:
        steps.append(("number words", partial(numbers_other.rewrite, code=next(iter(others)))))
    return (*steps, ("units", _units), ("punctuation and spelling", partial(_tokens, spoken=spoken)))


def normalize(text: str, declared: frozenset[str] = frozenset(), note: Note | None = None) -> str:
    """The canonical form of a line, its tokens separated by single spaces.

    `declared` are the codes of the languages that the line is known to be in (`languages.of_label`); without any
    they are found from its characters and words, as it came. What showed them may be gone from the outcome (three
    is 3): then the languages of the outcome have their say, because it must mean the same to us. `note` is told what
    each step did.
    """
    steps: list[tuple[str, str, str]] = []
    remember = (lambda *step: steps.append(step)) if note else None
    cleaning = _cleaning(declared)
    cleaned = take(cleaning, text, remember)
    spoken = languages.of_line(cleaned, declared)
    if "en" in spoken and not spoken & languages.EAST_ASIAN and capitals_en.has_capitals(text):
        steps.clear()
        text = take((("capitals", capitals_en.read_capitals),), text, remember)
        cleaned = take(cleaning, text, remember)
    for _ in range(_MAX_PASSES):
        tried = cleaned, spoken
        before, text = text, take(_steps(spoken), cleaned, remember)
        if text == before:
            steps.clear()  # what the steps did took itself back, such as closing up characters and setting them apart
            found = languages.of_line(cleaned, declared)
            if found == spoken:
                break
            spoken = found
        for step in steps:
            note(*step)
        steps.clear()
        cleaned = take(cleaning, text, remember)
        if (cleaned, spoken) == tried and languages.of_line(cleaned, declared) == spoken:
            break  # the same steps would make the same text of it
    return text
