"""The state of an unfinished training run: its checkpoints, which are best, and whether it belongs to this run."""

import dataclasses
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file

from recipe import versions
from recipe.files import RecipeError, json_line, read_json, sha256, write_json
from recipe.settings.train import INDIFFERENT, TrainSettings
from recipe.train.processes import rank

FINGERPRINT = "fingerprint.json"
COMPLETE = "complete"  # marks a checkpoint that was written to its end
_LOSS = "running_loss_{}.json"  # a process's losses since the last log line


def mark_complete(checkpoint: Path) -> None:
    """Say that a checkpoint was written to its end."""
    write_json(checkpoint / COMPLETE, {})


def keep_loss(checkpoint: Path, loss: float, since: int) -> None:
    """Write the sum of this process's losses since step `since`, which has the last log line, to a checkpoint."""
    write_json(checkpoint / _LOSS.format(rank()), {"loss": loss, "since": since})


def kept_loss(checkpoint: Path) -> tuple[float, int] | None:
    """What `keep_loss` wrote; None in a checkpoint of a release that did not."""
    file = checkpoint / _LOSS.format(rank())
    if not file.is_file():
        return None
    kept = read_json(file)
    return kept["loss"], kept["since"]


def remove(checkpoint: Path) -> None:
    """Delete a checkpoint; half deleted, it is no longer a whole one."""
    (checkpoint / COMPLETE).unlink(missing_ok=True)
    shutil.rmtree(checkpoint)


def finish(state_dir: Path) -> None:
    """Delete the state of a run whose model is written; half deleted, it is no longer in its place."""
    done = state_dir.with_name(f".{state_dir.name}.done")
    shutil.rmtree(done, ignore_errors=True)
    state_dir.rename(done)
    shutil.rmtree(done)


def step_of(checkpoint: Path) -> int:
    """The optimizer step of a checkpoint folder."""
    return int(checkpoint.name.rpartition("-")[2])


def whole(state_dir: Path) -> list[Path]:
    """Checkpoints that were written to their end, the oldest first."""
    return sorted((mark.parent for mark in state_dir.glob(f"checkpoint-*/{COMPLETE}")), key=step_of)


def last(state_dir: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    return whole(state_dir)[-1] if whole(state_dir) else None


def ranking(history: Sequence[dict], select: str) -> list[int]:
    """Evaluated steps of a run's history, the best first (the earlier one of equals); by "last" the latest first. Those
    whose loss, or whatever is selected by, is no finite number come behind all others."""
    evaluated = {entry["step"]: entry for entry in history if "eval_loss" in entry}

    def place(step: int) -> tuple:
        value = -step if select == "last" else evaluated[step][f"eval_{select}"]
        return (False, value, step) if _finite(evaluated[step], select) else (True, 0, step)

    return sorted(evaluated, key=place)


def _finite(entry: dict, select: str) -> bool:
    """Whether an evaluation's loss, and what is selected by, are finite: a model whose loss is not writes texts too,
    and they have a CER."""
    values = [entry[name] for name in ("eval_loss", f"eval_{select}") if name in entry]
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)


def chosen(history: Sequence[dict], select: str, average: int) -> list[int]:
    """Steps of the `average` best evaluations with finite results (of fewer, if there are no more), the best first."""
    finite = {entry["step"] for entry in history if "eval_loss" in entry and _finite(entry, select)}
    return [step for step in ranking(history, select) if step in finite][:average]


def averaged_weights(state_dir: Path, steps: Sequence[int]) -> dict[str, torch.Tensor]:
    """Weights of the checkpoints of `steps`, averaged in fp64."""
    parts = [load_file(state_dir / f"checkpoint-{step}" / "model.safetensors") for step in steps]
    if len(parts) == 1:
        return parts[0]
    return {
        name: (sum(part[name].double() for part in parts) / len(parts)).to(tensor.dtype)
        for name, tensor in parts[0].items()
    }


def fingerprint(settings: TrainSettings, data: dict[str, str], model: str) -> dict[str, str]:
    """What a training state depends on, by name: settings, data hashes, the base model's hash, number of processes, and
    the version of training, whose batches a resumed run goes on with."""
    facts = {f"settings.{name}": json_line(value) for name, value in dataclasses.asdict(settings).items()}
    # Nor does it depend on how much may be unreadable: whoever allows more goes on with the same state.
    for name in (*INDIFFERENT, "max_unreadable"):
        del facts[f"settings.{name}"]
    for name, only in {"shuffle": "full", "cuda_graphs": False}.items():
        if getattr(settings, name) == only:  # the only way that states of earlier releases know
            del facts[f"settings.{name}"]
    facts |= {f"data.{name}": digest for name, digest in data.items()}
    for file in settings.augment.files:
        if not Path(file).is_file():
            raise RecipeError(f"augment: {file}: no such file")
        facts[f"data.{file}"] = sha256(file)
    facts["processes"] = os.environ.get("WORLD_SIZE", "1")
    return facts | {"model": model, "version of training": str(versions.TRAINING)}


def check_fingerprint(state_dir: Path, facts: dict[str, str]) -> None:
    """Write the fingerprint of a new state; refuse to go on with a state of other facts, naming what differs."""
    file = state_dir / FINGERPRINT
    if last(state_dir) is None or not file.is_file():
        write_json(file, facts)
        return
    found = read_json(file)
    differing = sorted(name for name in facts.keys() | found.keys() if facts.get(name) != found.get(name))
    if differing:
        changes = "; ".join(f"{name}: {found.get(name)} -> {facts.get(name)}" for name in differing)
        raise RecipeError(
            f"{state_dir}: holds an unfinished training run of other settings or data ({changes}). "
            f"Restore them to go on with it, or delete the folder to begin anew"
        )
