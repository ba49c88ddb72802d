"""The CTC branch in training: kept as it is, told to be stale, trained, begun."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time

import made_ctc
import pytest
import torch
from conftest import ROOT, losses
from safetensors.torch import load_file
from stages import scp2jsonl

from recipe.files import RecipeError
from recipe.model import ctc
from recipe.model import network as model
from recipe.settings import train as settings
from recipe.train import checkpoints, compiled
from recipe.train import run as train
from recipe.train.sets import TrainingInputs

WIDTH = 32
SETTINGS = settings.TrainSettings(
    max_steps=4, learning_rate=1e-3, batch_seconds=3.0, evaluations=2, decode_utterances=1, workers=0, select="last",
    freeze=("encoder", "adaptor"),
)  # fmt: skip
BRANCH = f"{ctc.FOLDER}/{ctc.WEIGHTS}"


@pytest.fixture(scope="module")
def base(tmp_path_factory, full_model):
    """A model directory with a branch."""
    folder = shutil.copytree(full_model, tmp_path_factory.mktemp("base") / "model")
    made_ctc.write(folder, WIDTH)
    return folder


@pytest.fixture
def manifest(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    return data_dir / "out" / "set.jsonl"


def run(directory, manifest, folder, **changes):
    """Train and return the folder of the model."""
    chosen = dataclasses.replace(SETTINGS, **changes)
    inputs = TrainingInputs([manifest], [manifest])
    train.train(model.load(directory), chosen, inputs, folder / "model", folder / "state")
    return folder / "model"


def files(folder):
    """Contents of the files of a directory's branch."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / ctc.FOLDER).rglob("*")
        if path.is_file()
    }


def facts(folder):
    return json.loads((folder / "recipe.json").read_text())


def valid_losses(folder):
    history = json.loads((folder / "history.json").read_text())
    return [entry["eval_ctc_loss"] for entry in history if "eval_ctc_loss" in entry]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class TestLeftAlone:
    def test_it_stays_byte_for_byte_and_fits_a_frozen_encoder(self, base, manifest, tmp_path):
        trained = run(base, manifest, tmp_path)
        assert files(trained) == files(base)
        assert facts(trained)["ctc"] == {"trained": False, "stale": False}
        assert set(files(base)) <= facts(trained)["base"]["files"].keys()
        assert "no longer fit" not in (trained / "README.md").read_text()

    def test_it_is_said_to_be_stale_where_the_encoder_was_trained(self, base, manifest, tmp_path, caplog):
        trained = run(base, manifest, tmp_path, freeze=())
        assert files(trained) == files(base)
        assert facts(trained)["ctc"] == {"trained": False, "stale": True}
        assert "its word times will no longer fit" in caplog.text
        assert "no longer fit" in (trained / "README.md").read_text()
        # And stays so.
        again = run(trained, manifest, tmp_path / "again")
        assert facts(again)["ctc"] == {"trained": False, "stale": True}

    def test_no_steps_change_nothing(self, base, manifest, tmp_path):
        trained = run(base, manifest, tmp_path, freeze=(), max_steps=0, epochs=0.0)
        assert facts(trained)["ctc"] == {"trained": False, "stale": False}

    def test_a_model_without_one_says_nothing_of_it(self, full_model, manifest, tmp_path):
        trained = run(full_model, manifest, tmp_path)
        assert not ctc.has_branch(trained) and "ctc" not in facts(trained)

    def test_one_that_is_not_whole_ends_the_run_before_its_first_step(self, base, manifest, tmp_path):
        broken = shutil.copytree(base, tmp_path / "broken")
        (broken / BRANCH).unlink()
        with pytest.raises(RecipeError, match=r"model\.safetensors: no such file"):
            run(broken, manifest, tmp_path)
        assert not list((tmp_path / "state").glob("checkpoint-*"))
        # And the workflow's look at the model, before any data are read.
        look = [sys.executable, ROOT / "scripts/check_model.py", "--model", broken]
        done = subprocess.run(look, capture_output=True, text=True)
        assert done.returncode == 2 and "model.safetensors: no such file" in done.stderr

    def test_one_of_an_earlier_result_does_not_stay(self, base, full_model, manifest, tmp_path):
        run(base, manifest, tmp_path)
        assert not ctc.has_branch(run(full_model, manifest, tmp_path))


