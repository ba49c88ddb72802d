"""Hotwords in training: some that are said among others that are not, the same for the same seed, epoch and key."""

import pytest
from stages import scp2jsonl
from tables import table_of

from recipe.data import manifest
from recipe.files import RecipeError
from recipe.model import network as model
from recipe.model.features import FrontEnd
from recipe.settings.train import HotwordSettings
from recipe.text.prompt import HOTWORD_HEADER, transcription_prompt
from recipe.train.dataset import Utterances
from recipe.train.hotwords import HotwordSampler, rare_words, words_of

TEXTS = ["call Amundsen now", "call Nansen now", "给阿蒙森打电话", "给南森打电话", "turn on the light", "turn it off"]
EVERY = HotwordSettings(share=1.0, max_words=4)
WORDS = words_of(EVERY, 1, TEXTS)


def test_words_are_the_rarest_of_each_text():
    words = rare_words(TEXTS, 1)
    assert {"Amundsen", "Nansen", "light"} <= set(words)
    assert any(character in word for word in words for character in "阿蒙")
    assert all(2 <= len(word) <= 4 for word in words if not word.isascii())


def test_prompts_list_words_that_are_said_and_words_that_are_not():
    hotwords = HotwordSampler(EVERY, 1, WORDS)
    drawn = [(text, hotwords.draw(epoch, text, text)) for epoch in range(50) for text in TEXTS]
    assert all(1 <= len(words) <= 4 or not words for _, words in drawn)
    assert all(len(set(words)) == len(words) for _, words in drawn)
    said = [sum(word in text for word in words) for text, words in drawn]
    others = [sum(word not in text for word in words) for text, words in drawn]
    assert 0.2 < sum(map(bool, said)) / len(drawn) < 0.9 and sum(map(bool, others)) / len(drawn) > 0.5
    places = {words.index("Nansen") for text, words in drawn if "Nansen" in text and "Nansen" in words}
    assert len(places) > 1


def test_draws_follow_from_seed_epoch_and_key():
    one, same, other = HotwordSampler(EVERY, 1, WORDS), HotwordSampler(EVERY, 1, WORDS), HotwordSampler(EVERY, 2, WORDS)
    draws = [[words.draw(epoch, "key", TEXTS[0]) for epoch in range(8)] for words in (one, same, other)]
    assert draws[0] == draws[1] != draws[2]
    assert len({tuple(words) for words in draws[0]}) > 4


def test_the_share_says_how_many_prompts_have_some():
    hotwords = HotwordSampler(HotwordSettings(share=0.3), 1, WORDS)
    drawn = sum(bool(hotwords.draw(0, f"key{i}", TEXTS[0])) for i in range(1000))
    assert 250 < drawn < 350


def test_a_word_inside_a_longer_one_is_not_said(tmp_path):
    (tmp_path / "words").write_text("sen\nNansen\n森打\n\n")
    listing = HotwordSettings(1.0, 4, str(tmp_path / "words"))
    hotwords = HotwordSampler(listing, 1, words_of(listing, 1, []))
    assert hotwords.said("call Nansen now") == ["Nansen"]
    assert hotwords.said("给南森打电话") == ["森打"]


@pytest.mark.parametrize("line", ["a,b", "x", 'say "hi"'])
def test_a_file_names_the_line_that_is_no_hotword(tmp_path, line):
    (tmp_path / "words").write_text(f"good\n{line}\n")
    with pytest.raises(RecipeError, match=r"words:2: .* is no hotword"):
        words_of(HotwordSettings(1.0, 4, str(tmp_path / "words")), 1, [])


def test_transcripts_without_words_are_an_error():
    with pytest.raises(RecipeError, match=r"augment\.hotwords\.file"):
        words_of(EVERY, 1, ["1 2 3"])


def test_items_get_the_prompt_of_decoding_and_their_tokens_are_counted(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    utterances = list(manifest.read(data_dir / "out" / "set.jsonl"))
    recognizer = model.load(full_model)
    front_end = FrontEnd(recognizer)
    hotwords = HotwordSampler(EVERY, 1, words_of(EVERY, 1, [u.text for u in utterances]))
    longest = hotwords.longest(front_end.context_tokens)
    plain = table_of(data_dir, front_end, utterances)
    table = table_of(data_dir / "listed", front_end, utterances, words=longest)
    listed = Utterances(table, front_end, hotwords=hotwords)
    words = hotwords.draw(3, utterances[0].key, utterances[0].text)
    expected = FrontEnd(recognizer).example(
        len(listed[3, 0].features), transcription_prompt(hotwords=words), utterances[0].text
    )
    assert words and listed[3, 0].example == expected
    for epoch in range(5):
        for i in range(len(utterances)):
            item = listed[epoch, i]
            assert len(item.example.input_ids) - len(item.features) <= table.row(i)["text"] + table.common_tokens
    assert table.row(0)["text"] > plain.row(0)["text"] + 10


def test_hotwords_that_the_data_has_are_left_alone(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    utterances = list(manifest.read(data_dir / "out" / "set.jsonl"))
    utterances[0].prompt = transcription_prompt(hotwords=["Nansen"])
    assert HOTWORD_HEADER in utterances[0].prompt
    recognizer = model.load(full_model)
    table = table_of(data_dir, FrontEnd(recognizer), utterances)
    listed = Utterances(table, FrontEnd(recognizer), hotwords=HotwordSampler(EVERY, 1, WORDS))
    assert listed[0, 0].example == Utterances(table, FrontEnd(recognizer))[0, 0].example
    assert listed[0, 1].example != Utterances(table, FrontEnd(recognizer))[0, 1].example
