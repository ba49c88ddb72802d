"""Money in English beyond the plain dollar: codes and signs of currencies, before and behind; `$10K`, `€3bn`."""

import re

from recipe.normalize.alternatives import one_of
from recipe.normalize.decimals import scale
from recipe.normalize.numbers_en import DIGIT_WORDS

# Codes that are no words.
_CODES = {
    "usd": "dollars", "eur": "euros", "gbp": "pounds", "jpy": "yen", "cny": "元", "rmb": "元", "inr": "rupees",
    "krw": "won", "rub": "rubles", "vnd": "dong", "thb": "baht", "ils": "shekels", "php": "philippine pesos",
    "mxn": "mexican pesos", "chf": "swiss francs", "sek": "swedish kronor", "nok": "norwegian kroner",
    "dkk": "danish kroner", "pln": "zloty", "brl": "reais", "zar": "rand", "myr": "ringgit", "idr": "rupiah",
    "aed": "dirhams", "sar": "riyals", "czk": "czech koruna", "huf": "forints", "egp": "egyptian pounds",
    "pkr": "pakistani rupees", "hkd": "hong kong dollars", "kwd": "kuwaiti dinars", "qar": "qatari riyals",
    "jod": "jordanian dinars", "lbp": "lebanese pounds", "kzt": "tenge", "mnt": "tugrik", "uah": "hryvnia",
    "bgn": "bulgarian leva", "jmd": "jamaican dollars", "ngn": "naira", "aud": "australian dollars",
    "cad": "canadian dollars", "nzd": "new zealand dollars", "sgd": "singapore dollars", "twd": "taiwan dollars",
}  # fmt: skip
_SIGNS = {
    "us$": "dollars", "a$": "australian dollars", "au$": "australian dollars", "c$": "canadian dollars",
    "ca$": "canadian dollars", "nz$": "new zealand dollars", "hk$": "hong kong dollars", "s$": "singapore dollars",
    "sg$": "singapore dollars", "nt$": "taiwan dollars", "r$": "reais", "mx$": "mexican pesos", "cn¥": "元",
    "rmb¥": "元", "jp¥": "yen", "¥": "yen", "rs.": "rupees", "rs": "rupees", "$": "dollars", "€": "euros",
    "£": "pounds", "₹": "rupees", "₩": "won", "l.e.": "egyptian pounds", "l.e": "egyptian pounds", "rm": "ringgit",
    "j$": "jamaican dollars",
}  # fmt: skip
_MARKS = {**_CODES, **_SIGNS}
_MARK = "|".join(re.escape(mark) for mark in sorted(_MARKS, key=len, reverse=True))
_AMOUNT = r"\d++(?:\.\d++)?"
_SUFFIXES = {"k": 3, "m": 6, "mm": 6, "mn": 6, "mil": 6, "b": 9, "bn": 9, "t": 12, "tn": 12}
_SUFFIX = "|".join(sorted(_SUFFIXES, key=len, reverse=True))
_BEFORE = re.compile(rf"(?<![a-z])({_MARK}) ?({_AMOUNT})(?: ?({_SUFFIX})(?![a-z\d]))?")
_BEHIND = re.compile(rf"(?<![\d.])({_AMOUNT}) ?({_SUFFIX})?+ ?({_MARK})(?![a-z\d])")
_NAMED = re.compile(rf"(?<![\d.])({_AMOUNT}) ?({_SUFFIX}) ?(?=(?:dollars?|euros?|pounds?|rupees?|yen|yuan)\b)")
# These are told by their names alone.
_NAMES = {
    "dollars": "(?:us|american|united states) dollars?|bucks?",
    "元": "(?:chinese )?yuan|renminbi",
    "yen": "japanese yen",
    "euros": "euros?",
    "pounds": "pounds? sterling|british pounds?",
    "rupees": "indian rupees?",
    "rubles": "russian r(?:ou|u)bles?",
    "won": "(?:south )?korean won",
    "hong kong dollars": "hong kong dollars?",
    "australian dollars": "australian dollars?",
    "canadian dollars": "canadian dollars?",
    "new zealand dollars": "new zealand dollars?",
    "singapore dollars": "singapore dollars?",
    "taiwan dollars": "(?:new )?taiwan dollars?",
    "swiss francs": "swiss francs?",
    "mexican pesos": "mexican pesos?",
    "philippine pesos": "philippine pesos?",
    "egyptian pounds": "egyptian pounds?|le",
    "kuwaiti dinars": "kuwaiti dinars?",
    "qatari riyals": "qatari ri[yj]?als?",
    "jordanian dinars": "jordanian dinars?",
    "lebanese pounds": "lebanese pounds?",
    "dirhams": "(?:emirati |uae )?dirhams?",
    "riyals": "saudi ri[yj]?als?",
    "ringgit": "(?:malaysian )?ringgits?",
    "tugrik": "tugriks?",
    "zloty": "zlotys?|zloties",
    "rand": "(?:south african )?rand",
}
_NAME = re.compile(rf"(?<![\d.])({_AMOUNT}) (?:{'|'.join(f'({name})' for name in _NAMES.values())})(?![a-z])")
_PENNY = re.compile(r"(?<= pounds )((?:and )?\d+) (?:penny|p)\b|(?<= pound )((?:and )?\d+) (?:penny|p)\b")
_PER_TIME = re.compile(
    r"(\d (?:dollars|cents|euros|pounds|pence|yen|rupees)) an? "
    r"(?=(?:hour|minute|day|week|month|year|night|person|head|pound|lb|kilo|kg|gallon|gal|mile|mi|share|barrel|ton)\b)"
)
_CENT_LETTER = re.compile(r"(?<= dollars and )(\d\d?) ?c\b|(?<= euros and )(\d\d?) ?c\b")
_NO_CENTS = re.compile(r"(?<= dollars) and 0 cents\b|(?<= euros) and 0 cents\b|(?<= pounds) and 0 pence\b")


