"""The workflow on a Slurm cluster, where one is up (any, with a GPU or a made-up one) and the plugin is installed."""

import importlib.util
import json
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT
from small_workflow import call, planned, write_project

# A quick answer, and no database of finished jobs, which a cluster on one machine has none of.
LOCAL = ["--slurm-no-account", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"]


@pytest.fixture(scope="module")
def cluster():
    """Skips the test unless Slurm answers; returns the number of its GPUs."""
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("needs requirements-slurm.txt")
    if not shutil.which("sinfo"):
        pytest.skip("needs Slurm")
    known = subprocess.run(["sinfo", "--noheader", "--format=%G"], capture_output=True, text=True)
    if known.returncode:
        pytest.skip(f"Slurm does not answer: {known.stderr}")
    return sum(map(int, re.findall(r"gpu:(\d+)", known.stdout)))


def test_what_is_one_job_has_all_between_scoring_and_report(full_model, tmp_path):
    """Snakemake refuses a group that is left and entered again; it says so without a cluster, too."""
    settings = write_project(tmp_path, full_model)
    settings |= {"runs": {"a": {}, "b": {"seed": 2}}, "decode": {"hotwords": ["light"]}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    groups = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["groups"]
    assert planned(tmp_path, "eval", "--groups", *groups) >= {one.partition("=")[0] for one in groups}


def test_the_workflow_runs_on_slurm_with_the_gpus_that_it_gives(cluster, full_model, tmp_path):
    settings = write_project(tmp_path, full_model)
    settings |= {"runs": {}, "data": {"test": {"s": "data"}}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    profile = ["--profile", str(ROOT / "profiles/slurm"), *LOCAL]
    resources = ["--set-resources", f"decode:gpu={min(1, cluster)}", "decode:mem_mb=2000"]
    status, text = call(tmp_path, "eval", *profile, *resources, "--configfile", "settings.yaml")
    assert status == 0, text
    jobs = re.findall(r"slurm_logs/(\w+?)[/_]", text)
    assert jobs == ["rule", "rule", "rule", "group"], "three jobs and one for scoring and report"
    exp = tmp_path / "exp/e"
    assert json.loads((exp / "score/faithful/hyp/base/s/score.json").read_text())["utterances"]["scored"] == 8
    if cluster:
        assert re.search(r"GPUs: \d+ \(of \d+\)", (exp / "logs/decode/base.s.log").read_text())


@pytest.mark.slow
def test_a_job_asks_for_more_memory_at_each_attempt(cluster, full_model, tmp_path):
    write_project(tmp_path, full_model)
    (tmp_path / "data/text").write_text("spk0-utt0 one of eight\n")  # too many rejects: the data stage fails
    arguments = ["--profile", str(ROOT / "profiles/slurm"), "--retries", "1", *LOCAL]
    status, text = call(tmp_path, "exp/e/data/test/s.jsonl", *arguments, "--configfile", "settings.yaml")
    assert status != 0
    name = re.search(r"SLURM run ID: (\S+)", text)[1]
    jobs = ["squeue", "--states=all", "--noheader", f"--name={name}", "--format=%m"]
    assert sorted(subprocess.check_output(jobs, text=True).split()) == ["2000M", "4000M"]
