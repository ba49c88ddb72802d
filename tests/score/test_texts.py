"""`recipe.score.score`: texts in memory give the numbers that files give, with the alignments."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from recipe.files import RecipeError
from recipe.score import Score, score
from recipe.score.policy import ScoringPolicy
from recipe.score.run import ScoreInputs, score_files

text = st.text(alphabet="ab XÉ7 0你好世かカм,.!'<>_", max_size=20).map(lambda value: " ".join(value.split()))
utterances = st.lists(st.tuples(text, text, st.sampled_from(["s1", "s2", None])), min_size=1, max_size=8)


def of_files(folder, references, hypotheses, speakers, **policy) -> tuple[dict, list[dict]]:
    """score.json and the lines of utterances.jsonl that files with these texts give."""
    tables = {"ref": references, "hyp": hypotheses, "utt2spk": speakers}
    inputs = {}
    for name, values in tables.items():
        lines = [f"{key}\t{value}\n" for key, value in enumerate(values or []) if value is not None]
        if lines:
            inputs[name] = str(folder / name)
            (folder / name).write_text("".join(lines), encoding="utf-8")
    outputs = [str(folder / name) for name in ("cer.txt", "score.json", "rows.jsonl")]
    score_files(ScoreInputs(**inputs), ScoringPolicy(**policy), *outputs)
    rows = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads((folder / "score.json").read_text(encoding="utf-8")), [json.loads(row) for row in rows]


def as_json(value):
    """What a reader of JSON gets for a value."""
    return json.loads(json.dumps(value))


class TestEqualsFiles:
    @examples(max_examples=40)
    @given(utterances, st.booleans(), st.sampled_from([0, 50]), st.integers(0, 3))
    def test_rates_intervals_errors_and_alignments(self, tmp_path_factory, utterances, remove_tags, bootstrap, seed):
        references, hypotheses, speakers = zip(*utterances, strict=True)
        policy = {"remove_tags": remove_tags, "bootstrap": bootstrap, "seed": seed}
        expected, rows = of_files(tmp_path_factory.mktemp("files"), references, hypotheses, speakers, **policy)
        found = score(references, hypotheses, speakers=speakers, **policy)
        for name in ("mer", "cer", "wer"):
            assert as_json(getattr(found, name).as_dict()) == expected[name]
        assert found.ser._asdict() == expected["ser"]
        for name in ("confusions", "insertions", "deletions"):
            assert as_json(getattr(found, name)[:50]) == expected[name]
        for utterance, row in zip(found.utterances, rows, strict=True):
            assert (utterance.key, utterance.ref_text, utterance.hyp_text) == (row["key"], row["ref"], row["hyp"])
            assert as_json(utterance.alignment) == row["alignment"]
            assert utterance.counts == tuple(row[name] for name in ("cor", "sub", "del", "ins"))

    def test_speakers_are_the_units_of_resampling(self, tmp_path):
        references, hypotheses = ["a b c d"] * 30, ["a b c d"] * 15 + ["x y z d"] * 15
        speakers = ["good"] * 15 + ["bad"] * 15
        expected, _ = of_files(tmp_path, references, hypotheses, speakers)
        by_speaker = score(references, hypotheses, speakers=speakers)
        assert list(by_speaker.mer.ci) == expected["mer"]["ci"]
        assert 0 < by_speaker.mer.ci[0] < 0.1 and by_speaker.mer.ci[1] == 1
        low, high = score(references, hypotheses).mer.ci
        assert 0.0 < low < high < 0.75


class TestScore:
    def test_what_a_reader_sees(self):
        found = score(["please 我要 two tickets"], ["我要 too tickets now"], keys=["a"], bootstrap=0)
        assert isinstance(found, Score)
        assert (found.mer.rate, found.mer.n, found.cer.n, found.wer.n, found.ser.rate) == (0.6, 5, 18, 4, 1.0)
        assert (found.mer.cor, found.mer.sub, found.mer.dels, found.mer.ins) == (3, 1, 1, 1)
        assert found.confusions == (("TWO", "TOO", 1),)
        assert found.deletions == (("PLEASE", 1),)
        assert found.insertions == (("NOW", 1),)
        [utterance] = found.utterances
        assert utterance.key == "a"
        assert utterance.alignment[0] == ("D", "PLEASE", "")
        assert utterance.alignment[3:] == [("S", "TWO", "TOO"), ("C", "TICKETS", "TICKETS"), ("I", "", "NOW")]
        assert "utterances" not in repr(found)

    def test_it_cannot_be_changed(self):
        with pytest.raises(AttributeError):
            score(["a"], ["a"]).mer = None

    def test_an_empty_hypothesis_counts_as_deletions(self):
        assert score(["one two", "three"], ["", "three"]).mer.dels == 2

    def test_without_reference_tokens_there_is_no_rate(self):
        found = score([""], ["noise"])
        assert (found.mer.rate, found.mer.ci, found.ser.rate) == (None, None, 1.0)

    def test_torch_is_not_imported(self):
        code = "import sys; from recipe.score import score; score(['a'], ['b']); print('torch' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True)
        assert done.stdout.strip() == "False", done.stderr


class TestErrors:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"hypotheses": ["a"]}, "2 references and 1 hypotheses; there must be as many"),
            ({"keys": ["a"]}, "2 references and 1 keys"),
            ({"speakers": ["a", "b", "c"]}, "2 references and 3 speakers"),
            ({"speakers": []}, "2 references and 0 speakers"),
            ({"keys": ["a", "a"]}, "key 'a' appears twice"),
            ({"references": "ab"}, "references is one text, expected a list"),
            ({"hypotheses": ["a", None]}, r"hypotheses\[1\] is None, expected a text"),
            ({"references": [], "hypotheses": []}, "nothing to score"),
            ({"bootstrap": -1}, "bootstrap is -1"),
        ],
    )
    def test_what_does_not_belong_together_is_an_error_that_says_so(self, given, message):
        with pytest.raises(RecipeError, match=message):
            score(**{"references": ["a", "b"], "hypotheses": ["a", "b"]} | given)

    def test_texts_that_cannot_be_aligned_are_an_error_that_names_the_key(self, monkeypatch):
        for name in ("FULL_SEARCH", "ANY_DISTANCE", "BAND_SEARCH"):
            monkeypatch.setattr(f"recipe.score.align.{name}", 100)
        with pytest.raises(RecipeError, match="key 'long': texts of 16 and 16"):
            score([" ".join("abcdefghijklmnop")], [" ".join("qrstuvwxyzäöü你好啊")], keys=["long"])
