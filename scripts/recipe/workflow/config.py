"""The workflow's configuration: checked against its JSON schema, with the schema's defaults filled in."""

import copy
import dataclasses
import os
from typing import Any

import jsonschema
import yaml

from recipe.files import RecipeError, exponents_to_floats
from recipe.settings import train as settings

BASELINE = "base"  # name of the untouched model among the runs' models


def load_schema(path: str | os.PathLike) -> dict:
    """Read the schema file."""
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


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


def check(values: dict[str, Any], schema: dict, where: str = "configuration") -> dict[str, Any]:
    """A copy of `values` with defaults filled in. RecipeError lists every unknown name and wrong value by its path."""
    checked = exponents_to_floats(copy.deepcopy(values))
    _validate(checked, schema, schema, where)
    _fill(checked, schema)
    return checked


def runs(config: dict[str, Any], schema: dict) -> dict[str, dict[str, Any]]:
    """All settings of each run: `train` with the run's own entries over it. RecipeError if they contradict each other,
    or if there is nothing to train on."""
    merged = {}
    missing = [role for role in ("train", "valid") if not config["data"][role]]
    if config["runs"] and missing:
        raise RecipeError(
            f"data.{missing[0]} names no set, but runs are to be trained ({', '.join(config['runs'])}): "
            "name one, or set runs: {} to score the base model alone"
        )
    known = {field.name for field in dataclasses.fields(settings.TrainSettings)}
    for name, overrides in config["runs"].items():
        if name == BASELINE:
            raise RecipeError(f"runs.{name}: this name is taken by the untouched model; choose another")
        merged[name] = {**config["train"], **overrides}
        _validate(merged[name], schema["properties"]["train"], schema, f"runs.{name}")
        settings.from_mapping({key: merged[name][key] for key in merged[name].keys() & known}, f"runs.{name}")
    return merged


def _validate(values: Any, part: dict, schema: dict, where: str) -> None:
    validator = jsonschema.Draft202012Validator({**part, "$defs": schema.get("$defs", {})})
    errors = sorted(validator.iter_errors(values), key=lambda error: [str(p) for p in error.absolute_path])
    if errors:
        lines = "; ".join(_describe(error) for error in errors)
        raise RecipeError(f"{where}: {lines}. schemas/config.schema.yaml lists all settings")


def _describe(error: jsonschema.ValidationError) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
        return "; ".join(f"unknown setting {path + '.' if path else ''}{name}" for name in unknown)
    if error.context:  # there are alternatives, and none fits
        return " and ".join(_describe(alternative) for alternative in error.context)
    return f"{path}: {error.message}" if path else error.message


def _fill(values: dict[str, Any], schema: dict) -> None:
    for name, part in schema.get("properties", {}).items():
        if name not in values and "default" in part:
            values[name] = copy.deepcopy(part["default"])
        if isinstance(values.get(name), dict):
            _fill(values[name], part)
