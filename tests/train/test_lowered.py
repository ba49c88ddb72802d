"""Copies of frozen weights in bfloat16: the same losses, gradients and files, bit for bit, without the casts."""

import pytest
import torch
from stages import scp2jsonl
from torch.utils._python_dispatch import TorchDispatchMode

from recipe.files import sha256
from recipe.model import network as model
from recipe.settings.train import LoraSettings, TrainSettings
from recipe.train import lowered
from recipe.train import run as train
from recipe.train.sets import TrainingInputs

CHOICES = {
    "adaptor": {"freeze": ("encoder", "llm")},
    "llm": {"freeze": ("encoder", "adaptor")},
    "lora": {"lora": LoraSettings(rank=4), "freeze": ("encoder",)},
}


@pytest.mark.parametrize(
    "choice",
    [pytest.param(one, id=name, marks=[pytest.mark.slow] * (name != "adaptor")) for name, one in CHOICES.items()],
)
def test_the_model_is_the_same_bit_for_bit(full_model, data_dir, tmp_path, choice, monkeypatch):
    """With bfloat16 on a CPU; and an evaluation that decodes in float32."""
    scp2jsonl(data_dir, full_model)
    manifest, found, seen = data_dir / "out/set.jsonl", [], []
    forward = lowered.LoweredLinear.forward
    monkeypatch.setattr(
        lowered.LoweredLinear, "forward", lambda self, states: seen.append(states.dtype) or forward(self, states)
    )
    chosen = TrainSettings(
        max_steps=3, learning_rate=1e-2, batch_seconds=4.0, evaluations=1, decode_utterances=2, workers=0,
        select="last", precision="bf16", **choice,
    )  # fmt: skip
    for name in ("copies", "casts"):
        recognizer, folder = model.load(full_model), tmp_path / name
        train.train(recognizer, chosen, TrainingInputs([manifest], [manifest]), folder / "model", folder / "state")
        found.append(sha256(folder / "model/model.safetensors"))
        assert not any(isinstance(one, lowered.LoweredLinear) for one in recognizer.model.modules())
        assert seen
        monkeypatch.setattr(lowered, "lower", lambda model: None)
    assert found[0] == found[1]


class Casts(TorchDispatchMode):
    """Counts the casts of matrices from 32 to 16 bits."""

    count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        found = operation(*args, **(kwargs or {}))
        if operation.overloadpacket is torch.ops.aten._to_copy and found.dtype == torch.bfloat16 and found.ndim == 2:
            self.count += args[0].dtype == torch.float32
        return found


def test_frozen_weights_are_cast_once(full_model):
    network = model.load(full_model).model
    layer = network.model.language_model.layers[0].mlp.requires_grad_(False)
    states, counts, found = torch.randn(1, 3, 32), [], []
    for _ in range(2):
        with Casts() as casts, torch.autocast("cpu", torch.bfloat16):
            found += [layer(states), layer(states)]
        counts.append(casts.count)
        lowered.lower(layer)
    assert counts == [6, 0]
    assert all(torch.equal(found[0], one) for one in found)


def test_trained_layers_are_left_alone(full_model):
    network = model.load(full_model).model
    network.freeze({"encoder"})
    lowered.lower(network)
    names = {name.split(".")[1] for name, one in network.named_modules() if isinstance(one, lowered.LoweredLinear)}
    assert names == {"audio_tower"}
    assert not [name for name in network.state_dict() if "low_" in name]


def test_compiled_layers_take_the_copies(full_model):
    network = model.load(full_model).model
    layer = network.model.language_model.layers[0].mlp.requires_grad_(False)
    states = torch.randn(1, 3, 32)
    with torch.autocast("cpu", torch.bfloat16):
        expected = layer(states)
        lowered.lower(layer)
        assert torch.equal(torch.compile(layer, backend="aot_eager")(states), expected)
