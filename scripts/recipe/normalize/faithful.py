"""`faithful` mode: two spellings of the same content compare equal, and two contents never do.

A line is cleaned (one spelling for one character), English number words and Chinese numerals become digits, and
dates, times, percentages, fractions, ratios, money and units get one form each; what is left of punctuation goes.
docs/normalization.md lists the forms. Punctuation decides where numbers end while there is any, but a line without it
must mean the same to us, so the steps are repeated until nothing changes: normalizing twice is normalizing once.
"""

import re

from recipe.normalize import whisper
from recipe.normalize.numbers_en import digits_for_words
from recipe.normalize.numbers_zh import digits_for_numerals
from recipe.normalize.unicode_text import KANA, clean

_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CJK = f"{_HAN}\u3041-\u3096\u30a1-\u30fe\u31f0-\u31ff"
_NUMBER = r"(?<!\d)\d++(?:\.\d++)?"
_MAX_PASSES = 8

_ANY_HAN = re.compile(f"[{_HAN}]")
_HAN_PAIR = re.compile(f"[{_HAN}]{{2}}")

# --- English words -------------------------------------------------------------------------------------------------
_HAS = r"(?= (?:been|got|gone|done|had|become|made|taken|seen|never|already|just)\b)"
_CONTRACTIONS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"(?<!\bai)n't\b", " not"),
        (r"\blet's\b", "let us"),
        (rf"\b(it|he|she|that|what|who|there|here|where|how|when)'s\b{_HAS}", r"\1 has"),
        (r"\b(it|he|she|that|what|who|there|here|where|how|when)'s\b", r"\1 is"),
        (rf"\b(i|you|he|she|it|we|they|who|that|there)'d\b(?= (?:been|gone|done|better|had)\b)", r"\1 had"),
        (r"\b(i|you|he|she|it|we|they|who|what|that|there)'d\b", r"\1 would"),
        (r"(?<=[a-z])'re\b", " are"),
        (r"(?<=[a-z])'ll\b", " will"),
        (r"(?<=[a-z])'ve\b", " have"),
        (r"\bi'm\b", "i am"),
        (r"\bgonna\b", "going to"),
        (r"\bwanna\b", "want to"),
        (r"\bgotta\b", "got to"),
    )
]
_TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor", "vs": "versus"}
_INITIALS = re.compile(r"(?<![a-z0-9.'])(?:[a-z]\.)+[a-z](?![a-z0-9'])\.?|(?<![a-z0-9.'])(?:[a-z]\.){2,}(?![a-z0-9])")

# --- Numbers, once they are in digits --------------------------------------------------------------------------------
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_BARE_DECIMAL = re.compile(r"(?<![\d.a-z])\.(?=\d)")
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH_NAMES = {month[:3]: month for month in _MONTHS} | {"sept": "september"} | {month: month for month in _MONTHS}
_MONTH_DAY = re.compile(rf"\b({'|'.join(sorted(_MONTH_NAMES, key=len, reverse=True))})\.? (\d{{1,4}})(?:st|nd|rd|th)?\b")
_ISO_DATE = re.compile(
    r"(?<![\d./-])((?:19|20)\d\d)([-./])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01])(?![\d/-]|\.\d)"
)
_ZERO_IN_DATE = re.compile(r"(?<!\d)0(?=\d[月日号])")
_PHONE = re.compile(
    r"(?<![a-z\d.:/-])(?:(?:\+?\d{1,3}[- ])?(?:\(\d{2,4}\) ?|\d{2,4}-)\d{3,4}-\d{4}|0\d{2,3}-\d{7,8})(?![a-z\d/-]|[.:]\d)"
    r"|(?<![\d.:/-] )(?<![a-z\d.:/-])(?:\d{3} \d{3} \d{4}|1[3-9]\d \d{4} \d{4})(?![a-z\d/-]|[.:]\d| \d)"
)
_CLOCK = re.compile(r"(?<![\d.:/-])(\d{1,2})[点时](?:(\d{1,2})分(?!之)(?:(\d{1,2})秒)?|([1-5]\d)(?![\d.:/%]|[多万亿])|半|整|([13])刻)")
_DIGITAL_CLOCK = re.compile(r"(?<![\d.:/-])0(\d:[0-5]\d)(?![\d/])")
_PAST = re.compile(r"\b(half|quarter) past (\d{1,2})\b(?![.:/%]\d)|\bquarter to (\d{1,2})\b(?![.:/%]\d)")
_DECIMAL_POINT = re.compile(r"(?<![\d.])(\d+)点(\d+)(?![\d.]|[分刻])")
_PERCENT = re.compile(rf"({_NUMBER}) ?(?:%|percent\b|per cent\b)")
_PERCENT_ZH = re.compile(rf"百分之(-?{_NUMBER})")
_FRACTION_ZH = re.compile(r"(?<![\d.])(\d+|[千万])分之(\d+)(?![\d.])")
_PER_MILLE = re.compile(r"(?<![\d.])(\d++) ?‰")
_RATIO = re.compile(r"(?<![\d.:/])(\d+)比(\d+)(?![\d:/]|\.\d)")
_NEGATIVE = re.compile(r"(?:零下|负) ?(?=\d)")
_BELOW_ZERO = re.compile("零下(?= ?[0-9一二三四五六七八九十两百千])")
_BINARY = re.compile(r"(?<=[\d%]) ?([-+=×÷*<>~]) ?(?=-?\d)")

