"""Addresses of the web and of mail, as they are read aloud: `info@example.org` -> `info at example dot org`."""

import re

from recipe.normalize.numbers_en import DIGIT, one_by_one

_SCHEME = r"(?:https?|ftps?|file)://[^\s<>]+"
_MAIL = r"[a-z0-9][\w.+&%-]*+@[a-z0-9][a-z0-9-]*+(?:\.[a-z0-9-]++)+(?:/[^\s<>]*)?"
# Top domains and endings of files that are no English words: a missing space behind a period (`done.it was`) makes no
# address.
_ENDING = (
    "com|org|net|edu|gov|mil|info|biz|io|ai|app|dev|co|tv|uk|de|fr|ca|au|jp|cn|ru|br|eu|ch|nl|se|es|pl|kr|tw|hk|sg|nz|ie"
    "|jpe?g|png|gif|svg|pdf|txt|html?|js|json|py|csv|xml|zip|mp3|mp4|wav|exe|docx?|xlsx?|pptx?|php|ya?ml"
)
_DOMAIN = rf"(?:www\.[^\s<>]+|[a-z0-9-]++(?:\.[a-z0-9-]++)*?\.(?:{_ENDING})(?![\w-]|\.[a-z])(?:/[^\s<>]*)?)"
_ADDRESS = re.compile(rf"(?<![\w@./&+-])(?:{_SCHEME}|{_MAIL}|{_DOMAIN})")
_ALONE = re.compile(r"[a-z0-9-]{3,}(?:\.[a-z0-9-]+)*\.[a-z]{2,4}(?:/\S*)?")
_HANDLE = re.compile(r"(?<![^\s(\"'.:])@(?=[a-z])")
_HINT = re.compile(r"[@/.](?=[a-z0-9])")
_SIGNS = {
    "@": "at", ".": "dot", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "&": "ampersand",
    "?": "question mark", "=": "equals", "#": "hash", "~": "tilde", "+": "plus", "%": "percent",
}  # fmt: skip
_SIGN = re.compile("[@./_:&?=#~+%-]")
_SPOKEN = re.compile("dot|slash|dash|underscore")
_ALPHABET = re.compile("[a-z]")
_ZERO = r"(?:\d+|o|oh)"
_DIGITS_BEHIND_SIGN = re.compile(rf"(?<![a-z])(dot|slash|dash|underscore) ({DIGIT}(?: {DIGIT})+)(?![a-z0-9'])")
_DIGITS_BEFORE_AT = re.compile(rf"(?<![a-z0-9'])({DIGIT}(?: {DIGIT})+)(?= at (?:[a-z0-9]+ ){1, 8}?dot\b)")
_DOTTED = re.compile(rf"(?<![\w.]){_ZERO}(?: dot {_ZERO}){{2,}}(?![\w.])")


def _read(match: re.Match) -> str:
    address = match[0].rstrip(".,;:!?-")
    rest = match[0][len(address) :]
    if not _ALPHABET.search(address):
        return match[0]
    return f" {_SIGN.sub(lambda sign: f' {_SIGNS[sign[0]]} ', address)} {rest}"


def spell_signs(text: str) -> str:
    """Written addresses in words; numbers with points (an IP address, a version) stay."""
    if not _HINT.search(text):
        return text
    if " " not in text and _ALONE.fullmatch(text) and _ALPHABET.search(text):
        text = _read(_ALONE.fullmatch(text))
    text = _ADDRESS.sub(_read, text)
    return " ".join(_HANDLE.sub("at ", text).split())


def join_digits(text: str) -> str:
    """Digit words behind a spoken sign, or before the `at` of an address, are one number: `slash 12`."""
    if not _SPOKEN.search(text):
        return text
    text = text.replace(" g mail dot ", " gmail dot ")
    if " at " in text:
        text = _DIGITS_BEFORE_AT.sub(lambda match: one_by_one(match[1]), text)
    return _DIGITS_BEHIND_SIGN.sub(lambda match: f"{match[1]} {one_by_one(match[2])}", text)


def point_numbers(text: str) -> str:
    """Three numbers and more with `dot` between them, as in an IP address or a version, have points."""
    if not _SPOKEN.search(text):
        return text
    return _DOTTED.sub(lambda match: match[0].replace(" dot ", ".").replace("oh", "0").replace("o", "0"), text)
