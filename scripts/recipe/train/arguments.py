"""The arguments of transformers' Trainer: the recipe's, and what a run's `trainer` adds to them."""

import dataclasses
import math
import sys
from pathlib import Path

import torch
import transformers

from recipe.files import RecipeError
from recipe.settings.section import AUTO
from recipe.settings.train import TrainSettings
from recipe.train.processes import on_gpu

# Arguments of the Trainer that the recipe sets later, does in its own way, or has settings for.
OWN_ARGUMENTS = {
    "data_seed", "do_eval", "do_train", "eval_steps", "fp16", "gradient_checkpointing", "ignore_data_skip",
    "load_best_model_at_end", "logging_strategy", "max_steps", "num_train_epochs", "per_device_eval_batch_size",
    "per_device_train_batch_size", "push_to_hub", "resume_from_checkpoint", "save_only_model", "save_steps",
    "save_total_limit", "torch_compile", "warmup_ratio", "warmup_steps",
}  # fmt: skip


def precision_of(settings: TrainSettings) -> str:
    """fp32 or bf16 for "auto": bf16 compute (over fp32 weights) on a GPU that has it."""
    if settings.precision != AUTO:
        return settings.precision
    return "bf16" if on_gpu(settings) and torch.cuda.is_bf16_supported() else "fp32"


def trainer_arguments(settings: TrainSettings, state_dir: Path, precision: str) -> transformers.TrainingArguments:
    """The Trainer's arguments: the recipe's, and what `trainer` adds to them."""
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
        "ddp_find_unused_parameters": False,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "report_to": [],
    }
    if taken := sorted((own.keys() | OWN_ARGUMENTS) & settings.trainer.keys()):
        raise RecipeError(f"trainer: the recipe sets {', '.join(taken)} itself; see docs/settings.md for its settings")
    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    if unknown := sorted(settings.trainer.keys() - known):
        raise RecipeError(f"trainer: transformers.TrainingArguments has no {', '.join(unknown)}")
    try:
        return transformers.TrainingArguments(**own, **{"use_cpu": not on_gpu(settings)} | settings.trainer)
    except (ImportError, ValueError, TypeError) as error:
        if not settings.trainer:
            raise
        raise RecipeError(f"trainer: {error}") from None


def with_steps(
    arguments: transformers.TrainingArguments, settings: TrainSettings, steps: int
) -> transformers.TrainingArguments:
    """What follows from the number of steps, which is known only after the batches are cut."""
    arguments.max_steps = max(1, steps)
    arguments.warmup_steps = settings.warmup if settings.warmup > 1 else math.ceil(settings.warmup * steps)
    arguments.eval_steps = arguments.save_steps = max(1, math.ceil(steps / settings.evaluations))
    return arguments
