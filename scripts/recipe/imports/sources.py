"""Where the recordings of a corpus are: relative paths, and recordings found by the stem of their names."""

import os
import re
from collections import defaultdict
from pathlib import Path

from recipe.audio.address import is_command, is_url
from recipe.data import datadir, recordings
from recipe.files import RecipeError
from recipe.imports.items import NotImportable, Verbatim
from recipe.text import tables

ARK_OFFSET = re.compile(r"(.+):(\d+)", re.DOTALL)  # an entry of an ark
_ABOVE = 5  # folders above a table in which its relative paths are looked for


def absolute(path: str, folder: str | os.PathLike, above: bool = False) -> str:
    """A path as seen from `folder`, absolute; URLs as they are. With `above`, it may count from a folder above, as of
    recipes that run there: the nearest in which it is counts. NotImportable for URLs that nothing here fetches."""
    if is_url(path):
        return path
    if path[:7].lower() == "file://":
        path = path[7:]
    elif "://" in path:
        raise NotImportable(
            "audio-missing", f"{path}: only http, https, s3 and gs are fetched; copy the recordings here"
        )
    place = os.path.abspath(folder)
    first = os.path.normpath(os.path.join(place, path))
    for _ in range(_ABOVE if above and not os.path.isabs(path) else 0):
        candidate = os.path.normpath(os.path.join(place, path))
        if os.path.exists(candidate):
            return candidate
        place = os.path.dirname(place)
    return first


def verbatim(source: str, scp_file: str | os.PathLike, above: bool = False) -> str | Verbatim:
    """What an entry of a wav.scp refers to, with an absolute path."""
    if is_command(source):
        return Verbatim(source)
    resolved = datadir.resolve(source, os.path.abspath(scp_file))
    if ark := ARK_OFFSET.fullmatch(source):
        return Verbatim(f"{absolute(ark[1], os.path.dirname(scp_file), above)}:{ark[2]}")
    return absolute(source, os.path.dirname(scp_file), above) if above else resolved


class Shelf:
    """Recordings by the stem of their names: those of a folder, or those that a wav.scp names."""

    def __init__(self, place: str | os.PathLike):
        self.place = str(place)
        self._by_stem: dict[str, list[str | Verbatim]] = defaultdict(list)
        if os.path.isdir(place):
            for path in recordings.survey(place).recordings.values():
                relative = os.path.relpath(path, place)
                self._add(os.path.splitext(relative)[0], os.path.abspath(path))
        elif os.path.isfile(place):
            for key, source in tables.read_map(place).items():
                self._by_stem[key].append(verbatim(source, place))
        else:
            raise RecipeError(f"{place}: no such folder of recordings, and no such wav.scp")
        self._used: set[str] = set()

    def _add(self, stem: str, path: str) -> None:
        self._by_stem[stem].append(path)
        if "/" in stem:  # by its name alone too, where that is enough
            self._by_stem["/" + os.path.basename(stem)].append(path)

    def find(self, stem: str) -> str | Verbatim:
        """The recording of a stem (a path from the folder without suffix, or a name). NotImportable if there is none,
        or more than one."""
        names = (stem, os.path.basename(stem), "/" + os.path.basename(stem))
        name = next((name for name in names if name in self._by_stem), None)
        if name is None:
            raise NotImportable("audio-missing", f"no recording called {stem} in {self.place}")
        found = self._by_stem[name]
        self._used.add(name)
        if len(found) > 1:
            several = ", ".join(map(str, found[:3]))
            raise NotImportable("audio-ambiguous", f"{stem} may be any of {several}; keep one")
        return found[0]

    def knows(self, stem: str) -> bool:
        """Whether there is a recording of a stem."""
        return stem in self._by_stem or "/" + os.path.basename(stem) in self._by_stem

    def unused(self) -> list[tuple[str, str]]:
        """(stem, path) of the recordings that nobody asked for."""
        taken = {str(source) for stem in self._used for source in self._by_stem[stem]}
        return [
            (stem, str(one))
            for stem, found in self._by_stem.items()
            for one in found
            if not stem.startswith("/") and str(one) not in taken
        ]


def need(path: str | os.PathLike) -> Path:
    """A path that has to be there. RecipeError otherwise."""
    if not os.path.exists(path):
        raise RecipeError(f"{path}: no such file or folder")
    return Path(path)
