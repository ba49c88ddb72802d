"""The search for wrong transcripts as jobs of the workflow."""

import csv
import json

import pytest
import small_workflow
import yaml
from conftest import write_data
from small_workflow import plan, planned, snakemake


def test_it_is_made_when_asked_and_never_by_itself(finished):
    assert planned(finished) == set()
    jobs = plan(finished, "suspects")
    assert jobs["suspects_train"] == jobs["suspects_decode"] == jobs["suspects_judge"] == 3 and "train" not in jobs


def test_the_base_model_may_judge_alone(finished):
    settings = yaml.safe_load((finished / "settings.yaml").read_text())
    (finished / "alone.yaml").write_text(yaml.safe_dump(settings | {"suspects": {"folds": 0}}))
    jobs = plan(finished, "suspects", settings="alone.yaml")
    assert jobs["suspects_judge"] == 1 and "suspects_train" not in jobs


@pytest.mark.slow
@pytest.mark.parametrize("folds", [0, 2])
def test_every_utterance_is_ranked_and_what_is_named_is_left_out(tmp_path, full_model, folds):
    settings = small_workflow.write_project(tmp_path, full_model)
    for role, count in (("train", 16), ("valid", 5), ("test", 6)):
        write_data(tmp_path / role, count)
    settings["data"] = {role: {"s": role} for role in ("train", "valid", "test")}
    settings |= {"runs": {}, "suspects": {"folds": folds}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    snakemake(tmp_path, "suspects")
    made = tmp_path / "exp/e/suspects"
    with open(made / "ranking.tsv", encoding="utf-8") as file:
        ranked = [(row["set"], row["key"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    manifests = {(f"{role}/s", json.loads(line)["key"]) for role in ("train", "valid", "test")
                 for line in (tmp_path / f"exp/e/data/{role}/s.jsonl").read_text().splitlines()}  # fmt: skip
    assert len(ranked) == len(set(ranked)) == len(manifests) and set(ranked) == manifests
    assert planned(tmp_path, "suspects") <= {"suspects"}

    (tmp_path / "exclude.tsv").write_text("key\tset\nspk0-utt0\ttrain/s\n")
    settings["data"]["exclude"] = "exclude.tsv"
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    snakemake(tmp_path, "data")
    rejects = (tmp_path / "exp/e/data/train/s.rejects.tsv").read_text()
    assert "spk0-utt0" in rejects and "excluded" in rejects
    assert len((tmp_path / "exp/e/data/train/s.jsonl").read_text().splitlines()) == 15
    assert len((tmp_path / "exp/e/data/test/s.jsonl").read_text().splitlines()) == 6
