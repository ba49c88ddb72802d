"""Content of transcripts: what is not said is found by its form, ordinary content is left alone, and both are fast."""

import copy
import json
import re
import sys
import timeit
import unicodedata

import pytest
from conftest import ROOT, SHARED

from recipe.text import markup
from recipe.text.markup import ENTITY, INVISIBLE, KINDS, MARKUP, SPECIAL, Content, SpecialTokens

QWEN = (
    "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>",
)  # fmt: skip
CONTENT = Content(QWEN)

MARKS = [
    ("<|zh|><|NEUTRAL|><|Speech|><|woitn|>今天天气", "今天天气"),  # SenseVoice
    ("<|0.00|> so it goes.<|2.40|>", "so it goes."),  # Whisper
    ("hello <unk> world", "hello world"),
    ("<SPOKEN_NOISE> HELLO <UNK>", "HELLO"),  # Kaldi
    ("WELL <COMMA> YES <PERIOD>", "WELL YES"),  # GigaSpeech
    ("[laughter-yeah] right", "yeah right"),  # Switchboard
    ("so[laughter-so], it", "so so, it"),
    ("uh [vocalized-noise] [NOISE] no", "uh no"),
    ("{BREATH} thank you {SMACK}", "thank you"),  # TED-LIUM
    ("[+] 你好 [*]", "你好"),  # MagicData
    ("<sil>你好<%>吗", "你好吗"),  # AISHELL-4
    ("[SPK] 喂 [FIL][NPS]", "喂"),
    ("hello <noise>, world", "hello, world"),
    ("今天【笑声】，天气[咳嗽]很好（掌声）", "今天，天气很好"),
    ("(轻笑)是", "是"),
    ("（大笑聲）好", "好"),
    ("[背景音乐]", ""),
    ("（听不清）", ""),
    ("[Background_Noise 2] hi", "hi"),
    ("(speaking foreign language) hi", "hi"),
    ("[inaudible 00:12] hi", "hi"),
    ("[no speech]", ""),
    ("(Laughter and applause.)", ""),
    ("<background noise> hi", "hi"),
    ("{uh} well", "well"),
    ("((laughter)) hi (( )) there", "hi there"),
    ("♪ la la ♪", "la la"),
    ("*clears throat* hi", "hi"),
    ("%hesitation well !SIL", "well"),
    ("so /sil it", "so it"),
    ("&=laughs ok +noise+", "ok"),
    ("<i>hi</i> <font color=\"#fff\">there<br/>", "hi there"),
    ("{\\an8}hi", "hi"),
    ("<00:01.5>hi", "hi"),
    ("<s> a b </s>", "a b"),
    ("<|endofspeech|> hi", "hi"),
    ("［音楽］ (웃음)", ""),
    ("un<noise>known", "un known"),
]  # fmt: skip

ORDINARY = [
    "f(x) = (2024) [1] {x}", "a < b > c", "i <3 u", "x <y and z> w", "it's 50% off!", "and/or",
    "AT&T; R&D; &c. & more",
    "he said (the big one) yes", "说（中文）", "《红楼梦》<红楼梦>", "2 * 3 * 4", "*very* good",
    "[sic] [a] [New York]",
    "sala (um)", "<joe@example.com>", "wow !", "-> <- <> [] () {}", "5 > 3 < 7", "(door)",
    "(the end)", "（一）（大）（雨）", "C++ C#",
    "#music +1 + noise", "第三声(第三声)", "你 好 世 界", "ｈｅｌｌｏ　ＷＯＲＬＤ", "na NaN null",
    "(laughing-stock)", "「音乐」",
    "the noise (we heard it)",
    "a/b 1/2", "5 * noise * 3", "@home", "¿qué?", "“quoted”", "e.g. (i.e.)", "naïve café",
]  # fmt: skip
# Characters that show nothing, where they belong.
NEEDED = [
    "می\u200cخواهم", "क्\u200dष", "ত্\u200d", "ශ්\u200dරී", "നന്\u200dമ", "ᠬᠠ\u180eᠠ", "👩\u200d👩\u200d👧",
    "👩🏽\u200d🚀",
    "❤\ufe0f\u200d🔥", "❤\ufe0f", "1\ufe0f\u20e3", "葛\U000e0100城", "\u0600١٢", "\u06dd",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]  # fmt: skip
