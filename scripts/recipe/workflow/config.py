"""The workflow's configuration: files merged by Snakemake, checked as a whole, and the settings of each run."""

import bisect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from recipe.data.tokens import token_counter
from recipe.files import RecipeError, json_line, read_json
from recipe.settings.config import Config
from recipe.settings.decode import TRANSFORMERS, check_installed
from recipe.settings.section import Where, as_mapping, from_mapping, from_text, indifferent, read
from recipe.settings.train import RunSettings, whole
from recipe.text.prompt import with_hotwords
from recipe.workflow import sets, trainings
from recipe.workflow.origins import compose, shown

_CHAT = 64  # tokens around prompt, audio and text, and of the instruction: some 40 in the published words
BASELINE = "base"  # name of the untouched model among the runs' models


def refuse_repeated_names(path: str | os.PathLike) -> None:
    """RecipeError if a name stands twice in one mapping of a YAML file: the first value would be lost silently."""
    waiting = [compose(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for name, value in node.value:
                if name.value in seen:
                    line = name.start_mark.line + 1
                    raise RecipeError(
                        f"{shown(path)}:{line}: {name.value} stands here for the second time; merge the two"
                    )
                seen.add(name.value)
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def read_files(paths: Sequence[str | os.PathLike]) -> dict[str, Any]:
    """The mapping that files of a configuration are together, later ones over earlier ones. RecipeError says what keeps
    one from being read: its encoding, its YAML, a name that stands twice."""
    values: dict[str, Any] = {}
    for path in paths:
        refuse_repeated_names(path)
        values = _over(values, read(path))
    return values


def merged(values: Mapping[str, Any], command_line: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with what --config says in it, whose nested numbers are text, as what they are meant to be."""
    return _over(values, from_text(Config, _typed_runs(command_line)))


def _typed_runs(command_line: Mapping[str, Any]) -> dict[str, Any]:
    """What --config says, the entries of runs by their own settings."""
    own = command_line.get("runs")
    if not isinstance(own, Mapping):
        return dict(command_line)
    return {**command_line, "runs": {name: from_text(RunSettings, run) for name, run in own.items()}}


def _over(values: Any, more: Any) -> Any:
    """`more` over `values`, mapping by mapping."""
    if not isinstance(values, Mapping) or not isinstance(more, Mapping):
        return more
    return {**values, **{name: _over(values.get(name), value) for name, value in more.items()}}


def check(values: Mapping[str, Any], where: Where = "configuration") -> Config:
    """The whole configuration, with defaults. RecipeError lists every unknown name and wrong value by its path."""
    return from_mapping(Config, values, where)


def refuse_impossible(config: Config) -> None:
    """RecipeError for what would stop a decoding after all training: settings that contradict each other, or an engine
    that is not installed."""
    if problem := config.decode.contradiction(config.data.prompt):
        raise RecipeError(f"decode: {problem}")
    if config.decode.engine != TRANSFORMERS:
        check_installed(config.decode.engine)


FOLD_TRAINING = {"evaluations": 1, "decode_utterances": 0, "select": "last", "average": 1, "early_stopping": 0}


def fold_settings(config: Config, where: Where = "") -> RunSettings:
    """Settings of the training of each fold of `suspects`: those of `train`, and its own over them. Nothing is chosen
    by what is watched meanwhile, so that a model never judges what it was chosen by. RecipeError names what is
    wrong."""
    values = {**as_mapping(config.train), **FOLD_TRAINING, "report_to": [], "weights": {}, **config.suspects.train}
    return whole(RunSettings, values, lambda path: f"{_placed(where, ('suspects', 'train', *path))}suspects.train")


def refuse_nothing_to_judge(config: Config) -> None:
    """RecipeError if there are no sets whose transcripts could be judged, or none to train the folds' models on."""
    if not any(getattr(config.data, role) for role in config.suspects.sets):
        raise RecipeError(f"suspects.sets: data has no sets of {', '.join(config.suspects.sets)}; name some")
    if config.suspects.folds and not config.data.train:
        raise RecipeError(
            "suspects.folds: data.train names no set to train on; set suspects: {folds: 0} to let the base model judge"
        )


def refuse_nothing_to_transcribe(config: Config) -> None:
    """RecipeError if the configuration names no recordings without references."""
    if not config.transcribe:
        raise RecipeError("transcribe names no recordings; set `transcribe: {talks: FOLDER}` (docs/settings.md)")


def refuse_no_test(config: Config) -> None:
    """RecipeError if there is nothing to score a model on, when scores are asked for."""
    if not config.data.test:
        raise RecipeError(
            "data.test names no set to score the models on: name one, or ask for less (snakemake --cores all --until "
            "train)"
        )


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


def runs(config: Config, where: Where = "") -> dict[str, RunSettings]:
    """All settings of each training: `train` with the run's own entries over it, once for each of its seeds (see
    `trainings.with_seeds` for their names). RecipeError if they contradict each other, if two are the same, or if there
    is nothing to train on."""
    given = {"train": config.data.train or config.pseudo, "valid": config.data.valid}
    missing = [role for role, names in given.items() if not names]
    if config.runs and missing:
        raise RecipeError(
            f"data.{missing[0]} names no set, but runs are to be trained ({', '.join(config.runs)}): "
            "name one, or set runs: {} to score the base model alone"
        )
    if BASELINE in config.runs:
        raise RecipeError(f"runs.{BASELINE}: this name is taken by the untouched model; choose another")
    shared = as_mapping(config.train)
    single = {name: _run(name, {**shared, **own}, where) for name, own in config.runs.items()}
    made = trainings.with_seeds(trainings.enough_seeds(config, single))
    _refuse_same(config, made, where)
    return made


def _run(name: str, values: Mapping[str, Any], where: Where) -> RunSettings:
    """The settings of a run; of what is wrong in them, the place is told."""
    return whole(RunSettings, values, lambda path: f"{_placed(where, ('runs', name, *path))}runs.{name}")


def _placed(where: Where, path: Sequence[str]) -> str:
    """What stands before a message about a setting."""
    place = where(path) if callable(where) else where
    return f"{place}: " if place else ""


def _refuse_same(config: Config, made: Mapping[str, RunSettings], where: Where) -> None:
    """RecipeError if two runs would train the same model: two columns of one result look like two findings."""
    ignored = indifferent(RunSettings)
    seen: dict[str, str] = {}
    for name, run in made.items():
        told = as_mapping(run) | {"weights": sets.weights(config, run, f"runs.{name}")}
        same = json_line({setting: value for setting, value in told.items() if setting not in ignored})
        other = seen.setdefault(same, name)
        if other != name:
            raise RecipeError(
                f"{_placed(where, ('runs', name))}runs.{name} has the same settings as runs.{other}: both would train "
                "the same model; change one (another seed is a change) or take one out"
            )


def same_but_seed(made: Mapping[str, RunSettings]) -> list[list[str]]:
    """Groups of two runs and more that differ in nothing but `seed`: seeds of one setting, in the order of the runs."""
    ignored = {*indifferent(RunSettings), "seed"}
    groups: dict[str, list[str]] = {}
    for name, run in made.items():
        same = json_line({setting: value for setting, value in as_mapping(run).items() if setting not in ignored})
        groups.setdefault(same, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def not_default(run: RunSettings) -> dict[str, Any]:
    """The settings of a run that are not what they are by default, whoever says them: `train` or the run."""
    usual = as_mapping(RunSettings())
    return {name: value for name, value in as_mapping(run).items() if value != usual[name]}
