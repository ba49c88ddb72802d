"""Languages: one list of names, and what is no name of a single known language."""

import pytest
from conftest import ROOT

from recipe.text import languages, prompt
from recipe.text.languages import LANGUAGE_NAMES_EN, LANGUAGE_NAMES_ZH, UnknownLanguage, canonical, several

KNOWN = {
    "zh": "zh ZH zh-CN zh_TW zh-Hans-CN zh_cmn_Hant_TW cmn zho chi cmn-Hans-CN chinese Chinese CHINESE 中文 汉语 漢語 "
    "普通话 国语 華語 mandarin Mandarin_Chinese Chinese_(Mandarin) ｚｈ",
    "yue": "yue yue-HK yue_Hant_HK zh-yue zh-yue-HK cantonese 粤语 粵語 廣東話 广东话 Chinese_(Cantonese)",
    "en": "en EN eng en-US en_US en-GB-oxendict en-001 en_US.UTF-8 English english 英文 英语 英語",
    "tl": "tl fil tgl fil-PH tl_PH Tagalog Filipino 菲律宾语",
    "ja": "ja jpn ja-JP Japanese 日文 日语 日本語 日语",
    "ko": "ko kor ko_KR Korean 韩文 韩语 韓語 한국어",
    "el": "el ell gre Greek ελληνικά 希腊语 希腊文",
    "ro": "ro ron rum mo Romanian romanian_(Moldova)",
    "cs": "cs ces cze čeština ČEŠTINA",
    "id": "id ind in id-ID Bahasa_Indonesia 印尼语 印度尼西亚语",
    "ms": "ms msa may zsm ms-zsm Malay 马来语 馬來語",
    "et": "et est ekk",
    "lv": "lv lav lvs",
    "sk": "sk slk slo",
    "sl": "sl slv Slovene",
    "hr": "hr hrv",
    "nl": "nl nld dut nl-BE Flemish",
}


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, names in KNOWN.items() for name in names.split()])
def test_a_language_is_known_by_all_its_names(code, name):
    assert canonical(name) == canonical(name.replace("_", " ")) == code


def test_every_language_is_known_by_code_and_by_its_names_in_the_prompts():
    assert len(LANGUAGE_NAMES_ZH) == len(LANGUAGE_NAMES_EN) == 31
    for code in LANGUAGE_NAMES_ZH:
        for name in (code, code.upper(), f"{code}-Latn-XK", LANGUAGE_NAMES_ZH[code], LANGUAGE_NAMES_EN[code]):
            assert canonical(name) == code
        assert languages._CODES[code] or code == "yue", "three letters, which tables of corpora have"


def test_no_name_stands_for_two_languages():
    seen = {}
    for code in LANGUAGE_NAMES_ZH:
        for word in f"{languages._CODES[code]}, {languages._WORDS[code]}".split(", "):
            assert not word or seen.setdefault(languages._key(word), code) == code, word


@pytest.mark.parametrize(
    "name",
    ["auto", "und", "mul", "multilingual", "", " ", "zh-en", "en_zh", "zh,en", "zh/en", "en zh", "English Chinese",
     "nan", "zh-wuu", "zh-min-nan", "xx", "e", "Klingon", "nospeech", "utt2lang", "null", "<|zh|>", "-", "中英",
     "Chinese (Cantonese, traditional)", "en-verylongsubtag"],
)  # fmt: skip
def test_what_is_no_single_known_language_is_refused(name):
    with pytest.raises(UnknownLanguage, match=r"is no known language.*known are zh, en, .*leaves it unsaid"):
        canonical(name)


@pytest.mark.parametrize(
    ("name", "meant"), [("Englsh", "english, en"), ("cantonse", "cantonese, yue"), ("mandrin", "mandarin, zh")]
)
def test_a_near_miss_is_told_what_was_meant(name, meant):
    with pytest.raises(UnknownLanguage, match=f"is {meant}, meant"):
        canonical(name)


def test_prompts_say_the_published_names_whatever_a_language_is_called():
    assert prompt.transcription_prompt("zh", "zh-CN") == prompt.transcription_prompt("zh", "zh") == "语音转写成中文："
    assert prompt.transcription_prompt("en", "cmn") == "Transcribe speech into Chinese: "
    with pytest.raises(UnknownLanguage):
        prompt.transcription_prompt("zh", "auto")


def test_the_language_of_an_utterance_counts_where_it_is_asked_for():
    each = prompt.prompt_maker("zh", prompt.EACH, True, "")
    assert [each("en_US", None), each("汉语", None), each(None, None)] == [
        "语音转写成英文：",
        "语音转写成中文：",
        "语音转写：",
    ]
    for _ in range(2):
        with pytest.raises(UnknownLanguage, match="'dialect7'"):
            each("dialect7", None)
    assert prompt.prompt_maker("zh", "Chinese", True, "")("dialect7", None) == "语音转写成中文："
    with pytest.raises(UnknownLanguage):
        prompt.prompt_maker("zh", "auto", True, "")


SEVERAL = """
mix Mixed MUL multilingual zh-en en_zh zh,en zh/en ja-zh-en en+zh 中英 中英混合 中文和英文 code-switching Code_Switch
"""


@pytest.mark.parametrize("name", [*SEVERAL.split(), "English Chinese", "Chinese and English", "zh en"])
def test_a_label_of_several_languages_is_known_and_cannot_be_asked_for(name):
    assert several(name)
    with pytest.raises(UnknownLanguage, match="that a prompt can name, but a label of several"):
        canonical(name)
    each = prompt.prompt_maker("zh", prompt.EACH, True, "")
    assert each(name, "灯") == prompt.transcription_prompt("zh", None, True, ["灯"]), "the language stays unsaid"
    with pytest.raises(UnknownLanguage):
        prompt.prompt_maker("zh", name, True, "")


OTHERS = "zh en zh-CN zh-yue en-US auto und cs mis nan zh-wuu Klingon null xx-zh zh-zh -"


@pytest.mark.parametrize("name", [*OTHERS.split(), "", " "])
def test_other_names_are_no_label_of_several_languages(name):
    assert not several(name)


def test_the_labels_of_the_bundled_corpus_are_known():
    for table in (ROOT / "data").glob("*/utt2lang"):
        for line in table.read_text(encoding="utf-8").splitlines():
            name = line.split()[1]
            assert several(name) or canonical(name)
