"""What an experiment's results are made of, in one record: its inputs, its settings, and what each stage ran with."""

import os
from collections.abc import Iterable
from typing import Any

from recipe.files import RecipeError, read_json, sha256


def collect(inputs: Iterable[str], records: Iterable[str], settings: Any) -> dict[str, Any]:
    """SHA-256 of the files that the experiment starts from, its settings, and the records that its jobs wrote when they
    ran (`recipe.record`), by file. Jobs that ran with the same are listed together: nothing is told of the time of
    the call, so that old results are never relabelled."""
    groups: list[dict[str, Any]] = []
    for path in records:
        made = read_json(path)
        if not isinstance(made, dict) or not isinstance(stage := made.pop("stage", None), str):
            raise RecipeError(f"{path}: is no record of a job (see `recipe.record`); delete it and run its stage again")
        for group in groups:
            if group["with"] == made:
                break
        else:
            groups.append(group := {"with": made, "jobs": {}})
        group["jobs"].setdefault(stage, []).append(os.fspath(path))
    return {
        "inputs": {os.fspath(path): _hash(path) for path in inputs},
        "settings": settings,
        "made": groups,
    }


def _hash(path: str) -> str:
    """SHA-256 of an input; RecipeError if it is not there."""
    try:
        return sha256(path)
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file") from None
