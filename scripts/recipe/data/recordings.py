"""Recordings that no wav.scp lists: the audio files of a folder."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from recipe.files import RecipeError

# What soundfile reads.
SUFFIXES = {".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".sph", ".wav", ".w64"}


@dataclass(frozen=True)
class Survey:
    """All that is in a folder: `recordings` by key, and the `others`, which are none, as (path, reason, detail)."""

    recordings: dict[str, str]
    others: list[tuple[str, str, str]]


def survey(folder: str | os.PathLike) -> Survey:
    """Look at every file under `folder`: the recordings by key, as `find` gives them, and what is none."""
    files = sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())
    found = find(folder) if any(Path(file).suffix.lower() in SUFFIXES for file in files) else {}
    known = set(found.values())
    return Survey(found, [(file, "not-audio", "not by its name") for file in files if file not in known])


def find(folder: str | os.PathLike) -> dict[str, str]:
    """Audio files under `folder` by key, in the order of their paths.

    The key is the path from `folder` without its suffix, spaces as `_`; two files with the same key keep their
    suffixes. RecipeError if there are none.
    """
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise RecipeError(f"{folder}: no audio files ({', '.join(sorted(SUFFIXES))})")
    stems = [_key(file.relative_to(folder).with_suffix("")) for file in files]
    counts = Counter(stems)
    found: dict[str, str] = {}
    for stem, file in zip(stems, files, strict=True):
        key = stem if counts[stem] == 1 else _key(file.relative_to(folder))
        if key in found:
            raise RecipeError(f"{file} and {found[key]} have the same key {key!r}; rename one")
        found[key] = str(file)
    return found


def _key(path: Path) -> str:
    return re.sub(r"\s", "_", path.as_posix())
