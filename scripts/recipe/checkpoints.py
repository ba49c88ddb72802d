"""The state of an unfinished training run: which checkpoint to go on from, and whether it belongs to this run."""

import dataclasses
from pathlib import Path

from recipe.files import RecipeError, json_line, read_json, sha256, write_json
from recipe.settings import TrainSettings

FINGERPRINT = "fingerprint.json"
COMPLETE = "complete"  # marks a checkpoint that was written to its end


def mark_complete(checkpoint: Path) -> None:
    """Say that a checkpoint was written to its end."""
    write_json(checkpoint / COMPLETE, {})


def last(state_dir: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    whole = [path.parent for path in state_dir.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def fingerprint(settings: TrainSettings, data: dict[str, str], model: str) -> dict[str, str]:
    """What a training state depends on, by name: settings, data hashes, base model."""
    facts = {f"settings.{name}": json_line(value) for name, value in dataclasses.asdict(settings).items()}
    # These change how fast a run goes and what it tells, not what it computes.
    for name in ("workers", "log_every", "keep_checkpoints"):
        del facts[f"settings.{name}"]
    facts |= {f"data.{name}": digest for name, digest in data.items()}
    weights = Path(model) / "model.safetensors"
    facts["model"] = sha256(weights) if weights.is_file() else model
    return facts


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
