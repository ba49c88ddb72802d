"""Seeds and learning curves as jobs of the workflow."""

import csv
import json

import pytest
import small_workflow
import yaml
from conftest import write_data
from small_workflow import plan, snakemake

pytestmark = pytest.mark.slow  # each goes on where the one before it ended
EXPORTED = {"check_exports": 1, "convert_hf": 1, "export": 1}


def write(project, settings):
    (project / "settings.yaml").write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def project(tmp_path_factory, full_model):
    """A finished run of one seed, on 16 utterances; settings that later tests add to."""
    folder = tmp_path_factory.mktemp("project")
    settings = small_workflow.write_project(folder, full_model)
    write_data(folder / "train", 16)
    settings["data"]["train"] = {"s": "train"}
    settings["train"]["gpus"] = 0
    settings["runs"] = {"tuned": {}}
    write(folder, settings)
    snakemake(folder, "all")
    return folder


def settings_of(project):
    return yaml.safe_load((project / "settings.yaml").read_text())


def rows(project):
    with open(project / "exp/e/report/summary.tsv") as file:
        return {row["model"]: row for row in csv.DictReader(file, delimiter="\t")}


def test_seeds_of_a_finished_run_train_only_the_others(project):
    weights = project / "exp/e/train/tuned/model/model.safetensors"
    before = weights.stat().st_mtime_ns
    write(project, settings_of(project) | {"runs": {"tuned": {"seeds": 3}}})
    jobs = plan(project)
    assert jobs["train"] == jobs["decode"] == 2 and "check_model" not in jobs and "scp2jsonl" not in jobs
    snakemake(project, "all")
    assert weights.stat().st_mtime_ns == before and plan(project) == {}
    found = rows(project)
    assert list(found) == ["base", "tuned (3 seeds)", "tuned", "tuned-seed2", "tuned-seed3"]
    rates = [float(found[name]["mer"]) for name in ("tuned", "tuned-seed2", "tuned-seed3")]
    assert float(found["tuned (3 seeds)"]["mer"]) == pytest.approx(sum(rates) / 3, abs=2e-3)
    assert found["tuned (3 seeds)"]["seeds"] == "3" and found["tuned"]["spread"] == ""
    table = (project / "exp/e/report/summary.md").read_text()
    assert "| tuned (3 seeds) |" in table and "| tuned-seed2 " not in table and "each seed: tuned " in table


def test_what_is_served_is_the_first_seed_unless_others_are_named(project):
    given = settings_of(project)
    write(project, given | {"runs": {"tuned": {"seeds": 3}}, "transcribe": {"talks": "data"}})
    assert plan(project, "export") == EXPORTED
    assert plan(project, "transcribe")["transcribe_set"] == 1
    write(project, given | {"runs": {"tuned": {"seeds": 3}}, "export": {"to": {"tuned-seed2": []}}})
    assert plan(project, "export") == EXPORTED
    write(project, given)


def test_a_curve_trains_its_fractions_and_no_run_again(project):
    given = settings_of(project) | {"runs": {"tuned": {"seeds": 2}}, "curve": {"fractions": [0.25, 0.5], "seeds": 2}}
    write(project, given)
    assert plan(project, "curve")["train"] == 4
    snakemake(project, "all")
    assert plan(project) == {} and plan(project, "curve").keys() <= {"curve"}
    parts = {part: keys(project, part) for part in ("0.25/seed1", "0.5/seed1", "0.25/seed2", "0.5/seed2")}
    assert parts["0.25/seed1"] < parts["0.5/seed1"] and parts["0.25/seed2"] < parts["0.5/seed2"]
    assert parts["0.5/seed1"] != parts["0.5/seed2"]
    recipe = json.loads((project / "exp/e/train/tuned-0.25-seed2/model/recipe.json").read_text())
    assert next(iter(recipe["data"])) == "exp/e/curve/0.25/seed2/s.jsonl" and recipe["settings"]["seed"] == 2
    curve = json.loads((project / "exp/e/score/faithful/curve/tuned/s.json").read_text())
    assert [point["fraction"] for point in curve["points"]] == [0.25, 0.5, 1.0]
    assert curve["refused"] and not any("tuned-0.25" in model for model in rows(project))
    assert "more data for tuned: No prediction" in (project / "exp/e/report/summary.md").read_text()
    assert "How much data" in (project / "exp/e/report/report.html").read_text()


def keys(project, part):
    lines = (project / f"exp/e/curve/{part}/s.jsonl").read_text().splitlines()
    return {json.loads(line)["key"] for line in lines}


def test_another_fraction_trains_that_alone(project):
    given = settings_of(project)
    given["curve"] = {"fractions": [0.25, 0.5, 0.75], "seeds": 2}
    write(project, given)
    assert plan(project, "curve")["train"] == 2


def test_a_curve_that_is_not_configured_is_asked_for_in_vain(project):
    given = settings_of(project)
    given.pop("curve", None)
    write(project, given)
    shown = small_workflow.refused(project, "--dry-run", "curve")
    assert "curve names no fractions; set `curve: [0.1, 0.3, 1]`" in shown
