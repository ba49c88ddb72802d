"""Japanese numerals as digits: cardinals (千二 is 1002: no tenths), decimals, strings of digits."""

import re

from recipe.normalize.cardinals import DIGITS, UNITS, Grammar, about, digits_of_chains, read_cardinals, read_scaled
from recipe.normalize.decimals import scale

_GRAMMAR = Grammar(tenths=False, alone=frozenset("十百千"))

_DIGIT = "零〇一二三四五六七八九"
_NUMERAL = f"{_DIGIT}十百千万億兆京"
_UNIT = r"[十百千万億兆京]"
_FORMAL = str.maketrans("壱弐", "一二")
_ZERO = re.compile("(?<![ァ-ヺー])ゼロ(?![ァ-ヺー])")
_NO_INTEGER = re.compile(rf"(?<![\d{_NUMERAL}ァ-ヺー])コンマ(?=[\d{_DIGIT}])")
_COMMA_WORD = re.compile(rf"(?<=[\d{_NUMERAL}])コンマ(?=[\d{_DIGIT}])")
# Numerals, with digits before a unit among them (3万5千) or behind one (3万4000), and decimals behind 点. Words that
# only begin like one (百貨店) stay.
_RUN = re.compile(
    rf"(?<![\d.])(?![百千] ?(?:貨|科|合|姓|舌|葉|代|秋|夏|尋|鳥|駄))(?:\d++(?:\.\d++)? ?(?={_UNIT})|(?=[{_NUMERAL}]))"
    rf"(?:[{_NUMERAL}]|\d++(?= ?{_UNIT})|(?<=[百千万億兆京])\d++(?![.:/%\d-]|年))++"
    rf"(?:点([{_DIGIT}]++)(?![十点])([百千万億兆]?))?"
)
# A middle dot is a decimal point before two digits, before what is measured (二・五倍) or where nothing else is in the
# line, else it parts two things.
_MEASURED = (
    "[倍割度％%秒万億兆畳]|パーセント|ポイント|キロ|センチ|ミリ|マイクロ|ナノ|メガ|ギガ|テラ|ヘクタ|メートル|グラム|リットル|トン"
    "|ボルト|ワット|アンペア|オーム|ヘルツ|バイト|カロリー|デシベル|マイル|インチ|フィート|ポンド|オンス|ドル|ユーロ|平方|立方"
)
_MIDDLE_DOT = re.compile(
    rf"(?<=[\d{_NUMERAL}])[・･](?=[\d{_DIGIT}]{{2}}|[\d{_DIGIT}](?:{_MEASURED}|[a-zA-Z]{{1,3}}(?![a-zA-Z])))"
    rf"|(?<=^[\d{_DIGIT}])[・･](?=[\d{_DIGIT}]$)"
)
_ELEMENT = re.compile(r"\d+(?:\.\d+)?|\D")


def _read(run: str) -> list[str]:
    elements = _ELEMENT.findall(run.replace(" ", ""))
    if all(element in DIGITS for element in elements):
        return ["".join(DIGITS[element] for element in elements)]
    if both := about(elements):
        return ["~".join(" ".join(read_cardinals(one, _GRAMMAR)) for one in both)]
    return read_scaled(elements, _GRAMMAR) or read_cardinals(elements, _GRAMMAR)


def _rewrite(match: re.Match) -> str:
    decimals, unit = match[1], match[2]
    parts = _read(match[0] if decimals is None else match[0].partition("点")[0])
    if decimals is not None:
        digits = "".join(DIGITS[numeral] for numeral in decimals)
        if parts[-1].isdigit():
            number = f"{parts[-1]}.{digits}"
            parts[-1] = scale(number, UNITS[unit]) if unit else number
        else:
            parts += ["点", digits, unit]
    return f"{' ' if match.string[match.start() - 1 : match.start()].isdigit() else ''}{' '.join(parts)}"


def point_for_middle_dot(text: str) -> str:
    """三・一四 as 三点一四, in text whose punctuation is still there."""
    return _MIDDLE_DOT.sub("点", text)


def digits_for_numerals(text: str) -> str:
    """Write the numerals of Japanese text as digits; a unit without a number (万 of 万年筆) stays."""
    if "ゼロ" in text:
        text = _ZERO.sub("零", text)
    text = text.translate(_FORMAL)
    if "コンマ" in text:
        text = _COMMA_WORD.sub("点", _NO_INTEGER.sub("零点", text))
    return _RUN.sub(_rewrite, digits_of_chains(text, _GRAMMAR))
