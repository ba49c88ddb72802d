"""Trackers: what a run tells them, where they keep it, and that an interrupted run goes on in the same place."""

import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys

import pytest
import torch
import yaml
from conftest import ROOT
from stages import scp2jsonl

from recipe.files import RecipeError
from recipe.settings import train as settings
from recipe.train import trackers
from recipe.train.trackers import Tracked, Trackers, named_by

TRAINING = {
    "max_steps": 4, "learning_rate": 1e-3, "batch_seconds": 4.0, "evaluations": 2, "decode_utterances": 1, "workers": 0,
    "select": "last", "log_every": 1,
}  # fmt: skip
# Of this process and of those that tests start, nothing of a user's own accounts.
PREFIXES = ("WANDB_", "SWANLAB_", "MLFLOW_", "TRACKIO_")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    yield
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            del os.environ[name]


@pytest.fixture
def manifest(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    return data_dir / "out" / "set.jsonl"


def train(folder, base, manifest, *flags, check=True, **changes):
    """Run the stage's script as the workflow does, for the run `tuned` of the experiment `e`; returns its folder."""
    run = folder / "exp/e/train/tuned"
    run.mkdir(parents=True, exist_ok=True)
    (run / "settings.yaml").write_text(yaml.safe_dump(TRAINING | changes))
    command = [
        sys.executable, ROOT / "scripts/train.py", "--config", run / "settings.yaml", "--train-jsonl", manifest,
        "--valid-jsonl", manifest, "--model", base, "--output-dir", run / "model", "--state-dir", run / "state",
        "--threads", "1", *flags,
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder)
    assert not check or done.returncode == 0, done.stderr
    return run if check else done


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs the package {package}")


def test_tensorboard_is_told_unless_somebody_says_otherwise(full_model, manifest, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(tmp_path, full_model, manifest)
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    assert {"train/loss", "valid/loss", "valid/cer"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]


def test_nobody_is_told_where_nobody_is_named(full_model, manifest, tmp_path):
    silent = train(tmp_path, full_model, manifest, "--report-to=none")
    assert not (silent / "tensorboard").exists() and (silent / "model/model.safetensors").is_file()


def test_whom_a_run_reports_to_is_no_cause_of_its_weights():
    assert "report_to" in settings.INDIFFERENT


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("exp/mine/train/lora/model", Tracked("mine", "lora")),
        ("/x/exp/mine/train/lora/model", Tracked("mine", "lora")),
        ("/somewhere/out", Tracked("somewhere", "out")),
    ],
)
def test_a_run_is_called_as_in_the_workflow(folder, names):
    assert named_by(folder) == names


def test_an_identity_lasts_as_long_as_the_state(tmp_path):
    def identity(state):
        Trackers(("wandb",), Tracked("e", "tuned"), state).arguments()
        return json.loads((state / trackers.FILE).read_text())["id"]

    assert identity(tmp_path / "a") == identity(tmp_path / "a") != identity(tmp_path / "b")
    assert len(identity(tmp_path / "a")) == 21


@pytest.mark.parametrize(
    ("environ", "modes"),
    [
        ({}, ("offline", "offline")),
        ({"WANDB_API_KEY": "x", "SWANLAB_API_KEY": "x"}, ("online", "cloud")),
        ({"WANDB_MODE": "disabled", "SWANLAB_MODE": "local"}, ("disabled", "local")),
    ],
)
def test_without_an_account_nobody_is_asked(tmp_path, monkeypatch, environ, modes):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    told = Trackers(("wandb", "swanlab"), Tracked("e", "tuned"), tmp_path / "tuned/state").arguments()
    assert told == {"report_to": ["wandb", "swanlab"], "run_name": "tuned", "project": "e"}
    assert (os.environ["WANDB_MODE"], os.environ["SWANLAB_MODE"]) == modes
    assert os.environ["WANDB_PROJECT"] == os.environ["SWANLAB_PROJECT"] == "e"
    assert os.environ["WANDB_DIR"] == str(tmp_path / "tuned")


