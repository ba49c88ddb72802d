"""Tables that are read in step with the references: their order changes nothing, and the same one costs no memory."""

import json
import random

import pytest

from recipe.files import RecipeError
from recipe.score.in_step import InStep, repeated
from recipe.score.policy import ScoringPolicy
from recipe.score.run import ScoreInputs, score_files

COUNT = 60


def write(folder, name, lines, draw=None):
    """A table, its lines shuffled if there is something to draw from."""
    lines = list(lines)
    if draw:
        draw.shuffle(lines)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return str(folder / name)


def corpus(folder, draw):
    """Every kind of table: a key lacks a hypothesis, one details, one a speaker; there is a hypothesis too many."""
    folder.mkdir()
    keys = [f"u{i:03}" for i in range(COUNT)]
    details = [
        {"key": key, "duration": 1.0 + i % 9, "ended": "length" if i % 7 == 0 else "eos"} for i, key in enumerate(keys)
    ]
    labels = {"utt2spk": 5, "utt2lang": 2, "utt2group": 3}
    return ScoreInputs(
        write(folder, "ref", (f"{key} turn on light {i % 4}" for i, key in enumerate(keys))),
        write(folder, "hyp", (f"{key} turn on the light {i % 5}" for i, key in enumerate([*keys[1:], "extra"])), draw),
        compare=write(folder, "other", (f"{key} turn light {i % 3}" for i, key in enumerate(keys)), draw),
        hyp_jsonl=write(folder, "details.jsonl", (json.dumps(one) for one in details[:-1]), draw),
        durations=write(folder, "set.jsonl", (json.dumps({"key": key, "duration": 3.0}) for key in keys[:9]), draw),
        **{
            name: write(folder, name, (f"{key} {name}{i % count}" for i, key in enumerate(keys[:-count])), draw)
            for name, count in labels.items()
        },
    )


def scored(folder, draw):
    inputs = corpus(folder, draw)
    outputs = [str(folder / name) for name in ("cer.txt", "score.json", "utterances.jsonl")]
    score_files(inputs, ScoringPolicy(extra="ignore", bootstrap=20), *outputs)
    score = json.loads((folder / "score.json").read_text())
    del score["inputs"]
    return score, *((folder / name).read_text() for name in ("cer.txt", "utterances.jsonl"))


def test_the_order_of_tables_changes_nothing(tmp_path):
    expected = scored(tmp_path / "same", None)
    assert expected[0]["utterances"]["missing"] == expected[0]["utterances"]["extra"] == 1
    assert set(expected[0]["by_speaker"]) == {*(f"utt2spk{i}" for i in range(5)), "unknown"}
    assert expected[0]["flags"]["truncated"]["count"] == 9 and expected[0]["settings"]["unit"] == "speaker"
    for seed in range(3):
        assert scored(tmp_path / str(seed), random.Random(seed)) == expected


class TestInStep:
    def test_nothing_waits_where_the_order_is_the_same(self):
        table = InStep((f"u{i}", i) for i in range(100))
        for i in range(100):
            assert table.take(f"u{i}") == i and not table._waiting
        assert table.take("u5") is None and table.rest() == {}

    def test_what_is_passed_on_the_way_waits(self):
        table = InStep([("a", 1), ("b", 2), ("c", 3), ("d", 4)])
        assert [table.take(key) for key in ("c", "a", "none", "b")] == [3, 1, None, 2]
        assert table.rest() == {"d": 4}

    def test_a_key_that_came_twice_is_told_at_the_end(self):
        def twice():
            raise RecipeError("line 3")

        table = InStep([("a", 1), ("b", 2), ("a", 1)], twice)
        assert table.take("a") == 1
        with pytest.raises(RecipeError, match="line 3"):
            table.finish()
        InStep([("a", 1), ("b", 2)], twice).finish()
        InStep([], twice).finish()


def test_keys_that_come_twice_are_known_by_their_hashes():
    assert repeated(["a", "b", "a", "c", "c", "c"]) == {hash("a"), hash("c")}
    assert repeated([]) == frozenset()


@pytest.mark.parametrize(
    ("field", "content", "message"),
    [
        ("hyp_jsonl", '{"key": "u000"}\n{"key": "u001"}\n{"key": "u000"}\n', r"bad:3: expected a key that is new"),
        ("hyp_jsonl", '{"key": "u000"}\n{"key": "zz", "ended": "x"}\n', r"bad:2: ended is 'x'"),
        ("utt2spk", "u000 a\nu001 b\nu000 a\n", r"bad:3: key 'u000' appeared already on line 1"),
        ("durations", '{"key": "zz", "duration": -1}\n', r"bad:1: duration is -1"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_by_its_line_and_nothing_is_written(tmp_path, field, content, message):
    (tmp_path / "ref").write_text("u000 a\nu001 b\n")
    (tmp_path / "bad").write_text(content)
    inputs = ScoreInputs(str(tmp_path / "ref"), str(tmp_path / "ref"), **{field: str(tmp_path / "bad")})
    with pytest.raises(RecipeError, match=f"^{tmp_path}/{message}"):
        score_files(inputs, ScoringPolicy(), str(tmp_path / "out"), str(tmp_path / "json"), None)
    assert not (tmp_path / "out").exists() and not (tmp_path / "json").exists()
