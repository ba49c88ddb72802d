"""Errors by group: which tokens and utterances belong to one, and what a fix would bring, on cases that are known."""

import json
import math
import random

import pytest

from recipe.data.manifest import Utterance
from recipe.files import RecipeError, write_lines
from recipe.score import grouped, kinds
from recipe.score.costs import GroupSums, Whole, cost
from recipe.score.grouped import GroupingFiles, group_errors, of_alignment, write_table
from recipe.score.policy import ScoringPolicy
from recipe.score.tokens import tokenize
from recipe.score.utterance import score_utterance

FAITHFUL = ScoringPolicy(mode="faithful")


def tokens(text):
    return tokenize(text, FAITHFUL).mixed


def chosen(text, places):
    found = tokens(text)
    return [found[place] for place in sorted(places)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set it to 40 %", ["4", "0"]),
        ("set it to forty percent", ["FORTY"]),
        ("one of them", []),
        ("调到 40 度", ["4", "0"]),
        ("调到四十度", ["四", "十"]),
        ("我们一起走", []),
        ("เวลา ๑๒ นาที", ["๑", "๒"]),
        ("MP3", ["MP3"]),
    ],
)
def test_numbers_carry_digits_or_are_number_words(text, expected):
    assert chosen(text, kinds.numbers(tokens(text))) == expected


@pytest.mark.parametrize(
    ("written", "language", "expected"),
    [
        ("Please call Tom at home.", "en", ["TOM"]),
        ("Call Tom. Then call Mary.", None, ["TOM", "MARY"]),
        ("Tom is here.", "en", []),
        ("I think I'm late, says Anna.", "en", ["ANNA"]),
        ("给 Tom 打电话。", "mix", ["TOM"]),
        ("给Tom打电话", None, ["TOM"]),
        ("The Lord Of The Rings", "en", []),
        ("TURN ON THE LIGHT", "en", []),
        ("Ich gehe in den Garten.", "de", []),
        ("Put the Apple on an apple.", "en", []),
        ("Она видела Анну вчера.", "ru", ["АННУ"]),
        ("打开客厅的灯", "zh", []),
        ("เปิดไฟ", "th", []),
    ],
)
def test_names_have_a_capital_inside_a_sentence(written, language, expected):
    assert chosen(written, kinds.names(tokens(written), written, language)) == expected


def test_hotwords_are_found_as_phrases_with_digits_joined_or_not():
    text = "call new york at 360 and york"
    assert chosen(text, kinds.hotwords(tokens(text), ["New York", "360"])) == ["NEW", "YORK", "3", "6", "0"]
    assert kinds.hotwords(tokens(text), []) == set()


def test_switches_are_between_scripts_and_numbers_belong_to_neither():
    text = "请把 living room 的灯调到 40"
    assert chosen(text, kinds.switches(tokens(text))) == ["LIVING", "的"]
    assert chosen(text, kinds.beside(tokens(text), kinds.switches(tokens(text)))) == [
        "请", "把", "LIVING", "ROOM", "的", "灯",
    ]  # fmt: skip
    assert kinds.switches(tokens("ひらがなとカタカナと漢字 7")) == []
    assert len(kinds.switches(tokens("เปิด light"))) == 1


def test_insertions_are_charged_to_the_token_before_them():
    found = of_alignment([("I", "", "oh"), ("C", "a", "a"), ("S", "b", "x"), ("I", "", "y"), ("D", "c", "")])
    assert (found.tokens, found.charged, found.errors) == (["a", "b", "c"], [1, 2, 1], 4)
    assert of_alignment([("I", "", "x")]).errors == 1  # of a reference without tokens


@pytest.fixture
def score(tmp_path):
    """Files of a score of (key, reference as written, hypothesis, labels)."""

    def write(rows, sound=(), hotwords=()):
        lines, manifest = [], []
        for key, ref, hyp, labels in rows:
            scored = score_utterance(key, ref.replace(".", ""), hyp, FAITHFUL)
            lines.append(json.dumps({"key": key, **labels, "alignment": scored.alignment}))
            manifest.append(json.dumps(Utterance(key, f"{key}.wav", "P", ref, 100, 3, labels.get("s", 1.0)).to_json()))
        write_lines(tmp_path / "utterances.jsonl", lines)
        write_lines(tmp_path / "manifest.jsonl", manifest)
        write_lines(tmp_path / "sound.tsv", ["key\tlevel_db\tspeech_over_noise_db", *sound])
        write_lines(tmp_path / "hotwords.txt", hotwords)
        names = ("utterances.jsonl", "manifest.jsonl", "sound.tsv", "hotwords.txt")
        return GroupingFiles(*(str(tmp_path / name) for name in names))

    return write


def by_name(files):
    return {(one.kind, one.name): one for one in group_errors(files)}


