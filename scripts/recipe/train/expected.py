"""What a run is expected to take on a GPU: memory of a batch, seconds of a step. By formula, fitted to what one H200
measured (docs/performance.md), so good for a choice to begin with and for a word in the log, not more.
"""

from dataclasses import dataclass

import torch

from recipe.model.features import FRAME_SECONDS
from recipe.settings.train import PARTS, TrainSettings
from recipe.train import flops

# Share of the data sheet's bf16 peak that steps reach which are large enough, and seconds that a CPU needs to name the
# operations of one, so that a step takes at least as long; eager, and with compiled layers.
SHARE = {False: 0.135, True: 0.315}
NAMING = {False: 0.38, True: 0.29}
COMPILING = 120.0  # seconds at the start
PAYS = 2.0  # times as long as it takes must compiling save
# Bytes that a forward pass keeps a second of audio in the published size, by part: eager, compiled, recomputed.
_KEPT = {"audio": {"eager": 33e6, "compiled": 19e6, "recomputed": 3e6}, "llm": {"eager": 26e6, "compiled": 15e6,
         "recomputed": 5e6}}  # fmt: skip


@dataclass(frozen=True)
class Load:
    """A run's arithmetic, by formula: a second of its audio, and all of it."""

    operations: float  # of a second of audio, forward and backward
    seconds: float  # of audio, over all epochs and of all processes

    def step(self, batch_seconds: float, peak: float, is_compiled: bool) -> float:
        """Seconds of a batch's step, on a GPU of so many operations a second by its data sheet."""
        return max(NAMING[is_compiled], self.operations * batch_seconds / (SHARE[is_compiled] * peak))

    def share(self, batch_seconds: float, peak: float, is_compiled: bool) -> float:
        """Share of the data sheet's peak."""
        return self.operations * batch_seconds / (self.step(batch_seconds, peak, is_compiled) * peak)

    def pays_to_compile(self, peak: float) -> bool:
        """Whether compiled layers save more than `PAYS` times what compiling takes, in steps that are large enough."""
        return self.operations * self.seconds / peak * (1 / SHARE[False] - 1 / SHARE[True]) > PAYS * COMPILING


def load_of(config, settings: TrainSettings, counts: tuple[float, float, float], seconds: float, epochs: float) -> Load:
    """The load of a run whose utterances have on average `counts` stacked frames, tokens and targets and are `seconds`
    long in all. `config` is the model's."""
    trained = set(PARTS) - set(settings.freeze) - ({"llm"} if settings.lora else set())
    cached = set(settings.freeze) - {"llm"} if settings.cache_frozen else set()
    operations = float(flops.training(flops.forward(config, *counts), trained, cached))
    from_audio = counts[0] * FRAME_SECONDS
    return Load(operations / from_audio, seconds * epochs)


def memory(model: torch.nn.Module, settings: TrainSettings, batch_seconds: float, is_compiled: bool) -> float:
    """Bytes of a step in bf16 with so much audio: weights, AdamW's moments, weights in 16 bits, and what the forward
    pass keeps. Gradients come when that is gone."""
    fixed, kept = 0.0, 0.0
    trained = set(PARTS) - set(settings.freeze) - ({"llm"} if settings.lora else set())
    way = "recomputed" if settings.gradient_checkpointing is True else "compiled" if is_compiled else "eager"
    for part in PARTS:
        size = sum({one: one.numel() for module in model.part(part) for one in module.parameters()}.values())
        fixed += size * (4 + 2 + 8 * (part in trained))
    if "encoder" in trained:
        kept += _KEPT["audio"][way]
    # What comes after a part that learns is gone through backwards.
    kept += _KEPT["llm"][way]
    return fixed + kept * batch_seconds


def most_seconds(model: torch.nn.Module, settings: TrainSettings, capacity: float, is_compiled: bool) -> float:
    """Audio of a batch, in seconds, with which a step takes so many bytes; 0 if nothing fits."""
    none, one = (memory(model, settings, seconds, is_compiled) for seconds in (0.0, 1.0))
    return max(0.0, (capacity - none) / (one - none))
