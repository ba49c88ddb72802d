"""Tar files of recordings and texts, read as a stream: nothing is unpacked, and names in them never become paths."""

import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recipe.files import RecipeError
from recipe.imports.items import MAX_RECORDING


@dataclass
class Group:
    """Files that follow each other and have the same name up to the suffix. `place` is the number of the first in the
    tar; `problem` a (reason, detail), without which all of them are here."""

    stem: str
    place: str
    files: dict[str, bytes] = field(default_factory=dict)
    problem: tuple[str, str] | None = None


def groups(path: Path) -> Iterator[Group]:
    """The groups of a tar, plain or compressed, in its order. Folders, links and devices are passed over. Where it is
    damaged, the last group says so. RecipeError if it cannot be opened."""
    group = None
    number = 0
    try:
        with tarfile.open(path, "r|*") as tar:
            for member in tar:
                number += 1
                if not member.isfile():
                    continue
                stem = _stem(member.name)
                if group is None or group.stem != stem:
                    if group is not None:
                        yield group
                    group = Group(stem, f"member {number}")
                _add(group, tar, member)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise RecipeError(f"{path}: {error.strerror}") from None
        problem = ("tar-damaged", f"{path}: after {number} files: {error}")
        if group is not None:
            group.problem = problem
            yield group
        else:
            yield Group(path.name, "all", problem=problem)
        return
    if group is not None:
        yield group


def _stem(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)


def _add(group: Group, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """Read a file into its group, unless it is too large."""
    if member.size > MAX_RECORDING:
        group.problem = ("audio-too-large", f"{member.name}: {member.size} bytes")
        return
    if member.name in group.files:
        group.problem = ("key-invalid", f"{member.name} is there twice")
        return
    group.files[member.name] = tar.extractfile(member).read()