def test_points_of_a_group_are_what_its_errors_are_beyond_the_rest(score):
    """20 tokens, 5 errors: the speaker's 3 of 4 against 2 of 16, which is 0.125 a token."""
    rows = [
        ("a", "one two six ten", "one xx xx xx", {"speaker": "bad"}),
        ("b", "we go home now we go home now", "we go home now we go home xx", {"speaker": "good"}),
        ("c", "we go home now we go home now", "we go home xx we go home now", {"speaker": "good"}),
    ]
    found = by_name(score(rows))
    bad = found["speaker", "bad"]
    assert (bad.utterances, bad.tokens, bad.errors, bad.rate) == (1, 4, 3, 0.75)
    assert (bad.token_share, bad.error_share, bad.all_points) == (0.2, 0.6, 15.0)
    assert bad.excess == pytest.approx(100 * (3 - 4 * 0.125) / 20)
    assert (bad.low, bad.high, bad.examples) == (None, None, ("a",))
    assert found["speaker", "good"].excess == pytest.approx(100 * (2 - 16 * 0.75) / 20)
    assert found["word", "NOW"].errors == 2
    assert ("entity", "names") not in found
    assert found["duration", "0-2 s"].excess is None  # there is no rest


def test_every_kind_is_told_of_what_is_known(score):
    rows = [
        ("a", "Please call Tom at 40.", "please call tim at 50", {"language": "en", "speaker": "s", "group": "phone"}),
        ("b", "给 Tom 打电话", "给 tim 打电话", {"language": "mix", "speaker": "t", "s": 6.0}),
        ("c", "打开灯", "打开灯", {"language": "zh", "speaker": "t"}),
    ]
    found = by_name(score(rows, ["a\t-20.0\t12.5", "b\t-50.0\t"], ["a Tom", "* 电话"]))
    assert {kind for kind, _ in found} == {
        "word", "entity", "switch", "speaker", "group", "language", "duration", "level", "noise", "scripts",
    }  # fmt: skip
    assert (found["entity", "numbers"].tokens, found["entity", "numbers"].errors) == (2, 1)
    assert (found["entity", "names"].tokens, found["entity", "names"].errors) == (2, 2)
    assert (found["entity", "hotwords"].tokens, found["entity", "hotwords"].errors) == (3, 1)
    assert found["switch", "near a switch of scripts"].errors == 1
    assert found["duration", "5-10 s"].tokens == 5
    level = found["level", "under -45 dB"]
    assert (level.tokens, level.token_share) == (5, 5 / 11)  # of the measured ones
    assert found["noise", "10 to 20 dB"].excess is None
    assert found["scripts", "several in an utterance"].utterances == 1


def test_open_kinds_are_bounded_by_their_errors(score, monkeypatch):
    monkeypatch.setattr(grouped, "MOST", 2)
    rows = [(f"k{i}", f"alpha beta w{i}", f"x{i} beta y{i}", {"speaker": f"s{i}"}) for i in range(9)]
    found = by_name(score(rows))
    assert len([kind for kind, _ in found if kind == "speaker"]) == 2
    assert ("word", "ALPHA") in found and len([kind for kind, _ in found if kind == "word"]) == 2


def test_files_of_another_set_are_refused(score, tmp_path):
    files = score([("a", "x y", "x z", {})])
    write_lines(tmp_path / "manifest.jsonl", [])
    with pytest.raises(RecipeError, match="has no key 'a', which was scored"):
        group_errors(files)
    files = score([("a", "x y", "x z", {})], ["a -20"])
    with pytest.raises(RecipeError, match=r"sound.tsv:2: expected key, level and speech over noise"):
        group_errors(files)


def test_the_table_has_the_dearest_first_and_the_same_bytes_each_time(score, tmp_path):
    files = score([("a", "x y", "x z", {"speaker": "s"}), ("b", "x y", "x y", {"speaker": "t"})])
    write_table(str(tmp_path / "1.tsv"), group_errors(files))
    write_table(str(tmp_path / "2.tsv"), group_errors(files))
    text = (tmp_path / "1.tsv").read_text()
    assert text == (tmp_path / "2.tsv").read_text()
    excess = [line.split("\t")[8] for line in text.splitlines()[1:]]
    known = [float(one) for one in excess if one]
    assert known == sorted(known, reverse=True) and excess[: len(known)] == [one for one in excess if one]


def test_the_interval_is_as_wide_as_utterances_by_chance_make_it():
    """Against resampling the utterances themselves."""
    random.seed(4)
    utterances = []
    for _ in range(400):
        n, own = random.randint(4, 20), random.choice([0, 0, 1, 3])
        wrong = sum(random.random() < 0.4 for _ in range(own))
        utterances.append((own, wrong, n, wrong + sum(random.random() < 0.1 for _ in range(n - own))))

    def costs(sample):
        group, whole = GroupSums(), Whole()
        for own, wrong, n, errors in sample:
            whole.add(n, errors)
            if own:
                group.add("k", (own, wrong), (n, errors))
        return cost("entity", "x", group, whole)

    found = costs(utterances)
    drawn = [costs(random.choices(utterances, k=400)).excess for _ in range(400)]
    mean = sum(drawn) / len(drawn)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in drawn) / (len(drawn) - 1))
    assert found.high - found.excess == pytest.approx(1.97 * deviation, rel=0.12)
