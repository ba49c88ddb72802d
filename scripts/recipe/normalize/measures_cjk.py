"""Units and money by their Chinese and Japanese names, with the names and symbols that `measures` knows."""

import re
from collections.abc import Mapping

from recipe.normalize.arithmetic import whole_range

_NUMBER = r"(?<![\d.])\d++(?:\.\d++)?"
_RANGE = rf"{_NUMBER}(?:[-~]\d++(?:\.\d++)?)?"

# --- Units: name or symbol here -> the one form ---
_UNITS_ZH = {
    "miles": "英里|哩|miles?|mi",
    "inches": "英寸|吋|inch(?:es)?",
    "ft": "呎",
    "yards": "码|yards?|yd",
    "nautical miles": "海里|浬|nautical miles?",
    "lbs": "磅|lbs?",
    "gallons": "加仑|gallons?",
    "pints": "品脱|pints?",
    "l": "公升|升|lit(?:er|re)s?",
    "dl": "分升", "μl": "微升", "dm": "分米|decimet(?:er|re)s?", "μg": "微克", "g": "公克(?!拉)",
    "sqcm": r"平方(?:厘米|公分)|cm\^2", "sqmm": r"平方毫米|mm\^2", "sqmi": "平方英里", "sqin": "平方英寸",
    "cucm": r"立方(?:厘米|公分)|cm\^3|cc", "cumm": r"立方毫米|mm\^3", "sqm": "平米|平方公尺",
    "mps": "米(?: ?每|/)秒(?:钟)?|m/s|met(?:er|re)s? per second",
    "kmps": "(?:公里|千米)(?: ?每|/)秒|km/s",
    "w": "瓦特|瓦(?![斯房解砾])", "mw": "兆瓦|megawatts?", "gw": "吉瓦", "wh": "瓦时",
    "v": "伏特|伏(?![击笔天兵])|volts?", "kv": "千伏", "mv": "毫伏", "ma": "毫安(?!时)", "mah": "毫安时",
    "ohms": "欧姆|ohms?|ω", "pa": "帕斯卡", "kpa": "千帕", "mpa": "兆帕", "hpa": "百帕",
    "j": "焦耳", "kj": "千焦耳?", "cal": "卡路里", "kcal": "千卡(?!车)|大卡", "hp": "马力",
    "khz": "千赫兹?", "μs": "微秒", "ns": "纳秒", "kb": "千字节", "tb": "太字节", "bytes": "字节|bytes?",
    "ct": "克拉", "mol": "摩尔", "lm": "流明", "rpm": "转每分钟?|转/分",
}  # fmt: skip
_UNITS_JA = {
    "kmh": "キロ(?:メートル)?毎時|キロ(?:メートル)?/時|km/時", "mps": "メートル毎秒|メートル/秒|m/s",
    "km": "キロ(?:メートル|メーター)", "cm": "センチ(?:メートル|メーター)?", "mm": "ミリ(?:メートル|メーター)",
    "nm": "ナノメートル", "μm": "マイクロ(?:メートル|メーター)", "kg": "キロ(?:グラム)", "mg": "ミリグラム",
    "μg": "マイクログラム",
    "l": "リットル|lit(?:er|re)s?", "ml": "ミリリットル", "dl": "デシリットル", "kl": "キロリットル", "cc": "シーシー",
    "sqm": "平方(?:メートル|メーター)|平米", "sqkm": "平方キロ(?:メートル)?", "sqcm": r"平方センチ(?:メートル)?|cm\^2",
    "cum": "立方(?:メートル|メーター)", "cucm": r"立方センチ(?:メートル)?|cm\^3",
    "miles": "マイル|miles?|mi", "inches": "インチ|inch(?:es)?", "ft": "フィート", "yards": "ヤード|yards?|yd",
    "gallons": "ガロン|gallons?", "oz": "オンス", "lbs": "lbs?", "ha": "ヘクタール", "a": "アール", "ct": "カラット",
    "w": "ワット", "kw": "キロワット(?!時)", "kwh": "キロワット時|キロワットアワー", "mw": "メガワット",
    "v": "ボルト", "kv": "キロボルト", "ohms": "オーム", "hz": "ヘルツ", "khz": "キロヘルツ",
    "mhz": "メガヘルツ", "ghz": "ギガヘルツ", "db": "デシベル", "bytes": "バイト|bytes?", "kb": "キロバイト",
    "mb": "メガバイト", "gb": "ギガバイト", "tb": "テラバイト", "cal": "カロリー", "kcal": "キロカロリー",
    "pa": "パスカル", "hpa": "ヘクトパスカル", "ms": "ミリ秒", "μs": "マイクロ秒", "ns": "ナノ秒",
}  # fmt: skip

