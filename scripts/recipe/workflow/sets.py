"""The sets of an experiment as files and flags: what each is made of, and how a stage is told so."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from recipe.data import datadir, recordings
from recipe.files import RecipeError
from recipe.settings.config import Config
from recipe.settings.data import WeightedSet
from recipe.settings.train import RunSettings

ROLES = ("train", "valid", "test")
_UNWATCHED = re.compile("[{}\x00-\x1f\ud800-\udfff]")  # braces, control characters, bytes that are no UTF-8


def refuse_odd_paths(config: Config) -> None:
    """RecipeError if the path of an input, such as a set or the base model, has braces: Snakemake takes them for
    wildcards, everywhere and without an escape. (The folder that the clone lies in may have them.) Or if it begins with
    a dash, as flags of scripts do."""
    data = config.data
    places = {f"data.{role}.{name}": folder(config, role, name) for role in ROLES for name in getattr(data, role)}
    places |= {f"transcribe.{name}": path for name, path in config.transcribe.items()}
    places |= {f"pseudo.{name}.audio": entry.audio for name, entry in config.pseudo.items()}
    places |= {f"train.augment: {path}": path for path in config.train.augment.files}
    places["score.equivalent"] = config.score.equivalent or ""
    places["data.exclude"] = config.data.exclude or ""
    for where, path in {"model.base": config.model.base, **places}.items():
        if "{" in path or "}" in path:
            raise RecipeError(
                f"{where}: {path}: Snakemake cannot have braces in the path of an input; rename it or link to it"
            )
        if path.startswith("-"):
            raise RecipeError(f"{where}: {path}: begins as a flag does; write ./{path}")


def refuse_missing_augmentation(runs: Mapping[str, RunSettings]) -> None:
    """RecipeError if a file is missing that a run's augmentation reads."""
    for name, run in runs.items():
        for file in run.augment.files:
            if not Path(file).is_file():
                raise RecipeError(f"runs.{name}.augment: {file} does not exist; name another, or take it out")


def folder(config: Config, role: str, name: str) -> str:
    """A set's data directory or JSONL file."""
    entry = getattr(config.data, role)[name]
    return entry.dir if isinstance(entry, WeightedSet) else entry


def weights(config: Config, run: RunSettings, where: str) -> dict[str, float]:
    """How often a run sees each training set in an epoch, by name; one of weight 0 is left out, and one of `pseudo` is
    unless the run gives it a weight. RecipeError, with `where` it stands, if a name is unknown or nothing is left."""
    sets = config.data.train
    if unknown := sorted(set(run.weights) - {*sets, *config.pseudo}):
        also = " or pseudo" if config.pseudo else ""
        raise RecipeError(f"{where}.weights: {', '.join(unknown)} is no set of data.train{also}")
    shared = {name: entry.weight if isinstance(entry, WeightedSet) else 1.0 for name, entry in sets.items()}
    kept = {name: weight for name, weight in {**shared, **run.weights}.items() if weight}
    if not kept:
        raise RecipeError(f"{where}.weights leave no training set")
    return kept


def pseudo_labelled(config: Config, name: str) -> str:
    """The JSONL file of what is kept of an entry of `pseudo`, which the workflow makes."""
    return f"exp/{config.experiment}/pseudo/{name}/selected.jsonl"


def data_files(config: Config, role: str, name: str) -> list[str]:
    """The files that a manifest is made of: wav.scp, text, then what else the data directory has; or a JSONL file; and
    the table of what is left out, if there is one. The JSONL file of an entry of `pseudo` is not there at first."""
    if role == "train" and name in config.pseudo:
        return [pseudo_labelled(config, name), *excluded_files(config)]
    place = folder(config, role, name)
    if _is_within(place, Path("exp", config.experiment, "data")):
        raise RecipeError(
            f"data.{role}.{name}: {place} is where this experiment's own manifests go; name what it is made of"
        )
    if datadir.is_jsonl(place):
        if not Path(place).is_file():
            raise RecipeError(f"data.{role}.{name}: {place} does not exist")
        return [place, *excluded_files(config)]
    found = {table: datadir.find(place, table) for table in ("wav.scp", "text", *datadir.OPTIONAL)}
    for required in ("wav.scp", "text"):
        if found[required] is None:
            raise RecipeError(f"data.{role}.{name}: {place}/{required} does not exist")
    return [*(path for path in found.values() if path), *excluded_files(config)]


