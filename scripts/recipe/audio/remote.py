"""Shards that lie elsewhere, read in blocks: each comes by one request for a range of bytes, and is kept in the cache
for all processes of this machine."""

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from recipe.audio import attempts, storage, web
from recipe.audio import cache as bounded
from recipe.audio.address import identity, is_object
from recipe.audio.attempts import Failed, Host
from recipe.audio.cache import CACHE
from recipe.audio.info import AudioError
from recipe.audio.policy import FetchPolicy
from recipe.files import make_folder, share_file

BLOCK = 4 << 20  # bytes: some twenty utterances


@dataclass(frozen=True)
class _Shard:
    """What is known of a shard: its size in bytes, and what tells its content from an earlier or later one."""

    size: int
    etag: str | None


_known: dict[str, _Shard] = {}  # by address without signature: each process asks once


class RemoteFile:
    """Positioned reading of a shard at an address. AudioErrors as `fetch.download` raises them."""

    def __init__(self, url: str, policy: FetchPolicy, cache: str | os.PathLike = CACHE):
        self._url, self._policy, self._cache = url, policy, Path(cache)
        name = identity(url)
        if name not in _known:
            _known[name] = attempts.tried(url, policy, self._facts)
        self._shard = _known[name]
        content = f"{name} {self._shard.size} {self._shard.etag}"
        self._folder = self._cache / "blocks" / hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
        self._touched: set[int] = set()

    @property
    def size(self) -> int:
        """Bytes of the shard."""
        return self._shard.size

    def pread(self, count: int, position: int) -> bytes:
        """`count` bytes from `position` on; fewer at the end."""
        end = min(position + count, self.size)
        numbers = range(position // BLOCK, -(-end // BLOCK)) if end > position else ()
        return b"".join(
            self._part(number, max(position, number * BLOCK), min(end, (number + 1) * BLOCK)) for number in numbers
        )

    def _part(self, number: int, start: int, end: int) -> bytes:
        """Bytes of the shard from `start` to before `end`, which lie in one block."""
        file, first = self._folder / str(number), number * BLOCK
        found = b""
        with contextlib.suppress(FileNotFoundError), open(file, "rb", buffering=0) as block:
            found = os.pread(block.fileno(), end - start, start - first)
        if len(found) < end - start:  # not there, or cut by a machine that went down
            whole = attempts.tried(self._url, self._policy, lambda host: self._block(number, host))
            self._keep(file, whole)
            found = whole[start - first : end - first]
        elif number not in self._touched:
            bounded.used(file)
        self._touched.add(number)
        return found

    def _keep(self, file: Path, block: bytes) -> None:
        """Keep a block for all processes. It is not waited for until it is on the disk: it can be had again."""
        make_folder(self._folder)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", suffix=".tmp", delete=False) as part:
            part.write(block)
        share_file(part.name)
        os.replace(part.name, file)
        bounded.added(self._cache, len(block))

    def _facts(self, host: Host) -> _Shard:
        if is_object(self._url):
            with storage.asked(self._url, self._policy, host) as answer:
                return _Shard(answer.size, answer.etag)
        with web.asked(self._url, self._policy, host, (0, 1)) as answer:
            if answer.size is None:
                raise Failed("does not say how large it is")
            for _ in answer.blocks():  # the connection is closed where something is left
                pass
            return _Shard(answer.size, answer.etag)

    def _block(self, number: int, host: Host) -> bytes:
        """A block, as one request brings it."""
        start, end = number * BLOCK, min((number + 1) * BLOCK, self.size)
        if is_object(self._url):
            return storage.read(self._url, self._policy, start, end)
        with web.asked(self._url, self._policy, host, (start, end)) as answer:
            if (answer.size, answer.etag) != (self._shard.size, self._shard.etag):
                raise AudioError("audio-unreadable", f"{self._url}: was replaced while it was read; start again")
            found = b"".join(answer.blocks())
        if len(found) != end - start:
            raise Failed(f"{len(found)} bytes came of {end - start}", may_pass=True)
        return found