# --- Money: the one name, in letters, for names, signs and codes ---
_CODES = {
    "dollars": r"us ?\$|usd|us dollars?", "euros": "eur", "pounds": "gbp", "yen": "jpy? ?¥|yen",
    "won": "krw ?₩?", "rupees": "inr ?₹?", "rubles": "rub ?₽?|rur", "元": "(?:cny|rmb|cnh|cn) ?¥?", "baht": "thb ?฿?",
    "hong kong dollars": r"hk ?\$|hkd", "taiwan dollars": r"nt ?\$|twd|ntd", "australian dollars": r"au?\$|aud",
    "canadian dollars": r"ca?\$|cad", "singapore dollars": r"s\$|sgd", "swiss francs": "chf", "dong": "vnd ?₫?",
    "lira": "try ?₺?", "shekels": "ils ?₪?", "reais": r"r\$|brl", "rand": "zar", "ringgit": "myr",
    "rupiah": "idr",
}  # fmt: skip
_SIGNS = {
    "dollars": r"\$", "euros": "€", "pounds": "£", "won": "₩", "cents": "¢", "rupees": "₹", "rubles": "₽", "lira": "₺",
    "dong": "₫", "baht": "฿", "pesos": "₱", "shekels": "₪",
}  # fmt: skip
_NAMES_ZH = {
    "won": "韩[元币圆]", "yen": "日[元圆币]", "rupees": "印度卢[比布]", "hong kong dollars": "港[元币]",
    "taiwan dollars": "新?台币|台湾元", "australian dollars": "澳[元币]|澳大利亚元",
    "canadian dollars": "加[元币]|加拿大元",
    "singapore dollars": "新加坡元|新币|坡币", "swiss francs": "瑞士法郎|瑞郎", "francs": "法郎", "baht": "泰铢|铢",
    "rupiah": "印尼盾", "dong": "越南盾", "pesos": "比索", "lira": "里拉", "shekels": "谢克尔", "reais": "雷亚尔",
    "rand": "兰特", "ringgit": "林吉特|马币", "dirhams": "迪拉姆", "元": "元?人民币",
    "dollars": "美元|美金|美刀", "euros": "欧元", "pounds": "英镑", "rubles": "卢布",
}  # fmt: skip
# Names that stand before the amount too: 人民币100元, 港币5块.
_BEFORE_ZH = {
    "元": "人民币",
    "hong kong dollars": "港[元币]",
    "taiwan dollars": "新?台币",
    "dollars": "美金",
    "yen": "日[元币]",
}
_NAMES_JA = {
    "yen": "円", "dollars": "米?ドル|アメリカドル", "euros": "ユーロ", "cents": "セント", "won": "韓国?ウォン|ウォン",
    "元": "人民元|中国元", "rupees": "インド?ルピー", "rubles": "ロシア?ルーブル", "baht": "タイ?バーツ|バーツ",
    "pesos": "ペソ",
    "hong kong dollars": "香港ドル", "taiwan dollars": "台湾ドル", "australian dollars": "豪ドル|オーストラリアドル",
    "canadian dollars": "カナダドル", "singapore dollars": "シンガポールドル", "swiss francs": "スイスフラン",
    "francs": "フラン", "pounds": "英?ポンド", "lira": "トルコリラ|リラ", "dong": "ベトナムドン",
}  # fmt: skip


class _Names:
    """Tables of names, which are regular expressions, by the form that is theirs."""

    def __init__(self, frame: str, *tables: Mapping[str, str]) -> None:
        """`frame` is the expression of a number and, at {}, a name."""
        self.forms: dict[str, str] = {}
        for table in tables:
            for form, names in table.items():
                self.forms[form] = f"{self.forms[form]}|{names}" if form in self.forms else names
        groups = "|".join(f"(?P<n{index}>{names})" for index, names in enumerate(self.forms.values()))
        self.pattern = re.compile(frame.replace("{}", groups))

    def sub(self, text: str) -> str:
        """The text with `NUMBER FORM ` for every number and its name."""
        return self.pattern.sub(self._form, text)

    def _form(self, match: re.Match) -> str:
        form = next(form for index, form in enumerate(self.forms) if match[f"n{index}"])
        return f"{whole_range(match['number'])} {form} "


_END = r"(?:(?<![a-z\d])|(?![a-z\d]))"  # of a name in letters
_BEHIND = rf"(?P<number>{_NUMBER}) ?(?:{{}}){_END}"
_BEHIND_JA = f"{_BEHIND}(?![ァ-ヺー])"
_AHEAD = rf"(?<![a-z])(?:{{}}) ?(?P<number>{_RANGE})(?: ?[元块])?(?![\d:/])"

