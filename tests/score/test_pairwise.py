"""Any two of several models: differences, intervals and corrected p-values, as those of two models alone."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from recipe.files import RecipeError, json_line, write_lines
from recipe.score import side_by_side
from recipe.score.pairwise import compare, holm
from recipe.score.policy import ScoringPolicy
from recipe.score.run import ScoreInputs, score_files
from recipe.score.significance import MIN_SPEAKERS, MIN_UTTERANCES, caution, difference
from recipe.score.units import Units

POLICY = ScoringPolicy(bootstrap=400)
NO_TRUST = "the intervals cannot be trusted, and no difference is called significant"


def written(folder, models, speakers=None, tokens=10):
    """utterances.jsonl of models by their errors in each utterance; returns the files by name."""
    files = {}
    for name, errors in models.items():
        rows = (
            {"key": f"u{i}", "n": tokens, "cor": tokens - e, "sub": e, "del": 0, "ins": 0}
            | ({"speaker": speakers[i]} if speakers and speakers[i] else {})
            | {"flags": [], "ref": 'a, "alignment": [b', "hyp": "b", "alignment": [["C", "a", "a"]]}
            for i, e in enumerate(errors)
        )
        write_lines(folder / f"{name}.jsonl", map(json_line, rows))
        files[name] = str(folder / f"{name}.jsonl")
    return files


def random_errors(seed, rate, count=60):
    return np.random.RandomState(seed).binomial(10, rate, count).tolist()


def test_all_pairs_are_compared_in_the_order_of_the_models(tmp_path):
    models = {"base": random_errors(1, 0.6), "lora": random_errors(2, 0.3), "full": random_errors(3, 0.1)}
    found = compare(written(tmp_path, models), POLICY)
    assert [pair["models"] for pair in found["pairs"]] == [["base", "lora"], ["base", "full"], ["lora", "full"]]
    last = found["pairs"][2]
    assert last["rates"] == [sum(models[name]) / 600 for name in ("lora", "full")]
    assert last["difference"] == pytest.approx(last["rates"][0] - last["rates"][1])
    assert last["ci"][0] < last["difference"] < last["ci"][1]
    assert last["better"] == "full" and last["p"] <= last["p_corrected"] < 0.001
    assert sum(last["utterances"].values()) == 60
    assert found["settings"]["comparisons"] == 3 and found["caution"] is None


@pytest.mark.parametrize(
    "speakers", [None, [f"s{i % 12}" for i in range(60)], [f"s{i % 3}" if i % 2 else "" for i in range(60)]]
)
def test_intervals_are_those_of_the_comparison_with_the_base(tmp_path, speakers):
    ours, others = random_errors(1, 0.3), random_errors(2, 0.35)
    pair = compare(written(tmp_path, {"a": ours, "b": others}, speakers), POLICY)["pairs"][0]
    units = Units()
    for i, counts in enumerate(zip(ours, others, strict=True)):
        units.add(speakers[i] or None if speakers else None, (10, *counts))
    assert pair["ci"] == difference(units, POLICY.bootstrap, POLICY.seed)["ci"]


def test_they_are_those_that_scoring_gives(tmp_path):
    refs = {f"u{i}": "turn the light on" for i in range(40)}
    hyps = {"a": "turn the light on", "b": "turn a light"}
    write_lines(tmp_path / "ref", (f"{key} {text}" for key, text in refs.items()))
    for name, text in hyps.items():
        write_lines(tmp_path / name, (f"{key} {text if i % 3 else 'light'}" for i, key in enumerate(refs)))
    for name in hyps:
        inputs = ScoreInputs(str(tmp_path / "ref"), str(tmp_path / name), compare=str(tmp_path / "b"))
        score_files(
            inputs,
            POLICY,
            str(tmp_path / f"{name}.txt"),
            str(tmp_path / f"{name}.json"),
            str(tmp_path / f"{name}.jsonl"),
        )
    pair = compare({name: str(tmp_path / f"{name}.jsonl") for name in hyps}, POLICY)["pairs"][0]
    scored = json.loads((tmp_path / "a.json").read_text())["compare"]["difference"]["mer"]
    assert (pair["difference"], pair["ci"]) == (scored["value"], scored["ci"])


def test_speakers_are_drawn_as_wholes_which_is_less_sure(tmp_path):
    speakers = [f"s{i // 10}" for i in range(60)]
    rates = np.repeat([0.1, 0.5, 0.2, 0.6, 0.3, 0.1], 10)
    ours = np.random.RandomState(0).binomial(10, rates).tolist()
    files = written(tmp_path, {"a": ours, "b": random_errors(2, 0.4)})
    alone = compare(files, POLICY)["pairs"][0]
    grouped = compare(written(tmp_path, {"a": ours, "b": random_errors(2, 0.4)}, speakers), POLICY)
    assert grouped["settings"]["unit"] == "speaker"
    assert grouped["pairs"][0]["p"] > alone["p"]
    assert grouped["caution"] == f"only 6 speakers (fewer than 10): {NO_TRUST}"


def test_the_same_model_twice_does_not_differ(tmp_path):
    errors = random_errors(1, 0.3)
    pair = compare(written(tmp_path, {"a": errors, "b": errors}), POLICY)["pairs"][0]
    assert (pair["difference"], pair["ci"], pair["p"], pair["better"]) == (0, [0, 0], 1, None)


def test_what_has_no_reference_tokens_has_no_rate_and_no_test(tmp_path):
    pair = compare(written(tmp_path, {"a": [0] * 5, "b": [0, 0, 1, 2, 3]}, tokens=0), POLICY)["pairs"][0]
    assert [pair[name] for name in ("rates", "difference", "ci", "p", "p_corrected", "better")] == [
        [None, None], None, None, None, None, None
    ]  # fmt: skip
    assert pair["utterances"] == {"better": 3, "equal": 2, "worse": 0}
    empty = compare(written(tmp_path, {"a": [], "b": []}), POLICY)
    assert (empty["utterances"], empty["pairs"][0]["p"]) == (0, None)


@pytest.mark.parametrize(("errors", "p"), [(([3, 3], [1, 1]), None), (([2, 2], [2, 2]), 1.0), (([3], [1]), None)])
def test_without_any_deviation_there_is_no_p(tmp_path, errors, p):
    pair = compare(written(tmp_path, dict(zip("ab", errors, strict=True))), POLICY)["pairs"][0]
    assert (pair["p"], pair["better"]) == (p, None)


def test_without_resamples_there_are_differences_alone(tmp_path):
    found = compare(written(tmp_path, {"a": [1, 2], "b": [2, 3]}), ScoringPolicy(bootstrap=0))
    pair = found["pairs"][0]
    assert (pair["difference"], pair["ci"], pair["p"], pair["better"]) == (-0.1, None, None, None)
    assert found["caution"] is None


def test_holm_corrects_by_rank():
    assert holm([0.01, 0.04, 0.03, None]) == [0.03, 0.06, 0.06, None]
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.none() | st.floats(0, 1), max_size=12))
def test_corrected_values_keep_their_order_and_are_never_smaller(values):
    corrected = holm(values)
    pairs = [(p, c) for p, c in zip(values, corrected, strict=True) if p is not None]
    assert all(p <= c <= 1 for p, c in pairs)
    assert [c for _, c in sorted(pairs)] == sorted(c for _, c in pairs)
    assert all(c is None for p, c in zip(values, corrected, strict=True) if p is None)


def test_models_of_the_same_quality_are_seldom_found_to_differ(tmp_path):
    wrong = 0
    for seed in range(10):
        models = {f"m{i}": random_errors(100 * seed + i, 0.3) for i in range(4)}
        found = compare(written(tmp_path, models), ScoringPolicy(bootstrap=200))
        wrong += any(pair["better"] for pair in found["pairs"])
    assert wrong <= 2


def test_files_of_other_references_are_refused(tmp_path):
    files = written(tmp_path, {"a": [1, 2, 3], "b": [1, 2, 3]})
    lines = (tmp_path / "b.jsonl").read_text().splitlines()
    for changed, message in (
        (lines[:2], r"b\.jsonl: ends before .*a\.jsonl:3, key 'u2'"),
        ([*lines, lines[0].replace("u0", "u9")], r"a\.jsonl: ends before .*b\.jsonl:4"),
        ([lines[1], lines[0], lines[2]], r"b\.jsonl:1: key 'u1' with 10 .* but .*a\.jsonl:1 has 'u0'"),
        ([lines[0].replace('"n": 10', '"n": 11'), *lines[1:]], r"b\.jsonl:1: key 'u0' with 11 .*with 10"),
        (['{"key": "u0"}', *lines[1:]], r"b\.jsonl:1: no line of compute_wer"),
        ([lines[0].replace('"sub": 1', '"sub": -1'), *lines[1:]], r"b\.jsonl:1: no line of compute_wer"),
        (["[1]"], r"b\.jsonl:1: no line of"),
    ):
        write_lines(tmp_path / "b.jsonl", changed)
        with pytest.raises(RecipeError, match=message):
            compare(files, POLICY)
    with pytest.raises(RecipeError, match="at least two models"):
        compare({"a": files["a"]}, POLICY)


def test_the_script_writes_the_same_bytes_every_time(tmp_path):
    files = written(tmp_path, {"a": random_errors(1, 0.3), "b": random_errors(2, 0.3)})
    command = [sys.executable, str(ROOT / "scripts/compare_runs.py"), str(tmp_path / "out.json")]
    seen = set()
    for _ in range(2):
        subprocess.run([*command, *(f"{name}={file}" for name, file in files.items())], check=True, capture_output=True)
        seen.add((tmp_path / "out.json").read_bytes())
    assert len(seen) == 1
    for wrong, message in (([files["a"]], "expected NAME=FILE"), ([f"a={files['a']}"] * 2, "a name stands twice")):
        done = subprocess.run([*command, *wrong], capture_output=True, text=True)
        assert done.returncode == 2 and message in done.stderr


def test_a_caution_says_what_there_is_too_little_of():
    assert caution(None, MIN_UTTERANCES) is caution(MIN_SPEAKERS, MIN_UTTERANCES) is None
    assert caution(1, 29) == (f"only 1 speaker (fewer than 10) and only 29 utterances (fewer than 30): {NO_TRUST}")
    assert caution(None, 1) == f"only 1 utterance (fewer than 30): {NO_TRUST}"


def test_a_score_has_the_caution_where_it_has_intervals(tmp_path, caplog):
    write_lines(tmp_path / "ref", (f"u{i} a b" for i in range(40)))
    write_lines(tmp_path / "utt2spk", (f"u{i} s{i % 4}" for i in range(38)))
    for bootstrap, expected in ((20, f"only 4 speakers (fewer than 10): {NO_TRUST}"), (0, None)):
        inputs = ScoreInputs(str(tmp_path / "ref"), str(tmp_path / "ref"), utt2spk=str(tmp_path / "utt2spk"))
        policy = ScoringPolicy(bootstrap=bootstrap)
        score_files(inputs, policy, str(tmp_path / "out"), str(tmp_path / "out.json"), None)
        assert json.loads((tmp_path / "out.json").read_text())["caution"] == expected
    assert caplog.text.count("cannot be trusted") == 1


def test_only_the_beginning_of_a_line_is_read(tmp_path):
    line = '{"key": "k", "n": 1, "sub": 0, "del": 0, "ins": 0, "ref": "x", "alignment": [no JSON'
    (tmp_path / "a.jsonl").write_text(line + "\n")
    assert [row[:3] for row in side_by_side._rows(str(tmp_path / "a.jsonl"))] == [("k", 1, 0)]


class TestSeeds:
    """Models that differ in the seed of their training alone are compared as one setting."""

    @staticmethod
    def models(rates, count=400):
        return {name: random_errors(number, rate, count) for number, (name, rate) in enumerate(rates.items())}

    def test_they_are_one_model_with_the_mean_of_their_rates(self, tmp_path):
        models = self.models({"base": 0.4, "a1": 0.3, "b": 0.2, "a2": 0.3, "a3": 0.3})
        found = compare(written(tmp_path, models), POLICY, seeds=[["a1", "a2", "a3"]])
        assert [pair["models"] for pair in found["pairs"]] == [
            ["base", "a1 (3 seeds)"], ["base", "b"], ["a1 (3 seeds)", "b"]
        ]  # fmt: skip
        last = found["pairs"][2]
        assert last["runs"] == [["a1", "a2", "a3"], ["b"]]
        assert last["rates"][0] == pytest.approx(sum(map(sum, (models[n] for n in ("a1", "a2", "a3")))) / 3 / 4000)
        assert last["difference"] == pytest.approx(last["rates"][0] - last["rates"][1])
        assert last["better"] == "b" and sum(last["utterances"].values()) == 400

    def test_seeds_that_differ_much_make_it_less_sure(self, tmp_path):
        alike = self.models({"a1": 0.30, "a2": 0.30, "b1": 0.25, "b2": 0.25})
        unlike = self.models({"a1": 0.40, "a2": 0.20, "b1": 0.35, "b2": 0.15})
        seeds = [["a1", "a2"], ["b1", "b2"]]
        sure, unsure = (compare(written(tmp_path, models), POLICY, seeds)["pairs"][0] for models in (alike, unlike))
        assert sure["better"] == "b1 (2 seeds)" and unsure["better"] is None
        assert unsure["p"] > 0.3 and unsure["ci"][0] < 0 < unsure["ci"][1]
        alone = compare(written(tmp_path, unlike), POLICY)["pairs"]
        assert next(pair for pair in alone if pair["models"] == ["a1", "b1"])["p"] < 0.05, "by the test set alone"

    @pytest.mark.parametrize(
        "seeds", [[["a"]], [["a", "x"]], [["a", "a"]], [["a", "b"], ["b", "c"]], [["a", "b", "c"]]]
    )
    def test_other_groups_are_refused(self, tmp_path, seeds):
        files = written(tmp_path, {"a": [1, 2], "b": [1, 2], "c": [1, 2]})
        with pytest.raises(RecipeError, match="seeds a"):
            compare(files, POLICY, seeds)

    def test_the_script_takes_groups(self, tmp_path):
        files = written(tmp_path, self.models({"a": 0.3, "b1": 0.3, "b2": 0.3}))
        command = [sys.executable, str(ROOT / "scripts/compare_runs.py"), str(tmp_path / "out.json")]
        given = [f"{name}={file}" for name, file in files.items()]
        subprocess.run([*command, *given, "--seeds", "b1", "b2"], check=True, capture_output=True)
        pairs = json.loads((tmp_path / "out.json").read_text())["pairs"]
        assert [pair["runs"] for pair in pairs] == [[["a"], ["b1", "b2"]]]


def test_of_too_few_speakers_no_model_is_better(tmp_path):
    models = {"a": random_errors(1, 0.6), "b": random_errors(2, 0.1)}
    for speakers, better in ((9, None), (10, "b")):
        found = compare(written(tmp_path, models, [f"s{i % speakers}" for i in range(60)]), POLICY)
        assert found["pairs"][0]["better"] == better and found["pairs"][0]["p"] < 0.001
        assert bool(found["caution"]) == (better is None)
