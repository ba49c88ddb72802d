"""Shards of packed recordings: tar files, each with the record of what it was made of, by which it is kept or made
again."""

import contextlib
import hashlib
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from recipe.data.index_writer import state_of
from recipe.files import RecipeError, open_atomic, read_json, read_lines, sha256, write_json, write_lines

SHARD_BYTES = 1_000_000_000  # a shard is closed when it has as many
END_BYTES = 2 * tarfile.BLOCKSIZE  # of a tar, all zero
_OWN = re.compile(r"\d{6,}\.(tar|rows|json)|\.\d{6,}\.(tar|rows|json)\..*\.tmp")


class Placed(NamedTuple):
    """Where an utterance's recording begins in a shard, and whether it has the one channel that is asked for."""

    offset: int
    has_one_channel: bool


class Lost(NamedTuple):
    """Why an utterance's recording could not be packed."""

    reason: str
    detail: str


@dataclass(frozen=True)
class ShardRecord:
    """What a shard was made of, and what the file is: size, time of change (ns) and SHA-256."""

    made_of: str  # digest of its utterances and of how they are packed
    utterances: int  # packed and lost
    lost: int
    size: int
    mtime_ns: int
    sha256: str


class Shard:
    """The files of a shard in a folder: the tar, a row for each of its utterances, and the record, written last."""

    def __init__(self, folder: Path, number: int):
        self.tar, self.rows, self.record = (folder / f"{number:06d}.{kind}" for kind in ("tar", "rows", "json"))

    def known(self) -> ShardRecord | None:
        """The record, if the shard was finished once, and by this version."""
        with contextlib.suppress(RecipeError, TypeError):  # cut, or of another version: as if it was not there
            return ShardRecord(**read_json(self.record))
        return None

    def is_whole(self, record: ShardRecord) -> bool:
        """Whether the tar is still the one that was finished, by size and time, or else by its hash."""
        if not self.tar.is_file() or not self.rows.is_file():
            return False
        now = state_of(self.tar)
        if now["size"] != record.size:
            return False
        return now["mtime_ns"] == record.mtime_ns or sha256(self.tar) == record.sha256

    def finish(self, made_of: str, rows: Sequence[Placed | Lost], digest: str) -> None:
        """The tar is there, and has this SHA-256."""
        write_lines(self.rows, map(_row, rows))
        now = state_of(self.tar)
        lost = sum(isinstance(row, Lost) for row in rows)
        write_json(self.record, asdict(ShardRecord(made_of, len(rows), lost, now["size"], now["mtime_ns"], digest)))

    def read_rows(self) -> Iterator[Placed | Lost]:
        """A row for each utterance, in the order of the manifest."""
        for _, line in read_lines(self.rows):
            kind, first, second = line.split("\t")
            yield Placed(int(first), second == "1") if kind == "+" else Lost(first, second)


def _row(row: Placed | Lost) -> str:
    if isinstance(row, Placed):
        return f"+\t{row.offset}\t{int(row.has_one_channel)}"
    return f"-\t{row.reason}\t{row.detail}"


def delete(folder: Path, kept: int) -> None:
    """Delete what belongs to shards from a number on, and what was left of unfinished ones."""
    for file in folder.iterdir():
        name = file.name
        if _OWN.fullmatch(name) and (name.startswith(".") or int(name.partition(".")[0]) >= kept):
            file.unlink()


class TarWriter:
    """Writes a tar whose bytes depend on what is in it alone. The library's own writer would look at files."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, name: str, content: bytes) -> int:
        """Add a member; returns the byte at which its content begins."""
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self._write(info.tobuf(tarfile.USTAR_FORMAT))
        start = self.size
        self._write(content)
        self._write(bytes(-len(content) % tarfile.BLOCKSIZE))
        return start

    def finish(self) -> str:
        """Write the end; returns the SHA-256 of all."""
        self._write(bytes(END_BYTES))
        return self._hash.hexdigest()

    def _write(self, some: bytes) -> None:
        self._file.write(some)
        self._hash.update(some)
        self.size += len(some)


@contextlib.contextmanager
def written(path: Path) -> Iterator[TarWriter]:
    """A tar that is at `path` when the context is left, whole."""
    with open_atomic(path, "wb") as file:
        yield TarWriter(file)


# --- Beside a packed manifest ----------------------------------------------------------------------------------------


def listing(manifest: str | Path) -> Path:
    """The place of the list of shards of a packed manifest."""
    return Path(f"{manifest}.shards")


def list_shards(manifest: str | Path, folder: Path, count: int) -> None:
    """Write the list of the shards that a packed manifest names: path and size of each."""
    shards = [Shard(folder, number) for number in range(count)]
    write_json(listing(manifest), [{"path": str(shard.tar), "bytes": shard.known().size} for shard in shards])


def check(manifest: str | Path) -> None:
    """RecipeError if a shard of a packed manifest is missing, or not of the size that it was made with. Of any other
    manifest, and of shards that lie elsewhere, nothing is known."""
    if not listing(manifest).is_file():
        return
    for entry in read_json(listing(manifest)):
        path = Path(entry["path"])
        found = path.stat().st_size if path.is_file() else None
        if found != entry["bytes"]:
            what = "is missing" if found is None else f"has {found} bytes, {entry['bytes']} were packed"
            raise RecipeError(
                f"{path}: the shard {what}; pack {manifest} again, which makes what is damaged (snakemake --forcerun "
                "pack, or scripts/pack.py with the same arguments)"
            )