_HINT = re.compile(
    one_of(
        f"{' '.join(_CODES)} dollar euro pound rupee rubl roubl yen yuan renminbi franc peso won dinar dirham "
        "rial riyal rijal ringgit tugrik zlot rand buck rm".split()
    )
    + r"|\$|€|£|¥|₹|₩|rs(?![a-z])| le\b|l\.e"
)


# Ten to ninety-nine, with nothing behind that would be counted.
_CENTS = re.compile(
    r"\b(dollars?|euros?|pounds?) "
    r"(ten|eleven|twelve|\w+teen|(?:twenty|thirty|fou?rty|fifty|sixty|seventy|eighty|ninety)"
    rf"(?:[ -](?:{DIGIT_WORDS}))?)(?=[.,;!?]?$|[.,;!?] )"
)


def cents_in_words(text: str) -> str:
    """`two dollars fifty` with `and` and `cents` around the fifty; before number words are digits."""
    if "dollar" not in text and "euro" not in text and "pound" not in text:
        return text
    return _CENTS.sub(lambda match: f"{match[1]} and {match[2]} {'pence' if match[1][0] == 'p' else 'cents'}", text)


def _scaled(amount: str, suffix: str | None) -> str:
    return scale(amount, _SUFFIXES[suffix]) if suffix else amount


def amounts(text: str) -> str:
    """The amount and then the currency's name: `US$3`, `3 USD` -> `3 dollars`, `¥30b` -> `30000000000 yen`."""
    if not _HINT.search(text):
        return text
    text = _BEFORE.sub(lambda match: f"{_scaled(match[2], match[3])} {_MARKS[match[1]]} ", text)
    text = _BEHIND.sub(lambda match: f"{_scaled(match[1], match[2])} {_MARKS[match[3]]} ", text)
    text = _NAMED.sub(lambda match: f"{_scaled(match[1], match[2])} ", text)
    text = _NAME.sub(lambda match: f"{match[1]} {list(_NAMES)[match.lastindex - 2]}", text)
    text = _PENNY.sub(lambda match: f"{match[1] or match[2]} pence", " ".join(text.split()))
    text = _CENT_LETTER.sub(lambda match: f"{match[1] or match[2]} cents", text)
    return _NO_CENTS.sub("", _PER_TIME.sub(r"\1 per ", text) if " a" in text else text)
