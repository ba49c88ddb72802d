"""The bundled example, shortened, on a Slurm of two nodes by Snakemake's plugin: a training on both, which is ended by
its time limit, then by scancel, and goes on by retries."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import large
import pytest
import slurm_here
import yaml
from conftest import ROOT

from recipe.files import sha256

pytestmark = pytest.mark.slow
nothing_left = large.nothing_left
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


def until_step(started, log, step):
    """Wait until the training's log, which each attempt begins anew, says a step; returns the job."""
    deadline = time.monotonic() + large.SECONDS
    while not (log.exists() and re.search(rf"step {step}/", log.read_text()) and training_job()):
        assert started.process.poll() is None, started.text[-5000:]
        assert time.monotonic() < deadline, started.text[-5000:]
        time.sleep(0.1)
    return training_job()


def pause(folder):
    """Stop the training's processes; Slurm wakes those that it tells to end."""
    paths = [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    commands = {int(path.parent.name): path.read_bytes().split(b"\0") for path in paths}
    training = [
        pid
        for pid, words in commands.items()
        if any(word.endswith(b"/train.py") for word in words[1:3]) and os.readlink(f"/proc/{pid}/cwd") == str(folder)
    ]
    assert len(training) == 2
    for pid in training:
        os.kill(pid, signal.SIGSTOP)


def test_a_training_on_two_nodes_goes_on_by_retries_and_ends_with_the_same_weights(cluster, tmp_path):
    folder = tmp_path / "project"
    project(folder)
    trained, log = folder / "exp/e/train/both", folder / "exp/e/logs/train/both.log"
    calm = call(folder, "eval")
    assert calm.ended() == 0, calm.text[-5000:]
    assert "both" in (folder / "exp/e/report/summary.md").read_text()
    # Of the training and of the last evaluation, each said once, by the first process of all.
    assert len(re.findall(rf"step {STEPS}/{STEPS}  epoch", log.read_text())) == 2
    weights = sha256(trained / "model/model.safetensors")

    shutil.rmtree(trained / "model")
    log.unlink()
    again = call(folder, "exp/e/train/both/model/model.safetensors")
    jobs = [until_step(again, log, 3)]
    # Slurm looks at its minutes twice a minute, and a training as small as this one would be over by then.
    pause(folder)
    subprocess.run(["scontrol", "update", f"jobid={jobs[0]}", "timelimit=1"], check=True)
    again.until(r"Trying to restart job \d+")
    [ended] = re.findall(r"ended by SIGTERM after step (\d+)", log.read_text())[:1]
    assert large.steps_kept(trained)[-1] == int(ended) >= 3

    jobs.append(until_step(again, log, int(ended) + 2))
    slurm_here.said("scancel", jobs[1])
    assert again.ended() == 0, again.text[-5000:]
    assert "going on from" in log.read_text()
    states = [slurm_here.said("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T") for job in jobs]
    assert list(map(str.strip, states)) == ["TIMEOUT", "CANCELLED"]
    assert sha256(trained / "model/model.safetensors") == weights
