"""Packing: the recordings of a manifest's utterances into shards, and a manifest that names the place of each.

A small file for each utterance is one opening for each, which disks of many users and object storage answer in
milliseconds; a shard is opened once and read in long pieces. The packed manifest has the same utterances in the same
order, with the same keys, texts and lengths, so that training makes the same batches of it. What cannot be packed is a
reject: packed + rejected = utterances.

Shards follow the order of the manifest and are closed by size. Each is finished with a record of what it was made of:
called again, what is finished and whole is kept, and anything else made again, with the same bytes.
"""

import dataclasses
import hashlib
import itertools
import logging
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import filelock

from recipe import versions
from recipe.audio.address import same_recording
from recipe.audio.info import AudioError
from recipe.audio.policy import DEFAULT, FetchPolicy
from recipe.data import manifest, shards
from recipe.data.checked import REJECTS_HEADER, one_line
from recipe.data.index_writer import Indexed, IndexWriter, beside
from recipe.data.manifest import Utterance
from recipe.data.pieces import piece
from recipe.data.shards import SHARD_BYTES, Lost, Placed, Shard
from recipe.data.workers import map_chunks
from recipe.files import RecipeError, json_line, make_folder, open_atomic

logger = logging.getLogger(__name__)

STAGE = "pack"
_CHUNK, _CHUNK_SECONDS = 16, 300.0  # the most utterances, and of audio, that a worker hands over at a time
LETS_GO = 5.0  # seconds: processes of one that was killed hold its lock until they end, too
_REASONS = 3  # that a message names


@dataclass(frozen=True)
class Packing:
    """How utterances are packed: in one of `pieces.FORMS`, closed at so many bytes, read within a policy."""

    form: str
    shard_bytes: int = SHARD_BYTES
    policy: FetchPolicy = DEFAULT
    workers: int = 1


@dataclass
class PackLedger:
    """The ledger of packing."""

    utterances: int = 0
    packed: int = 0
    rejected: Counter = field(default_factory=Counter)  # by reason
    shards: int = 0
    kept: int = 0  # of the shards, those that were there
    size: int = 0  # bytes of all shards

    def summary(self) -> str:
        """The counts in words."""
        reasons = ", ".join(f"{name} {count}" for name, count in self.rejected.most_common())
        return (
            f"{self.utterances} utterances: {self.packed} packed, {self.rejected.total()} rejected"
            f"{f' ({reasons})' if reasons else ''}; {self.shards} shards ({self.kept} of them kept), "
            f"{self.size / 1e6:,.1f} MB"
        )


def pack(
    path: str | os.PathLike,
    folder: Path,
    packed_file: str | os.PathLike,
    rejects_file: str | os.PathLike,
    packing: Packing,
    address: str | None = None,
) -> PackLedger:
    """Pack the recordings of the manifest at `path` into shards in `folder`, and write the packed manifest, its index,
    and the rejects. `address` is where the shards will be read from, if that is not the folder.

    RecipeError if another process is packing there, or nothing can be packed.
    """
    lock = filelock.FileLock(make_folder(folder) / "lock")
    try:
        lock.acquire(timeout=LETS_GO)
    except filelock.Timeout:
        raise RecipeError(f"{folder}: another process is packing here; wait for it or stop it") from None
    with lock:
        ledger = PackLedger()
        shards.delete(folder, kept=1 << 62)  # only what was left unfinished
        _make_shards(_Queue(manifest.read(path)), folder, packing, ledger)
        shards.delete(folder, kept=ledger.shards)
        _write(path, folder, packed_file, rejects_file, address, ledger)
        if address is None:
            shards.list_shards(packed_file, folder, ledger.shards)
        else:
            shards.listing(packed_file).unlink(missing_ok=True)
    if not ledger.packed:
        reasons = ", ".join(reason for reason, _ in ledger.rejected.most_common(_REASONS)) or "no utterances"
        raise RecipeError(f"{path}: nothing could be packed ({reasons}); see {rejects_file}")
    return ledger


# --- Shards -------------------------------------------------------------------------------------------------------


class _Queue:
    """The utterances that wait for a place, in order; some that were taken may be given back."""

    def __init__(self, utterances: Iterable[Utterance]):
        self._rest = iter(utterances)
        self._front: deque[Utterance] = deque()

    def __iter__(self) -> Iterator[Utterance]:
        return self

    def __next__(self) -> Utterance:
        return self._front.popleft() if self._front else next(self._rest)

    def give_back(self, utterances: Iterable[Utterance]) -> None:
        """Put utterances before the others, in their order."""
        self._front.extendleft(reversed(list(utterances)))

    def is_empty(self) -> bool:
        """Whether no utterance is left."""
        if not self._front:
            self._front.extend(itertools.islice(self._rest, 1))
        return not self._front


def _make_shards(queue: _Queue, folder: Path, packing: Packing, ledger: PackLedger) -> None:
    """Keep or make one shard after the other until no utterance is left."""
    for number in itertools.count():
        shard = Shard(folder, number)
        kept = _kept(shard, queue, packing)
        if not kept:
            if queue.is_empty():
                return
            _make(shard, queue, packing)
        record = shard.known()
        ledger.shards += 1
        ledger.kept += kept
        ledger.size += record.size
        if not kept:
            logger.info("%s: %d utterances, %d lost", shard.tar, record.utterances - record.lost, record.lost)


