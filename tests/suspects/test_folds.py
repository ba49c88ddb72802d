"""Who judges whom."""

import pytest

from recipe.data import manifest
from recipe.files import RecipeError, json_line, read_json_lines
from recipe.suspects import folds


def write_set(path, count, seconds=lambda n: 1 + n / 1000, source=lambda n: f"{n}.wav"):
    """A manifest of utterances k0, k1, ..."""
    rows = [
        manifest.Utterance(f"k{n}", source(n), "", f"text {n}", 100, 2, round(seconds(n), 4)).to_json()
        for n in range(count)
    ]
    path.write_text("".join(f"{json_line(row)}\n" for row in rows))
    return str(path)


def keys(folder, kind, fold):
    return {record["key"] for _, record in read_json_lines(folds.manifest_file(folder, kind, fold))}


@pytest.fixture
def sets(tmp_path):
    return [
        folds.FoldedSet(role, "s", write_set(tmp_path / f"{role}.jsonl", count, lambda n, add=add: add + n / 1000))
        for role, count, add in (("train", 200, 1), ("valid", 30, 3), ("test", 40, 5))
    ]


def test_every_utterance_is_judged_once_by_a_model_that_was_trained_without_it(sets, tmp_path):
    folds.write(sets, 3, 1000, 1, tmp_path / "folds")
    judged = [keys(tmp_path / "folds", folds.HELD_OUT, fold) for fold in (1, 2, 3)]
    assert sum(map(len, judged)) == len(set.union(*judged)) == 270
    for fold, own in enumerate(judged, 1):
        trained = keys(tmp_path / "folds", folds.TRAIN, fold)
        assert not trained & own
        assert trained == {f"train/s/k{n}" for n in range(200)} - own
        assert not keys(tmp_path / "folds", folds.VALID, fold) & own


def test_copies_of_a_recording_go_to_one_fold(tmp_path):
    first = write_set(tmp_path / "a.jsonl", 300)
    second = write_set(tmp_path / "b.jsonl", 300, source=lambda n: f"copies/{n}.wav")
    sets = [folds.FoldedSet("train", "a", first), folds.FoldedSet("test", "b", second)]
    folds.write(sets, 3, 1000, 1, tmp_path / "folds")
    for fold in (1, 2, 3):
        trained = {key.rpartition("/")[2] for key in keys(tmp_path / "folds", folds.TRAIN, fold)}
        judged = {key.rpartition("/")[2] for key in keys(tmp_path / "folds", folds.HELD_OUT, fold)}
        assert not trained & judged


def test_clips_of_one_length_are_dealt_out_all_the_same(tmp_path):
    one = folds.FoldedSet("train", "a", write_set(tmp_path / "a.jsonl", 300, seconds=lambda n: 1.0))
    written = folds.write([one], 3, 1000, 1, tmp_path / "folds")
    assert all(60 < written[f"held_out.{fold}.jsonl"] < 140 for fold in (1, 2, 3))


def test_a_set_that_is_not_judged_is_trained_on(sets, tmp_path):
    given = [folds.FoldedSet(one.role, one.name, one.path, one.role == "test") for one in sets]
    written = folds.write(given, 2, 1000, 1, tmp_path / "folds")
    assert written["held_out.1.jsonl"] + written["held_out.2.jsonl"] == 40
    assert written["train.1.jsonl"] + written["train.2.jsonl"] == 200


def test_no_more_are_trained_on_than_asked_for(sets, tmp_path):
    written = folds.write(sets, 2, 40, 1, tmp_path / "folds")
    assert 20 <= written["train.1.jsonl"] <= 60


def test_the_base_model_judges_all(sets, tmp_path):
    assert folds.write(sets, 0, 10, 1, tmp_path / "folds") == {"held_out.1.jsonl": 270}


def test_too_few_utterances_are_refused(tmp_path):
    one = folds.FoldedSet("train", "a", write_set(tmp_path / "a.jsonl", 1))
    with pytest.raises(RecipeError, match=r"suspects.folds is 3, but fold . would have no utterances"):
        folds.write([one], 3, 10, 1, tmp_path / "folds")


def test_a_key_keeps_its_slashes():
    assert folds.split_key("train/home/a/b") == ("train/home", "a/b")
