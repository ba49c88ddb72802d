"""Marks that nobody said are taken out of a model's text; what merely looks like one stays."""

import pytest

from recipe.text import marks

REMOVED = {
    "/sil": "",
    "/sil。": "",
    "/sil，你好": "你好",
    "/sil/sil hello": "hello",
    "hello/sil world": "hello world",
    "hello /sil /sil world": "hello world",
    "/sil你好/sil再见。/sil": "你好再见。",
    "打开 /sil box": "打开 box",
    "안녕 [breath] 하세요": "안녕 하세요",
    "turn[breath]on the light.[SPK]": "turn on the light.",
    "[&][FIL] ok": "ok",
    "[SPK1] yes [noise] no": "yes no",
    "hello [laughter], world /sil.": "hello, world.",
    "<|zh|><|NEUTRAL|><|Speech|><|woitn|>今天天气": "今天天气",
    "<|nospeech|>": "",
    "<sil>hi</sil> there <br/>": "hi there",
    "FFFF hi endofbreak there endofpatch": "hi there",
}
KEPT = [
    "", "fine", "你好。", "/silver", "/SIL", "a/b", "and/or", "[1]", "[x]", "x[12]", "[see below]", "[中文]",
    "【breath】", "a < b and c > d", "<3", "<bob@example.org>", "《书名》", "0xFFFF", "FFFFFF", "breath",
    "spoken [ noise", "半\ufffd", "¿Qué?", "...well", "  spaces   stay ",
]  # fmt: skip


@pytest.mark.parametrize(("text", "spoken"), REMOVED.items())
def test_marks_are_removed_and_what_is_beside_them_joined(text, spoken):
    assert marks.remove(text) == spoken
    assert marks.remove(spoken) == spoken  # what an engine has removed already is not harmed


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_a_mark_stays(text):
    assert marks.remove(text) == text
