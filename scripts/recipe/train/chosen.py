"""What a run chooses by itself where its settings say `auto`, and what it says of that before it begins."""

import dataclasses
import logging
import math
import os
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from recipe.files import RecipeError
from recipe.model import bundle
from recipe.model.features import FRAME_SECONDS
from recipe.model.network import Recognizer, audio_token_count
from recipe.record import usable_processors
from recipe.settings.section import AUTO
from recipe.settings.train import TrainSettings
from recipe.train import expected, flops, preflight
from recipe.train.dataset import Utterances
from recipe.train.expected import Load
from recipe.train.preflight import Budget
from recipe.train.processes import local_processes, on_gpu, processes

logger = logging.getLogger(__name__)

_C_COMPILERS = (os.environ.get("CC") or "cc", "gcc", "clang")
UNKNOWN_PEAK = 100e12  # bf16 operations a second of a GPU that no table has, at least about
# From here on a GPU waits more than it should: its own work is less than this share of a step.
BUSY = 0.75


def load_of(recognizer: Recognizer, settings: TrainSettings, train_set: Utterances) -> Load:
    """The arithmetic of a run, by its utterances' average."""
    utterances = train_set.utterances
    frames = train_set.total_frames / len(train_set)
    text = sum(int(rows["text"].sum()) for _, rows in utterances.blocks()) / len(train_set)
    audio = audio_token_count(max(1, round(frames)), recognizer.audio_tokens)
    counts = frames, audio + text + utterances.common_tokens, text + 1
    seconds, epochs = train_set.total_frames * FRAME_SECONDS, settings.epochs
    if settings.max_steps:
        batch = preflight.AUTO_SECONDS if settings.batch_seconds == AUTO else settings.batch_seconds
        epochs = settings.max_steps * settings.accumulate * processes() * batch / seconds
    return expected.load_of(recognizer.model.config, settings, counts, seconds, epochs)


def with_compile(settings: TrainSettings, load: Load, kept: Mapping[str, Any]) -> TrainSettings:
    """`compile: auto` as what the run had chosen before, or as it pays. RecipeError if `true` cannot be."""
    on_a_gpu = on_gpu(settings)
    if settings.compile == AUTO:
        chosen, why = kept.get("compile"), "as this run began"
        if chosen is None:
            chosen, why = _compiles(load) if on_a_gpu else (False, "")
        if on_a_gpu:
            logger.info("compile: auto is %s (%s)", str(chosen).lower(), why)
        return dataclasses.replace(settings, compile=chosen)
    if settings.compile and on_a_gpu and (missing := _missing()):
        raise RecipeError(f"compile: true needs {missing}; install it or set compile: false")
    return settings


def _compiles(load: Load) -> tuple[bool, str]:
    if missing := _missing():
        return False, f"there is no {missing}: with it training would be about twice as fast"
    pays = load.pays_to_compile(flops.peak_flops(torch.device("cuda")) or UNKNOWN_PEAK)
    return pays, f"compiling takes about {expected.COMPILING:.0f} s, and the run is {'' if pays else 'not '}long enough"


def _missing() -> str:
    """What compiling needs and this machine lacks, if anything."""
    if not any(map(shutil.which, _C_COMPILERS)):
        return "C compiler (gcc or clang)"
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    return "" if header.is_file() else f"{header} (of the package python3-dev)"


def with_graphs(settings: TrainSettings) -> TrainSettings:
    """The settings without `cuda_graphs`, and a warning, where gradients are not one process's alone."""
    if settings.cuda_graphs and (processes() > 1 or settings.sharded):
        logger.warning("cuda_graphs: is for one process without fsdp or deepspeed, so steps run without graphs")
        return dataclasses.replace(settings, cuda_graphs=False)
    return settings


def with_budget(settings: TrainSettings, budget: Budget) -> TrainSettings:
    """The settings with what was found to fit."""
    return dataclasses.replace(
        settings,
        batch_seconds=round(budget.frames * FRAME_SECONDS, 2),
        gradient_checkpointing=budget.gradient_checkpointing,
    )


def with_workers(settings: TrainSettings, frames: int) -> TrainSettings:
    """The settings with as many processes that read as there are to be for batches of at most so many frames."""
    found = bundle.workers_for(settings.workers, frames, on_gpu(settings), local_processes())
    return dataclasses.replace(settings, workers=found)


def tell(asked: TrainSettings, settings: TrainSettings, budget: Budget, load: Load, device: torch.device) -> None:
    """Say what was chosen on a GPU, why, and what is to be expected of it."""
    if device.type != "cuda":
        return
    seconds = settings.batch_seconds
    if asked.batch_seconds == AUTO:
        gigabytes = torch.cuda.get_device_properties(device).total_memory / 1e9
        logger.info("batch_seconds: auto is %.0f (%s; GPU of %.0f GB)", seconds, budget.why, gigabytes)
        if advice := rate_advice(settings.learning_rate, seconds):
            logger.info(advice)
    if asked.gradient_checkpointing == AUTO:
        why = "without it the smallest batches do not fit" if settings.gradient_checkpointing else "it fits without"
        logger.info("gradient_checkpointing: auto is %s (%s)", str(settings.gradient_checkpointing).lower(), why)
    if asked.workers == AUTO:
        logger.info("workers: auto is %d (of %d cores)", settings.workers, usable_processors())
    if peak := flops.peak_flops(device):
        logger.info(outlook(load, settings, peak))
        if warning := waits(load, settings, peak):
            logger.warning(warning)


def rate_advice(rate: float, seconds: float) -> str | None:
    """What a larger batch asks of the learning rate, in words; None if it is no larger than the usual one."""
    if seconds <= preflight.AUTO_SECONDS:
        return None
    scaled = rate * math.sqrt(seconds / preflight.AUTO_SECONDS)
    return (
        f"learning_rate stays {rate:g}; if that was found with batches of {preflight.AUTO_SECONDS} s, it would by the "
        f"square root rule for Adam (Malladi et al. 2022) be {scaled:.2g} here"
    )


def outlook(load: Load, settings: TrainSettings, peak: float) -> str:
    """What is expected of a run on a GPU with so many operations a second."""
    seconds, compiled = settings.batch_seconds, settings.compile is True
    step, share = load.step(seconds, peak, compiled), load.share(seconds, peak, compiled)
    hours = load.seconds / processes() / seconds * step / 3600
    return (
        f"expected: {hours:.2g} hours of training, {step:.2f} s a batch, {100 * share:.0f} % of the GPU's peak "
        "(by formula; reading, padding and evaluations not counted)"
    )


def waits(load: Load, settings: TrainSettings, peak: float) -> str | None:
    """A warning, where batches are so small that the GPU waits for the CPU."""
    seconds, compiled = settings.batch_seconds, settings.compile is True
    busy = load.operations * seconds / (expected.SHARE[compiled] * peak)
    if busy >= BUSY * expected.NAMING[compiled]:
        return None
    return (
        f"the GPU will wait for the CPU: batches of {seconds:.0f} s keep it busy for about {busy:.2f} s of "
        f"{expected.NAMING[compiled]:.2f} s a step; more audio a batch, where there is enough, costs no time"
    )
