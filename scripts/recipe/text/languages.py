"""Languages: the 31 that the published models are prompted with, and the names under which tables and users know them.

`canonical` is the one place that decides what a language's name means: "zh-CN", "cmn", "Chinese" and "普通话" are "zh".
`several` knows the labels of speech in more than one language, "mix" and "zh-en": scores are grouped by them, and no
prompt names them.
"""

import difflib
import re
import unicodedata
from functools import lru_cache

# Names in the published prompts, by the code that the recipe calls a language by.
LANGUAGE_NAMES_ZH = {
    "zh": "中文", "en": "英文", "ja": "日文", "yue": "粤语", "ko": "韩文", "vi": "越南语",
    "id": "印尼语", "th": "泰语", "ms": "马来语", "tl": "菲律宾语", "ar": "阿拉伯语", "hi": "印地语",
    "bg": "保加利亚语", "hr": "克罗地亚语", "cs": "捷克语", "da": "丹麦语", "nl": "荷兰语", "et": "爱沙尼亚语",
    "fi": "芬兰语", "el": "希腊语", "hu": "匈牙利语", "ga": "爱尔兰语", "lv": "拉脱维亚语", "lt": "立陶宛语",
    "mt": "马耳他语", "pl": "波兰语", "pt": "葡萄牙语", "ro": "罗马尼亚语", "sk": "斯洛伐克语", "sl": "斯洛文尼亚语",
    "sv": "瑞典语",
}  # fmt: skip
LANGUAGE_NAMES_EN = {
    "zh": "Chinese", "en": "English", "ja": "Japanese", "yue": "Cantonese", "ko": "Korean", "vi": "Vietnamese",
    "id": "Indonesian", "th": "Thai", "ms": "Malay", "tl": "Filipino", "ar": "Arabic", "hi": "Hindi",
    "bg": "Bulgarian", "hr": "Croatian", "cs": "Czech", "da": "Danish", "nl": "Dutch", "et": "Estonian",
    "fi": "Finnish", "el": "Greek", "hu": "Hungarian", "ga": "Irish", "lv": "Latvian", "lt": "Lithuanian",
    "mt": "Maltese", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "sk": "Slovak", "sl": "Slovenian",
    "sv": "Swedish",
}  # fmt: skip
# Other names, separated by commas: ISO 639-2/T, /B and 639-3 with the standard language of a macrolanguage and codes
# that were withdrawn; then words, English, Chinese and the language's own.
_CODES = {
    "zh": "zho, chi, cmn", "en": "eng", "ja": "jpn", "yue": "", "ko": "kor", "vi": "vie", "id": "ind, in", "th": "tha",
    "ms": "msa, may, zsm, zlm", "tl": "tgl, fil", "ar": "ara, arb", "hi": "hin", "bg": "bul", "hr": "hrv, scr",
    "cs": "ces, cze", "da": "dan", "nl": "nld, dut", "et": "est, ekk", "fi": "fin", "el": "ell, gre", "hu": "hun",
    "ga": "gle", "lv": "lav, lvs", "lt": "lit", "mt": "mlt", "pl": "pol", "pt": "por", "ro": "ron, rum, mo, mol",
    "sk": "slk, slo", "sl": "slv", "sv": "swe",
}  # fmt: skip
_WORDS = {
    "zh": "Mandarin, Mandarin Chinese, Chinese Mandarin, Standard Chinese, Simplified Chinese, Traditional Chinese, "
    "Putonghua, Guoyu, Zhongwen, 汉语, 华语, 国语, 普通话, 官话, 汉文, 华文, 现代汉语, "
    "简体中文, 繁体中文, 中国话, 中国语",
    "yue": "Yue, Yue Chinese, Cantonese Chinese, Chinese Cantonese, 广东话, 粤文, 粤话, 广府话, 广州话",
    "en": "American English, British English",
    "ja": "Nihongo, 日本话, 日本语",
    "ko": "Hangugeo, 한국어, 한국말, 조선말, 韩国语, 朝鲜语, 朝鲜文",
    "vi": "Tiếng Việt, Tieng Viet, 越语",
    "id": "Bahasa Indonesia, 印度尼西亚语, 印度尼西亚文",
    "th": "ไทย, ภาษาไทย",
    "ms": "Bahasa Melayu, Bahasa Malaysia, Malaysian, Melayu",
    "tl": "Tagalog, Pilipino, 他加禄语, 塔加洛语, 塔加路语",
    "ar": "Modern Standard Arabic, Standard Arabic, العربية, 现代标准阿拉伯语",
    "hi": "हिन्दी, हिंदी, 北印度语",
    "bg": "български, български език",
    "hr": "hrvatski",
    "cs": "čeština, česky, Czechian",
    "da": "dansk",
    "nl": "Flemish, Nederlands",
    "et": "eesti, eesti keel",
    "fi": "suomi",
    "el": "Modern Greek, ελληνικά, 现代希腊语",
    "hu": "magyar",
    "ga": "Gaeilge, Irish Gaelic, Gaelic Irish",
    "lv": "latviešu, latviešu valoda",
    "lt": "lietuvių, lietuvių kalba",
    "mt": "Malti",
    "pl": "polski",
    "pt": "português, Brazilian Portuguese, European Portuguese",
    "ro": "Moldavian, Moldovan, română, limba română",
    "sk": "slovenčina, slovensky",
    "sl": "Slovene, slovenščina, slovensko",
    "sv": "svenska",
}
# Characters of the Chinese names above that are written otherwise in traditional script.
_SIMPLIFIED = str.maketrans(
    "語話漢華國簡體東粵廣韓鮮馬來賓羅亞麥蘭愛臘爾脫維臺現標準",
    "语话汉华国简体东粤广韩鲜马来宾罗亚麦兰爱腊尔脱维台现标准",
)
_SEPARATORS = re.compile(r"[\s_,()-]+")
_REMARK = re.compile(r"\s*\([^()]*\)\s*$|[.@].*$")  # "English (United States)", "en_US.UTF-8"
_SUBTAG = re.compile(r"[a-z0-9]{1,8}")
# What tables call speech in more than one language, without saying which.
_SEVERAL = (
    "mix, mixed, mul, multi, multilingual, multiple languages, bilingual, codeswitch, codeswitched, codeswitching, "
    "code switch, code switched, code switching, codemixed, codemixing, code mixed, code mixing, code mix, codemix, "
    "混合, 混合语言, 多语言, 多语种, 多语, 双语, 语码转换, 中英, 中英文, 中英混合, 中英混杂, 中英夹杂, 中英双语"
)
_BETWEEN = re.compile(r"\s*(?:[-_/+&|,;，、]|\band\b|和|与|\s)\s*", re.IGNORECASE)
# Languages that are no region's code as well: "zh-en" means two languages, "id-ID" one.
_TWO_LANGUAGES = {"zh", "en", "ja", "ko", "hi", "da", "el", "cs"}


