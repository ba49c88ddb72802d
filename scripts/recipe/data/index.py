"""The index of a manifest: where each line begins, and what planning needs of it, so that nobody has to hold all lines.

A folder of three files: `rows` (a `ROW` for each utterance), `contexts` (the different words around the audio, a JSON
pair a line), and `index.json`, written last: facts of the set, and which manifest it belongs to. The data stage leaves
one beside each manifest (`NAME.jsonl.index`); of any other manifest it is made where it is needed.
"""

import bisect
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np

from recipe.data import manifest
from recipe.data.index_writer import CONTEXTS, FACTS, ROWS, UNPACKED, VERSION, Indexed, IndexWriter, beside, state_of
from recipe.data.manifest import Utterance
from recipe.files import (
    RecipeError,
    byte_lines,
    json_object,
    line_text,
    read_json,
    read_lines,
    sha256,
)

ROW = np.dtype(
    [
        ("offset", "<u8"),  # bytes before the line
        ("key", "<u4"),  # CRC-32 of the utterance's key
        ("frames", "<u4"),  # of 10 ms
        ("tokens", "<u4"),  # of the transcript
        ("context", "<u4"),  # line of `contexts`, from 0
        ("seconds", "<f8"),
    ]
)
_LINE = 4096  # bytes read at first
_GZIP, _MARK = b"\x1f\x8b", b"\xef\xbb\xbf"


class ManifestIndex:
    """A manifest and its index. Lines are read from the file as it was opened here, whatever takes its place later."""

    def __init__(self, path: str | os.PathLike, folder: Path):
        self.path, self.folder = os.fspath(path), folder
        self.facts = read_json(folder / FACTS)
        unpacked = folder / UNPACKED
        self._lines = open(unpacked if unpacked.is_file() else path, "rb", buffering=0)  # noqa: SIM115 (kept open)

    def __reduce__(self):
        return ManifestIndex, (self.path, self.folder)

    def __len__(self) -> int:
        return self.facts["utterances"]

    @property
    def sha256(self) -> str:
        """Of the manifest."""
        return self.facts["manifest"]["sha256"]

    def blocks(self, size: int = 1 << 20) -> Iterator[tuple[int, np.ndarray]]:
        """The rows, `size` of them at a time, each time with the number of the first."""
        for start in range(0, len(self), size):
            count = min(size, len(self) - start)
            yield start, np.fromfile(self.folder / ROWS, ROW, count, offset=start * ROW.itemsize)

    def contexts(self) -> Iterator[tuple[str, str]]:
        """(prompt, text after the audio) of each number that rows have as their context."""
        for _, line in read_lines(self.folder / CONTEXTS):
            yield tuple(json.loads(line))

    def row(self, number: int) -> np.void:
        """One row."""
        return np.fromfile(self.folder / ROWS, ROW, 1, offset=number * ROW.itemsize)[0]

    def read(self, offset: int) -> Utterance:
        """The utterance whose line begins at `offset`."""
        try:
            record = json.loads(self._line(offset))
        except ValueError:
            raise RecipeError(f"{self.path}: no line at byte {offset}: it was changed while it was in use") from None
        return manifest.parse(record, self.path if record.get("key") else f"{self.path}:{self._number(offset)}")

    def _line(self, offset: int) -> bytes:
        size = _LINE
        while True:
            found = os.pread(self._lines.fileno(), size, offset)
            end = found.find(b"\n")
            if end >= 0 or len(found) < size:
                return found[: end if end >= 0 else None]
            size *= 4

    def _number(self, offset: int) -> int:
        """Number of a line, from 1."""
        row = bisect.bisect_left(range(len(self)), offset, key=lambda number: self.row(number)["offset"])
        return row + 1 + bisect.bisect_right(self.facts["blank"], row)


def left_by_data_stage(path: str | os.PathLike) -> ManifestIndex | None:
    """The index that the data stage made of a manifest, if it is there and still of this file."""
    return ManifestIndex(path, beside(path)) if _belongs(beside(path), path, partial(sha256, path)) else None


def find(path: str | os.PathLike, folder: Path) -> ManifestIndex:
    """The index of a manifest: the data stage's, if it is still of this file, or one that is made in `folder`.
    RecipeError names a line that is none of a manifest."""
    digest = cache(partial(sha256, path))
    for place in (beside(path), folder):
        if _belongs(place, path, digest):
            return ManifestIndex(path, place)
    _build(path, folder)
    return ManifestIndex(path, folder)


def _belongs(folder: Path, path: str | os.PathLike, digest: Callable[[], str]) -> bool:
    """Whether an index is of the file at `path`: by size and time, or else by its hash, which `digest` gives."""
    if not (folder / FACTS).is_file() or not os.path.isfile(path):
        return False
    facts = read_json(folder / FACTS)
    if facts.get("version") != VERSION:
        return False
    known = facts["manifest"]
    now = state_of(path)
    return now.items() <= known.items() or (now["size"] == known["size"] and digest() == known["sha256"])


def _build(path: str | os.PathLike, folder: Path) -> None:
    """Index a manifest by reading it. Of a compressed one a copy is unpacked, since lines are read in any order."""
    blank: list[int] = []
    with IndexWriter(folder) as index, contextlib.ExitStack() as stack:
        start = _start(path)
        copy = stack.enter_context(open(folder / UNPACKED, "wb")) if start == _GZIP else None
        offset, count = len(start) if start == _MARK else 0, 0
        for number, raw in enumerate(byte_lines(path), 1):
            where = f"{path}:{number}"
            line = line_text(raw, where)
            if line.strip():
                index.add(offset, _indexed(manifest.parse(json_object(line, where), where)))
                count += 1
            else:
                blank.append(count)
            if copy:
                copy.write(raw)
            offset += len(raw)
        stack.close()
        index.finish(path, blank)


def _start(path: str | os.PathLike) -> bytes:
    """Bytes that a file begins with and that are no text: gzip's or a byte-order mark. RecipeError if it is missing."""
    if not os.path.isfile(path):
        raise RecipeError(f"{os.fspath(path)}: {'is no file' if os.path.exists(path) else 'no such file'}")
    with open(path, "rb") as file:
        found = file.read(3)
    return next((start for start in (_GZIP, _MARK) if found.startswith(start)), b"")


def _indexed(one: Utterance) -> Indexed:
    return Indexed(one.key, one.speech_length, one.text_length, one.prompt, one.after, one.duration, one.language)