HIDDEN = [
    ("a\u200bb", "ab"), ("\ufeffhi", "hi"), ("a\u2028b", "a b"), ("a \u2029 b", "a b"), ("so\u00adft", "soft"),
    ("a \u200b b", "a b"), ("hi\u200b ", "hi "), ("\u202aabc\u202c", "abc"), ("\u200eabc\u200f", "abc"),
    ("a\u2060b", "ab"), ("a\u200cb", "ab"), ("x\u200d", "x"), ("今天\u200b天气", "今天天气"),
    ("\ufe0fhi a\ufe0f", "hi a"),
    ("\U000e0041x", "x"), ("می\u200c خواهم", "می خواهم"), ("\u200dक", "क"), ("\u3164", ""), ("\u200b", ""),
    ("\u2066ab\u2069\u061c", "ab"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MARKS)
def test_marks_of_other_tools_are_found_and_leave_what_was_said(text, said):
    found = CONTENT.findings(text)
    assert found and {kind for kind, _ in found} == {MARKUP}
    assert all(mark in text for _, mark in found)
    assert CONTENT.removed(text, {MARKUP}) == said
    assert CONTENT.removed(text, set(KINDS) - {MARKUP}) == text
    assert CONTENT.findings(said) == []


@pytest.mark.parametrize("text", [*ORDINARY, *NEEDED])
def test_ordinary_content_is_left_alone(text):
    assert CONTENT.findings(text) == []
    assert CONTENT.removed(text, KINDS) == text


@pytest.mark.parametrize(("text", "said"), HIDDEN)
def test_characters_that_show_nothing_are_found_and_removed(text, said):
    found = CONTENT.findings(text)
    assert found and all(kind == INVISIBLE and re.fullmatch("U\\+[0-9A-F]{4,6}", shown) for kind, shown in found)
    assert CONTENT.removed(text, {INVISIBLE}) == said


def test_special_tokens_are_those_of_the_model():
    assert CONTENT.findings("a <|im_end|> b <think>c") == [(SPECIAL, "<|im_end|>"), (SPECIAL, "<think>")]
    assert CONTENT.removed("a <|im_end|> b <think>c", {SPECIAL}) == "a b c"
    assert Content().findings("<think>") == [(MARKUP, "<think>")]
    assert Content(("[CLS]", "▁x▁y")).findings("[CLS] ▁x▁y") == [(SPECIAL, "[CLS]"), (SPECIAL, "▁x▁y")]


def test_entities_are_a_kind_of_their_own_and_leave_their_character():
    assert CONTENT.findings("AT&amp;T it&#39;s &#x4F60;") == [
        (ENTITY, "&amp;"),
        (ENTITY, "&#39;"),
        (ENTITY, "&#x4F60;"),
    ]
    assert CONTENT.removed("AT&amp;T it&#39;s &#x4F60;", {ENTITY}) == "AT&T it's 你"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [("<|im\u200b_end|>", (SPECIAL, "<|im_end|>")), ("&lt;|im_end|&gt;", (SPECIAL, "<|im_end|>")),
     ("&amp;amp;lt;unk&gt; a", (MARKUP, "<unk>")), ("[no&shy;ise]", (MARKUP, "[noise]")),
     ("<|im_<unk>end|>", (MARKUP, "<unk>")), ("<|im_end|<|im_end|>|>", (SPECIAL, "<|im_end|>"))],
)  # fmt: skip
def test_what_is_hidden_is_found_and_nothing_is_left_of_it(text, hidden):
    assert hidden in CONTENT.findings(text)
    left = CONTENT.removed(text, KINDS)
    assert CONTENT.findings(left) == [] and "im_end|>" not in left.replace(" |>", "")


def test_the_cases_that_were_seen():
    file = SHARED / "cases/tags.text"
    if not file.is_file():
        pytest.skip("needs ../shared")
    content = Content(markup.special_tokens(SHARED / "qwen3-tokenizer/tokenizer.json"))
    texts = dict(line.split(" ", 1) for line in file.read_text(encoding="utf-8").splitlines())
    kinds = {key: {kind for kind, _ in content.findings(text)} for key, text in texts.items()}
    assert {key for key in kinds if SPECIAL in kinds[key]} == {"k2", "k9"}
    assert {key for key in kinds if MARKUP in kinds[key]} == {"k1", "k3", "k4", "k5"}
    assert not any(kinds[key] for key in ("k6", "k7", "k8", "k10", "k11", "k12"))


def test_the_invisible_characters_are_unicode_s_but_for_those_with_a_reason():
    known = re.compile(f"[{markup._BLANK}]")
    shown = re.compile(f"[{markup._SHOWN}]")
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cf", "Zl", "Zp"):
            assert bool(known.match(character)) != bool(shown.match(character)), f"U+{code:04X}"
    assert len(known.findall("\u034f\u115f\u1160\u3164\uffa0")) == 5, "default-ignorable letters and marks"


@pytest.mark.parametrize("folder", ["models/tiny", "../shared/qwen3-tokenizer"])
def test_special_tokens_come_from_the_tokenizer_s_file(folder):
    file = ROOT / folder / "tokenizer.json"
    if not file.is_file():
        pytest.skip("needs ../shared")
    tokens = markup.special_tokens(file)
    assert {"<|im_end|>", "<|im_start|>", "<|object_ref_start|>"} <= set(tokens)
    assert ("<think>" in tokens) == ("qwen" in folder)


def test_words_that_were_added_to_a_vocabulary_are_no_special_tokens(tmp_path):
    added = [("covid", False), ("<think>", False), ("<|im_end|>", True)]
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps({"added_tokens": [{"content": name, "special": special} for name, special in added]}))
    assert markup.special_tokens(file) == ("<think>", "<|im_end|>")


def test_pieces_hold_no_special_token_and_are_the_text():
    special = SpecialTokens(["<|im_end|>", "ab", "ba", "\n", "  "])
    for text in ("", "plain \n  text", "<|im_end|>", "aba<|im_end|>", "abababa", "x<|im_end|><|im_end|>"):
        pieces = special.pieces(text)
        assert "".join(pieces) == text and all(special.first(piece) is None for piece in pieces)
    assert special.pieces("plain \n  text") == ["plain \n  text"]


def test_it_can_be_copied_as_to_another_process():
    assert copy.deepcopy(CONTENT).findings("<think>") == [(SPECIAL, "<think>")]


def test_long_texts_of_brackets_take_no_time():
    for part in ("[", "<|", "((", "*a", "&amp", "<a ", "[noise ", " \u200d", "<!--", "<a b=", "%a"):
        text = part * 3000
        started = timeit.default_timer()
        CONTENT.removed(text, KINDS)
        assert timeit.default_timer() - started < 1, part


def test_plain_texts_cost_a_search_of_characters():
    for text in (
        "he was not able to find his way back to the station that night",
        "今天天气怎么样，我们要不要去公园里面走一走？看看花。",
    ):
        spent = min(timeit.repeat(lambda: CONTENT.findings(text), number=2000, repeat=10)) / 2000  # noqa: B023
        assert spent < 3e-6, f"{spent * 1e6:.2f} us"
