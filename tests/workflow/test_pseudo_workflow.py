"""Recordings without transcripts as jobs of the workflow: what runs learn from, circles, and what is made again."""

import json
import shutil

import pytest
import small_workflow
import yaml
from conftest import ROOT

from recipe.data import manifest
from recipe.settings.pseudo import PseudoSettings
from recipe.workflow import config as recipe_config
from recipe.workflow import pseudo


def check(folder, settings):
    found = recipe_config.check(settings)
    pseudo.check(found, recipe_config.runs(found))


def test_limits_are_handed_over_as_they_are():
    entry = PseudoSettings(audio="a", model="b", min_confidence=0.9999999, max_disagreement=1e-7)
    assert pseudo.told(entry) == ["--min-confidence=0.9999999", "--max-disagreement=1e-07"]


@pytest.fixture
def project(tmp_path):
    """A run that learns from what another one writes for four recordings, whatever that is."""
    settings = small_workflow.write_project(tmp_path, ROOT / "models/tiny")
    speech = sorted((ROOT / "data/test_general/wav").glob("*.flac"))[:4]
    for file in speech:  # the model is to hear speech in them
        (tmp_path / "unlabelled").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "unlabelled")
    settings["runs"] = {"teacher": {}, "student": {"weights": {"heard": 0.5}}}
    entry = {"audio": "unlabelled", "model": "teacher", "min_confidence": 0.0, "max_disagreement": 100.0}
    settings["pseudo"] = {"heard": entry}
    settings["data"] |= {"max_reject_ratio": 1.0, "min_tokens_per_second": 0.0, "max_tokens_per_second": 100.0}
    settings["score"]["error_groups"] = True
    settings["train"]["learning_rate"] = 1e-6  # a model that still writes what is said
    return tmp_path, settings


def write(project):
    folder, settings = project
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return folder


def test_only_runs_that_name_a_set_wait_for_the_model_that_transcribes_it(project):
    folder = write(project)
    teacher, student = (f"exp/e/train/{name}/model/recipe.json" for name in ("teacher", "student"))
    assert small_workflow.plan(folder, teacher)["train"] == 1
    jobs = small_workflow.plan(folder, student)
    assert (jobs["train"], jobs["pseudo_decode"], jobs["select_pseudo"], jobs["check_pseudo"]) == (2, 2, 1, 1)
    assert "pseudo_decode" not in small_workflow.plan(folder, "data")
    folder, settings = project
    settings["pseudo"]["heard"] |= {"model": "base", "agree": "teacher"}
    settings["decode"] = {"shards": 2}
    write(project)
    assert small_workflow.plan(folder, student)["pseudo_decode"] == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "student"}, "pseudo.heard needs runs.student needs pseudo.heard: a model cannot"),
        ({"agree": "student"}, "pseudo.heard needs runs.student needs pseudo.heard"),
        ({"model": "nobody"}, "pseudo.heard.model: nobody is no run, expected one of base, teacher, student"),
        ({"agree": "teacher"}, "agree is teacher, which is the model itself"),
        ({"audio": "nowhere"}, "pseudo.heard.audio: nowhere does not exist"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(project, monkeypatch, changes, message):
    folder, settings = project
    monkeypatch.chdir(folder)
    settings["pseudo"]["heard"] |= changes
    with pytest.raises(recipe_config.RecipeError, match=message):
        check(folder, settings)


def test_a_circle_over_several_runs_is_refused(project, monkeypatch):
    folder, settings = project
    monkeypatch.chdir(folder)
    settings["pseudo"]["again"] = settings["pseudo"]["heard"] | {"model": "student"}
    settings["runs"]["third"] = {"weights": {"again": 1}}
    check(folder, settings)  # a chain is none
    settings["runs"]["teacher"] = {"weights": {"again": 2}}
    with pytest.raises(recipe_config.RecipeError, match="a model cannot be trained on its own transcripts"):
        check(folder, settings)


def test_a_name_of_two_sets_is_refused(project, monkeypatch):
    folder, settings = project
    monkeypatch.chdir(folder)
    settings["pseudo"]["s"] = settings["pseudo"]["heard"]
    with pytest.raises(recipe_config.RecipeError, match=r"pseudo.s: data.train has a set of this name"):
        check(folder, settings)


@pytest.mark.slow
def test_a_student_learns_from_what_the_teacher_wrote_and_the_report_counts_it(project):
    folder = write(project)
    small_workflow.snakemake(folder, "all")
    place = folder / "exp/e/pseudo/heard"
    counts = json.loads((place / "selection.json").read_text())
    kept = [line.split("\t")[0] for line in (place / "kept.tsv").read_text().splitlines()[1:]]
    assert counts["kept"] == len(kept) > 0
    checked = {one.key for one in manifest.read(folder / "exp/e/data/train/heard.jsonl")}
    rejected = (folder / "exp/e/data/train/heard.rejects.tsv").read_text().splitlines()[1:]
    assert len(checked) + len(rejected) == len(kept)
    trained_on = json.loads((folder / "exp/e/train/student/model/recipe.json").read_text())["data"]
    assert any(path.endswith("heard.jsonl") for path in trained_on)
    page = (folder / "exp/e/report/report.html").read_text()
    assert "heard" in page and "What errors cost" in page
    for model in ("base", "teacher", "student"):
        assert (folder / f"exp/e/score/faithful/hyp/{model}/s/errors.tsv").read_text().startswith("kind\tname")
    assert small_workflow.plan(folder, "eval") == {}
    project[1]["pseudo"]["heard"]["max_disagreement"] = 99.0
    plan = small_workflow.planned(write(project), "eval")
    assert "select_pseudo" in plan and "pseudo_decode" not in plan
