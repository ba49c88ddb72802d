"""Recordings that no wav.scp lists: the audio files of a folder."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recipe.audio import headers
from recipe.audio.info import AudioError
from recipe.files import RecipeError

# Of recordings, whatever is in them: reading says what is wrong with one. Files of other names are looked into.
SUFFIXES = {
    ".3g2", ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi", ".awb", ".caf",
    ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".rf64", ".sph",
    ".spx", ".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wmv", ".wv",
}  # fmt: skip

# Part of a name that is no suffix: `2026.05.01`.
_SUFFIX = re.compile(r"(?<=[^/])\.([A-Za-z][A-Za-z0-9]{0,4}|3g[p2])\Z", re.IGNORECASE)

Other = tuple[str, str, str]  # path (as it can be shown), reason, detail


@dataclass(frozen=True)
class Survey:
    """All that is in a folder: `recordings` by key, in the order of their paths, and the `others`, which are none, as
    (path, reason, detail). Paths of the others are made fit to be shown: bytes that are no UTF-8 and control characters
    stand as \\x.. there."""

    recordings: dict[str, str]
    others: list[Other]


def find(folder: str | os.PathLike) -> dict[str, str]:
    """The recordings under `folder` by key, as `survey` finds them. RecipeError if there are none."""
    found = survey(folder)
    if not found.recordings:
        counts = Counter(reason for _, reason, _ in found.others)
        told = ", ".join(f"{number} {reason}" for reason, number in counts.most_common()) or "nothing else either"
        raise RecipeError(f"{folder}: no recordings ({told})")
    return found.recordings


def survey(folder: str | os.PathLike) -> Survey:
    """Look at every file under `folder`, and say of each under which key it is a recording or why it is none.

    A file is a recording by its suffix, or by what is in it. Links are followed. The key is the path from `folder`
    without its suffix, white space and what cannot be printed as `_`; files whose keys would be the same keep their
    suffixes, and are numbered if they still are. Reasons: `hidden-file`, `not-audio`, `not-a-file`, `broken-link`,
    `link-loop`, `file-unreadable`, `folder-unreadable`. RecipeError if there is no such folder.
    """
    folder = os.fspath(folder)
    if not os.path.isdir(folder):
        raise RecipeError(f"{folder}: no such folder")
    files, others = [], []
    for path, problem in _walk(folder, (os.path.realpath(folder),)):
        problem = problem or _problem(path, folder)
        if problem:
            others.append((_shown(path), *problem))
        else:
            files.append(Path(path))
    return Survey(_by_key(sorted(files), Path(folder)), sorted(others))


Problem = tuple[str, str]  # reason, detail


def _walk(folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, Problem | None]]:
    """Every file under a folder, and what cannot be looked into; `above` are the folders on the way here."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield folder, ("folder-unreadable", error.strerror or str(error))
        return
    for entry in entries:
        if not _is_folder(entry):
            yield entry.path, None
        elif (place := os.path.realpath(entry.path)) in above:
            yield entry.path, ("link-loop", f"leads to {_shown(place)}, in which it lies")
        else:
            yield from _walk(entry.path, (*above, place))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _problem(path: str, folder: str) -> Problem | None:
    """Why a file is no recording."""
    parts = os.path.relpath(path, folder).split(os.sep)
    if hidden := next((part for part in parts if part.startswith(".")), None):
        return "hidden-file", f"{_shown(hidden)} begins with a dot" + _appledouble(hidden)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if os.path.islink(path):
            return "broken-link", f"leads to {_shown(os.readlink(path))}"
        return "file-unreadable", error.strerror or str(error)
    if not stat.S_ISREG(mode):
        return "not-a-file", "a pipe, socket or device"
    return None if os.path.splitext(path)[1].lower() in SUFFIXES else _by_content(path)


def _appledouble(name: str) -> str:
    return "; what macOS keeps beside a file, not the recording itself" if name.startswith("._") else ""


def _by_content(path: str) -> Problem | None:
    try:
        with headers.opened(path) as data:
            return None if headers.is_audio(data) else ("not-audio", "neither its name nor its content is that of one")
    except AudioError as error:
        if error.reason == "audio-empty":
            return "not-audio", "empty"
        return "file-unreadable", error.detail.removeprefix(f"{path}: ")


def _by_key(files: list[Path], folder: Path) -> dict[str, str]:
    names = [file.relative_to(folder).as_posix() for file in files]
    stems = [_key(_SUFFIX.sub("", name)) for name in names]
    counts = Counter(stems)
    found: dict[str, str] = {}
    for name, stem, file in zip(names, stems, files, strict=True):
        found[_free(stem if counts[stem] == 1 else _key(name), found)] = str(file)
    return found


def _free(key: str, taken: dict[str, str]) -> str:
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key}-{number}"
    return free


def _key(name: str) -> str:
    return "".join(char if char.isprintable() and not char.isspace() else "_" for char in name)


def _shown(path: str) -> str:
    """A path as it can be written and shown."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() or char == "\u3000" else f"\\x{ord(char):02x}" for char in text)