def test_a_tracker_that_is_not_installed_is_named_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    chosen = dataclasses.replace(settings.TrainSettings(), report_to=("swanlab",))
    with pytest.raises(RecipeError, match=r"report_to: the package of swanlab is not installed; install it"):
        settings.check_trackers(chosen)


@pytest.mark.parametrize(("version", "fits"), [("0.7.0", True), ("0.7.18rc1", True), ("0.10.3", False), ("1.0", False)])
def test_a_tracker_that_does_not_fit_transformers_is_named(monkeypatch, version, fits):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    chosen = dataclasses.replace(settings.TrainSettings(), report_to=("tensorboard", "swanlab"))
    if fits:
        settings.check_trackers(chosen)
    else:
        with pytest.raises(RecipeError, match=f"swanlab is {version}, which transformers cannot use; .* 'swanlab<0.8'"):
            settings.check_trackers(chosen)


def interrupted(tmp_path, full_model, manifest, tracker):
    """A run of four steps that was interrupted after two and went on; returns its folder."""
    # Ended by the system, as it were, when the checkpoint of the second step is written.
    stop = tmp_path / "stop/sitecustomize.py"
    stop.parent.mkdir()
    stop.write_text(
        "import os, transformers\n"
        "before = transformers.trainer_callback.CallbackHandler.on_save\n"
        "def on_save(self, args, state, control):\n"
        "    result = before(self, args, state, control)\n"
        "    if state.global_step == 2:\n        os._exit(9)\n"
        "    return result\n"
        "transformers.trainer_callback.CallbackHandler.on_save = on_save\n"
    )
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{stop.parent}{os.pathsep}{path}"
    try:
        done = train(tmp_path, full_model, manifest, f"--report-to={tracker}", check=False)
    finally:
        os.environ["PYTHONPATH"] = path
    assert done.returncode == 9, done.stderr
    return train(tmp_path, full_model, manifest, f"--report-to={tracker}")


@needs("mlflow")
def test_mlflow_keeps_one_run_over_an_interruption(full_model, manifest, tmp_path):
    run = interrupted(tmp_path, full_model, manifest, "mlflow")
    import mlflow

    environ = trackers._mlflow_store(str(run))
    os.environ.update(environ)
    client = mlflow.MlflowClient(environ["MLFLOW_TRACKING_URI"])
    [experiment] = [one for one in client.search_experiments() if one.name == "e"]
    [found] = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "tuned" and found.info.status == "FINISHED"
    assert {entry.step for entry in client.get_metric_history(found.info.run_id, "loss")} == {1, 2, 3, 4}
    assert "eval_cer" in found.data.metrics


@needs("trackio")
def test_trackio_keeps_one_run_over_an_interruption(full_model, manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    interrupted(tmp_path, full_model, manifest, "trackio")
    code = "import json, trackio; runs = trackio.Api().runs('e'); print(json.dumps([one.name for one in runs]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    [name] = json.loads(done.stdout.splitlines()[-1])
    assert name.startswith("tuned-")


@needs("wandb")
def test_wandb_works_without_a_network(full_model, manifest, tmp_path):
    run = train(tmp_path, full_model, manifest, "--report-to=wandb,tensorboard")
    assert list((run / "wandb").glob("offline-run-*/*.wandb")) and (run / "tensorboard").is_dir()


@needs("swanlab")
def test_swanlab_works_without_a_network(full_model, manifest, tmp_path):
    run = train(tmp_path, full_model, manifest, "--report-to=swanlab")
    assert list((run / "swanlog").iterdir())


@pytest.mark.slow
def test_trackers_change_no_weight(full_model, manifest, tmp_path):
    from safetensors.torch import load_file

    told = load_file(train(tmp_path / "told", full_model, manifest) / "model/model.safetensors")
    silent = load_file(train(tmp_path / "silent", full_model, manifest, "--report-to=none") / "model/model.safetensors")
    assert all(torch.equal(told[name], silent[name]) for name in told)
