"""Names and settings of the trainings that seeds and learning curves ask for."""

import pytest

from recipe.files import RecipeError
from recipe.workflow.config import check, runs
from recipe.workflow.sets import refuse_missing_augmentation, refuse_odd_paths
from recipe.workflow.trainings import curve_parts, curve_runs


def config(train=("s",), test=("s",), **more):
    data = {"train": {name: f"/{name}" for name in train}, "valid": {"v": "/v"}, "test": dict.fromkeys(test, "/t")}
    return check({"experiment": "e", "model": {"base": "m"}, "data": data, **more})


def config_of(**more):
    """The same of one set, with settings of training."""
    made = {"experiment": "e", "model": {"base": "m"}, "data": {r: {"s": "/s"} for r in ("train", "valid", "test")}}
    return check(made | more)


def trainings(made):
    return {name: (run.seed, run.seeds) for name, run in runs(made).items()}


def test_a_run_with_seeds_is_as_many_trainings_and_the_first_keeps_its_name():
    made = config_of(runs={"a": {"seeds": 3, "seed": 5}, "b": {}})
    assert trainings(made) == {"a": (5, 1), "a-seed6": (6, 1), "a-seed7": (7, 1), "b": (1, 1)}


def test_settings_of_train_give_every_run_its_seeds():
    made = config_of(train={"seeds": 2}, runs={"a": {}, "b": {"seeds": 1, "epochs": 1.0}})
    assert list(trainings(made)) == ["a", "a-seed2", "b"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": {"seeds": 2}, "a-seed2": {"epochs": 1.0}}, "runs.a-seed2: this name is taken by a seed of runs.a"),
        ({"a": {"seeds": 2}, "b": {"seed": 2}}, "runs.b has the same settings as runs.a-seed2"),
        ({"a": {"seed": 2**32 - 1, "seeds": 2}}, "pass 4294967295, the largest"),
        ({"a": {"seeds": 0}}, "seeds is 0, expected a whole number from 1 to 100"),
    ],
)
def test_names_that_clash_and_seeds_that_are_none_are_refused(given, words):
    with pytest.raises(RecipeError, match=words):
        runs(config_of(runs=given))


def test_without_a_curve_there_is_nothing_besides_the_runs():
    for off in ([], {}, {"fractions": []}):
        made = config_of(curve=off, runs={"a": {}})
        assert curve_parts(made, runs(made)) == {} and list(runs(made)) == ["a"]


def test_a_curve_gives_its_run_seeds_and_parts_each_with_the_seeds_own_data():
    made = config_of(curve=[1, 0.3, 0.1, 0.3], runs={"a": {}, "b": {"seed": 4}})
    assert list(trainings(made)) == ["a", "a-seed2", "a-seed3", "b"], "the first run, three seeds"
    parts = curve_parts(made, runs(made))
    assert {name: (part.fraction, part.settings.seed) for name, part in parts.items()} == {
        "a-0.1": (0.1, 1), "a-0.1-seed2": (0.1, 2), "a-0.1-seed3": (0.1, 3),
        "a-0.3": (0.3, 1), "a-0.3-seed2": (0.3, 2), "a-0.3-seed3": (0.3, 3),
    }  # fmt: skip


def test_more_seeds_of_a_run_than_of_its_curve_stay():
    made = config_of(
        curve={"fractions": [0.2, 0.5], "seeds": 1, "runs": ["b"]}, runs={"a": {}, "b": {"seeds": 2, "seed": 4}}
    )
    assert list(trainings(made)) == ["a", "b", "b-seed5"] and list(curve_parts(made, runs(made))) == ["b-0.2", "b-0.5"]


def test_fractions_are_of_the_sets_of_the_domain_and_others_stay_whole():
    def cut(train, test, **curve):
        made = config(train, test, curve={"fractions": [0.2, 0.5], **curve}, runs={"a": {}})
        return curve_parts(made, runs(made))["a-0.5"].cut

    assert cut(("home", "replay"), ("home", "general")) == ("home",)
    assert cut(("home", "replay"), ("other",)) == ("home", "replay"), "no set has the name of a test set"
    assert cut(("home", "replay"), ("home",), sets=["replay"]) == ("replay",)


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        ([1], r"curve: \[1\] are fewer than 3 points"),
        ([0.5], r"curve: \[0.5, 1\] are fewer than 3 points"),
        ({"fractions": [0.2, 0.5], "runs": ["x"]}, "curve.runs: no run is called x; there are: a"),
        ({"fractions": [0.2, 0.5], "sets": ["x"]}, "curve.sets: no training set is called x; there are: s"),
        ([0.5, 1.5], "expected a list of a number over 0 and to 1"),
        ({"fraction": [0.5]}, "is fractions meant"),
    ],
)
def test_curves_of_nothing_are_refused(curve, words):
    with pytest.raises(RecipeError, match=words):
        made = config_of(curve=curve, runs={"a": {}})
        curve_runs(made, made.runs)


def test_augmentation_from_files_that_are_not_there_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"runs\.a\.augment: nothing/wav\.scp does not exist"):
        refuse_missing_augmentation(runs(config_of(runs={"a": {"augment": {"noise": ["nothing"]}}})))


def test_a_path_that_begins_as_a_flag_does_is_refused():
    with pytest.raises(RecipeError, match=r"transcribe\.a: -talks: begins as a flag does; write \./-talks"):
        refuse_odd_paths(config_of(transcribe={"a": "-talks"}))


def test_the_least_over_the_most_is_refused():
    words = r"data\.min_seconds is 9, more than max_seconds, 2: nothing would be accepted"
    with pytest.raises(RecipeError, match=words):
        config_of(
            data={role: {"s": "/s"} for role in ("train", "valid", "test")} | {"min_seconds": 9, "max_seconds": 2}
        )


def test_names_of_fractions_that_clash_are_refused():
    made = config_of(curve={"fractions": [0.2, 0.5], "runs": ["a"]}, runs={"a": {}, "a-0.5": {"epochs": 1.0}})
    with pytest.raises(RecipeError, match=r"runs\.a-0\.5: this name is taken by a fraction of runs\.a"):
        curve_parts(made, runs(made))
