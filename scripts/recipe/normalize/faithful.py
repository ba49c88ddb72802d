"""`faithful` mode: two spellings of the same content are to compare equal, and two contents are not.

A line is cleaned (one spelling for one character), English number words and Chinese numerals become digits, and
dates, times, percentages, fractions, ratios, money and units get one form each; what is left of punctuation goes.
docs/normalization.md lists the forms, and where it fails. Punctuation tells where numbers end while there is any, but
what we put out has none and must mean the same to us, so the steps are repeated until nothing changes: normalizing
twice is normalizing once.
"""

import re

from recipe.normalize import measures, words_en
from recipe.normalize.characters import HAN
from recipe.normalize.numbers_zh import digits_for_numerals
from recipe.normalize.unicode_text import KANA, SIGNS, clean

_CJK = f"{HAN}\u3041-\u3096\u30a1-\u30fe\u31f0-\u31ff"
_MAX_PASSES = 8  # one to change the line, one to see that nothing changes; rarely one more

_ANY_HAN = re.compile(f"[{HAN}]")
_NUMBER_GAP = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}\d-])|(?<=[\d%]) (?=[{HAN}])")
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
_LEADING_ZERO_HOUR = re.compile(r"(?<![\d.:/-])0(\d:[0-5]\d)(?![\d/])")
_COMPARISONS = {">=": "≥", "<=": "≤", "!=": "≠", "==": "="}
_COMPARISON = re.compile("[><!=]=")
_BRACKETED = re.compile("(?<![^ ])<(?! )([^<>]*)(?<! )>")  # <noise>, but not x < y
_TIGHT = re.compile(r"(?<=\d) ?\^ ?(?=-?\d)|(?<=\d) / (?=\d)")  # powers and fractions are one number
# Between two numbers, but ` -5` is a negative number.
_OPERATION = re.compile(r"(?<=[\d%])(?! -\d) ?([-+=×÷*<>~]) ?(?=-?\d)")

# --- Chinese, its numerals in digits already ---
_BELOW_ZERO = re.compile("零下(?= ?[0-9一二三四五六七八九十两百千])")
_NEGATIVE = re.compile(r"负 ?(?=\d)")
_TWO_THREE = {"俩": "两个", "仨": "三个"}
_TWO_OR_THREE = re.compile("(?<!伎)([俩仨])个?")
_AND_HALF = re.compile(r"(?<![\d.])(\d+)个半(?=小时|钟头|月|星期|礼拜|世纪|学期)")
_ZERO_IN_DATE = re.compile(r"(?<!\d)0(?=\d[月日号])")
_CLOCK = re.compile(
    r"(?<![\d.:/-])(\d{1,2})[点时]"
    r"(?:(\d{1,2})分(?![之贝])(?:(\d{1,2})秒)?|([1-5]\d)(?![\d.:/%]|[多万亿])|(半|整)|([13])刻)"
)
_DECIMAL_POINT = re.compile(r"(?<![\d.])(\d+)点(\d+)(?![\d.刻])(?=(分(?!贝))?)")
_PERCENT = re.compile(r"百分之(-?\d++(?:\.\d++)?)")
_FRACTION = re.compile(r"(?<![\d.])(\d+|[千万])分之(\d+)(?![\d.])")
_RATIO = re.compile(r"(?<![\d.:/])(\d+)比(\d+)(?![\d:/]|\.\d)")

_WORD = rf"[^\s\d!-/:-@\[-`{{-~{_CJK}{SIGNS}°]+"
_TOKEN = re.compile(
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


def _chinese(text: str) -> str:
    """Numerals as digits, then dates, times, decimals, fractions, ratios and signs in one form."""
    text = _BELOW_ZERO.sub("负", text.replace("百分之百", "100%"))
    text = _TWO_OR_THREE.sub(lambda match: _TWO_THREE[match[1]], text)
    text = _AND_HALF.sub(r"\1.5个", _NUMBER_GAP.sub("", digits_for_numerals(text)))
    text = _NEGATIVE.sub("-", _ZERO_IN_DATE.sub("", text))
    text = _DECIMAL_POINT.sub(_decimal, _CLOCK.sub(_clock, text))
    text = _FRACTION.sub(_fraction, _PERCENT.sub(r"\1%", text))
    return _RATIO.sub(_ratio, text)


def _clock(match: re.Match) -> str:
    hour, minute, second, short_minute, word, quarters = match.groups()
    minutes = int(minute or short_minute or {"半": 30, "整": 0}.get(word) or int(quarters or 0) * 15)
    if int(hour) > 24 or minutes > 59:
        return match[0]
    return f"{int(hour)}:{minutes:02d}" + (f":{int(second):02d}" if second else "")


def _decimal(match: re.Match) -> str:
    """9点5分 is no decimal, but a time of day or neither; 90点5分 is a decimal."""
    integer, decimals, minutes = match.groups()
    return match[0] if minutes and len(integer) <= 2 and int(integer) <= 24 else f"{integer}.{decimals}"


def _fraction(match: re.Match) -> str:
    denominator = {"千": "1000", "万": "10000"}.get(match[1], match[1])
    return f"{match[2]}/{denominator}"


def _ratio(match: re.Match) -> str:
    """3比2 is 3:2, but where that would be a time of day it stays."""
    first, second = match.groups()
    could_be_clock = len(first) <= 2 and int(first) <= 24 and len(second) == 2 and int(second) <= 59
    return match[0] if could_be_clock else f"{first}:{second}"


def _dates(text: str) -> str:
    """Year, month, day in digits, as a Chinese date unless the line is in a language of letters."""
    in_letters = _LETTER.search(text) and not _ANY_HAN.search(text)

    def write(match: re.Match) -> str:
        year, month, day = match[1], int(match[3]), int(match[4])
        return words_en.date(year, month, day) if in_letters else f"{year}年{month}月{day}日"

    return _ISO_DATE.sub(write, text)


def _digits_only(match: re.Match) -> str:
    return re.sub(r"\D", "", match[0])


def _normalize_once(text: str) -> str:
    text = _COMPARISON.sub(lambda match: _COMPARISONS[match[0]], _BRACKETED.sub(r" \1 ", clean(text)))
    text = _THOUSANDS.sub(_digits_only, text)
    text = _PHONE.sub(_digits_only, _BARE_DECIMAL.sub("0.", text))
    text = _SCRIPT_CHANGE.sub(" ", _dates(text))
    if _LETTER.search(text):
        text = words_en.rewrite(text)
    if _ANY_HAN.search(text) and not KANA.search(text):
        text = _chinese(text)
    text = _LEADING_ZERO_HOUR.sub(r"\1", measures.rewrite(text))
    text = _TIGHT.sub(lambda sign: sign[0].strip(), _OPERATION.sub(r" \1 ", text))
    return " ".join(map(words_en.spell, _TOKEN.findall(text)))


def normalize(text: str) -> str:
    """The canonical form of a line, its tokens separated by single spaces."""
    for _ in range(_MAX_PASSES):
        before, text = text, _normalize_once(text)
        if text == before:
            break
    return text
