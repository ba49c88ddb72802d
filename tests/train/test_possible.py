"""What a run asks of the model and of the Trainer is tried before any data are read."""

import dataclasses
import os

import pytest

from recipe.files import RecipeError
from recipe.model import network
from recipe.settings.train import LoraSettings, TrainSettings
from recipe.train.possible import check_run

SHARDING = {"fsdp": "full_shard auto_wrap", "fsdp_config": {"transformer_layer_cls_to_wrap": ["Qwen3DecoderLayer"]}}


@pytest.fixture(scope="module")
def model(full_model):
    return network.load(full_model).model


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"freeze": ("encoder", "llm"), "learning_rates": {"adaptor": 1e-4}},
        {"freeze": ("encoder", "adaptor", "llm"), "lora": LoraSettings(targets=("q_proj",))},
        {"freeze": "auto"},
        {"trainer": SHARDING},
        {"trainer": {"adam_beta1": 0.8, "lr_scheduler_kwargs": {"num_cycles": 0.5}, "use_cpu": True}},
        {"precision": "bf16"},
    ],
)
def test_what_can_be_trained_is_not_refused_and_leaves_nothing_behind(model, changes):
    before = dict(os.environ), {name: one.requires_grad for name, one in model.named_parameters()}
    check_run(model, dataclasses.replace(TrainSettings(), **changes))
    assert before == (dict(os.environ), {name: one.requires_grad for name, one in model.named_parameters()})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora": LoraSettings(targets=("q_proj", "query"))}, r"lora\.targets: no layers query; there are .*q_proj"),
        ({"trainer": {"fsdp": 3}}, r"trainer\.fsdp is 3"),
        ({"trainer": {"adam_beta1": "much"}}, r"trainer\.adam_beta1 is 'much'"),
        ({"trainer": {"adam_beta1": 7}}, "trainer: the optimizer cannot be made: .*7"),
        ({"trainer": {"torch_empty_cache_steps": -3}}, "trainer: .*torch_empty_cache_steps"),
        ({"trainer": {"lr_scheduler_kwargs": {"no_such": 1}}}, "scheduler: cosine with lr_scheduler_kwargs"),
        (
            {"trainer": {"fsdp_config": {"transformer_layer_cls_to_wrap": ["Qwen2DecoderLayer"]}}},
            r"trainer\.fsdp_config: the model has no Qwen2DecoderLayer; its layers are .*Qwen3DecoderLayer",
        ),
    ],
)
def test_what_cannot_be_trained_is_named(model, changes, message):
    with pytest.raises(RecipeError, match=message):
        check_run(model, dataclasses.replace(TrainSettings(), **changes))
