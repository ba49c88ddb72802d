"""What a run leaves out while it goes: audio that turns out unreadable, and steps whose gradients are not finite."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from conftest import ROOT, losses, tone
from safetensors.torch import load_file
from stages import scp2jsonl
from tables import table_of

from recipe.audio import reading as audio
from recipe.audio.reading import AudioError
from recipe.files import RecipeError, sha256
from recipe.model import network as model
from recipe.settings import train as settings
from recipe.train import checkpoints, dataset, trainer
from recipe.train import run as train
from recipe.train.left_out import TRAIN, LeftOut, Unread
from recipe.train.sets import TrainingInputs

SETTINGS = settings.TrainSettings(
    max_steps=6, learning_rate=1e-3, batch_seconds=3.0, evaluations=3, decode_utterances=2, workers=0, select="last",
    log_every=1,
)  # fmt: skip
BROKEN = "spk1-utt5"


@pytest.fixture
def manifest(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    return data_dir / "out" / "set.jsonl"


def wav(manifest, key=BROKEN):
    return manifest.parent.parent / "wav" / f"{key}.wav"


def spoil(manifest, *keys):
    """Overwrite recordings that the data stage accepted."""
    for key in keys or [BROKEN]:
        wav(manifest, key).write_bytes(b"garbage" * 500)


def run(base, manifest, folder, valid=None, **changes):
    recognizer = model.load(base)
    inputs = TrainingInputs([manifest], [valid or manifest])
    chosen = dataclasses.replace(SETTINGS, **changes)
    return train.train(recognizer, chosen, inputs, folder / "model", folder / "state")


def without(manifest, *keys):
    """A manifest that never had these utterances."""
    lines = [line for line in manifest.read_text().splitlines() if json.loads(line)["key"] not in keys]
    file = manifest.with_name("less.jsonl")
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def digest(folder):
    return sha256(folder / "model/model.safetensors")


def rejects(folder):
    return [line.split("\t") for line in (folder / "rejects.tsv").read_text().splitlines()[1:]]


def history(folder):
    return json.loads((folder / "model/history.json").read_text())


def is_finite(folder):
    return all(bool(tensor.isfinite().all()) for tensor in load_file(folder / "model/model.safetensors").values())


def on_two_processes(script, base, manifest, folder, **changes):
    """Train with torchrun, four steps."""
    chosen = {"max_steps": 4, "learning_rate": 1e-3, "evaluations": 2, "decode_utterances": 2, "workers": 1}
    chosen |= {"select": "last", "log_every": 1, **changes}
    (folder / "run.yaml").write_text(json.dumps(chosen))
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, "--config",
        folder / "run.yaml", "--model", base, "--train-jsonl", manifest, "--valid-jsonl", manifest, "--output-dir",
        folder / "model", "--state-dir", folder / "state",
    ]  # fmt: skip
    environ = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environ)


class TestUnreadable:
    @pytest.mark.parametrize("damage", ["gone", "garbage", "empty", "not finite", "too loud", "too short"])
    def test_one_is_left_out_counted_and_named(self, full_model, manifest, tmp_path, caplog, damage):
        samples = tone(1.8)
        if damage == "gone":
            wav(manifest).unlink()
        elif damage in ("garbage", "empty"):
            wav(manifest).write_bytes(b"garbage" * 500 * (damage == "garbage"))
        else:
            samples[100] = {"not finite": np.nan, "too loud": 1e30, "too short": 0}[damage]
            soundfile.write(wav(manifest), samples[: 300 if damage == "too short" else None], 16000, subtype="FLOAT")
        facts = run(full_model, manifest, tmp_path, valid=without(manifest, BROKEN))
        reason = {
            "gone": "audio-missing", "garbage": "audio-unreadable", "empty": "audio-empty",
            "not finite": "audio-not-finite", "too loud": "audio-not-finite", "too short": "audio-too-short",
        }[damage]  # fmt: skip
        assert [line[:3] for line in rejects(tmp_path)] == [[BROKEN, "train", reason]]
        assert caplog.text.count(f"training utterance {BROKEN} cannot be read and is left out: {reason}: ") == 1
        record = json.loads((tmp_path / "model/recipe.json").read_text())
        assert record["unreadable"] == facts["unreadable"] == {"train": 1, "valid": 0}
        assert is_finite(tmp_path) and np.isfinite(losses(tmp_path / "model")).all()

    @pytest.mark.parametrize(
        ("case", "reason"), [("damaged-middle.flac", None), ("one-nan-sample.wav", "audio-not-finite")]
    )
    def test_damage_that_was_seen(self, shared, data_dir, full_model, tmp_path, case, reason):
        """These pass a data stage that reads headers only."""
        scp = data_dir / "wav.scp"
        scp.write_text(scp.read_text().replace(f"wav/{BROKEN}.wav", str(shared / "cases" / case)))
        records, refused, _ = scp2jsonl(data_dir, full_model, "--verify", "header")
        assert len(records) == 8 and not refused
        run(full_model, data_dir / "out/set.jsonl", tmp_path)
        assert {line[0] for line in rejects(tmp_path)} == {BROKEN}
        assert reason is None or {line[2] for line in rejects(tmp_path)} == {reason}

    def test_the_model_is_the_same_for_any_number_of_readers(self, full_model, manifest, tmp_path):
        spoil(manifest)
        for workers in (0, 1, 2):
            run(full_model, manifest, tmp_path / str(workers), workers=workers)
        assert len({digest(tmp_path / str(workers)) for workers in (0, 1, 2)}) == 1

    @pytest.mark.parametrize("accumulate", [1, 2])
    def test_after_an_interruption_everything_is_as_without(
        self, full_model, manifest, tmp_path, monkeypatch, accumulate
    ):
        """Both were met before the interruption; the list begins anew, and ends alike."""
        spoil(manifest, BROKEN, "spk0-utt2")
        changes = {"accumulate": accumulate, "max_unreadable": 0.5}
        run(full_model, manifest, tmp_path / "calm", **changes)
        step, done = trainer.AsrTrainer.training_step, []

        def interrupted(*args, **kwargs):
            done.append(1)
            if len(done) == 5 * accumulate:
                raise KeyboardInterrupt
            return step(*args, **kwargs)

        monkeypatch.setattr(trainer.AsrTrainer, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(full_model, manifest, tmp_path / "stopped", **changes)
        assert (tmp_path / "stopped/state/checkpoint-4/left_out.json").exists()
        run(full_model, manifest, tmp_path / "stopped", **changes)
        assert digest(tmp_path / "calm") == digest(tmp_path / "stopped")
        assert rejects(tmp_path / "calm") == rejects(tmp_path / "stopped")
        records = [json.loads((tmp_path / name / "model/recipe.json").read_text()) for name in ("calm", "stopped")]
        assert records[0]["unreadable"] == records[1]["unreadable"] == {"train": 2, "valid": 2}

    @pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"ctc_weight": 0.3}, {"max_grad_norm": 0.0}])
    def test_a_batch_of_nothing_readable_teaches_nothing(self, full_model, manifest, tmp_path, changes):
        """Batches of one utterance: every step, or half of one, may have nothing. The steps that remain are those of a
        run in which the others were never taken."""
        keys = [f"spk{i % 2}-utt{i}" for i in range(2, 8)]
        spoil(manifest, *keys)
        alone = {"batch_seconds": 2.3, "max_steps": 8, "max_unreadable": 1.0, **changes}
        facts = run(full_model, manifest, tmp_path, valid=without(manifest, *keys), **alone)
        assert facts["steps"] == 8 and facts["unreadable"]["train"] == 6
        assert is_finite(tmp_path) and 0 < len(losses(tmp_path / "model")) < 8
        assert all(1 < loss < 100 for loss in losses(tmp_path / "model"))

    def test_frozen_parts_are_computed_of_what_can_be_read(self, low_model, manifest, tmp_path, caplog):
        spoil(manifest)
        valid = without(manifest, BROKEN)
        for name, cached in (("anew", False), ("cached", True)):
            facts = run(low_model, manifest, tmp_path / name, valid, freeze=("encoder",), cache_frozen=cached)
            assert facts["unreadable"] == {"train": 1, "valid": 0}
            assert [line[0] for line in rejects(tmp_path / name)] == [BROKEN]
        assert losses(tmp_path / "cached/model") == pytest.approx(losses(tmp_path / "anew/model"), rel=1e-4)

    def test_a_cache_is_made_anew_once_recordings_are_mended(self, low_model, manifest, tmp_path):
        content = wav(manifest).read_bytes()
        spoil(manifest)
        chosen = {"freeze": ("encoder",), "cache_frozen": True, "valid": without(manifest, BROKEN)}
        with pytest.raises(RecipeError, match=r"1 of 8 training utterances cannot be read"):
            run(low_model, manifest, tmp_path, max_unreadable=0.0, **chosen)
        wav(manifest).write_bytes(content)
        assert run(low_model, manifest, tmp_path, max_unreadable=0.0, **chosen)["unreadable"]["train"] == 0

    def test_validation_goes_by_what_can_be_read(self, full_model, manifest, tmp_path):
        spoil(manifest)
        less = without(manifest, BROKEN)
        run(full_model, less, tmp_path / "without", valid=less, decode_utterances=8)
        facts = run(full_model, less, tmp_path / "broken", valid=manifest, decode_utterances=8)
        assert facts["unreadable"] == {"train": 0, "valid": 1}
        assert [line[:2] for line in rejects(tmp_path / "broken")] == [[BROKEN, "train"]]
        results = [
            [entry[name] for entry in history(tmp_path / folder) for name in ("eval_loss", "eval_cer") if name in entry]
            for folder in ("without", "broken")
        ]
        assert len(results[0]) == 6 and results[0] == pytest.approx(results[1], rel=1e-5)

    def test_without_allowance_the_first_one_ends_the_run(self, full_model, manifest, tmp_path):
        spoil(manifest)
        with pytest.raises(RecipeError, match=rf"1 of 8 .* allows 0: {BROKEN} \(audio-unreadable: .*verify: full"):
            run(full_model, manifest, tmp_path, max_unreadable=0.0)
        assert not (tmp_path / "model").exists()

    def test_too_many_end_the_run_and_more_may_be_allowed_then(self, full_model, manifest, tmp_path):
        spoil(manifest, BROKEN, "spk0-utt2")
        with pytest.raises(RecipeError, match=r"2 of 8 validation utterances .* max_unreadable 0\.1 allows 1: "):
            run(full_model, manifest, tmp_path, max_unreadable=0.1)
        assert run(full_model, manifest, tmp_path, max_unreadable=0.3)["unreadable"]["train"] == 2

    @pytest.mark.parametrize(("share", "allowed"), [(0.0, 0), (0.001, 1), (0.01, 10), (1.0, 1000)])
    def test_what_is_allowed_is_a_share_of_the_set(self, tmp_path, share, allowed):
        (tmp_path / "rejects.tsv").write_text("")
        chosen = settings.TrainSettings(max_unreadable=share)
        account = LeftOut(chosen, {TRAIN: 1000}, tmp_path / "rejects.tsv")
        for index in range(allowed):
            account.add_unread(TRAIN, [Unread(index=index, key=f"k{index}", reason="r", detail="d")] * 2)
        if allowed < 1000:
            with pytest.raises(RecipeError, match=f"{allowed + 1} of 1000"):
                account.add_unread(TRAIN, [Unread(index=allowed, key="last", reason="r", detail="d")])

    def test_no_validation_at_all_is_an_error(self, full_model, manifest, tmp_path):
        """Also in a training of no steps, which reads it for the proof alone."""
        valid = manifest.with_name("valid.jsonl")
        shutil.copytree(manifest.parent.parent / "wav", tmp_path / "other")
        valid.write_text(manifest.read_text().replace(str(manifest.parent.parent / "wav"), str(tmp_path / "other")))
        shutil.rmtree(tmp_path / "other")
        for epochs, message in ((0.0, "none of 8 validation"), (1.0, "no evaluation of this run had a finite loss")):
            with pytest.raises(RecipeError, match=message):
                run(full_model, manifest, tmp_path, valid, max_unreadable=1.0, max_steps=0, epochs=epochs)
            assert not (tmp_path / "model").exists()
            shutil.rmtree(tmp_path / "state")

    @pytest.mark.slow
    def test_two_processes_tell_each_other(self, full_model, manifest, tmp_path):
        """Batches of one utterance: one process has nothing where the other has something."""
        keys = ["spk1-utt5", "spk0-utt2", "spk1-utt7"]
        spoil(manifest, *keys)
        config = {"max_unreadable": 0.4, "batch_seconds": 2.3, "trainer": {"use_cpu": True}}
        done = on_two_processes(ROOT / "scripts/train.py", full_model, manifest, tmp_path, **config)
        assert done.returncode == 0, done.stderr
        record = json.loads((tmp_path / "model/recipe.json").read_text())
        assert record["steps"] == 4 and record["unreadable"] == {"train": 3, "valid": 3}
        assert sorted(line[0] for line in rejects(tmp_path)) == sorted(2 * keys)
        assert is_finite(tmp_path) and all(
            done.stderr.count(f"training utterance {key} cannot be read") == 1 for key in keys
        )
        shutil.rmtree(tmp_path / "model")
        config["max_unreadable"] = 0.2
        done = on_two_processes(ROOT / "scripts/train.py", full_model, manifest, tmp_path, **config)
        assert done.returncode and "2 of 8 training utterances cannot be read" in done.stderr

    def test_a_noise_that_is_not_finite_is_told_from_an_utterance(self, full_model, manifest, tmp_path):
        (tmp_path / "noise").mkdir()
        soundfile.write(tmp_path / "noise/n.wav", np.full(8000, np.nan), 16000, subtype="FLOAT")
        (tmp_path / "noise/wav.scp").write_text("n n.wav\n")
        noisy = settings.AugmentSettings(noise=(str(tmp_path / "noise"),), noise_share=1.0)
        with pytest.raises(RecipeError, match=r"augment: audio-not-finite: .*n\.wav"):
            run(full_model, manifest, tmp_path, augment=noisy)

    def test_a_recording_longer_than_the_encoder_takes_is_one(self, full_model, manifest, tmp_path, monkeypatch):
        long = tone(123.5)
        read = audio.read
        monkeypatch.setattr(audio, "read", lambda source, **part: long if BROKEN in source else read(source, **part))
        run(full_model, manifest, tmp_path, valid=without(manifest, BROKEN))
        assert [line[2] for line in rejects(tmp_path)] == ["audio-too-long"]


@pytest.fixture
def poisoned(monkeypatch):
    """Features of one utterance that pass unnoticed and are not finite, in training alone."""
    features = dataset.Utterances._features

    def poison(self, epoch, index, utterance):
        found = features(self, epoch, index, utterance)
        poisoned = self._augment and utterance.key == BROKEN
        return torch.full_like(found, torch.nan) if poisoned else found

    monkeypatch.setattr(dataset.Utterances, "_features", poison)


class TestNonfinite:
    @pytest.mark.parametrize("norm", [1.0, 0.0])
    @pytest.mark.parametrize("accumulate", [1, 2])
    def test_steps_are_left_out_with_and_without_clipping(
        self, full_model, manifest, tmp_path, caplog, poisoned, norm, accumulate
    ):
        changes = {"max_nonfinite": 1.0, "max_grad_norm": norm, "accumulate": accumulate, "batch_seconds": 5.0}
        facts = run(full_model, manifest, tmp_path, **changes)
        assert is_finite(tmp_path) and 0 < facts["steps_left_out"] < 6
        assert len(losses(tmp_path / "model")) == 6 - facts["steps_left_out"]
        logged = [value for entry in history(tmp_path) for value in entry.values() if isinstance(value, float)]
        assert np.isfinite(logged).all()
        assert caplog.text.count(f"the step is left out (loss not finite: {BROKEN}; with ") == facts["steps_left_out"]

    def test_the_logged_mean_is_over_the_steps_that_were_taken(self, full_model, manifest, tmp_path, poisoned):
        for every in (1, 4):
            run(full_model, manifest, tmp_path / str(every), max_nonfinite=1.0, log_every=every, max_steps=8)
        single = {entry["step"]: entry["loss"] for entry in history(tmp_path / "1") if "loss" in entry}
        means = {entry["step"]: entry["loss"] for entry in history(tmp_path / "4") if "loss" in entry}
        assert len(single) < 8 and means.keys() == {4, 8}
        for step, mean in means.items():
            taken = [loss for at, loss in single.items() if step - 4 < at <= step]
            assert mean == pytest.approx(np.mean(taken), rel=1e-5)

    @pytest.mark.slow
    @pytest.mark.parametrize("norm", [1.0, 0.0])
    def test_the_first_process_names_what_another_one_has(self, full_model, manifest, tmp_path, norm):
        """One of two processes has the utterance at a time; both leave the step out, and stay together."""
        script = tmp_path / "poisoned.py"
        script.write_text(
            "import runpy, torch\n"
            "from recipe.train import dataset\n"
            "features = dataset.Utterances._features\n"
            "def poison(self, epoch, index, utterance):\n"
            "    found = features(self, epoch, index, utterance)\n"
            f"    return found * torch.nan if self._augment and utterance.key == {BROKEN!r} else found\n"
            "dataset.Utterances._features = poison\n"
            f"runpy.run_path({str(ROOT / 'scripts/train.py')!r}, run_name='__main__')\n"
        )
        config = {"max_nonfinite": 1.0, "max_grad_norm": norm, "trainer": {"use_cpu": True}, "batch_seconds": 5.0}
        done = on_two_processes(script, full_model, manifest, tmp_path, **config)
        assert done.returncode == 0, done.stderr
        left_out = json.loads((tmp_path / "model/recipe.json").read_text())["steps_left_out"]
        assert done.stderr.count(f"the step is left out (loss not finite: {BROKEN}") == left_out > 0
        assert len(losses(tmp_path / "model")) == 4 - left_out and is_finite(tmp_path)

    def test_too_many_end_the_run_and_name_their_utterances(self, full_model, manifest, tmp_path, poisoned):
        with pytest.raises(RecipeError, match=rf"3 of \d+ steps had gradients .*loss not finite: {BROKEN}"):
            run(full_model, manifest, tmp_path, max_nonfinite=0.0, max_steps=30)

    def test_they_are_counted_over_an_interruption(self, tmp_path):
        (tmp_path / "rejects.tsv").write_text("")
        chosen = settings.TrainSettings(max_nonfinite=0.0)
        first, second = (LeftOut(chosen, {TRAIN: 9}, tmp_path / "rejects.tsv") for _ in range(2))
        for step in (1, 2):
            first.add_step(step, [])
        first.save(tmp_path)
        second.resume(tmp_path)
        with pytest.raises(RecipeError, match="3 of 3 steps"):
            second.add_step(3, [])

    @pytest.mark.parametrize("lora", [None, settings.LoraSettings(rank=4, targets=("q_proj",))])
    def test_weights_that_are_not_finite_are_never_written(self, full_model, manifest, tmp_path, monkeypatch, lora):
        averaged = checkpoints.averaged_weights

        def broken(*args):
            weights = averaged(*args)
            weights["model.language_model.norm.weight"][3] = torch.inf
            return weights

        monkeypatch.setattr(checkpoints, "averaged_weights", broken)
        with pytest.raises(RecipeError, match=r"like model\.language_model\.norm\.weight; it is not written"):
            run(full_model, manifest, tmp_path, lora=lora)
        assert not (tmp_path / "model").exists()

    def test_weights_that_became_infinite_in_the_last_step_are_not_chosen(
        self, full_model, manifest, tmp_path, monkeypatch
    ):
        """With `last` the model is the last checkpoint whose validation loss is finite."""
        norm = trainer.AsrTrainer._get_grad_norm

        def spoil_last(self, network, grad_norm=None):
            if self.state.global_step == 5:
                with torch.no_grad():
                    self.model.model.language_model.norm.weight.fill_(torch.nan)
            return norm(self, network, grad_norm)

        monkeypatch.setattr(trainer.AsrTrainer, "_get_grad_norm", spoil_last)
        facts = run(full_model, manifest, tmp_path)
        assert facts["selected_steps"] == [4] and is_finite(tmp_path)


class TestRanking:
    HISTORY = (
        {"step": 1, "eval_loss": float("nan"), "eval_cer": 0.1},
        {"step": 2, "eval_loss": 0.5, "eval_cer": float("nan")},
        {"step": 3, "eval_loss": 0.4, "eval_cer": 0.9},
        {"step": 4, "eval_loss": float("inf"), "eval_cer": 0.0},
        {"step": 5, "eval_loss": 0.6, "eval_cer": 0.7},
        {"step": 5, "loss": 0.1},
    )

    @pytest.mark.parametrize(
        ("select", "order", "best"),
        [
            ("loss", [3, 2, 5, 1, 4], [3, 2]),
            ("cer", [5, 3, 1, 2, 4], [5, 3]),
            ("last", [5, 3, 2, 1, 4], [5, 3]),
        ],
    )
    def test_what_is_not_finite_comes_last_and_is_never_chosen(self, select, order, best):
        assert checkpoints.ranking(self.HISTORY, select) == order
        assert checkpoints.chosen(self.HISTORY, select, 2) == best
        assert set(checkpoints.chosen(self.HISTORY, select, 9)) <= {2, 3, 5}
        assert not checkpoints.chosen(self.HISTORY[:1], select, 2)


@pytest.mark.parametrize(("count", "wanted"), [(199, 100), (100, 100), (7, 100), (1000, 3), (101, 100), (5, 1)])
def test_the_decoded_sample_is_spread_over_all_of_validation(count, wanted):
    places = trainer.spread(count, wanted)
    assert len(set(places)) == len(places) == min(count, wanted)
    gaps = np.diff([*places, count])
    assert places[0] == 0 and gaps.max() - gaps.min() <= 1


def test_items_say_what_could_not_be_read(full_model, manifest):
    from recipe.data import manifest as manifests
    from recipe.model.features import FrontEnd

    spoil(manifest)
    front_end = FrontEnd(model.load(full_model))
    utterances = dataset.Utterances(table_of(manifest.parent, front_end, manifests.read(manifest)), front_end)
    item = utterances[0, 5]
    assert (item.what.index, item.what.key, item.what.reason) == (5, BROKEN, "audio-unreadable")
    assert len(item.stand_in.features) == 1 and isinstance(utterances[0, 0], dataset.Item)
    with pytest.raises(AudioError):
        utterances._features(0, 5, utterances.utterances[5])
