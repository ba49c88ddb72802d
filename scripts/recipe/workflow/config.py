"""The workflow's configuration: files merged by Snakemake, checked as a whole, and the settings of each run."""

import os
from collections.abc import Mapping
from typing import Any

import yaml

from recipe.files import RecipeError
from recipe.settings.config import Config
from recipe.settings.section import as_mapping, from_mapping
from recipe.settings.train import RunSettings, whole

BASELINE = "base"  # name of the untouched model among the runs' models


def refuse_repeated_names(path: str | os.PathLike) -> None:
    """RecipeError if a name stands twice in one mapping of a YAML file: the first value would be lost silently."""
    with open(path, encoding="utf-8") as file:
        waiting = [yaml.compose(file, yaml.SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for name, value in node.value:
                if name.value in seen:
                    line = name.start_mark.line + 1
                    raise RecipeError(f"{path}:{line}: {name.value} stands here for the second time; merge the two")
                seen.add(name.value)
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def check(values: Mapping[str, Any], where: str = "configuration") -> Config:
    """The whole configuration, with defaults. RecipeError lists every unknown name and wrong value by its path."""
    return from_mapping(Config, values, where)


def runs(config: Config) -> dict[str, RunSettings]:
    """All settings of each run: `train` with the run's own entries over it. RecipeError if they contradict each other,
    or if there is nothing to train on."""
    missing = [role for role in ("train", "valid") if not getattr(config.data, role)]
    if config.runs and missing:
        raise RecipeError(
            f"data.{missing[0]} names no set, but runs are to be trained ({', '.join(config.runs)}): "
            "name one, or set runs: {} to score the base model alone"
        )
    if BASELINE in config.runs:
        raise RecipeError(f"runs.{BASELINE}: this name is taken by the untouched model; choose another")
    shared = as_mapping(config.train)
    return {name: whole(RunSettings, {**shared, **own}, f"runs.{name}") for name, own in config.runs.items()}
