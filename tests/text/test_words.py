"""Words of a text: their places, and to which word a sign belongs."""

import itertools

import pytest

from recipe.text.words import split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Set the light to 50%.", ["Set", "the", "light", "to", "50%."]),
        ("把 Anna 的灯调到50%。", ["把", "Anna", "的", "灯", "调", "到", "50%。"]),
        ("《红楼》好看！", ["《红", "楼》", "好", "看！"]),
        ("He said “no” – (loud).", ["He", "said", "“no” –", "(loud)."]),
        ("she 'd \"so\" it's", ["she", "'d", '"so"', "it's"]),
        ("안녕 하세요.", ["안녕", "하세요."]),
        ("é 👍🏽", ["é", "👍🏽"]),
        ("... — 。", []),
        ("", []),
    ],
)
def test_a_text_is_its_words_and_the_white_space_between_them(text, words):
    found = split(text)
    assert [text[word.start : word.end] for word in found] == words
    between = [text[a.end : b.start] for a, b in itertools.pairwise(found)]
    assert not "".join(between).strip()
