"""Data sets as Hugging Face's `datasets` keeps them: saved ones, parquet, folders of audio with metadata, the hub's.

Rows are taken as Arrow tables: recordings are never decoded, their bytes stay as they are. Nothing of a data set is
run: this version of `datasets` knows no scripts, and of formats that could hold code none is asked for.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recipe.data import datadir
from recipe.files import RecipeError
from recipe.imports import columns, delimited
from recipe.imports.items import Found, Notes, guarded
from recipe.imports.options import ImportOptions

INSTALL = "uv pip install --group datasets, or pip install datasets"
_BATCH = 16  # rows in memory at a time; each may hold a long recording
_METADATA = ("metadata.csv", "metadata.jsonl")
ALL = "all"


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The utterances of a data set: what `save_to_disk` wrote, parquet files, a folder with metadata.csv or
    metadata.jsonl, or, if there is no such path, one of the hub (organization/name)."""
    if source.is_dir() and (tables := [path for name in _METADATA for path in sorted(source.rglob(name))]):
        return _audiofolder(source, _of_split(tables, source, options.split), options)
    return _rows(source, options)


def _audiofolder(source: Path, found: list[Path], options: ImportOptions) -> Iterator[Found]:
    for table in found:
        folders = [options.root or table.parent]
        one = delimited.jsonl_rows if datadir.is_jsonl(table) else delimited.csv_rows
        yield from one(table, options.columns, folders)


def _of_split(found: list[Path], source: Path, split: str | None) -> list[Path]:
    """The tables of a split, which is a folder on the way to them."""
    if split in (None, ALL):
        if len(found) > 1 and split is None:
            there = ", ".join(str(path.relative_to(source)) for path in found[:6])
            raise RecipeError(f"{source}: several tables ({there}); name one of their folders by --split, or `all`")
        return found
    chosen = [path for path in found if split in path.relative_to(source).parts[:-1]]
    if not chosen:
        there = ", ".join(str(path.relative_to(source)) for path in found[:6])
        raise RecipeError(f"{source}: no table in a folder {split}; there are {there}")
    return chosen


# --- By the library --------------------------------------------------------------------------------------------------


def _library():
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        import datasets
    except ImportError:
        raise RecipeError(f"this kind of data set is read by the package datasets: {INSTALL}") from None
    return datasets


def _rows(source: Path, options: ImportOptions) -> Iterator[Found]:
    datasets = _library()
    try:
        found = _split(_loaded(datasets, source, options), source, options.split)
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError, ImportError) as error:
        raise RecipeError(f"{source}: {' '.join(str(error).split())[:500]}") from None
    features = found.features or {}
    there = list(features) or list(next(iter(found), {}))
    audio = [name for name, kind in features.items() if isinstance(kind, datasets.Audio)]
    if len(audio) > 1 and "audio" not in options.columns:
        raise RecipeError(f"{source}: several columns of audio ({', '.join(audio)}); choose: --columns audio=COLUMN")
    roles = columns.choose(there, options.columns, str(source), audio[0] if audio else None)
    names = {column: kind.names for column, kind in features.items() if isinstance(kind, datasets.ClassLabel)}
    folder = source.parent if source.is_file() else source
    return _utterances(datasets, found, roles, names, source, [options.root or folder])


def _loaded(datasets, source: Path, options: ImportOptions):
    if source.is_file():
        return datasets.load_dataset(
            "parquet", data_files={options.split or "train": [str(source)]}, split=options.split or "train",
            streaming=True,
        )  # fmt: skip
    if source.is_dir():
        if (source / "dataset_dict.json").is_file() or (source / "state.json").is_file():
            return datasets.load_from_disk(str(source))
        if (source / "README.md").is_file():  # as cloned from the hub: says what its configurations and splits are
            names = datasets.get_dataset_config_names(str(source))
            if len(names) > 1 and options.config is None:
                raise RecipeError(f"{source}: several configurations ({', '.join(names)}); name one by --config")
            return datasets.load_dataset(str(source), options.config, streaming=True)
        if options.config:
            raise RecipeError(f"--config: {source} has no README.md, which names configurations; name a folder in it")
        if next(source.rglob("metadata.parquet"), None):
            return datasets.load_dataset("audiofolder", data_dir=str(source), streaming=True)
        if next(source.rglob("*.parquet"), None):
            return datasets.load_dataset("parquet", data_dir=str(source), streaming=True)
        raise RecipeError(
            f"{source}: no data set: neither saved by save_to_disk, nor with *.parquet, metadata.csv or metadata.jsonl"
        )
    if source.is_absolute() or len(source.parts) > 2 or source.suffix in (".parquet", ".arrow"):
        raise RecipeError(f"{source}: no such file or folder")
    return datasets.load_dataset(str(source), options.config, revision=options.revision, streaming=True)


def _split(loaded, source: Path, split: str | None):
    """The split that is asked for, or the only one."""
    if not isinstance(loaded, dict):
        return loaded
    names = ", ".join(loaded)
    if split is None and len(loaded) > 1:
        raise RecipeError(f"{source}: several splits ({names}); name one by --split")
    if split is not None and split not in loaded:
        raise RecipeError(f"{source}: no split {split!r}; there are {names}")
    return loaded[split or next(iter(loaded))]


def _utterances(datasets, found, roles: dict, names: dict, source: Path, folders: list) -> Iterator[Found]:
    wanted = list(dict.fromkeys(roles.values()))
    stem = source.stem or "row"
    number = 0
    try:
        for table in found.select_columns(wanted).with_format("arrow").iter(_BATCH):
            for row in table.to_pylist():
                number += 1
                key, where = f"{stem}-{number:08d}", f"{source}, row {number}"
                row = {column: _named(value, names.get(column)) for column, value in row.items()}
                yield from guarded(
                    key, where, lambda row=row, key=key, where=where: columns.utterance(row, roles, folders, key, where)
                )
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError, ImportError) as error:
        raise RecipeError(f"{source}: after row {number}: {' '.join(str(error).split())[:500]}") from None


def _named(value: Any, names: list[str] | None) -> Any:
    """The name of a class where a column holds its number."""
    return names[value] if names and isinstance(value, int) and 0 <= value < len(names) else value
