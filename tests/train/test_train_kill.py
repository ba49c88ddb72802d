"""Training that is killed with -9 at random moments ends with the weights of an undisturbed run, bit for bit."""

import json
import random
import re
import subprocess
import sys
import time
from collections import Counter

import pytest
from conftest import ROOT
from stages import scp2jsonl

from recipe.files import sha256

KILLS = 20
SETTINGS = {
    "max_steps": 12, "learning_rate": 1e-3, "batch_seconds": 3.0, "accumulate": 2, "evaluations": 6, "log_every": 1,
    "decode_utterances": 8, "workers": 0, "average": 2,
    "augment": {"speeds": [0.9, 1.0, 1.1], "frequency_masks": 1, "hotwords": {"share": 0.5}},
}  # fmt: skip


def start(folder, command):
    """Start training and return it when it has begun to train; its log goes on in folder/log."""
    folder.mkdir(exist_ok=True)
    with open(folder / "log", "a") as log:
        begun = log.tell()
        process = subprocess.Popen([*command, "--output-dir", folder / "model"], stderr=log)
    while process.poll() is None and "training on" not in (folder / "log").read_text()[begun:]:
        time.sleep(0.01)
    return process


def half_written(folder, since=0.0):
    """Checkpoints, and the model, on which a training has worked since a time and that are not whole."""
    places = [place for place in folder.glob("model.state/checkpoint-*") if not (place / "complete").exists()]
    places += folder.glob(".model.tmp")
    return [place.name for place in places if place.stat().st_mtime > since]


def kill(process, folder, kind, delay):
    """Kill a training after `delay` seconds, or of the kind "save" while it writes; returns what it was about, or None
    if it had ended before."""
    begun = time.time()
    while process.poll() is None and time.time() < begun + (600 if kind == "save" else delay):
        if kind == "save" and half_written(folder, begun):
            break
        time.sleep(0.001)
    if process.poll() is not None:
        assert process.returncode == 0
        return None
    process.kill()
    process.wait()
    if places := half_written(folder, begun):
        return "writing " + places[0].partition("-")[0].strip(".")
    *_, last = (folder / "log").read_text().splitlines()
    step = re.search(r" step (\d+)/", last)
    return "evaluation" if step and int(step[1]) % 2 == 0 and "valid loss" not in last else "step"


@pytest.mark.slow
def test_killed_at_random_moments_training_ends_with_the_same_weights(full_model, data_dir, tmp_path):
    scp2jsonl(data_dir, full_model)
    manifest = data_dir / "out" / "set.jsonl"
    (tmp_path / "run.yaml").write_text(json.dumps(SETTINGS))
    command = [
        sys.executable, ROOT / "scripts/train.py", "--config", tmp_path / "run.yaml", "--train-jsonl", manifest,
        "--valid-jsonl", manifest, "--model", full_model, "--threads", "1",
    ]  # fmt: skip
    calm = start(tmp_path / "calm", command)
    begun = time.monotonic()
    assert calm.wait() == 0
    span = time.monotonic() - begun
    expected = sha256(tmp_path / "calm/model/model.safetensors")

    moments, draw, runs = Counter(), random.Random(5), 0
    while moments.total() < KILLS:
        folder = tmp_path / f"killed{runs}"
        runs += 1
        while not (folder / "model/model.safetensors").exists():
            process = start(folder, command)
            if moments.total() == KILLS:
                assert process.wait() == 0
            elif what := kill(process, folder, draw.choice(["any", "any", "save"]), draw.uniform(0, span)):
                moments[what] += 1
        assert sha256(folder / "model/model.safetensors") == expected, folder
        history = [(tmp_path / name / "model/history.json").read_text() for name in ("calm", folder.name)]
        steps = [[entry["step"] for entry in json.loads(text) if "eval_loss" in entry] for text in history]
        assert steps[0] == steps[1]
    print(f"{KILLS} kills in {runs} runs: {dict(moments)}")
