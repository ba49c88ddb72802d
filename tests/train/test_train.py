"""Training: complete model directories, exact resume, refused states."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT, losses
from safetensors.torch import load_file
from stages import scp2jsonl

from recipe.files import RecipeError
from recipe.model import network as model
from recipe.settings import train as settings
from recipe.train import checkpoints, frozen
from recipe.train import run as train
from recipe.train.arguments import trainer_arguments
from recipe.train.sets import TrainingInputs

SETTINGS = settings.TrainSettings(
    max_steps=6, learning_rate=1e-3, batch_seconds=3.0, evaluations=3, decode_utterances=2, workers=0, select="loss"
)


@pytest.fixture
def manifests(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    return data_dir / "out" / "set.jsonl"


def run(base, manifest, folder, chosen=SETTINGS):
    recognizer = model.load(base, chosen.audio_tokens)
    return train.train(recognizer, chosen, TrainingInputs([manifest], [manifest]), folder / "model", folder / "state")


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_training_writes_a_complete_model_directory(full_model, manifests, tmp_path):
    facts = run(full_model, manifests, tmp_path)
    tuned = model.load(tmp_path / "model")
    assert tuned.audio_tokens == "full"
    record = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert record["steps"] == 6 and record["settings"]["learning_rate"] == 1e-3
    assert facts["selected_steps"][0] in (2, 4, 6)
    history = json.loads((tmp_path / "model" / "history.json").read_text())
    assert [entry["step"] for entry in history if "eval_loss" in entry] == [2, 4, 6]
    assert {"eval_cer", "eval_wer"} <= {name for entry in history for name in entry}
    assert not (tmp_path / "state").exists()
    assert not same(weights(tmp_path), load_file(full_model / "model.safetensors"))


def test_training_is_the_same_bit_for_bit_when_repeated(full_model, manifests, tmp_path):
    run(full_model, manifests, tmp_path / "a")
    run(full_model, manifests, tmp_path / "b")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_frozen_weights_stay_bit_for_bit(full_model, manifests, tmp_path):
    run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, freeze=("encoder", "llm")))
    before, after = load_file(full_model / "model.safetensors"), weights(tmp_path)
    changed = {name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"multi_modal_projector"}


def test_a_killed_training_ends_with_the_same_weights(full_model, manifests, tmp_path):
    """Killed with -9 once a checkpoint is there, called again: bit for bit what an undisturbed run gives."""
    run(full_model, manifests, tmp_path / "calm", dataclasses.replace(SETTINGS, select="last"))
    config = tmp_path / "run.yaml"
    config.write_text(
        "{max_steps: 6, learning_rate: 1.0e-3, batch_seconds: 3.0, evaluations: 3, decode_utterances: 2, workers: 0,"
        " select: last}"
    )
    command = [
        sys.executable, ROOT / "scripts/train.py", "--config", config, "--train-jsonl", manifests,
        "--valid-jsonl", manifests, "--model", full_model, "--output-dir", tmp_path / "killed/model",
        "--state-dir", tmp_path / "killed/state",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed").glob("state/checkpoint-*/complete")) and time.monotonic() < deadline:
        time.sleep(0.01)
        assert process.poll() is None, "training ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed/model").exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "going on from" in done.stderr, done.stderr
    assert same(weights(tmp_path / "calm"), weights(tmp_path / "killed"))


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    for step, whole in ((2, True), (10, True), (12, False)):
        checkpoint = tmp_path / f"checkpoint-{step}"
        checkpoint.mkdir()
        if whole:
            (checkpoint / checkpoints.COMPLETE).touch()
    assert checkpoints.last(tmp_path).name == "checkpoint-10"


def test_a_state_of_other_settings_is_refused_by_name(tmp_path):
    (tmp_path / "checkpoint-2").mkdir()
    (tmp_path / "checkpoint-2" / checkpoints.COMPLETE).touch()
    (tmp_path / checkpoints.FINGERPRINT).write_text(json.dumps({"settings.learning_rate": "0.001", "data.x": "aa"}))
    with pytest.raises(RecipeError, match=r"data\.x: aa -> bb"):
        checkpoints.check_fingerprint(tmp_path, {"settings.learning_rate": "0.001", "data.x": "bb"})
    checkpoints.check_fingerprint(tmp_path, {"settings.learning_rate": "0.001", "data.x": "aa"})


def test_a_state_knows_the_files_of_augmentation_and_the_number_of_processes(tmp_path, monkeypatch):
    words = tmp_path / "words"
    hotwords = settings.HotwordSettings(share=0.5, file=str(words))
    chosen = settings.TrainSettings(augment=settings.AugmentSettings(hotwords=hotwords))

    def facts():
        return checkpoints.fingerprint(chosen, {}, "model")

    with pytest.raises(RecipeError, match="words: no such file"):
        facts()
    words.write_text("Nansen\n")
    before = facts()
    words.write_text("Amundsen\n")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert {name for name, value in facts().items() if before[name] != value} == {f"data.{words}", "processes"}
    assert "version of training" in before


def test_two_trainings_in_one_state_are_refused(full_model, manifests, tmp_path):
    import filelock

    (tmp_path / "state").mkdir()
    with filelock.FileLock(tmp_path / "state" / "lock"), pytest.raises(RecipeError, match="another training process"):
        run(full_model, manifests, tmp_path)


def test_a_disk_that_checkpoints_would_fill_is_told_before_training(
    full_model, manifests, tmp_path, caplog, monkeypatch
):
    run(full_model, manifests, tmp_path / "room")
    assert "GB are free" not in caplog.text
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**5))
    run(full_model, manifests, tmp_path / "none")
    trained = model.load(full_model).model.num_parameters()
    assert f"checkpoints may take up to {36 * trained / 1e9:.1f} GB, and 0.0 GB are free" in caplog.text


def test_audio_that_has_gone_since_the_data_stage_stops_training(full_model, manifests, data_dir, tmp_path):
    shutil.rmtree(data_dir / "wav")
    with pytest.raises(RecipeError, match="run the data stage again"):
        run(full_model, manifests, tmp_path)


def test_audio_token_setting_can_be_changed_and_is_recorded(full_model, manifests, tmp_path):
    run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, max_steps=1, audio_tokens="low_frame_rate"))
    assert model.load(tmp_path / "model").audio_tokens == "low_frame_rate"


def test_more_processes_than_gpus_are_refused(full_model, manifests, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")
    with pytest.raises(RecipeError, match=r"1000 training processes .* see train\.gpus"):
        run(full_model, manifests, tmp_path)


LORA = settings.LoraSettings(rank=4, alpha=8.0, targets=("q_proj", "down_proj"))


def test_adapters_are_merged_and_kept_beside_the_model(full_model, manifests, tmp_path):
    run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, lora=LORA, freeze=("encoder", "adaptor")))
    before, after = load_file(full_model / "model.safetensors"), weights(tmp_path)
    changed = {name.rpartition("_proj")[0] + "_proj" for name in before if not torch.equal(before[name], after[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"q_proj", "down_proj"}
    assert all("language_model" in name for name in changed)
    adapter = load_file(tmp_path / "model" / "adapter" / "adapter_model.safetensors")
    name = "model.language_model.layers.0.self_attn.q_proj.weight"
    a, b = (adapter[f"base_model.model.layers.0.self_attn.q_proj.lora_{x}.weight"] for x in "AB")
    assert torch.allclose(after[name] - before[name], 8.0 / 4 * b @ a, atol=1e-6)


def test_freeze_auto_follows_the_hours_of_speech(full_model, manifests, tmp_path):
    run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, freeze="auto"))
    before, after = load_file(full_model / "model.safetensors"), weights(tmp_path)
    changed = {name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"multi_modal_projector"}  # a few seconds are under 1,000 hours


@pytest.mark.parametrize("changes", [{}, {"freeze": ("llm",)}, {"lora": LORA}])
def test_a_training_of_no_steps_gives_the_base_model(full_model, manifests, tmp_path, changes):
    run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, max_steps=0, epochs=0.0, **changes))
    assert same(weights(tmp_path), load_file(full_model / "model.safetensors"))


def test_a_model_that_says_something_else_when_loaded_is_not_delivered(full_model, manifests, tmp_path, monkeypatch):
    saved = model.Recognizer.save

    def broken(self, directory, facts):
        self.model.model.language_model.layers[0].mlp.down_proj.weight.data.mul_(30)
        saved(self, directory, facts)
        self.model.model.language_model.layers[0].mlp.down_proj.weight.data.div_(-30)

    monkeypatch.setattr(model.Recognizer, "save", broken)
    with pytest.raises(RuntimeError, match="gives other text"):
        run(full_model, manifests, tmp_path)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 1", "unknown setting learning_rat .is learning_rate meant"),
        ("seed: x", 'seed is "x", expected a whole number from 0 to 4294967295'),
        ("freeze: [encoder, adaptor, llm]", "nothing would be trained"),
        ("select: best", "expected one of cer, loss, last"),
        ("- 1", "expected settings"),
        ("epochs: -1", "expected a number of 0 or more"),
        ("accumulate: 0", "expected a whole number of 1 or more"),
        ("lora: {rang: 4}", "unknown setting lora.rang .is rank meant"),
    ],
)
def test_bad_settings_are_named(tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        settings.load(tmp_path / "run.yaml")


def test_what_is_too_long_is_listed_before_training_and_left_out(full_model, manifests, tmp_path, caplog):
    """The two longest of eight utterances do not fit into batches of 1.9 s; one more would not at the slowest speed."""
    caplog.set_level("INFO")
    slow = dataclasses.replace(SETTINGS.augment, speeds=(0.9, 1.0))
    run(full_model, manifests, tmp_path / "a", dataclasses.replace(SETTINGS, batch_seconds=1.9))
    run(full_model, manifests, tmp_path / "b", dataclasses.replace(SETTINGS, batch_seconds=1.9, augment=slow))
    listed = {name: (tmp_path / name / "rejects.tsv").read_text().splitlines()[1:] for name in "ab"}
    assert [line.split("\t")[:3] for line in listed["a"]] == [
        [f"spk{i % 2}-utt{i}", "train", "audio-too-long"] for i in (6, 7)
    ]
    assert listed["a"][0].endswith("2.0 s, at most 1.9 s fit")
    assert [line.split("\t")[0] for line in listed["b"]] == ["spk1-utt5", "spk0-utt6", "spk1-utt7"]
    assert "2 utterances are too long and left out" in caplog.text and "training on 6 utterances" in caplog.text


def test_utterances_beyond_the_encoder_are_left_out_of_both_sets(full_model, manifests, tmp_path):
    lines = [json.loads(line) for line in manifests.read_text().splitlines()]
    lines[3]["speech_length"] = 12289
    manifests.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, batch_seconds=600.0, max_steps=1))
    assert (tmp_path / "rejects.tsv").read_text().count("\nspk1-utt3\ttrain\taudio-too-long\t") == 2


def test_nothing_that_fits_is_an_error_that_says_so(full_model, manifests, tmp_path):
    with pytest.raises(RecipeError, match="no utterances that are short enough"):
        run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, batch_seconds=0.5))


@pytest.mark.parametrize("freeze", [("encoder",), ("encoder", "adaptor")])
@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_cached_outputs_of_frozen_parts_train_as_they_do_computed_anew(
    low_model, data_dir, tmp_path, freeze, ctc_weight
):
    scp2jsonl(data_dir, low_model)
    manifest = data_dir / "out" / "set.jsonl"
    settings = dataclasses.replace(SETTINGS, freeze=freeze, ctc_weight=ctc_weight, log_every=1)
    run(low_model, manifest, tmp_path / "anew", settings)
    run(low_model, manifest, tmp_path / "cached", dataclasses.replace(settings, cache_frozen=True))
    anew, cached = (losses(tmp_path / name / "model") for name in ("anew", "cached"))
    assert len(anew) == 6 and anew == pytest.approx(cached, rel=1e-4)
    a, b = weights(tmp_path / "anew"), weights(tmp_path / "cached")
    start = load_file(low_model / "model.safetensors")
    moved = max(float((a[name] - start[name]).abs().max()) for name in a)
    assert max(float((a[name] - b[name]).abs().max()) for name in a) < 0.05 * moved


def test_a_cache_of_other_data_or_half_written_is_made_anew(tmp_path):
    made = []

    def outputs(value):
        made.append(value)
        yield [(torch.full((2, 3), value), 9), (torch.full((1, 3), -value), 5)]

    for facts, value in (({"a": "1"}, 1.0), ({"a": "1"}, 2.0), ({"a": "2"}, 3.0)):
        frozen.write(tmp_path, 0, facts, [[1, 0]], outputs(value), 3, 3)
    cache = frozen.FrozenOutputs(tmp_path, 1, "encoder_outputs")
    assert made == [1.0, 3.0]
    assert cache[1][0].tolist() == [[3.0] * 3] * 2 and cache[1][1] == 9
    assert cache[0][0].tolist() == [[-3.0] * 3] and cache.rows(0) == 1


def test_a_cache_larger_than_the_disk_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="cache_frozen needs 4000000000000"):
        frozen.write(tmp_path, 0, {}, [], [], 10**12, 10**9)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"learning_rate": 1.0}, "the recipe sets learning_rate itself"),
        ({"max_steps": 3, "bf16": True}, "the recipe sets bf16, max_steps itself"),
        ({"fsd": "full_shard"}, "transformers.TrainingArguments has no fsd"),
    ],
)
def test_arguments_of_the_trainer_that_are_not_for_users_are_refused(full_model, manifests, tmp_path, trainer, message):
    with pytest.raises(RecipeError, match=message):
        run(full_model, manifests, tmp_path, dataclasses.replace(SETTINGS, trainer=trainer))


def test_settings_of_sharded_training_reach_the_trainer(tmp_path):
    zero = {"deepspeed": {"zero_optimization": {"stage": 2}}}
    with pytest.raises(RecipeError, match=r"trainer: .*deepspeed"):  # which is not installed
        trainer_arguments(dataclasses.replace(SETTINGS, trainer=zero), tmp_path, "fp32")
    sharding = {"fsdp": "full_shard auto_wrap", "fsdp_config": {"min_num_params": 10}, "ddp_timeout": 99}
    arguments = trainer_arguments(dataclasses.replace(SETTINGS, trainer=sharding), tmp_path, "fp32")
    assert arguments.fsdp and arguments.fsdp_config["min_num_params"] == 10 and arguments.ddp_timeout == 99