class UnknownLanguage(ValueError):
    """A name that is none of a known language; the message says which are known and what to do."""


def canonical(name: str) -> str:
    """The recipe's code ("zh", "en", "yue", ...) of a language by any of its names: ISO 639-1, 639-2 or 639-3 with or
    without script and region, the English or Chinese name, the one in the prompts, or its own; in any case, with `_`,
    `-` or spaces. UnknownLanguage for everything else: several languages at once, "auto", "und" and the like."""
    code, problem = _resolved(name)
    if code is None:
        raise UnknownLanguage(problem)
    return code


@lru_cache(maxsize=10_000)
def several(name: str) -> bool:
    """Whether a name is a label of speech in several languages: "mix", "code-switching" and the like, or two known
    languages and more ("zh-en", "English/Chinese"). A name that `canonical` knows is none."""
    if _resolved(name)[0]:
        return False
    return _key(name) in _LABELS or _all_languages(name)


def named(name: str) -> frozenset[str]:
    """Codes of the known languages that a name or a label of several names; none of "mix" and of unknown names."""
    code = _resolved(name)[0]
    return frozenset({code} if code else _parts(name) if _all_languages(name) else ())


def _parts(name: str) -> set[str | None]:
    return {_NAMES.get(_key(part)) for part in _BETWEEN.split(name.strip())}


def _all_languages(name: str) -> bool:
    parts = _parts(name)
    return len(parts) > 1 and None not in parts


@lru_cache(maxsize=10_000)
def _resolved(name: str) -> tuple[str | None, str]:
    """(code, "") or (None, what is wrong): a table repeats its names, the wrong ones too."""
    key, bare = _key(name), _key(_REMARK.sub("", unicodedata.normalize("NFKC", name)))
    code = _NAMES.get(key) or _tagged(bare)
    if code is None and len({_NAMES[word] for word in key.split() if word in _NAMES}) == 1:
        code = _NAMES.get(bare)  # not of "Chinese (Cantonese, traditional)"
    return code, "" if code else _problem(name, key)


def _key(name: str) -> str:
    """A name without what makes no difference: case, width, separators, traditional characters."""
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_SIMPLIFIED)
    return _SEPARATORS.sub(" ", plain).strip()


def _tagged(key: str) -> str | None:
    """The language of a tag as BCP 47 has them: the language itself, or a longer code of three letters after its
    macrolanguage (zh-yue, zh-cmn-Hans); scripts, regions and variants behind it change nothing."""
    first, *rest = key.split(" ")
    if len(first) not in (2, 3) or first not in _NAMES or not all(map(_SUBTAG.fullmatch, rest)):
        return None
    if rest and (rest[0] in _TWO_LANGUAGES or (len(rest[0]) == 3 and rest[0].isalpha())):
        return _NAMES.get(rest[0]) if (_NAMES[first], _NAMES.get(rest[0])) in _EXTENDED else None
    return _NAMES[first]


def _problem(name: str, key: str) -> str:
    near = difflib.get_close_matches(key, _NAMES, 1, 0.75)
    if key in _LABELS or _all_languages(name):
        meant = " that a prompt can name, but a label of several"
    else:
        meant = f" (is {near[0]}, {_NAMES[near[0]]}, meant?)" if near else ""
    return (
        f"{name!r} is no known language{meant}; known are {', '.join(LANGUAGE_NAMES_ZH)}, also by English and Chinese "
        "name, by ISO 639 code and with a region; without a language (null) the prompt leaves it unsaid"
    )


def _names() -> dict[str, str]:
    """Every name, as `_key` has it, with its code."""
    found: dict[str, str] = {}
    for code, chinese in LANGUAGE_NAMES_ZH.items():
        words = [code, chinese, LANGUAGE_NAMES_EN[code], *_CODES[code].split(", "), *_WORDS[code].split(", ")]
        # Chinese calls a language by its speech or its script, 英语 and 英文.
        words += [chinese[:-1] + ending for ending in "语文话" if len(chinese) > 2 or chinese[:-1] in "英日韩泰"]
        found |= {_key(word): code for word in words if word}
    return found


_NAMES = _names()
_LABELS = {_key(word) for word in _SEVERAL.split(", ")}
# (macrolanguage, language) of tags such as zh-yue and ms-zsm.
_EXTENDED = {("zh", "zh"), ("zh", "yue"), ("ms", "ms"), ("ms", "id"), ("ar", "ar"), ("yue", "yue")}
