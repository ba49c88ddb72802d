"""The processes of a training run, as torchrun numbers them, and whether they have GPUs."""

import contextlib
import gc
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import transformers

from recipe.files import RecipeError
from recipe.settings.train import TrainSettings

Value = TypeVar("Value")

_by_cpus: torch.distributed.ProcessGroup | None = None  # all processes, once they are connected so


def rank() -> int:
    """Number of this process among all of the run, from 0."""
    return int(os.environ.get("RANK", 0))


def processes() -> int:
    """Number of processes of the run, on all machines."""
    return int(os.environ.get("WORLD_SIZE", 1))


def local_processes() -> int:
    """Number of processes of the run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def connect_on_cpu(settings: TrainSettings) -> None:
    """Connect the processes of a run that trains on CPUs. The Trainer does it by itself, but heeds `ddp_timeout`, the
    seconds after which an unanswered exchange is an error, on GPUs alone."""
    if processes() == 1 or on_gpu(settings) or torch.distributed.is_initialized():
        return
    seconds = settings.trainer.get("ddp_timeout", transformers.TrainingArguments.ddp_timeout)
    backend = settings.trainer.get("ddp_backend") or "gloo"
    torch.distributed.init_process_group(backend, timeout=timedelta(seconds=seconds))


def connect_cpus(seconds: float) -> None:
    """Connect the processes, which are connected already, by way of their CPUs as well; an exchange that is unanswered
    for so long is an error. Every process of the run has to call it."""
    global _by_cpus
    if torch.distributed.is_initialized():
        _by_cpus = torch.distributed.new_group(timeout=timedelta(seconds=seconds), backend="gloo")


def gathered(value: Any) -> list[Any]:
    """What each process has as its `value`, in the order of their numbers; every process has to call it."""
    if not torch.distributed.is_initialized():
        return [value]
    found: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, value)
    return found


def added_up(values: Sequence[float]) -> list[float]:
    """Sums over all processes of what each has in `values`; every process has to call it, after `connect_cpus`: by way
    of the CPUs no GPU is waited for."""
    if not torch.distributed.is_initialized():
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64)
    torch.distributed.all_reduce(sums, group=_by_cpus)
    return sums.tolist()


@contextlib.contextmanager
def sharing_memory() -> Iterator[None]:
    """Processes that this one begins meanwhile share what it has in memory for as long as they live. Their garbage
    collector would look at each of its objects, and so copy 130 MiB into each process."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def told_by_first(make: Callable[[], Value]) -> Value:
    """What `make` gives in the first process, or its RecipeError, in all of them; every process has to call it."""
    if not torch.distributed.is_initialized():
        return make()
    told: list[Any] = [None]
    if rank() == 0:
        try:
            told = [make()]
        except RecipeError as error:
            told = [error]
    torch.distributed.broadcast_object_list(told)
    if isinstance(told[0], RecipeError):
        raise told[0]
    return told[0]


def on_gpu(settings: TrainSettings) -> bool:
    """Whether training runs on a GPU. RecipeError if there are fewer than processes."""
    if settings.trainer.get("use_cpu", False):
        return False
    gpus = torch.cuda.device_count()
    if local_processes() > max(1, gpus):
        raise RecipeError(
            f"{local_processes()} training processes on this machine, but it has {gpus} GPUs; see train.gpus"
        )
    return gpus > 0
