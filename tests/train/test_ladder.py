"""Few shapes of batches: nothing left out, little padding, the same losses; and steps recorded for each of them."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from conftest import losses
from safetensors.torch import load_file
from stages import scp2jsonl

from recipe.files import RecipeError
from recipe.model import network as model
from recipe.model.features import FRAME_SECONDS, FRAME_WIDTH, Item
from recipe.model.network import audio_token_count
from recipe.settings.train import AugmentSettings, LoraSettings, TrainSettings
from recipe.text.prompt import IGNORED, Example
from recipe.train import collate, ladder, recorded
from recipe.train import run as train
from recipe.train.augment import Augment
from recipe.train.batching import epoch_plan
from recipe.train.dataset import FrozenItem, Utterances
from recipe.train.frozen import ADAPTOR_OUTPUTS, ENCODER_OUTPUTS
from recipe.train.sets import TrainingInputs
from recipe.train.table import ROW, UtteranceTable

COMMON = 25
SETTINGS = TrainSettings(
    max_steps=6, learning_rate=1e-3, batch_seconds=4.0, evaluations=3, decode_utterances=2, workers=0, select="last",
    log_every=1, cuda_graphs=True,
)  # fmt: skip


def made_up(folder, count, speeds=(1.0,)):
    """A set of utterances of 1 to 30 s, log-normal around 6 s, with 3.5 tokens of text a second, give or take."""
    random, rows = np.random.default_rng(0), np.zeros(count, ROW)
    seconds = random.lognormal(np.log(6), 0.7, count).clip(1, 30)
    rows["frames"], rows["key"] = seconds / FRAME_SECONDS, random.integers(1 << 32, size=count)
    rows["text"] = np.maximum(1, seconds * random.normal(3.5, 0.8, count).clip(1.5, 7))
    (folder / "rows").write_bytes(rows.tobytes())
    augment = Augment(AugmentSettings(speeds=speeds), 1)
    return Utterances(UtteranceTable(folder / "rows", [], COMMON, float(seconds.sum())), None, augment)


@pytest.fixture(scope="class")
def found(tmp_path_factory, count, seconds, speeds, shuffle):
    data, budget = made_up(tmp_path_factory.mktemp("plan"), count, speeds), round(seconds / FRAME_SECONDS)
    return data, budget, ladder.fitted(data, TrainSettings(shuffle=shuffle), budget, "low_frame_rate")


@pytest.mark.parametrize("shuffle", ["full", "chunks"], scope="class")
@pytest.mark.parametrize(
    ("count", "seconds", "speeds"), [(3000, 240, (1.0,)), (3000, 480, (0.9, 1.0, 1.1)), (40, 60, (1.0,))], scope="class"
)
class TestPlan:
    def test_every_batch_of_every_epoch_has_a_shape_and_nothing_is_lost(self, found, shuffle):
        data, budget, shapes = found
        assert all(shape.rows * shape.frames <= budget for shape in shapes.shapes)
        for epoch in range(3):
            rounding = shapes.rounding(data, epoch)
            plan = epoch_plan(np.arange(len(data)), data.lengths(epoch), budget, 1, epoch, 1, shuffle, rounding)
            batches, sizes = list(plan.batches()), data.sizes(epoch)
            assert sorted(i for batch in batches for i in batch) == list(range(len(data)))
            padded = 0
            for batch in batches:
                frames, text = sizes(np.array(batch))
                audio = max(audio_token_count(int(one), "low_frame_rate") for one in frames)
                tokens = int(text.max()) + COMMON + audio
                shape = shapes.shape_of(len(batch), int(frames.max()), tokens, int(text.sum()) + len(batch))
                assert shape is not None
                padded += shape.rows * shape.frames
            # Lengths are upper bounds, so a batch may fit into a smaller shape than it was cut for.
            assert plan.padding >= 1 - data.lengths(epoch)(np.arange(len(data))).sum() / padded - 1e-9

    def test_there_is_at_most_a_twentieth_more_padding(self, found, shuffle, count):
        """In the epoch that shapes were fitted to, and about so in others."""
        data, budget, shapes = found
        more = []
        for epoch in range(3):
            arguments = np.arange(len(data)), data.lengths(epoch), budget, 1, epoch, 1, shuffle
            without, padded = epoch_plan(*arguments), epoch_plan(*arguments, shapes.rounding(data, epoch))
            more.append((1 - without.padding) / (1 - padded.padding))
        # Of five batches one is not full.
        assert count < 100 or (more[0] <= ladder.ALLOWED and np.mean(more) < ladder.ALLOWED + 0.02)
        assert len(shapes.shapes) <= max(ladder.NUMBERS)

    def test_it_is_the_same_again(self, found, shuffle):
        data, budget, shapes = found
        assert shapes == ladder.fitted(data, TrainSettings(shuffle=shuffle), budget, "low_frame_rate")


def test_borders_are_the_best_ones():
    """Against all choices of three borders."""
    lengths = np.random.default_rng(1).integers(1, 13, 40)

    def added(borders):
        return int((np.asarray(borders)[np.searchsorted(borders, lengths)] - lengths).sum())

    [found] = ladder.partitions(lengths, 14, range(3, 4))
    choices = [(a, b, 14) for a in range(1, 14) for b in range(a + 1, 14) if b >= 1]
    assert added(found) == min(map(added, choices)) and len(found) == 3


def items_of(network, mode, kind):
    """Three utterances of different lengths, or what frozen parts made of them."""
    random, found, audio_id = torch.manual_seed(1), [], network.config.audio_token_id
    for frames, text in ((17, 3), (25, 6), (9, 2)):
        audio = audio_token_count(frames, mode)
        target = torch.randint(audio_id + 5, audio_id + 50, (text,), generator=random).tolist()
        ids = [audio_id + 1] * 3 + [audio_id] * audio + [audio_id + 2] + target
        example = Example(ids, [IGNORED] * (len(ids) - text) + target)
        features = torch.randn(frames, FRAME_WIDTH, generator=random)
        if kind:
            with torch.inference_mode():
                features = network.encode(features[None], torch.ones(1, frames))
                if kind == ADAPTOR_OUTPUTS:
                    features = network.adapt(features, torch.ones(1, frames))[:, :audio]
            found.append(FrozenItem(str(frames), features[0].clone(), example, frames, kind))
        else:
            found.append(Item(str(frames), features, example))
    return found


@pytest.mark.parametrize("masked", [{"cpu"}, set()], ids=["mask", "no mask"])
@pytest.mark.parametrize("mode", ["full", "low_frame_rate"])
@pytest.mark.parametrize("kind", [None, ENCODER_OUTPUTS, ADAPTOR_OUTPUTS])
def test_losses_and_gradients_are_those_without_padding(full_model, kind, mode, masked, monkeypatch):
    """Of rows, frames, tokens, places of audio and targets."""
    monkeypatch.setattr(model, "MASKED", masked)
    recognizer = model.load(full_model)
    network = recognizer.model
    shapes = ladder.Ladder((12, 40), (2, 9), 20, 400, 5, mode)
    collator = collate.Collate(recognizer.tokenizer.pad_token_id, network.config.audio_token_id)
    items = items_of(network, mode, kind)
    found = []
    for chosen in (None, shapes):
        batch = collator(items, chosen)
        found.append([network(**batch, num_items_in_batch=11).loss])
        network.zero_grad()
        found[-1][0].backward()
        found[-1] += [one.grad for one in network.parameters() if one.grad is not None]
        size = (3, 25) if chosen is None else (10, 40)
        assert batch["input_features_mask"].shape == size
    assert found[0][0] > 1
    for without, padded in zip(*found, strict=True):
        assert torch.allclose(without, padded, rtol=1e-4, atol=1e-6)
    blank = network(**collator.blank(batch, shapes.shapes[0]), num_items_in_batch=3).loss
    assert blank == 0


@pytest.fixture
def manifest(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    return data_dir / "out" / "set.jsonl"


def run(base, manifest, folder, **changes):
    """Train and return the weights."""
    inputs = TrainingInputs([manifest], [manifest])
    train.train(model.load(base), dataclasses.replace(SETTINGS, **changes), inputs, folder / "model", folder / "state")
    return load_file(folder / "model/model.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Unpadded(collate.CollateReadable):
    """The batches of training with shapes, without the shapes."""

    def __call__(self, items):
        ladder, self.ladder = self.ladder, None
        batch = super().__call__(items)
        self.ladder = ladder
        return batch


MODES = {
    "everything": {},
    "accumulated": {"accumulate": 2},
    "adaptor cached": {"freeze": ("encoder", "llm"), "cache_frozen": True},
    "lora": {"freeze": ("encoder",), "lora": LoraSettings(rank=4, dropout=0.0)},
    "bf16": {"precision": "bf16"},
}
PARAMETERS = [
    pytest.param(mode, id=name, marks=[pytest.mark.slow] * (name != "everything")) for name, mode in MODES.items()
]


class TestRun:
    @pytest.mark.parametrize("mode", PARAMETERS)
    def test_losses_are_those_of_batches_without_padding(self, full_model, manifest, tmp_path, mode, monkeypatch):
        asked = {"dropout": 0.0, **mode}
        run(full_model, manifest, tmp_path / "shapes", **asked)
        monkeypatch.setattr(train, "CollateReadable", Unpadded)
        run(full_model, manifest, tmp_path / "none", **asked, max_steps=6)
        found = losses(tmp_path / "shapes/model")
        tolerance = 2e-2 if mode.get("precision") else 1e-4
        assert len(found) == 6 and found == pytest.approx(losses(tmp_path / "none/model"), rel=tolerance)

    @pytest.mark.slow
    def test_workers_change_nothing_and_neither_does_an_interruption(self, full_model, manifest, tmp_path, monkeypatch):
        whole = run(full_model, manifest, tmp_path / "whole")
        assert same(whole, run(full_model, manifest, tmp_path / "workers", workers=2))
        evaluate = train.AsrTrainer.evaluate

        def interrupted(self, *args, **kwargs):
            if self.state.global_step == 4:
                raise KeyboardInterrupt
            return evaluate(self, *args, **kwargs)

        monkeypatch.setattr(train.AsrTrainer, "evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(full_model, manifest, tmp_path / "killed")
        monkeypatch.undo()
        assert same(whole, run(full_model, manifest, tmp_path / "killed"))

    def test_what_is_recorded_is_what_runs(self, full_model, manifest, tmp_path, caplog, monkeypatch):
        """All shapes before the first step, each step one of them; the weights are those of steps called directly."""
        calls = []

        class Watched(recorded._Calls):
            def recorded(self, step):
                number = len(calls)
                calls.append(0)

                def replay():
                    calls[number] += 1
                    return step()

                return replay

        monkeypatch.setattr(recorded, "_Calls", Watched)
        with caplog.at_level(logging.INFO):
            found = run(full_model, manifest, tmp_path / "recorded", accumulate=2)
        assert f"{len(calls)} shapes of batches are recorded" in caplog.text and len(calls) > 1
        assert sum(calls) == 12 and "not recorded" not in caplog.text
        monkeypatch.setattr(train.AsrTrainer, "_record", lambda self, model, batch: None)
        assert same(found, run(full_model, manifest, tmp_path / "direct", accumulate=2))

    def test_a_recording_that_fails_is_told_and_training_goes_on(
        self, full_model, manifest, tmp_path, caplog, monkeypatch
    ):
        whole, made = run(full_model, manifest, tmp_path / "whole"), []

        class Failing(recorded._Calls):
            def as_it_was(self):
                return torch.random.fork_rng()

            def recorded(self, step):
                made.append(step)
                if len(made) == 2:
                    step()  # what it adds to gradients is taken away
                    raise torch.OutOfMemoryError("no room\nfor this")
                return step

        monkeypatch.setattr(recorded, "_Calls", Failing)
        found = run(full_model, manifest, tmp_path / "failed")
        assert "cannot be recorded, so it runs without graphs (no room)" in caplog.text
        assert same(whole, found)

    def test_batches_that_nothing_can_be_read_of_count_for_nothing(self, full_model, manifest, tmp_path, caplog):
        for file in (manifest.parent.parent / "wav").glob("spk1*"):
            file.write_bytes(b"garbage" * 500)
        lines = [line for line in manifest.read_text().splitlines(True) if "spk0" in line]
        valid = manifest.with_name("valid.jsonl")
        valid.write_text("".join(lines))
        train.train(
            model.load(full_model), dataclasses.replace(SETTINGS, max_unreadable=1.0, batch_seconds=3.0),
            TrainingInputs([manifest], [valid]), tmp_path / "model", tmp_path / "state",
        )  # fmt: skip
        assert np.isfinite(losses(tmp_path / "model")).all() and "left out" in caplog.text

    def test_utterances_without_a_finite_loss_are_named(self, full_model, manifest, tmp_path, caplog, monkeypatch):
        features = Utterances._augmented

        def spoiled(self, epoch, index, utterance):
            found, frames = features(self, epoch, index, utterance)
            return (found * torch.nan if utterance.key == "spk1-utt5" and self._augment else found), frames

        monkeypatch.setattr(Utterances, "_augmented", spoiled)
        monkeypatch.setattr("recipe.train.dataset._check", lambda *args: None)
        run(full_model, manifest, tmp_path, max_nonfinite=1.0)
        assert "spk1-utt5" in caplog.text and not [key for key in ("spk0-utt0", "spk1-utt1") if key in caplog.text]


@pytest.mark.parametrize("ctc", [{"ctc_weight": 0.3}, {"ctc_head": True}])
def test_a_ctc_loss_cannot_be_recorded(full_model, manifest, tmp_path, ctc):
    with pytest.raises(RecipeError, match="cuda_graphs cannot record a CTC loss"):
        run(full_model, manifest, tmp_path, **ctc)
