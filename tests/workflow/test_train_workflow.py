"""Training as the workflow starts it: on several processes and nodes, with other sets in each run."""

import json
import os
import re
import shutil

import pytest
import soundfile
import yaml
from conftest import SENTENCES, tone
from safetensors.torch import load_file
from small_workflow import refused, snakemake

# What SLURM's srun does with a job of two nodes, on one: the command once for each.
SRUN = """#!/bin/bash
while [[ $1 != python ]]; do shift; done
"$@" & "$@" & wait -n && wait -n
"""
TRAIN = {
    "max_steps": 4, "learning_rate": 1e-3, "batch_seconds": 4.0, "evaluations": 2, "decode_utterances": 4,
    "workers": 0, "log_every": 1, "select": "last",
}  # fmt: skip
RUNS = {
    "one": {"gpus": 0, "accumulate": 4},
    "two": {"gpus": 2, "accumulate": 2, "trainer": {"use_cpu": True}},
    "nodes": {"gpus": 1, "nodes": 2, "accumulate": 2, "trainer": {"use_cpu": True}},
    "sharded": {
        "gpus": 2,
        "accumulate": 2,
        "trainer": {
            "use_cpu": True,
            "fsdp": "full_shard auto_wrap",
            "fsdp_config": {"transformer_layer_cls_to_wrap": ["Qwen3DecoderLayer", "FunAsrNanoEncoderLayer"]},
        },
    },
    "less": {"gpus": 0, "weights": {"more": 0}, "max_steps": 1},
}


def data_dir(folder, first):
    """Eight recordings of two seconds."""
    folder.mkdir()
    keys = [f"utt{i}" for i in range(first, first + 8)]
    for i, key in enumerate(keys):
        soundfile.write(folder / f"{key}.wav", tone(1.9 + 0.01 * i, first + i), 16000)
    (folder / "wav.scp").write_text("".join(f"{key} {key}.wav\n" for key in keys))
    (folder / "text").write_text("".join(f"{key} {SENTENCES[i % 5]}\n" for i, key in enumerate(keys)))


def without_dropout(model, folder):
    """A copy of a model without dropout, which differs from process to process."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    for part in ("audio_config", "adaptor_config"):
        config[part] |= {"hidden_dropout": 0.0, "attention_dropout": 0.0}
    (folder / "config.json").write_text(json.dumps(config))


def prepare(folder, full_model, runs, train=TRAIN):
    """A project folder with two training sets."""
    without_dropout(full_model, folder / "base")
    for i, name in enumerate(("some", "more")):
        data_dir(folder / name, 8 * i)
    settings = {
        "experiment": "e",
        "model": {"base": "base"},
        "data": {"train": {"some": "some", "more": "more"}, "valid": {"some": "some"}},
        "train": train,
        "runs": runs,
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory, full_model):
    folder = prepare(tmp_path_factory.mktemp("project"), full_model, RUNS)
    (folder / "bin").mkdir()
    (folder / "bin" / "srun").write_text(SRUN)
    (folder / "bin" / "srun").chmod(0o755)
    return folder


def trained(project, run):
    """The folder of a run, trained when a test asks for it first."""
    folder = project / "exp/e/train" / run / "model"
    if not folder.exists():
        path = f"{project / 'bin'}:{os.environ['PATH']}"
        environ = {"PATH": path, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29731"}
        snakemake(project, f"exp/e/train/{run}/model/model.safetensors", environ=environ)
    return folder


SLOW = [pytest.param(run, marks=pytest.mark.slow) for run in ("nodes", "sharded")]


@pytest.mark.parametrize("run", ["two", *SLOW])
def test_processes_and_nodes_train_as_one_process_does_with_as_many_batches(project, run):
    """The loss is weighted by tokens over the whole step, whoever has how many of them."""
    one, several = (load_file(trained(project, name) / "model.safetensors") for name in ("one", run))
    start = load_file(project / "base/model.safetensors")
    moved = sum(float((one[name] - start[name]).square().sum()) for name in one)
    apart = sum(float((one[name] - several[name]).square().sum()) for name in one)
    assert apart < 0.01**2 * moved


@pytest.mark.parametrize("run", ["two", *SLOW])
def test_evaluation_is_shared_and_comes_to_the_same(project, run):
    def evaluations(run):
        history = json.loads((trained(project, run) / "history.json").read_text())
        return [entry[name] for entry in history if "eval_loss" in entry for name in ("eval_loss", "eval_cer")]

    assert evaluations(run) == pytest.approx(evaluations("one"), rel=1e-3)


@pytest.mark.parametrize("run", ["one", "two", "less", *SLOW])
def test_the_log_says_everything_once(project, run):
    trained(project, run)
    lines = (project / f"exp/e/logs/train/{run}.log").read_text().splitlines()
    # Several runs share a screen: each line names its own.
    lines = [re.sub(rf"^\S+ \S+ {run}: ", "", line) for line in lines if line]
    steps = [line for line in lines if line.startswith("step ")]
    assert len(steps) == (2 if run == "less" else 6) and "data wait" in steps[0]
    assert len(set(lines)) == len(lines), lines
    assert len(lines) < 16, lines


def test_a_set_of_weight_zero_is_left_out_of_a_run(project):
    recipes = {run: trained(project, run) / "recipe.json" for run in ("one", "less")}
    data = {run: json.loads(file.read_text())["data"] for run, file in recipes.items()}
    assert {path.split("/")[-1] for path in data["one"]} == {"some.jsonl", "more.jsonl"}
    assert {path.split("/")[-1] for path in data["less"]} == {"some.jsonl"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {"mroe": 0}}, "runs.a.weights: mroe is no set of data.train"),
        ({"weights": {"some": 0, "more": 0}}, "runs.a.weights leave no training set"),
        ({"cache_frozen": True}, "runs.a: cache_frozen needs a frozen encoder"),
    ],
)
def test_wrong_settings_of_a_run_are_named_before_anything_runs(tmp_path, full_model, changes, message):
    prepare(tmp_path, full_model, {"a": changes})
    assert message in refused(tmp_path, "--dry-run", "exp/e/train/a/model/model.safetensors")