_units_zh = _Names(_BEHIND, _UNITS_ZH)
_units_ja = _Names(_BEHIND_JA, _UNITS_JA)
_money_zh = _Names(_BEHIND, _CODES, _NAMES_ZH, {"yen": "jpy"})
_money_ja = _Names(_BEHIND_JA, _CODES, _NAMES_JA, {"yen": "jpy"})
_before_zh = _Names(_AHEAD, _CODES, _SIGNS, _BEFORE_ZH, {"元": "¥"})
_before_ja = _Names(_AHEAD, _CODES, _SIGNS, {"yen": "¥"})

# Where there may be a name: most numbers in running text have another character behind them.
_MAYBE_BEHIND = re.compile(r"\d ?(?:[^\W\d个年月日号点时時分元块岁人名位次]|日[元圆币]|元?人民)")
_MAYBE_AHEAD = re.compile(rf"[{''.join(_SIGNS.values())}¥a-z币金]|[港日]元")

# --- Degrees and speeds, whose words stand around the number ---
_TEMPERATURE = re.compile(rf"([摄攝摂][氏]|[华華]氏) ?(-?{_NUMBER}) ?(?:度|° ?[cf]?)?")
_DEGREE_NAME = re.compile(rf"({_NUMBER}) ?(摄氏|华氏)度")
_DEGREE_SIGN = re.compile(r"(?<=\d) ?°(?! ?[cf](?![a-z]))")
_PER_HOUR = re.compile(rf"每(?:个)?小时({_NUMBER}) ?(?:(公里|千米|km)|英里|miles?)(?![a-z])")
_PER_SECOND = re.compile(rf"每秒钟?({_NUMBER}) ?(?:(公里|千米|km)|米|m)(?![a-z])")
_SPEED_JA = re.compile(rf"(?:時速|毎時) ?({_NUMBER}) ?(?:キロ(?:メートル)?|km)(?![a-z])")
_SPEED_JA_SECOND = re.compile(rf"(?:秒速|毎秒) ?({_NUMBER}) ?(?:メートル|m)(?![a-z])")
_PERCENT_JA = re.compile(rf"({_NUMBER}) ?パーセント(?![ァ-ヺー])")
_NO_CENTS = re.compile(r"(?<=\d)\.00(?= ?[元円块])")

# --- Units of one letter, before case is folded ---
# 5g is grams, 5G is no unit; a letter that stands apart from its number may be either.
_NETWORK = "(?![Gg网手用时信基通技套芯卡频产应商终移牌])"
_LETTER_UNIT = re.compile(
    rf"(?<![A-Za-z\d.])(\d++(?:\.\d++)?)(?:(m)(?!\^|[²³])|((?<![2-6])g|g{_NETWORK})|(t))(?![A-Za-z\d/'])"
)
# What m, g and t are read.
LETTERS_ZH = ("米", "克", "吨")
LETTERS_JA = ("メートル", "グラム", "トン")


def name_letters(text: str, names: tuple[str, str, str]) -> str:
    """9m as 9米, in text whose letters are as they were written."""
    if "m" not in text and "g" not in text and "t" not in text:
        return text
    return _LETTER_UNIT.sub(lambda match: match[1] + names[match.lastindex - 2], text)


def _degrees(text: str) -> str:
    if "氏" in text:
        text = _DEGREE_NAME.sub(r"\2\1度", text)
        text = _TEMPERATURE.sub(lambda match: f"{match[2]}°{'f' if match[1][0] in '华華' else 'c'} ", text)
    return _DEGREE_SIGN.sub("度", text) if "°" in text else text


def rewrite_zh(text: str) -> str:
    """Units and money behind or around numbers in digits, in their one form."""
    text = _degrees(text)
    if "每" in text:
        text = _PER_HOUR.sub(lambda match: f"{match[1]} {'kmh' if match[2] else 'mph'} ", text)
        text = _PER_SECOND.sub(lambda match: f"{match[1]} {'kmps' if match[2] else 'mps'} ", text)
    if _MAYBE_AHEAD.search(text):
        text = _before_zh.sub(text)
    if _MAYBE_BEHIND.search(text):
        text = _money_zh.sub(_units_zh.sub(text))
    return _NO_CENTS.sub("", text) if ".00" in text else text


def rewrite_ja(text: str) -> str:
    """Units and money behind or around numbers in digits, in their one form."""
    text = _degrees(text)
    if "パ" in text:
        text = _PERCENT_JA.sub(r"\1%", text)
    if "速" in text or "毎" in text:
        text = _SPEED_JA_SECOND.sub(r"\1 mps ", _SPEED_JA.sub(r"\1 kmh ", text))
    if _MAYBE_AHEAD.search(text):
        text = _before_ja.sub(text)
    if _MAYBE_BEHIND.search(text):
        text = _money_ja.sub(_units_ja.sub(text))
    return _NO_CENTS.sub("", text) if ".00" in text else text
