"""What sets of different roles share: utterances, audio, recordings, speakers and transcripts that a model has seen
before it is measured on them.

A manifest is read as a stream, and of each utterance digests of 8 bytes are kept, a file for each property: a column
of ten million is 80 MB, and two are in memory at a time. Audio is compared by content where two utterances are of the
same length to a tenth of a millisecond: of WAV the first and last 64 KiB of samples and their number, of FLAC the
checksum of the samples that its header has, of other files their first and last 64 KiB and their size.
"""

import hashlib
import logging
import os
import re
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from recipe.audio import headers
from recipe.audio.address import is_command, is_url, same_recording
from recipe.audio.info import AudioError
from recipe.audio.place import Bytes
from recipe.audio.reading import split_ark
from recipe.data import manifest
from recipe.files import read_json_lines

logger = logging.getLogger(__name__)

FORMAT = 1
ROLES = ("train", "valid", "test")  # in the order in which a model meets them
# What is counted, the gravest first: by name what it says of the utterances of the set that is measured.
SHARED = {
    "utterances": "utterances are also in {other}, with the same audio and transcript",
    "audio": "utterances have the same audio as one of {other}",
    "recordings": "utterances are of recordings that {other} has a part of",
    "keys": "utterances have a key of {other}",
    "speakers": "utterances are of speakers that {other} has, too",
    "transcripts": "transcripts occur in {other}, too",
}
TOLD_OF_TRAINING_ALONE = ("speakers", "transcripts")
EXAMPLES = 3
MAX_COMPARED = 100_000  # recordings of a pair of sets whose content is read
BY_COLUMN = {"recordings": "recording", "keys": "key", "speakers": "speaker", "transcripts": "text"}
COLUMNS = ("key", "place", "recording", "shape", "speaker", "text")
END_BYTES = 65_536  # of a recording that are read at either end
_UNSAID = re.compile(r"[\s!-/:-@\[-`{-~¡¿…—–‘’“”、。《》「」『』【】，．！？；：（）]+")
_PROGRESS = 1_000_000  # utterances
_PIECE = 1_000_000  # values that are looked up at a time
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class CheckedSet:
    """A set of an experiment: its role, name and manifest."""

    role: str
    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.role} set {self.name}"


def compare(sets: Sequence[CheckedSet], limit: int = MAX_COMPARED) -> dict[str, Any]:
    """What each set shares with every set of a role before its own (docs/data.md has the keys of the result).

    `limit`: recordings of two sets whose content is compared; of more, evenly chosen ones are. RecipeError names the
    line of a manifest that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="recipe-leaks-") as folder:
        columns = [_Columns.of(one, Path(folder, str(place))) for place, one in enumerate(sets)]
        ordered = sorted(columns, key=lambda one: ROLES.index(one.set.role))
        pairs = [
            _Pair(seen, measured).counted(limit)
            for seen, measured in combinations(ordered, 2)
            if seen.set.role != measured.set.role
        ]
        for one in columns:
            one.name_examples()
    results = [pair.result() for pair in pairs]
    return {
        "format": FORMAT,
        "sets": [{"role": one.set.role, "name": one.set.name, "utterances": one.rows} for one in columns],
        "pairs": results,
        "findings": [sentence for result in results for sentence in _sentences(result)],
    }


def _sentences(pair: dict[str, Any]) -> Iterator[str]:
    """A pair in words: what is shared, without what follows from a line before."""
    own, other = ("{} set {}".format(*pair[name]) for name in ("set", "with"))
    counts = {name: pair["shared"][name]["count"] for name in SHARED}
    for name, words in SHARED.items():
        count, known, examples = (pair["shared"][name][part] for part in ("count", "of", "examples"))
        causes = {"utterances": (), "recordings": ("utterances", "audio")}.get(name, ("utterances",))
        follows = any(count == counts[cause] for cause in causes)
        if not count or follows or (name in TOLD_OF_TRAINING_ALONE and pair["with"][0] != "train"):
            continue
        shown = [" = ".join(dict.fromkeys(example)) for example in examples] + ["..."] * (count > len(examples))
        share = f"{count} of {known} ({100 * count / known:.1f} %)"
        yield f"{own}: {share} {words.format(other=other)}: {', '.join(shown)}"


# --- One set ------------------------------------------------------------------------------------------------------


@dataclass
class _Columns:
    """A set's digests: a file for each of COLUMNS, in it 8 bytes for each utterance, 0 where nothing is known."""

    set: CheckedSet
    folder: Path
    rows: int = 0
    contents: dict[int, int] = field(default_factory=dict)  # digests of audio by row, 0 of what cannot be read
    names: dict[int, dict[str, str]] = field(default_factory=dict)  # key and speaker of examples, by row

    @classmethod
    def of(cls, one: CheckedSet, folder: Path) -> "_Columns":
        made = cls(one, folder)
        folder.mkdir()
        files = [open(folder / name, "wb") for name in COLUMNS]  # noqa: SIM115 - closed below
        try:
            for block in made._blocks():
                for file, values in zip(files, block, strict=True):
                    values.tofile(file)
        finally:
            for file in files:
                file.close()
        return made

    def _blocks(self) -> Iterator[list[array]]:
        """The columns of some utterances at a time."""
        block = [array("Q") for _ in COLUMNS]
        for utterance in manifest.read(self.set.path):
            for values, value in zip(block, _digests(utterance), strict=True):
                values.append(value)
            self.rows += 1
            if self.rows % 10_000 == 0:
                yield block
                block = [array("Q") for _ in COLUMNS]
            if self.rows % _PROGRESS == 0:
                logger.info("%s: %d utterances are read", self.set, self.rows)
        yield block

    def column(self, name: str) -> np.ndarray:
        """Digests of a property, uint64 [utterances]."""
        return np.fromfile(self.folder / name, dtype=np.uint64)

    def read_contents(self, rows: np.ndarray) -> None:
        """Look at the audio of these rows where that was not done before."""
        wanted = set(rows.tolist()).difference(self.contents)
        known: dict[str, int] = {}  # segments of a recording mostly follow one another
        for done, (row, utterance) in enumerate(self._utterances(wanted), 1):
            source = utterance.source
            if source not in known:
                known = {source: content(source)}
            self.contents[row] = known[source]
            if done % 10_000 == 0:
                logger.info("%s: the audio of %d of %d utterances is read", self.set, done, len(wanted))

    def name_examples(self) -> None:
        """Fill in the names of the rows that are in `names`."""
        for row, utterance in self._utterances(set(self.names)):
            self.names[row] = {"key": utterance.key, "speaker": utterance.speaker or ""}

    def _utterances(self, rows: set[int]) -> Iterator[tuple[int, manifest.Utterance]]:
        """Some utterances with their rows; the manifest is read as far as the last of them."""
        last = max(rows, default=-1)
        for row, (number, record) in enumerate(read_json_lines(self.set.path) if rows else ()):
            if row in rows:
                yield row, manifest.parse(record, f"{self.set.path}:{number}")
            if row >= last:
                return


