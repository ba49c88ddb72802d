"""How much audio a batch holds: searched for where it is to be found out, and never exceeded by a batch of training."""

import dataclasses

import pytest
import torch
from stages import scp2jsonl
from tables import table_of

from recipe.data import manifest
from recipe.files import RecipeError
from recipe.model import network as model
from recipe.model.features import FrontEnd
from recipe.settings.train import AugmentSettings, TrainSettings
from recipe.train import batching, chosen, preflight
from recipe.train.augment import Augment
from recipe.train.dataset import Utterances
from recipe.train.expected import Load


@pytest.mark.parametrize("memory", [100, 999, 1000, 1001, 5000, 40000])
def test_the_search_finds_the_largest_budget_to_an_eighth(memory):
    found = preflight.higher(lambda budget: budget <= memory, 100, 16000)
    assert found <= min(memory, 16000) < found * 9 / 8 + 1 or found == 16000


def test_a_budget_that_is_too_large_is_lowered_until_it_fits():
    tried = []
    assert preflight.lower(lambda budget: tried.append(budget) or budget <= 700, 2000, 500) == 655
    assert tried == [2000, 1600, 1280, 1024, 819, 655]


def test_the_longest_utterance_is_tried_before_giving_up():
    assert preflight.lower(lambda budget: budget <= 950, 1000, 940) == 940
    with pytest.raises(RecipeError, match=r"an utterance of 57\.0 s does not fit"):
        preflight.lower(lambda budget: False, 2000, 950)


@pytest.fixture
def train_set(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    front_end = FrontEnd(model.load(full_model))
    utterances = table_of(data_dir, front_end, manifest.read(data_dir / "out" / "set.jsonl"))
    return Utterances(utterances, front_end, Augment(AugmentSettings(speeds=(0.8, 1.0)), 1))


def size(items):
    """Padded frames and padded tokens of text of a batch."""
    frames = max(len(item.features) for item in items)
    text = max(len(item.example.input_ids) - len(item.features) for item in items)
    return len(items) * frames, len(items) * text


def test_no_batch_of_training_is_larger_than_those_tried(train_set):
    budget = 200
    tried = [size(items) for items in preflight.worst_batches(train_set, budget)]
    for epoch in range(5):
        plan = batching.epoch_plan(train_set.indices(epoch), train_set.lengths(epoch), budget, 1, epoch)
        for batch in plan.batches():
            frames, text = size([train_set[epoch, i] for i in batch])
            assert frames <= budget and text - len(batch) * train_set.utterances.common_tokens <= budget
            assert frames <= max(f for f, _ in tried) + 60 and text <= max(t for _, t in tried) + 60


def test_trying_a_batch_leaves_gradients_of_trained_parts_only(train_set, full_model):
    recognizer = model.load(full_model)
    recognizer.model.freeze({"encoder"})
    preflight.run(recognizer, preflight.worst_batches(train_set, 200)[0], "fp32")
    graded = {name.split(".")[1] for name, p in recognizer.model.named_parameters() if p.grad is not None}
    assert graded == {"multi_modal_projector", "language_model"}


def test_auto_on_a_cpu_is_two_minutes(train_set, full_model, tmp_path):
    auto = TrainSettings(batch_seconds="auto")
    found = preflight.find_budget(model.load(full_model), auto, train_set, "fp32", tmp_path)
    assert (found.frames, found.gradient_checkpointing) == (2000, False)
    fixed = dataclasses.replace(auto, batch_seconds=30.0)
    assert preflight.find_budget(model.load(full_model), fixed, train_set, "fp32", tmp_path).frames == 500


def test_a_resumed_run_takes_the_budget_that_was_found(train_set, full_model, tmp_path):
    (tmp_path / "checkpoint-2").mkdir()
    (tmp_path / "checkpoint-2" / "complete").touch()
    (tmp_path / preflight.FILE).write_text('{"frames": 777}')
    auto = TrainSettings(batch_seconds="auto")
    assert preflight.find_budget(model.load(full_model), auto, train_set, "fp32", tmp_path).frames == 777
    (tmp_path / preflight.FILE).write_text('{"frames": 777, "gradient_checkpointing": true, "compile": true}')
    recognizer = model.load(full_model)
    found = preflight.find_budget(recognizer, auto, train_set, "fp32", tmp_path)
    assert found.gradient_checkpointing and recognizer.model.is_gradient_checkpointing
    assert torch.is_grad_enabled()
    load = Load(50e9, 1e9)
    assert chosen.with_compile(auto, load, preflight.kept(tmp_path)).compile is True


def test_a_good_guess_saves_trying():
    tried = []
    found = preflight.higher(lambda budget: tried.append(budget) or budget <= 30000, 2000, 48000, 28000)
    assert 28000 <= found <= 30000 and len(tried) == 5
    assert preflight.higher(lambda budget: budget <= 5000, 2000, 48000, 28000) > 5000 * 8 / 9
    assert preflight.higher(lambda budget: True, 2000, 48000, 99000) == 48000


@pytest.mark.parametrize(("hours", "most", "why"), [(1000, 48000, "nothing"), (1, 3000, "20 steps an epoch")])
def test_small_data_make_small_batches(hours, most, why):
    found, reason = preflight.most_frames(hours * 60000, 20)
    assert found == most and why in reason
