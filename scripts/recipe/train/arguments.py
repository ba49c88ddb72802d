"""The arguments of transformers' Trainer: the recipe's, and what a run's `trainer` adds to them."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from recipe.files import RecipeError
from recipe.settings.section import AUTO
from recipe.settings.train import TrainSettings
from recipe.train.processes import connect_cpus, connect_on_cpu, on_gpu

_SILENT: Mapping[str, Any] = {"report_to": []}


def precision_of(settings: TrainSettings) -> str:
    """fp32 or bf16 for "auto": bf16 compute (over fp32 weights) on a GPU that has it."""
    if settings.precision != AUTO:
        return settings.precision
    return "bf16" if on_gpu(settings) and torch.cuda.is_bf16_supported() else "fp32"


def trainer_arguments(
    settings: TrainSettings, state_dir: Path, precision: str, reporting: Mapping[str, Any] = _SILENT
) -> transformers.TrainingArguments:
    """The Trainer's arguments: the recipe's, those of its trackers, and what `trainer` adds to them."""
    own = {
        "output_dir": str(state_dir),
        "gradient_accumulation_steps": settings.accumulate,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "optim": "adamw_torch_fused",
        "seed": settings.seed,
        "bf16": precision == "bf16",
        "logging_steps": settings.log_every,
        "logging_nan_inf_filter": False,
        "disable_tqdm": not sys.stderr.isatty(),
        "eval_strategy": "steps",
        "save_strategy": "steps",
        # There are none to be found. But where none are looked for, gradients are put in another order after the first
        # step, and of more than two processes they add up otherwise: on CPUs a run that goes on is the same to the bit.
        "ddp_find_unused_parameters": not on_gpu(settings),
        "remove_unused_columns": False,
        "label_names": ["labels"],
        **reporting,
    }
    try:
        connect_on_cpu(settings)
        arguments = transformers.TrainingArguments(**own, **{"use_cpu": not on_gpu(settings)} | settings.trainer)
    except (ImportError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if not settings.trainer:
            raise
        raise RecipeError(f"trainer: {' '.join(str(error).split())}") from None
    if arguments.n_gpu > 1:
        # A process has one GPU. The Trainer would split batches among all that are there.
        arguments._n_gpu = 1
    connect_cpus(arguments.ddp_timeout)  # who asks for `n_gpu` has connected the processes already
    return arguments


def check_schedule(arguments: transformers.TrainingArguments) -> None:
    """RecipeError where the learning rate schedule cannot be made with these arguments: the Trainer makes it after all
    data were read."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], arguments.learning_rate)
    try:
        schedule = transformers.get_scheduler(
            arguments.lr_scheduler_type,
            optimizer,
            num_warmup_steps=1,
            num_training_steps=2,
            scheduler_specific_kwargs=arguments.lr_scheduler_kwargs,
        )
        optimizer.step()
        schedule.step()
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        name, options = arguments.lr_scheduler_type.value, arguments.lr_scheduler_kwargs
        raise RecipeError(f"scheduler: {name} with lr_scheduler_kwargs {options}: {error}") from None


def with_steps(
    arguments: transformers.TrainingArguments, settings: TrainSettings, steps: int
) -> transformers.TrainingArguments:
    """What follows from the number of steps, which is known only after the batches are cut."""
    arguments.max_steps = max(1, steps)
    arguments.warmup_steps = settings.warmup if settings.warmup > 1 else math.ceil(settings.warmup * steps)
    arguments.eval_steps = arguments.save_steps = max(1, math.ceil(steps / settings.evaluations))
    return arguments
