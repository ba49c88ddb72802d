"""Recordings that no wav.scp lists: the audio files of a folder."""

import os
import re
from collections import Counter
from pathlib import Path

from recipe.files import RecipeError

# What soundfile reads.
SUFFIXES = {".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".sph", ".wav", ".w64"}


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
