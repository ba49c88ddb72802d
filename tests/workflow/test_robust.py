"""What goes wrong around the workflow: full and read-only disks, kills, Ctrl-C. Nothing is corrupted."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter

import psutil
import pytest
import yaml
from small_workflow import SNAKEMAKE, planned, refused, snakemake, write_project

from recipe.files import sha256

# What must be the same, byte for byte, whatever happened; the rest holds times (benchmarks, logs, recipe.json).
RESULTS = ["data/**/*", "stats/**/*", "train/*/model/model.safetensors", "decode/**/*", "score/**/*"]


def results(folder):
    """SHA-256 of every result of the experiment, by name. What says when a manifest was written is none, nor is what a
    killed process began to write."""
    exp = folder / "exp/e"
    files = {path for pattern in RESULTS for path in exp.glob(pattern) if path.is_file()}
    files = {path for path in files if path.name != "index.json" and path.suffix != ".tmp"}
    return {str(path.relative_to(exp)): sha256(path) for path in files}


@pytest.fixture
def disk(tmp_path):
    """A disk of 20 MB, for root only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder):
    """Leave no space on a disk; returns the file to delete."""
    filler = folder / "filler"
    filler.write_bytes(b"x" * shutil.disk_usage(folder).free)
    return filler


def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_space(disk, full_model):
    write_project(disk, full_model)
    target = "exp/e/data/test/s.jsonl"
    snakemake(disk, target)
    before = sha256(disk / target)
    (disk / target).unlink()
    filler = fill(disk)
    text = refused(disk, target)
    assert "No space left on device" in text and "0.0 MB of disk space are left" in text
    assert not (disk / target).exists()
    filler.unlink()
    snakemake(disk, target)
    assert sha256(disk / target) == before
    assert not list(disk.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train", "decode", "normalize", "compute_wer"])
def test_a_disk_that_fills_up_corrupts_no_stage(disk, full_model, stage):
    write_project(disk, full_model)
    snakemake(disk, "all")
    before = results(disk)
    filler = fill(disk)
    text = refused(disk, "all", "--forcerun", stage)
    assert "MB of disk space are left" in text
    filler.unlink()
    snakemake(disk, "all")
    assert results(disk) == before and planned(disk) == set()


def test_a_read_only_folder_is_named_before_anything_runs(disk, full_model):
    write_project(disk, full_model)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert f"{disk}: cannot be written to" in refused(disk, "all", "--dry-run")
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


# Stages, and for how many seconds each is hit: about as long as it takes.
STAGES = {
    "scp2jsonl": 2, "fbank_stats": 2, "train": 8, "decode": 6, "normalize": 1, "compute_wer": 1, "report": 2,
}  # fmt: skip


def end(process, way):
    """End snakemake as users and machines do; what it started goes too, but with "snakemake only"."""
    children = psutil.Process(process.pid).children(recursive=True)
    if way == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.kill()
    if way == "kill -9":
        for child in children:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
    process.wait(timeout=60)


def disturbed(folder, log, way, stage, seconds):
    """Call the workflow and end it some seconds after it began a stage; returns whether it was finished before."""
    with open(log, "w") as output:
        process = subprocess.Popen(
            [*SNAKEMAKE, "all", "--configfile", "settings.yaml"],
            cwd=folder, stdout=output, stderr=output, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in the background it would be ignored
        )  # fmt: skip
    begun = re.compile(rf"^Job \d+: {stage}\b", re.MULTILINE)
    while process.poll() is None and not begun.search(log.read_text()):
        time.sleep(0.05)
    try:
        return process.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        end(process, way)
        return False


def finish(folder):
    """Call the workflow until it succeeds. Only a process that outlived its snakemake may stand in its way."""
    for _ in range(30):
        done = subprocess.run(
            [*SNAKEMAKE, "all", "--configfile", "settings.yaml"], cwd=folder, capture_output=True, text=True
        )
        if done.returncode == 0:
            return
        assert "another training process is at work" in done.stdout + done.stderr, done.stdout + done.stderr
        time.sleep(2)
    raise AssertionError("the training that outlived its snakemake does not end")


@pytest.mark.slow
def test_a_workflow_ended_at_twenty_moments_ends_with_the_same_results(full_model, tmp_path):
    settings = write_project(tmp_path, full_model)
    settings["train"] |= {"max_steps": 40, "evaluations": 8}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    finish(tmp_path)
    undisturbed = results(tmp_path)
    assert len(undisturbed) > 40
    shutil.rmtree(tmp_path / "exp")
    chance, hits, missed = random.Random(8), Counter(), Counter()
    while hits.total() < 20:
        stage = min(STAGES, key=hits.__getitem__)  # so that all of them get their turn, in their order
        way, seconds = chance.choice(["kill -9", "snakemake only", "Ctrl-C"]), chance.uniform(0, STAGES[stage])
        if disturbed(tmp_path, tmp_path / "log", way, stage, seconds):
            assert results(tmp_path) == undisturbed
            shutil.rmtree(tmp_path / "exp")
            missed[stage] += 1
            assert missed[stage] <= 5, f"{stage} is never at work when it is to be ended"
        else:
            hits[stage] += 1
            print(f"{way}, {seconds:.1f} s after {stage} began")  # with -s
    assert set(hits) == set(STAGES)
    finish(tmp_path)
    assert results(tmp_path) == undisturbed
    assert planned(tmp_path) == set()
