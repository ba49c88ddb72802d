"""Decoding as jobs of the workflow: shards, other engines, and recordings without references."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]


def snakemake(folder, settings, *arguments, fails=False):
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    done = subprocess.run(
        [*SNAKEMAKE, *arguments, "--configfile", "settings.yaml"], cwd=folder, capture_output=True, text=True
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(folder, settings, *arguments):
    """Number of jobs of each rule that a call would run."""
    text = snakemake(folder, settings, "--dry-run", *arguments).partition("Job stats:")[2]
    jobs = {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    return {rule: number for rule, number in jobs.items() if rule != "total"}


@pytest.fixture
def settings(full_model, data_dir):
    return {
        "experiment": "e",
        "model": {"base": str(full_model)},
        "data": {role: {"s": "data"} for role in ("train", "valid", "test")},
        "runs": {},
    }


def test_shards_are_jobs_whose_parts_are_kept_and_joined_in_order(settings, data_dir):
    folder, target = data_dir.parent, "exp/e/decode/base/s/text"
    assert planned(folder, settings, target) == {"scp2jsonl": 1, "decode": 1}
    settings["decode"] = {"shards": 2}
    snakemake(folder, settings, target)
    lines = (folder / target).read_text().splitlines()
    keys = [line.split()[0] for line in (data_dir / "wav.scp").read_text().splitlines()]
    assert [line.split("\t")[0] for line in lines] == keys
    details = [json.loads(line) for line in (folder / f"{target}.jsonl").read_text().splitlines()]
    assert [detail["key"] for detail in details] == keys
    for lost in (target, "exp/e/decode/base/s/shards/2"):  # as an interruption leaves it
        (folder / lost).unlink()
    assert planned(folder, settings, target) == {"decode_shard": 1, "decode_gather": 1}


def test_recordings_without_references_get_texts_and_subtitles(settings, data_dir):
    folder = data_dir.parent
    settings["transcribe"] = {"talks": "data/wav"}
    settings["decode"] = {"hotwords": ["light", "it is"], "beams": 2}
    assert planned(folder, settings, "transcribe") == {"transcribe_set": 1, "transcribe": 1}
    snakemake(folder, settings, "transcribe")
    out = folder / "exp/e/transcribe/base/talks"
    assert len((out / "text").read_text().splitlines()) == len(list((out / "subtitles").glob("*.srt"))) == 8
    assert planned(folder, settings, "transcribe") == {}


def test_a_source_that_does_not_exist_is_named(settings, data_dir):
    settings["transcribe"] = {"talks": "nowhere"}
    assert "transcribe.talks: nowhere does not exist" in snakemake(data_dir.parent, settings, "transcribe", fails=True)


def test_the_toolkit_decodes_exported_models(settings, data_dir):
    settings["decode"] = {"engine": "funasr"}
    plan = planned(data_dir.parent, settings, "exp/e/decode/base/s/text")
    assert plan == {"scp2jsonl": 1, "convert": 1, "decode": 1}
