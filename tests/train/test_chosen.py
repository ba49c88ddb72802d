"""What a run chooses by itself, and what it expects: against what one H200 measured (docs/performance.md)."""

import dataclasses
import logging

import pytest
import torch
import transformers

from recipe.files import RecipeError
from recipe.model.network import FunAsrNanoForConditionalGeneration
from recipe.settings.train import TrainSettings
from recipe.train import chosen, expected
from recipe.train.expected import Load
from recipe.train.preflight import Budget

H200 = 989e12
LLM = ("encoder", "adaptor")


@pytest.fixture(scope="module")
def published():
    """The published size, without memory."""
    with torch.device("meta"):
        return FunAsrNanoForConditionalGeneration(transformers.FunAsrNanoConfig(attn_implementation="sdpa"))


MEASURED = [
    ((), False, 480, 37), ((), False, 960, 64), ((), False, 1920, 117), ((), True, 480, 28), ((), True, 1920, 72),
    ((), True, 2880, 102), (LLM, False, 1920, 56), (LLM, True, 2880, 49),
]  # fmt: skip


@pytest.mark.parametrize(("freeze", "is_compiled", "seconds", "gibibytes"), MEASURED)
def test_memory_is_as_measured(published, freeze, is_compiled, seconds, gibibytes):
    found = expected.memory(published, TrainSettings(freeze=freeze), seconds, is_compiled) / 2**30
    assert found == pytest.approx(gibibytes, rel=0.12)
    most = expected.most_seconds(published, TrainSettings(freeze=freeze), found * 2**30, is_compiled)
    assert most == pytest.approx(seconds)


# Of 10 s: 167 stacked frames; 21 audio tokens, 25 of the prompt and 36 targets.
@pytest.mark.parametrize(
    ("freeze", "is_compiled", "seconds", "milliseconds"),
    [
        ((), False, 480, 382),
        ((), False, 1920, 710),
        ((), True, 480, 289),
        ((), True, 2880, 461),
        (LLM, True, 2880, 307),
    ],
)
def test_steps_take_as_long_as_measured(published, freeze, is_compiled, seconds, milliseconds):
    load = expected.load_of(published.config, TrainSettings(freeze=freeze), (167, 82, 36), 3600, 1)
    assert 1000 * load.step(seconds, H200, is_compiled) == pytest.approx(milliseconds, rel=0.12)


def test_compiling_pays_in_long_runs_alone():
    assert not Load(50e9, 3600 * 30).pays_to_compile(H200)
    assert Load(50e9, 3600 * 3000).pays_to_compile(H200)


class TestCompile:
    @pytest.fixture
    def gpu(self, monkeypatch):
        monkeypatch.setattr(chosen, "on_gpu", lambda settings: True)
        monkeypatch.setattr(chosen, "_missing", lambda: "")
        monkeypatch.setattr(chosen.flops, "peak_flops", lambda device: H200)

    @pytest.mark.parametrize(("hours", "compiles"), [(30, False), (3000, True)])
    def test_auto_goes_by_the_length_of_the_run(self, gpu, hours, compiles, caplog):
        with caplog.at_level(logging.INFO):
            found = chosen.with_compile(TrainSettings(), Load(50e9, 3600 * hours), {})
        assert found.compile is compiles and f"compile: auto is {str(compiles).lower()}" in caplog.text

    def test_without_a_compiler_it_does_not(self, gpu, monkeypatch, caplog):
        monkeypatch.setattr(chosen, "_missing", lambda: "C compiler")
        with caplog.at_level(logging.INFO):
            assert chosen.with_compile(TrainSettings(), Load(50e9, 1e9), {}).compile is False
        assert "no C compiler" in caplog.text
        with pytest.raises(RecipeError, match="compile: true needs C compiler"):
            chosen.with_compile(TrainSettings(compile=True), Load(50e9, 1e9), {})

    @pytest.mark.parametrize("before", [True, False])
    def test_a_resumed_run_does_as_before(self, gpu, before):
        hours = 1 if before else 3000
        assert chosen.with_compile(TrainSettings(), Load(50e9, 3600 * hours), {"compile": before}).compile is before

    def test_on_a_cpu_it_does_not(self, caplog):
        with caplog.at_level(logging.INFO):
            assert chosen.with_compile(TrainSettings(), Load(50e9, 1e9), {}).compile is False
        assert not caplog.text


@pytest.mark.parametrize(
    ("count", "trainer", "graphs"), [(1, {}, True), (2, {}, False), (1, {"fsdp": "full_shard"}, False)]
)
def test_graphs_are_for_one_process(count, trainer, graphs, monkeypatch, caplog):
    monkeypatch.setattr(chosen, "processes", lambda: count)
    found = chosen.with_graphs(TrainSettings(cuda_graphs=True, trainer=trainer))
    assert found.cuda_graphs is graphs and ("cuda_graphs: is for one process" in caplog.text) is not graphs


def test_small_batches_are_warned_of():
    load = Load(50e9, 3600 * 100)
    settings = TrainSettings(batch_seconds=120.0, compile=True, gradient_checkpointing=False)
    assert "batches of 120 s keep it busy for about 0.02 s of 0.29 s" in chosen.waits(load, settings, H200)
    assert chosen.waits(load, dataclasses.replace(settings, batch_seconds=2880.0), H200) is None
    assert "32 % of" in chosen.outlook(load, dataclasses.replace(settings, batch_seconds=2880.0), H200)


def test_the_rate_rule_is_said_for_larger_batches():
    assert "be 4e-05 here" in chosen.rate_advice(2e-5, 480)
    assert chosen.rate_advice(2e-5, 120) is None


def test_what_was_chosen_becomes_the_settings():
    found = chosen.with_budget(TrainSettings(), Budget(2000, True))
    assert (found.batch_seconds, found.gradient_checkpointing) == (120.0, True)