def _digests(utterance: manifest.Utterance) -> tuple[int, ...]:
    """The values of COLUMNS."""
    local = not is_url(utterance.source) and not is_command(utterance.source)
    source = os.path.normpath(utterance.source) if local else same_recording(utterance.source)
    end = None if utterance.end is None else round(utterance.end, 3)
    part = f"{round(utterance.start, 3)} {end} {utterance.channel}"
    text = said(utterance.text)
    return (
        digest(utterance.key),
        digest(source, part),
        digest(source),
        digest(f"{utterance.duration:.4f}", part) if local else 0,
        digest(utterance.speaker) if utterance.speaker is not None else 0,
        digest(text) if text else 0,
    )


def said(text: str) -> str:
    """A transcript without what changes nothing that is said: case, spaces, marks."""
    return _UNSAID.sub(" ", text.casefold()).strip()


def digest(*parts: str | bytes) -> int:
    """A number of 64 bits, not 0, that stands for some texts."""
    whole = b"\0".join(part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass") for part in parts)
    return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "little") or 1


def content(source: str) -> int:
    """Digest of a local recording's audio; 0 where it cannot be read, or ends nobody knows where."""
    try:
        with headers.opened(*(split_ark(source) or (source, 0))) as data:
            return _content(data)
    except AudioError:
        return 0  # the data stage accepted it; whoever reads it next will say what is wrong


def _content(data: Bytes) -> int:
    if data.head[:4] == b"fLaC" and any(checksum := data.at(26, 16)):  # RFC 9639, 8.2
        return digest(b"flac", checksum)
    form = headers.form_of(data)
    if form.numbers and form.info:
        data, start, kind = form.numbers
        size = form.info.samples * form.info.channels * np.dtype(kind).itemsize
        return _ends(data, start, min(size, data.size - start), kind.encode())
    return 0 if data.shared else _ends(data, 0, data.size, b"file")


def _ends(data: Bytes, start: int, size: int, kind: bytes) -> int:
    first = data.at(start, min(size, END_BYTES))
    rest = min(END_BYTES, size - len(first))
    return digest(kind, str(size), first, data.at(start + size - rest, rest))


# --- Two sets -----------------------------------------------------------------------------------------------------