def _kept(shard: Shard, queue: _Queue, packing: Packing) -> bool:
    """Whether a shard that is there is of the next utterances, full or the last, and whole: these are taken then. One
    that has lost something is made again: it may be there now."""
    record = shard.known()
    if record is None or record.lost:
        return False
    taken = list(itertools.islice(queue, record.utterances))
    if len(taken) == record.utterances and _made_of(taken, packing) == record.made_of:
        full = record.size >= packing.shard_bytes + shards.END_BYTES
        if (full or queue.is_empty()) and shard.is_whole(record):
            return True
        logger.info("%s: is damaged, or was the last and not full; it is made again", shard.tar)
    queue.give_back(taken)
    return False


def _made_of(utterances: Iterable[Utterance], packing: Packing) -> str:
    """A digest of what decides the bytes of a shard: utterances by what they are read from, and the form. An address
    that was signed anew is the same."""
    found = hashlib.sha256(json_line([versions.PACKING, packing.form, packing.shard_bytes]).encode())
    for one in utterances:
        found.update(
            json_line([same_recording(one.source), one.start, one.end, one.channel]).encode("utf-8", "replace")
        )
    return found.hexdigest()


def _make(shard: Shard, queue: _Queue, packing: Packing) -> None:
    """Make a shard of the next utterances, until it is full or none is left."""
    shard.record.unlink(missing_ok=True)  # of what will not be there any more
    waiting: deque[Utterance] = deque()  # handed to workers
    taken: list[Utterance] = []
    rows: list[Placed | Lost] = []
    work = partial(_pieces, form=packing.form, policy=packing.policy)
    results = map_chunks(work, _chunks(queue, waiting), packing.workers, _crashed)
    with shards.written(shard.tar) as tar:
        for result in itertools.chain.from_iterable(results):
            one = waiting.popleft()
            taken.append(one)
            if isinstance(result[0], bytes):
                content, suffix, has_one_channel = result
                rows.append(Placed(tar.add(f"{len(rows):06d}{suffix}", content), has_one_channel))
            else:
                rows.append(Lost(*map(one_line, result)))
            if tar.size >= packing.shard_bytes:
                break
        results.close()
        queue.give_back(waiting)
        digest = tar.finish()
    shard.finish(_made_of(taken, packing), rows, digest)


def _chunks(queue: _Queue, waiting: deque[Utterance]) -> Iterator[list[tuple]]:
    """Utterances for workers, as plain values; each is put at the end of `waiting`."""
    chunk: list[Utterance] = []
    seconds = 0.0
    for one in queue:
        waiting.append(one)
        chunk.append(one)
        seconds += one.duration
        if len(chunk) == _CHUNK or seconds >= _CHUNK_SECONDS:
            yield list(map(_plain, chunk))
            chunk, seconds = [], 0.0
    if chunk:
        yield list(map(_plain, chunk))


def _plain(one: Utterance) -> tuple:
    return tuple(getattr(one, name) for name in _FIELDS)


_FIELDS = [one.name for one in dataclasses.fields(Utterance)]


def _pieces(rows: list[tuple], form: str, policy: FetchPolicy) -> list[tuple]:
    """For each utterance its piece, or (reason, detail)."""
    found = []
    for row in rows:
        try:
            found.append(tuple(piece(Utterance(*row), form, policy)))
        except AudioError as error:
            found.append((error.reason, error.detail))
    return found


def _crashed(row: tuple) -> tuple[str, str]:
    return "decoder-crashed", f"{row[_FIELDS.index('source')]}: reading it ended the process"


# --- Manifest -----------------------------------------------------------------------------------------------------


def _write(
    path: str | os.PathLike,
    folder: Path,
    packed_file: str | os.PathLike,
    rejects_file: str | os.PathLike,
    address: str | None,
    ledger: PackLedger,
) -> None:
    """Write the packed manifest with its index, and the rejects, of the shards' rows."""
    index = IndexWriter(beside(packed_file))
    with index, ExitStack() as stack:
        packed = stack.enter_context(open_atomic(packed_file, "wb"))
        rejected = stack.enter_context(open_atomic(rejects_file))
        rejected.write(REJECTS_HEADER + "\n")
        placed = _placed(folder, address, ledger.shards)
        for one, (place, row) in zip(manifest.read(path), placed, strict=True):
            ledger.utterances += 1
            if isinstance(row, Lost):
                ledger.rejected[row.reason] += 1
                rejected.write(f"{one.key}\t{STAGE}\t{row.reason}\t{row.detail}\n")
                continue
            ledger.packed += 1
            moved = dataclasses.replace(
                one,
                source=f"{place}:{row.offset}",
                start=0.0,
                end=None,
                channel=None if row.has_one_channel else one.channel,
            )
            index.add(packed.tell(), _indexed(moved))
            head, tail = moved.fragments()
            packed.write(f"{head}{moved.text_length}{tail}\n".encode())
    if ledger.packed + ledger.rejected.total() != ledger.utterances:
        raise AssertionError(f"the ledger does not add up: {ledger}")
    index.finish(packed_file)


def _placed(folder: Path, address: str | None, count: int) -> Iterator[tuple[str, Placed | Lost]]:
    """For each utterance the shard by the name under which it will be read, and its row."""
    for shard in (Shard(folder, number) for number in range(count)):
        place = f"{address.rstrip('/')}/{shard.tar.name}" if address else str(shard.tar)
        for row in shard.read_rows():
            yield place, row


def _indexed(one: Utterance) -> Indexed:
    return Indexed(one.key, one.speech_length, one.text_length, one.prompt, one.after, one.duration, one.language)
