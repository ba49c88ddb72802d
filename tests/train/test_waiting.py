"""Nothing in a training step makes the CPU wait for the device: counted on a CPU, by the operations that would."""

import dataclasses

import pytest
import torch
from stages import scp2jsonl
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from recipe.model import network
from recipe.settings import train as settings
from recipe.train import run as train
from recipe.train import trainer
from recipe.train.later import Later
from recipe.train.sets import TrainingInputs

aten = torch.ops.aten
SIZES_FROM_VALUES = {
    aten.nonzero, aten.masked_select, aten.is_nonzero, aten._local_scalar_dense, aten.equal, aten.unique_dim,
    aten._unique, aten._unique2, aten.unique_consecutive, aten.bincount, aten.argwhere, aten.allclose,
}  # fmt: skip
READS = {
    getattr(torch.Tensor, name)
    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__", "__array__")
}


class Operations(TorchDispatchMode):
    """Operations whose result's size, or the CPU's next move, depends on what the device has computed."""

    def __init__(self, found: list[str]):
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        packet = operation.overloadpacket
        by_mask = packet in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_) and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        repeats = operation is aten.repeat_interleave.Tensor and kwargs.get("output_size") is None
        if packet in SIZES_FROM_VALUES or by_mask or repeats:
            self.found.append(str(operation))
        return operation(*args, **kwargs)


class Reads(TorchFunctionMode):
    """Values of tensors that Python asks for."""

    def __init__(self, found: list[str]):
        super().__init__()
        self.found = found

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in READS:
            self.found.append(function.__name__)
        return function(*args, **(kwargs or {}))


class Watch:
    """What makes the CPU wait, while it is on."""

    def __init__(self):
        self.found: list[str] = []
        self.modes = [Operations(self.found), Reads(self.found)]
        self.is_on = False

    def on(self):
        assert not self.is_on
        self.is_on = True
        for mode in self.modes:
            mode.__enter__()

    def off(self):
        if self.is_on:
            self.is_on = False
            for mode in reversed(self.modes):
                mode.__exit__(None, None, None)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(), lambda x: x.tolist(), lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: bool(x[0]),
        lambda x: torch.masked_select(x, x > 0), lambda x: x.cpu(), lambda x: float(x[0]),
        lambda x: x.index_put_((x > 0,), torch.ones(())), lambda x: torch.equal(x, x),
    ],
)  # fmt: skip
def test_the_watch_sees_what_waits(wait):
    watch = Watch()
    watch.on()
    wait(torch.ones(3))
    watch.off()
    assert watch.found


MODES = {
    "everything": {},
    "accumulated": {"accumulate": 2},
    "adaptor": {"freeze": ("encoder", "llm")},
    "adaptor cached": {"freeze": ("encoder", "llm"), "cache_frozen": True},
    "llm cached": {"freeze": ("encoder", "adaptor"), "cache_frozen": True},
    "lora": {"freeze": ("encoder",), "lora": settings.LoraSettings(rank=4)},
    "recorded": {"cuda_graphs": True, "accumulate": 2},
    "checkpointing": {"gradient_checkpointing": True},
    "bf16 without clipping": {"precision": "bf16", "max_grad_norm": 0.0},
}


@pytest.fixture
def jsonl(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    return data_dir / "out" / "set.jsonl"


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_step_asks_nothing_but_whether_the_one_before_was_taken(mode, full_model, jsonl, tmp_path, monkeypatch):
    watch, read, read_at, steps = Watch(), Later.read, [], []

    class Steps(trainer.transformers.TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            steps.append(state.global_step + 1)
            watch.on()

        def on_step_end(self, args, state, control, **kwargs):
            watch.off()

    def unwatched(self):
        was_on = watch.is_on
        watch.off()
        read_at.append((steps[-1], was_on))
        found = read(self)
        if was_on:
            watch.on()
        return found

    def recorded(self, model, batch):  # before the first step, over batches that no device has
        watch.off()
        found = record(self, model, batch)
        watch.on()
        return found

    record = trainer.AsrTrainer._record
    monkeypatch.setattr(trainer.AsrTrainer, "_record", recorded)
    monkeypatch.setattr(Later, "read", unwatched)
    monkeypatch.setattr(network, "MASKED", set())  # as on a GPU
    build = trainer.AsrTrainer.__init__
    monkeypatch.setattr(
        trainer.AsrTrainer, "__init__",
        lambda self, *args, callbacks, **kwargs: build(self, *args, callbacks=[*callbacks, Steps()], **kwargs),
    )  # fmt: skip
    chosen = settings.TrainSettings(
        max_steps=6, batch_seconds=4.0, evaluations=1, decode_utterances=1, workers=0, log_every=4, report_to=(),
    )  # fmt: skip
    train.train(
        network.load(full_model), dataclasses.replace(chosen, **mode), TrainingInputs([jsonl], [jsonl]),
        tmp_path / "model", tmp_path / "state",
    )  # fmt: skip
    assert steps == [1, 2, 3, 4, 5, 6]
    assert watch.found == []
    # Within a step it asks for the one before, and not where a log line had asked for that; at the end, for the last.
    assert read_at == [(2, True), (3, True), (4, True), (4, False), (6, True), (6, False)]