class _Pair:
    """A set that is measured and one that the model has seen before."""

    def __init__(self, seen: _Columns, measured: _Columns):
        self._seen, self._measured = seen, measured
        self._found: dict[str, tuple[np.ndarray, int, list[tuple[int, int]]]] = {}
        self._alike = self._compared = 0

    def counted(self, limit: int) -> "_Pair":
        """Count everything in SHARED; rows whose names are wanted are noted in the sets."""
        for name, column in BY_COLUMN.items():
            self._count(name, self._columns(column))
        self._read_contents(limit)
        by_place = self._columns("place")
        by_content = tuple(map(_content_column, (self._seen, self._measured), self._columns("shape")))
        self._count("audio", by_place, by_content)
        texts = self._columns("text")
        self._count("utterances", *(tuple(map(_joined, values, texts)) for values in (by_place, by_content)))
        return self

    def _columns(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self._seen.column(name), self._measured.column(name)

    def _count(self, name: str, *ways: tuple[np.ndarray, np.ndarray]) -> None:
        """Utterances of the measured set that are like a seen one in one of some ways, a pair of columns each."""
        shared, partners = np.zeros(self._measured.rows, bool), {}
        for seen, measured in ways:
            found = among(measured, seen)
            shared |= found
            for row in np.flatnonzero(found)[:EXAMPLES].tolist():
                partners.setdefault(row, int(np.flatnonzero(seen == measured[row])[0]))
        known = self._measured.rows if len(ways) > 1 else int(np.count_nonzero(ways[0][1]))
        examples = [(row, partners[row]) for row in sorted(partners)[:EXAMPLES]]
        for own, other in examples:
            self._measured.names[own] = self._seen.names[other] = {}
        self._found[name] = (int(shared.sum()), known, examples)

    def _read_contents(self, limit: int) -> None:
        """Read the audio of utterances that are as long as one of the other set, first of those with the same text."""
        shapes = self._columns("shape")
        texts = self._columns("text")
        seen, measured = shapes
        open_rows = ~among(self._measured.column("place"), self._seen.column("place"))
        alike = among(measured, seen) & open_rows
        self._alike = int(alike.sum())
        chosen = np.zeros_like(alike)
        for own, other in (tuple(map(_joined, reversed(shapes), reversed(texts))), (measured, seen)):
            rows, others = _thinned(own, other, alike & ~chosen, limit)
            chosen[rows] = True
            limit -= len(rows) + len(others)
            self._measured.read_contents(rows)
            self._seen.read_contents(others)
        self._compared = int(chosen.sum())
        if self._compared < self._alike:
            words = "%s: %d utterances are as long as one of %s; the audio of %d of them is compared"
            logger.info(words, self._measured.set, self._alike, self._seen.set, self._compared)

    def result(self) -> dict[str, Any]:
        """The pair as leaks.json has it."""
        return {
            "set": [self._measured.set.role, self._measured.set.name],
            "with": [self._seen.set.role, self._seen.set.name],
            "utterances": self._measured.rows,
            "shared": {name: self._named(name) for name in SHARED},
            "content": {"alike": self._alike, "compared": self._compared},
        }

    def _named(self, name: str) -> dict[str, Any]:
        count, known, examples = self._found[name]
        label = "speaker" if name == "speakers" else "key"
        pairs = [[self._measured.names[own][label], self._seen.names[other][label]] for own, other in examples]
        if name == "speakers":
            pairs = [list(pair) for pair in dict.fromkeys((own,) for own, _ in pairs)]
        return {"count": count, "of": known, "examples": pairs}


def _content_column(one: _Columns, shapes: np.ndarray) -> np.ndarray:
    """Digests of audio and length by row; 0 where the audio was not looked at."""
    column = np.zeros(one.rows, np.uint64)
    for row, value in one.contents.items():
        column[row] = np.uint64(value)
    return np.where(column == 0, column, _joined(column, shapes))


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A digest of two; 0 where there is none of the first."""
    return np.where(first == 0, first, first * _ODD ^ second)


def among(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool [values]: which of the digests are among the others; 0 never is."""
    others = np.unique(others)
    found = np.zeros(len(values), bool)
    for start in range(0, len(values) if len(others) else 0, _PIECE):
        piece = values[start : start + _PIECE]
        places = np.minimum(np.searchsorted(others, piece), len(others) - 1)
        found[start : start + _PIECE] = (others[places] == piece) & (piece != 0)
    return found


def _thinned(own: np.ndarray, other: np.ndarray, open_rows: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the measured set and all rows of the seen one that are like one of them: of more than `limit`, evenly
    chosen ones of the measured set, down to none."""
    rows = np.flatnonzero(open_rows & among(own, other))
    others = np.flatnonzero(among(other, own[rows]))
    while len(rows) and len(rows) + len(others) > limit:
        rows = rows[::2] if len(rows) > 1 else rows[:0]
        others = np.flatnonzero(among(other, own[rows]))
    return rows, others