class TestTrained:
    @pytest.mark.parametrize("freeze", [(), ("encoder", "adaptor")])
    def test_it_learns_and_the_rest_learns_as_without_it(self, base, manifest, tmp_path, freeze):
        without = run(base, manifest, tmp_path / "without", freeze=freeze)
        trained = run(base, manifest, tmp_path / "with", freeze=freeze, ctc_head=True)
        assert same(*(load_file(folder / "model.safetensors") for folder in (without, trained)))
        assert losses(without) == losses(trained)
        before, after = load_file(base / BRANCH), load_file(trained / BRANCH)
        assert before.keys() == after.keys()
        assert all(not torch.equal(before[name], after[name]) for name in before if "k_proj.bias" not in name)
        assert facts(trained)["ctc"] == {"trained": True, "stale": False}
        first, last = valid_losses(trained)
        assert last < first

    def test_its_average_is_that_of_the_checkpoints(self, base, manifest, tmp_path, monkeypatch):
        monkeypatch.setattr(checkpoints, "finish", lambda state: None)
        trained = run(base, manifest, tmp_path, ctc_head=True, select="loss", average=2)
        parts = [load_file(tmp_path / f"state/checkpoint-{step}/model.safetensors") for step in (2, 4)]
        assert len(facts(trained)["selected_steps"]) == 2
        for name, tensor in load_file(trained / BRANCH).items():
            mean = sum(part[f"ctc_head.{name}"].double() for part in parts) / 2
            assert torch.equal(tensor, mean.float()), name

    def test_it_alone(self, base, manifest, tmp_path):
        everything = ("encoder", "adaptor", "llm")
        with pytest.raises(RecipeError, match=r"select is cer, .* the CTC branch alone is trained"):
            run(base, manifest, tmp_path, ctc_head=True, freeze=everything, select="cer")
        trained = run(base, manifest, tmp_path, ctc_head=True, freeze=everything)
        assert same(*(load_file(folder / "model.safetensors") for folder in (base, trained)))
        first, last = valid_losses(trained)
        assert last < first

    @pytest.mark.parametrize("change", [{"cache_frozen": True}, {"gradient_checkpointing": True}])
    def test_other_ways_to_compute_give_the_same(self, base, manifest, tmp_path, change):
        plain, other = (
            valid_losses(run(base, manifest, tmp_path / name, ctc_head=True, **changes))
            for name, changes in (("plain", {}), ("other", change))
        )
        assert len(plain) == 2 and other == pytest.approx(plain, rel=1e-4)

    def test_compiled(self, base, manifest, tmp_path, monkeypatch):
        """With a compiler that leaves operations as they are."""
        layers = []

        def keep(graph, _):
            layers.append(graph)
            return graph.forward

        compile_layers = compiled.compile_layers
        monkeypatch.setattr(compiled, "compile_layers", lambda network: compile_layers(network, backend=keep))
        eager, fused = (
            valid_losses(run(base, manifest, tmp_path / str(on), ctc_head=True, compile=on)) for on in (False, True)
        )
        assert layers and fused == pytest.approx(eager, rel=1e-5)


class TestBegun:
    def test_a_model_without_one_gets_one_over_its_own_tokens(self, full_model, manifest, tmp_path, caplog):
        caplog.set_level("INFO")
        trained = run(full_model, manifest, tmp_path, ctc_head=True, max_steps=12)
        assert "has no CTC branch, so one begins" in caplog.text
        assert facts(trained)["settings"]["learning_rates"] == {"ctc": 1e-3}
        assert facts(trained)["ctc"] == {"trained": True, "stale": False}
        branch = ctc.load(trained, WIDTH)
        tokenizer = model.load(trained).tokenizer
        assert branch.blank == len(tokenizer)
        assert branch.tokens.encode("把灯打开 now") == tokenizer.encode("把灯打开 now")
        assert branch.tokens.decode(branch.tokens.encode("把灯打开 now")) == "把灯打开 now"
        first, last = valid_losses(trained)
        assert last < first
        # It goes on from there.
        again = run(trained, manifest, tmp_path / "again", ctc_head=True)
        assert "ctc" not in facts(again)["settings"]["learning_rates"]
        assert valid_losses(again)[0] < first

    def test_its_learning_rate_can_be_said(self, full_model, manifest, tmp_path):
        trained = run(full_model, manifest, tmp_path, ctc_head=True, learning_rates={"ctc": 0.01})
        assert facts(trained)["settings"]["learning_rates"] == {"ctc": 0.01}
        with pytest.raises(RecipeError, match=r"learning_rates\.ctc is for a CTC branch that is trained"):
            run(full_model, manifest, tmp_path, learning_rates={"ctc": 0.01})

    def test_one_that_nothing_was_trained_of_is_stale(self, full_model, manifest, tmp_path):
        trained = run(full_model, manifest, tmp_path, ctc_head=True, max_steps=0, epochs=0.0)
        assert facts(trained)["ctc"] == {"trained": False, "stale": True}


def command(directory, manifest, folder, *launcher):
    config = folder / "run.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(
        "{max_steps: 6, learning_rate: 1.0e-3, batch_seconds: 3.0, evaluations: 3, decode_utterances: 2, workers: 0,"
        " select: last, ctc_head: true, trainer: {use_cpu: true}}"
    )
    return [
        sys.executable, *launcher, ROOT / "scripts/train.py", "--config", config, "--train-jsonl", manifest,
        "--valid-jsonl", manifest, "--model", directory, "--output-dir", folder / "model",
        "--state-dir", folder / "state", "--threads", "1",
    ]  # fmt: skip


@pytest.mark.parametrize("directory", ["base", "full_model"])
def test_a_killed_training_ends_with_the_same_branch(directory, request, manifest, tmp_path):
    """Killed with -9 once a checkpoint is there, called again: bit for bit what an undisturbed run gives."""
    directory = request.getfixturevalue(directory)
    calm = command(directory, manifest, tmp_path / "calm")
    assert subprocess.run(calm, capture_output=True).returncode == 0
    killed = command(directory, manifest, tmp_path / "killed")
    process = subprocess.Popen(killed, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed/state").glob("checkpoint-*/complete")) and time.monotonic() < deadline:
        time.sleep(0.01)
        assert process.poll() is None, "training ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(killed, capture_output=True, text=True)
    assert done.returncode == 0 and "going on from" in done.stderr, done.stderr
    for file in (BRANCH, "model.safetensors"):
        assert same(*(load_file(tmp_path / name / "model" / file) for name in ("calm", "killed")))


def test_on_two_processes(full_model, manifest, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(command(full_model, manifest, tmp_path, *launcher), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trained = valid_losses(tmp_path / "model")
    assert trained[-1] < trained[0]
    assert ctc.load(tmp_path / "model", WIDTH) is not None