_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "元", "₩": "won", "¢": "cents"}
_SYMBOL_MONEY = re.compile(rf"(?:(?<![a-z])us ?(?=\$))?([$€£¥₩¢]) ?({_NUMBER})(?! ?元)")
_MONEY_SYMBOL = re.compile(rf"({_NUMBER}) ?([$€£¥₩¢])(?!\d)")
_MONEY_WORD = re.compile(rf"({_NUMBER}) ?(?:(us dollars?|dollars?|美元|美金)|(euros?|欧元)|(pounds?|英镑)|(cents?|美分))(?![a-z])")
_CENTS = re.compile(r"(?<![\d.:/])(\d+) (dollars|euros|pounds) (?:and )?(\d{1,2}) cents\b")

_UNIT_NAMES = {
    "km": ["kilometers?", "kilometres?", "kms", "公里", "千米"],
    "kg": ["kilograms?", "kilogrammes?", "kilos?", "kgs", "公斤", "千克"],
    "cm": ["centimeters?", "centimetres?", "厘米", "公分"],
    "mm": ["millimeters?", "millimetres?", "毫米"],
    "mg": ["milligrams?", "毫克"],
    "ml": ["milliliters?", "millilitres?", "毫升"],
    "°c": ["degrees? celsius", "degrees? centigrade", "° c", "摄氏度"],
    "°f": ["degrees? fahrenheit", "华氏度"],
    "m2": ["square meters?", "square metres?", "平方米"],
    "km2": ["square kilometers?", "square kilometres?", "平方公里", "平方千米"],
}
_UNIT = re.compile(
    rf"({_NUMBER}) ?(?:"
    + "|".join(f"({'|'.join(sorted(names, key=len, reverse=True))})" for names in _UNIT_NAMES.values())
    + r")(?![a-z])"
)
_UNITS = list(_UNIT_NAMES)

_ASCII_PUNCTUATION = r"!-/:-@\[-`{-~"
_WORD = rf"[^\s\d{_ASCII_PUNCTUATION}{_CJK}°×÷±√]+"
_TOKEN = re.compile(
    r"\d{4}-\d\d-\d\d(?![\d-])"
    rf"|(?:(?<![^\W{_HAN}])(?<![%°)])-)?\d+(?:[.:/^]\d+)*(?:%|(?:st|nd|rd|th|s)(?![^\W{_HAN}]))?"
    r"|(?<=[\d%] )[-+=×÷*<>~](?= -?\d)|[=<>±√](?= ?-?\d)"
    r"|°[cf]?(?![a-z])"
    r"|(?<![a-z])c\+\+|(?<![a-z])[cf]#"
    rf"|[{_CJK}][\u0300-\u036f\u3099\u309a]*"
    rf"|{_WORD}(?:'{_WORD})*"
)
_HAN_GAP = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}])")
_NUMBER_GAP = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}\d-])|(?<=[\d%]) (?=[{_HAN}])")
_SCRIPT_CHANGE = re.compile(rf"(?<=[{_CJK}])(?=[a-z])|(?<=[a-z])(?=[{_CJK}])")


def _english_words(text: str) -> str:
    """Contractions spelled out, initials joined, number words as digits, numbers beside English words in one form."""
    if "'" in text or "gonna" in text or "wanna" in text or "gotta" in text or "cannot" in text:
        for pattern, replacement in _CONTRACTIONS:
            text = pattern.sub(replacement, text)
    text = _INITIALS.sub(lambda initials: initials[0].replace(".", "") + " ", text)
    text = digits_for_words(text)
    text = _PAST.sub(_clock_past, text)
    return _MONTH_DAY.sub(lambda match: f"{_MONTH_NAMES[match[1]]} {match[2]}", text)


