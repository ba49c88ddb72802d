"""Whether a model can be trained as a run's settings say, found in seconds and before any data are read."""

import logging
import os
import tempfile
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
import torch
import transformers
from accelerate.state import AcceleratorState

from recipe.files import RecipeError
from recipe.model.network import FunAsrNanoForConditionalGeneration
from recipe.settings.section import AUTO
from recipe.settings.train import CTC, PARTS, TrainSettings
from recipe.train.arguments import check_schedule, precision_of, trainer_arguments

logger = logging.getLogger(__name__)


def check_run(model: FunAsrNanoForConditionalGeneration, settings: TrainSettings) -> None:
    """RecipeError if the Trainer refuses the settings, or if they name layers or parts that the model has not, or leave
    nothing of it to be trained. The model stays as it is."""
    _check_parts(model, settings)
    _check_kinds(settings.trainer)
    _check_wrapped(model, settings.trainer)
    if settings.lora:
        model.check_adapters(settings.lora)
    # The Trainer's arguments set variables of the environment, for all that come after them.
    environ = dict(os.environ)
    try:
        with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
            arguments = trainer_arguments(settings, Path(folder), precision_of(settings))
            check_schedule(arguments)
            _check_optimizer(arguments)
    finally:
        os.environ.clear()
        os.environ.update(environ)
        AcceleratorState._reset_state(reset_partial_state=True)


def _check_parts(model: FunAsrNanoForConditionalGeneration, settings: TrainSettings) -> None:
    sizes = {name: sum(one.numel() for module in model.part(name) for one in module.parameters()) for name in PARTS}
    frozen = set() if settings.freeze == AUTO else set(settings.freeze)
    trained = [name for name in PARTS if name not in frozen and sizes[name]]
    if not trained and not settings.lora and not settings.ctc_head:
        has = ", ".join(name for name in PARTS if sizes[name])
        raise RecipeError(f"freeze is {sorted(frozen)}: the model has {has}, so nothing of it would be trained")
    if idle := sorted(name for name in settings.learning_rates if name != CTC and not sizes[name]):
        raise RecipeError(f"learning_rates: the model has no {', '.join(idle)}")
    if settings.freeze != AUTO and (idle := sorted(frozen & settings.learning_rates.keys())):
        logger.warning("learning_rates of %s change nothing: frozen", ", ".join(idle))


def _check_kinds(arguments: Mapping[str, Any]) -> None:
    """RecipeError if an argument of the Trainer is of another kind than it says. It looks at few of them itself, and
    stumbles over the others later."""
    hints = typing.get_type_hints(transformers.TrainingArguments)
    for name, value in arguments.items():
        kind = pydantic.TypeAdapter(hints[name], config=pydantic.ConfigDict(arbitrary_types_allowed=True))
        try:
            kind.validate_python(value)
        except pydantic.ValidationError as error:
            reasons = dict.fromkeys(one["msg"] for one in error.errors(include_url=False))
            raise RecipeError(f"trainer.{name} is {value!r}: {'; or '.join(reasons)}") from None


def _check_wrapped(model: torch.nn.Module, arguments: Mapping[str, Any]) -> None:
    """RecipeError if the model has no layers of a class that FSDP is to wrap."""
    options = arguments.get("fsdp_config")
    wanted = options.get("transformer_layer_cls_to_wrap", ()) if isinstance(options, dict) else ()
    classes = {type(module).__name__ for module in model.modules()}
    if unknown := sorted({wanted} - classes if isinstance(wanted, str) else set(wanted) - classes):
        layers = ", ".join(sorted(name for name in classes if name.endswith("Layer")))
        raise RecipeError(f"trainer.fsdp_config: the model has no {', '.join(unknown)}; its layers are {layers}")


def _check_optimizer(arguments: transformers.TrainingArguments) -> None:
    """RecipeError if the optimizer cannot be made with these arguments."""
    kind, options = transformers.Trainer.get_optimizer_cls_and_kwargs(arguments)
    try:
        kind([torch.nn.Parameter(torch.zeros(1))], **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError(f"trainer: the optimizer cannot be made: {error}") from None