def excluded_files(config: Config) -> list[str]:
    """The table of utterances to leave out, if there is one. RecipeError if it is not there, or is a result of this
    experiment, which would be made of the utterances that it leaves out."""
    path = config.data.exclude
    if path is None:
        return []
    if _is_within(path, Path("exp", config.experiment)):
        raise RecipeError(
            f"data.exclude: {path} is a result of this experiment; copy it to another place, and name that"
        )
    if not Path(path).is_file():
        raise RecipeError(f"data.exclude: {path} does not exist")
    return [path]


def _is_within(path: str, folder: Path) -> bool:
    """Whether a path leads into a folder."""
    # Path.resolve ends at a link to itself.
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def data_source(config: Config, role: str, name: str) -> list[str]:
    """Flags of scp2jsonl.py that say what a set is made of."""
    files = data_files(config, role, name)
    left_out = [
        word for path in excluded_files(config) for word in ("--exclude-file", path, "--set-name", f"{role}/{name}")
    ]
    if datadir.is_jsonl(files[0]):
        return ["--input-jsonl", files[0], *left_out]
    return ["--scp-file", files[0], "--transcript-file", files[1], *left_out]


def purpose(config: Config, role: str) -> list[str]:
    """Flags of scp2jsonl.py that say what a set of this role is for: of test sets nothing is left out that can be read,
    and utterances without hotwords of their own have those of decoding."""
    if role != "test":
        return []
    words = config.decode.hotwords
    return ["--purpose", "scoring", *([f"--hotwords={','.join(words)}"] if words else [])]


def has_hotwords(config: Config, test: str) -> bool:
    """Whether utterances of a test set may have hotwords of their own: in utt2hotwords, or in the prompts of JSONL."""
    place = folder(config, "test", test)
    return datadir.is_jsonl(place) or datadir.find(place, "utt2hotwords") is not None


def transcribed(config: Config, name: str) -> str:
    """What an entry of `transcribe` names."""
    source = config.transcribe[name]
    if not Path(source).exists():
        raise RecipeError(f"transcribe.{name}: {source} does not exist")
    return source


def unlabelled(config: Config, name: str) -> str:
    """The recordings that an entry of `pseudo` names."""
    source = config.pseudo[name].audio
    if not Path(source).exists():
        raise RecipeError(f"pseudo.{name}.audio: {source} does not exist")
    return source


def decode_files(source: str) -> list[str]:
    """What decode.py reads of a data directory, wav.scp, JSONL file or folder of recordings; wav.scp first."""
    if Path(source).is_dir():
        scp = datadir.find(source, "wav.scp")
        if scp is None:
            # Recordings with braces in their names are decoded but not watched: to Snakemake they would be wildcards.
            # Nor are those whose names it could not write down.
            return [file for file in recordings.find(source).values() if not _UNWATCHED.search(file)]
        source = scp
    if datadir.is_jsonl(source):
        return [source]
    return [
        source,
        *datadir.tables(source, ["segments", "utt2prompt", "utt2hotwords", "utt2lang", "utt2channel"]).values(),
    ]


def decode_source(source: str) -> list[str]:
    """The same as flags of decode.py."""
    if datadir.is_jsonl(source):
        return ["--input-jsonl", source]
    if Path(source).is_dir() and datadir.find(source, "wav.scp") is None:
        return ["--audio-dir", source]
    return ["--scp-file", decode_files(source)[0]]
