"""The bundled example, shortened, on a Slurm of two nodes by Snakemake's plugin: a training on both, which is ended by
its time limit, then by scancel, and goes on by retries."""

import importlib.util
import os
import re
import subprocess
import sys
import time

import large
import pytest
import slurm_here
import yaml
from conftest import ROOT

from recipe.files import sha256

pytestmark = pytest.mark.slow
PROCESSORS = os.cpu_count()
# A quick answer, and no database of finished jobs.
PROFILE = [
    "--profile", ROOT / "profiles/slurm", "--slurm-no-account", "--slurm-status-command", "squeue",
    "--slurm-init-seconds-before-status-checks", "5", "--cores", PROCESSORS,
]  # fmt: skip
# As docs/clusters.md says it, without GPUs. The nodes are one machine, whose memory the other jobs want as well.
NODES = ["nodes=2", "tasks=2", "tasks_per_gpu=0", "mpi=srun", "gpu=0", "mem_mb=3000"]
RESOURCES = [*(f"train:{one}" for one in NODES), "decode:gpu=0", "decode:mem_mb=3000"]
STEPS = 24


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("needs requirements-slurm.txt")
    with slurm_here.cluster(tmp_path_factory.mktemp("slurm")):
        yield


def project(folder):
    """The bundled example with one run of few steps by two processes, one a node."""
    settings = yaml.safe_load((ROOT / "config.yaml").read_text())
    settings["experiment"] = "e"
    settings["model"]["base"] = str(ROOT / "models/tiny")
    sets = {"train": "train", "valid": "valid", "test": "test"}
    settings["data"] |= {role: {"home": str(ROOT / "data" / name)} for role, name in sets.items()}
    settings["train"] |= {
        "max_steps": STEPS, "evaluations": 3, "batch_seconds": 10.0, "log_every": 1, "decode_utterances": 4,
        "nodes": 2, "gpus": 1, "trainer": {"use_cpu": True},
    }  # fmt: skip
    settings |= {"runs": {"both": {}}, "stats": {"sample": 20, "workers": 1}}
    settings["score"] |= {"modes": ["faithful"], "bootstrap": 20}
    folder.mkdir()
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))


def call(folder, target):
    """Snakemake at work in the folder."""
    words = [target, *PROFILE, "--set-resources", *RESOURCES, "--configfile", "settings.yaml"]
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", *words]
    return large.Started(list(map(str, command)), folder / "screen", cwd=folder)


def training_job():
    """Number of the job that trains, once it runs."""
    told = slurm_here.said("squeue", "--noheader", "--states=running", "--format=%i %D")
    return next((line.split()[0] for line in told.splitlines() if line.split()[1] == "2"), None)


def until_step(started, folder, step):
    """Wait until the training's log, which each attempt begins anew, says a step; returns the job."""
    deadline = time.monotonic() + 900
    log = folder / "exp/e/logs/train/both.log"
    while not (log.exists() and re.search(rf"step {step}/", log.read_text()) and training_job()):
        assert started.process.poll() is None, started.text[-5000:]
        assert time.monotonic() < deadline, started.text[-5000:]
        time.sleep(0.1)
    return training_job()


def test_a_training_on_two_nodes_goes_on_by_retries_and_ends_with_the_same_weights(cluster, tmp_path):
    weights = "exp/e/train/both/model/model.safetensors"
    calm, ended = tmp_path / "calm", tmp_path / "ended"
    for folder in (calm, ended):
        project(folder)
    begun = call(calm, "eval")
    assert begun.ended(1800) == 0, begun.text[-5000:]
    table = (calm / "exp/e/report/summary.md").read_text()
    assert "both" in table
    log = (calm / "exp/e/logs/train/both.log").read_text()
    assert f"step {STEPS}/{STEPS}" in log and log.count(f"step {STEPS}/{STEPS}  epoch") == 2

    again = call(ended, weights)
    kept = ended / "exp/e/train/both"
    first = until_step(again, ended, 3)
    subprocess.run(["scontrol", "update", f"jobid={first}", "timelimit=1"], check=True)
    second = until_step(again, ended, 12)
    [step] = large.steps_kept(kept)[-1:]
    assert 3 <= step < 12 and second != first
    slurm_here.said("scancel", second)
    assert again.ended(1800) == 0, again.text[-5000:]
    assert sha256(ended / weights) == sha256(calm / weights)
    log = (ended / "exp/e/logs/train/both.log").read_text()
    assert "going on from" in log
    states = slurm_here.said("squeue", "--states=all", "--noheader", "--nodes", "asr2", "--format=%i %T")
    print(states)
