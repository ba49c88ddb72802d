"""Writing the index of a manifest, line by line, while the manifest is written or read; what it is, `index` says."""

import contextlib
import os
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from recipe.files import json_line, make_folder, sha256, write_json

VERSION = 1
FACTS, ROWS, CONTEXTS, UNPACKED = "index.json", "rows", "contexts", "lines"
_PACKED = struct.Struct("<QIIIId")  # index.ROW
_REMEMBERED = 10_000  # different contexts that are told apart; a later one may be listed more than once
_PROMPTS = 100  # commonest prompts among the facts


class Indexed(NamedTuple):
    """What an index has of an utterance."""

    key: str
    frames: int
    tokens: int
    prompt: str
    after: str
    seconds: float
    language: str | None


def beside(path: str | os.PathLike) -> Path:
    """The place of the index that the data stage makes of a manifest."""
    return Path(f"{os.fspath(path)}.index")


class IndexWriter:
    """Writes the index of a manifest while its lines are written or read; without `finish` it is none."""

    def __init__(self, folder: Path):
        self._folder = make_folder(folder)
        # Whoever still reads an older index keeps its files.
        for name in (FACTS, ROWS, CONTEXTS, UNPACKED):
            (folder / name).unlink(missing_ok=True)
        self._files = contextlib.ExitStack()
        rows, contexts = open(folder / ROWS, "wb"), open(folder / CONTEXTS, "w", encoding="utf-8")  # noqa: SIM115
        self._rows, self._contexts = self._files.enter_context(rows), self._files.enter_context(contexts)
        self._known: dict[tuple[str, str], int] = {}
        self._listed = self._count = 0
        self._times: Counter[int] = Counter()  # utterances by context, of those remembered
        self._seconds, self._languages = 0.0, set()

    def __enter__(self) -> "IndexWriter":
        return self

    def __exit__(self, *_) -> None:
        self._files.close()

    def add(self, offset: int, one: Indexed) -> None:
        """The utterance whose line begins at `offset`."""
        context = self._known.get((one.prompt, one.after))
        if context is None:
            context = self._list(one.prompt, one.after)
        row = offset, zlib.crc32(one.key.encode()), _fit(one.frames), _fit(one.tokens), context, one.seconds
        self._rows.write(_PACKED.pack(*row))
        self._count += 1
        if context < len(self._known):
            self._times[context] += 1
        self._seconds += one.seconds
        self._languages.add(one.language)

    def _list(self, prompt: str, after: str) -> int:
        self._contexts.write(json_line([prompt, after]) + "\n")
        if len(self._known) < _REMEMBERED:
            self._known[prompt, after] = self._listed
        self._listed += 1
        return self._listed - 1

    def _prompts(self) -> dict[str, int]:
        """The commonest prompts, each with its utterances."""
        counts: Counter[str] = Counter()
        for (prompt, _), context in self._known.items():
            counts[prompt] += self._times[context]
        return dict(counts.most_common(_PROMPTS))

    def finish(self, path: str | os.PathLike, blank: list[int] | None = None) -> None:
        """All lines of the manifest at `path` are in; `blank` has the number of utterances before each blank line."""
        self._files.close()
        facts = {
            "version": VERSION,
            "manifest": {**state_of(path), "sha256": sha256(path)},
            "utterances": self._count,
            "seconds": self._seconds,
            "languages": sorted(self._languages - {None}),
            "contexts": self._listed,
            "prompts": self._prompts(),
            "blank": blank or [],
        }
        write_json(self._folder / FACTS, facts)


def _fit(number: int) -> int:
    return min(max(number, 0), 2**32 - 1)


def state_of(path: str | os.PathLike) -> dict[str, int]:
    """What tells at a glance whether a file is still the same."""
    found = os.stat(path)
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}
