"""The workflow's configuration: files merged by Snakemake, checked as a whole, and the settings of each run."""

import bisect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from recipe.data.tokens import token_counter
from recipe.files import RecipeError, read_json
from recipe.settings.config import Config
from recipe.settings.decode import FUNASR, check_installed
from recipe.settings.section import as_mapping, from_mapping
from recipe.settings.train import RunSettings, whole
from recipe.text.prompt import with_hotwords

_CHAT = 64  # tokens around prompt, audio and text, and of the instruction: some 40 in the published words
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


def refuse_impossible(config: Config) -> None:
    """RecipeError for what would stop a decoding after all training: settings that contradict each other, or an engine
    that is not installed."""
    if problem := config.decode.contradiction(config.data.prompt):
        raise RecipeError(f"decode: {problem}")
    if config.decode.engine == FUNASR:
        check_installed(FUNASR)


def refuse_hotwords(config: Config, base_dir: str | os.PathLike) -> None:
    """RecipeError if the hotwords of decoding do not fit into the positions of the model's language model, beside the
    longest audio and its text; it says how many do. Nothing is looked at where the model is not there yet."""
    words, file = config.decode.hotwords, Path(base_dir, "config.json")
    if not words or not file.is_file() or not Path(base_dir, "tokenizer.json").is_file():
        return
    positions = read_json(file).get("text_config", {}).get("max_position_embeddings", 0)
    count = token_counter(str(base_dir))

    def tokens(number: int) -> int:
        return count([with_hotwords("", words[:number])])[0]

    if not positions or tokens(len(words)) * 2 < positions:
        return
    room = positions - _positions_beside_hotwords(config)
    if tokens(len(words)) > room:
        fitting = max(0, bisect.bisect_right(range(len(words) + 1), room, key=tokens) - 1)
        raise RecipeError(
            f"decode.hotwords: {len(words)} do not fit into the {positions} positions of {base_dir} beside "
            f"{config.decode.max_seconds:g} s of audio and its text; the first {fitting} do"
        )


def _positions_beside_hotwords(config: Config) -> int:
    """Positions that the longest audio, its text and the words around them take at most."""
    # Loaded here: it takes seconds, and few have so many hotwords.
    from recipe.model.features import FRAME_SECONDS
    from recipe.model.generate import Limits

    seconds = config.decode.max_seconds
    return _CHAT + int(seconds / FRAME_SECONDS) + Limits(per_second=config.decode.max_tokens_per_second).tokens(seconds)


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


def not_default(run: RunSettings) -> dict[str, Any]:
    """The settings of a run that are not what they are by default, whoever says them: `train` or the run."""
    usual = as_mapping(RunSettings())
    return {name: value for name, value in as_mapping(run).items() if value != usual[name]}
