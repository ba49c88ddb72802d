"""The learning curve: a power law that is known comes back, with honest intervals, and what does not fit is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from recipe.files import RecipeError, json_line, write_json, write_lines
from recipe.score import power_law
from recipe.score.learning_curve import CurvePoint, curve, points
from recipe.score.policy import ScoringPolicy

POLICY = ScoringPolicy(bootstrap=200)
HOURS = (1.0, 2.0, 4.0, 8.0)


def law(hours, a=0.3, b=0.3):
    return a * hours**-b


def made(folder, rates, seeds=3, luck=0.0, utterances=400, tokens=20, random=0, speakers=40):
    """Points whose models err at `rates`, each times a seed's own luck (log-normal), on the same utterances, some of
    which are harder than others."""
    generator = np.random.RandomState(random)
    hard = np.exp(generator.normal(0, 0.4, utterances))
    hard /= hard.mean()
    given = []
    for place, rate in enumerate(rates):
        files = []
        for seed in range(seeds):
            own = np.minimum(rate * hard * np.exp(generator.normal(0, luck) if luck else 0.0), 1.0)
            errors = generator.binomial(tokens, own)
            path = folder / f"{place}.{seed}.jsonl"
            rows = (
                {
                    "key": f"u{i}",
                    "n": tokens,
                    "cor": tokens - e,
                    "sub": e,
                    "del": 0,
                    "ins": 0,
                    "speaker": f"s{i % speakers}",
                }
                for i, e in enumerate(errors.tolist())
            )
            write_lines(path, map(json_line, rows))
            files.append(str(path))
        given.append(CurvePoint(HOURS[place] / HOURS[-1], HOURS[place], tuple(files)))
    return given


def test_a_law_without_noise_comes_back_exactly():
    hours = np.array(HOURS)
    found = power_law.fit(hours, np.stack([law(hours), law(hours, 0.1, 0.05)]))
    assert found.a == pytest.approx([0.3, 0.1]) and found.b == pytest.approx([0.3, 0.05])
    assert found.c.tolist() == [0, 0] and found.at(16.0) == pytest.approx([law(16), law(16, 0.1, 0.05)])


def test_a_floor_is_found_from_five_points_on_and_not_of_fewer():
    hours = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    rates = (law(hours, 0.3, 0.6) + 0.1)[None]
    assert power_law.fit(hours, rates).at(64.0)[0] == pytest.approx(law(64, 0.3, 0.6) + 0.1, rel=0.02)
    assert power_law.fit(hours[:4], rates[:, :4]).c.tolist() == [0]


def test_twice_the_data_is_predicted_with_its_interval(tmp_path):
    found = curve(made(tmp_path, [law(h) for h in HOURS], luck=0.03), POLICY)
    assert found["refused"] is None and found["prediction"]["hours"] == 16.0 and found["prediction"]["times"] == 2.0
    low, high = found["prediction"]["ci"]
    assert low < law(16) < high < 1.5 * law(16) and found["law"]["b"] == pytest.approx(0.3, abs=0.1)
    assert [point["hours"] for point in found["points"]] == list(HOURS)
    assert all(point["ci"][0] < law(point["hours"]) < point["ci"][1] for point in found["points"])


@pytest.mark.slow
def test_intervals_hold_the_truth_in_nineteen_of_twenty_cases(tmp_path):
    held = [
        low <= law(16) <= high
        for random in range(150)
        for low, high in [
            curve(made(tmp_path, [law(h) for h in HOURS], luck=0.04, random=random), POLICY)["prediction"]["ci"]
            or (0, 1)
        ]
    ]
    assert np.mean(held) >= 0.92


def test_points_beside_any_power_law_are_refused(tmp_path):
    found = curve(made(tmp_path, [0.3, 0.1, 0.3, 0.1]), POLICY)
    assert "do not follow a power law" in found["refused"] and found["prediction"]["rate"] is None


def test_an_error_that_grows_is_not_carried_on(tmp_path):
    assert curve(made(tmp_path, [0.1, 0.12, 0.15, 0.18]), POLICY)["refused"] == "the error does not fall with more data"


def test_seeds_that_differ_too_much_are_refused(tmp_path):
    found = curve(made(tmp_path, [law(h) for h in HOURS], seeds=2, luck=0.6), POLICY)
    assert "too wide" in found["refused"] and found["prediction"]["ci"] is None and found["law"]


@pytest.mark.parametrize(
    ("rates", "more", "words"),
    [
        ([0.3, 0.2], {}, "only 2 points"),
        ([0.3, 0.2, 0.0], {}, "no errors are left at 4 h"),
        ([0.3, 0.2, 0.15], {"speakers": 3}, "only 3 speakers"),
        ([0.3, 0.2, 0.15], {"utterances": 1}, "utterance"),
    ],
)
def test_what_says_nothing_is_refused_in_words(tmp_path, rates, more, words):
    found = curve(made(tmp_path, rates, **more), POLICY)
    assert words in found["refused"] and found["prediction"]["rate"] is None
    assert len(found["points"]) == len(rates) and json.dumps(found, allow_nan=False)


def test_one_seed_has_no_chance_of_training(tmp_path):
    found = curve(made(tmp_path, [law(h) for h in HOURS], seeds=1), POLICY)
    assert found["points"][0]["sd"] is None and found["prediction"]["ci"]


def facts(folder, *entries):
    paths = []
    for number, (fraction, seed, hours, of) in enumerate(entries):
        paths.append(str(folder / f"facts{number}.json"))
        write_json(paths[-1], {"fraction": fraction, "seed": seed, "hours": hours, "of_hours": of})
    return paths


def test_hours_are_means_over_seeds_and_sums_over_sets(tmp_path):
    told = facts(tmp_path, (0.5, 1, 1.0, 2.0), (0.5, 1, 3.0, 6.0), (0.5, 2, 1.2, 2.0), (0.5, 2, 3.0, 6.0))
    found = points([(1.0, "a"), (1.0, "b"), (0.5, "c"), (0.5, "d")], told)
    assert [(point.fraction, point.files) for point in found] == [(0.5, ("c", "d")), (1.0, ("a", "b"))]
    assert [point.hours for point in found] == pytest.approx([4.1, 8.0])


def test_unequal_numbers_of_seeds_and_unknown_fractions_are_named(tmp_path):
    told = facts(tmp_path, (0.5, 1, 1.0, 2.0))
    with pytest.raises(RecipeError, match=r"0\.5: 1, 1: 2.*as many seeds"):
        points([(0.5, "a"), (1.0, "b"), (1.0, "c")], told)
    with pytest.raises(RecipeError, match=r"fraction 0\.25: no --facts"):
        points([(0.25, "a"), (1.0, "b")], told)


def test_the_script_says_what_it_found(tmp_path):
    given = made(tmp_path, [law(h) for h in HOURS])
    told = facts(tmp_path, *((point.fraction, 1, point.hours, HOURS[-1]) for point in given[:-1]))
    words = [f"{point.fraction}={path}" for point in given for path in point.files]
    command = [sys.executable, ROOT / "scripts/fit_curve.py", tmp_path / "out.json", *words, "--facts", *told]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    assert "4 points; at 16 h" in done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["prediction"]["rate"]
    done = subprocess.run([*map(str, command[:3]), "half=x", "--facts", *told], capture_output=True, text=True)
    assert done.returncode == 2 and "half=x: expected FRACTION=FILE" in done.stderr