def _clock_past(match: re.Match) -> str:
    if match[3]:
        return f"{(int(match[3]) - 2) % 12 + 1}:45"
    return f"{match[2]}:{30 if match[1] == 'half' else 15}"


def _chinese_words(text: str) -> str:
    """Numerals as digits, then dates, times, fractions, ratios and signs in one form."""
    if not _HAN_PAIR.search(text):  # characters set apart, as some corpora are written
        text = _HAN_GAP.sub("", text)
    text = _BELOW_ZERO.sub("负", text.replace("百分之百", "100%"))
    text = _NUMBER_GAP.sub("", digits_for_numerals(text))
    text = _ZERO_IN_DATE.sub("", text)
    text = _NEGATIVE.sub("-", text)
    text = _CLOCK.sub(_clock, text)
    text = _DECIMAL_POINT.sub(r"\1.\2", text)
    text = _PERCENT_ZH.sub(r"\1%", text)
    text = _FRACTION_ZH.sub(_fraction, text)
    return _RATIO.sub(_ratio, text)


def _clock(match: re.Match) -> str:
    hour, rest = int(match[1]), match[0][-1]
    minute = match[2] or match[4] or {"半": "30", "整": "0"}.get(rest) or str(int(match[5]) * 15)
    if hour > 24 or int(minute) > 59:
        return match[0]
    second = f":{int(match[3]):02d}" if match[3] else ""
    return f"{hour}:{int(minute):02d}{second}"


def _fraction(match: re.Match) -> str:
    return f"{match[2]}/{ {'千': '1000', '万': '10000'}.get(match[1], match[1]) }"


def _ratio(match: re.Match) -> str:
    """3比2 as 3:2, but not where that would be a time of day."""
    could_be_clock = int(match[1]) <= 24 and len(match[2]) == 2 and int(match[2]) <= 59
    return match[0] if could_be_clock else f"{match[1]}:{match[2]}"


def _iso_date(text: str) -> str:
    """Year, month, day of a date in digits, written as a Chinese date unless the line is in a language of letters."""
    spelled = bool(_ANY_HAN.search(text)) or not re.search("[a-z]", text)

    def write(match: re.Match) -> str:
        year, month, day = match[1], int(match[3]), int(match[4])
        return f"{year}年{month}月{day}日" if spelled else f"{year}-{month:02d}-{day:02d}"

    return _ISO_DATE.sub(write, text)


def _money(text: str) -> str:
    """The amount and then the name of the currency: $8.16, eight dollars and sixteen cents -> 8.16 dollars."""
    text = _SYMBOL_MONEY.sub(lambda match: f"{match[2]} {_CURRENCIES[match[1]]} ", text)
    text = _MONEY_SYMBOL.sub(lambda match: f"{match[1]} {_CURRENCIES[match[2]]} ", text)
    names = ("dollars", "euros", "pounds", "cents")
    text = _MONEY_WORD.sub(lambda match: f"{match[1]} {names[match.lastindex - 2]} ", text)
    text = re.sub(" {2,}", " ", text)
    return _CENTS.sub(lambda match: f"{match[1]}.{int(match[3]):02d} {match[2]}", text)


def _measures(text: str) -> str:
    text = _PERCENT.sub(r"\1%", text)
    text = _PER_MILLE.sub(r"\1/1000", text)
    text = _UNIT.sub(lambda match: f"{match[1]} {_UNITS[match.lastindex - 2]} ", text)
    return _money(text)


def _phone(match: re.Match) -> str:
    return re.sub(r"\D", "", match[0])


def _token(token: str) -> str:
    token = _TITLES.get(token, token)
    return whisper.spelling().get(token, token)


def _pass(text: str) -> str:
    text = clean(text)
    text = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)
    text = _PHONE.sub(_phone, _BARE_DECIMAL.sub("0.", text))
    text = _SCRIPT_CHANGE.sub(" ", _iso_date(text))
    if not text.isdigit():
        text = _english_words(text)
    if _ANY_HAN.search(text) and not KANA.search(text):
        text = _chinese_words(text)
    text = _DIGITAL_CLOCK.sub(r"\1", _measures(text))
    text = _BINARY.sub(r" \1 ", text)
    return " ".join(map(_token, _TOKEN.findall(text)))


def normalize(text: str) -> str:
    """The canonical form of a line, its tokens separated by single spaces."""
    for _ in range(_MAX_PASSES):
        before, text = text, _pass(text)
        if text == before:
            break
    return text
