"""Where the bytes of a recording are: a file, a part of one (arks and tars hold recordings behind one another), or such
a part behind a header that says what is true."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

HEAD_BYTES = 4096
_COPIED = 1 << 20  # bytes at a time


class Positioned(Protocol):
    """What can be read at any place: a local file, or one that lies elsewhere."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def pread(self, count: int, position: int) -> bytes:
        """`count` bytes from `position` on; fewer at the end."""


class OpenFile:
    """A local file by its open descriptor."""

    __slots__ = ("descriptor", "size")

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def pread(self, count: int, position: int) -> bytes:
        """`count` bytes from `position` on; fewer at the end."""
        return os.pread(self.descriptor, count, position)


class Bytes:
    """Positioned reading of `size` bytes of a file's content from `base` on; without `size`, of all.

    `shared` says that what follows may belong to other recordings: an entry of an ark states its length itself.
    """

    __slots__ = ("_content", "base", "head", "path", "shared", "size")

    def __init__(self, path: str, content: Positioned, base: int = 0, size: int | None = None, shared: bool = False):
        self._content = content
        self.path = path
        self.base = base
        there = content.size - base
        self.size = there if size is None else min(size, there)
        self.shared = shared
        self.head = content.pread(min(HEAD_BYTES, self.size), base) if self.size > 0 else b""

    def at(self, position: int, count: int) -> bytes:
        """`count` bytes from `position` on; fewer at the end."""
        if position + count <= len(self.head):
            return self.head[position : position + count]
        return self._content.pread(max(0, min(count, self.size - position)), self.base + position)

    def part(self, position: int, size: int) -> "Bytes":
        """The `size` bytes from `position` on, as a recording of its own."""
        return Bytes(self.path, self._content, self.base + position, max(0, min(size, self.size - position)))

    def source(self) -> "int | Window":
        """What libsndfile reads it from: the descriptor of a file of its own, or a file object."""
        return Window(self) if not self._is_a_file() else self._content.descriptor

    def _is_a_file(self) -> bool:
        whole = not self.base and not self.shared and self.size == self._content.size
        return whole and isinstance(self._content, OpenFile)

    @contextmanager
    def as_file(self) -> Iterator[str]:
        """Path of a local file with nothing else in it, for the time of the context: for programs that read files."""
        if self._is_a_file():
            yield self.path
            return
        with tempfile.NamedTemporaryFile(prefix="recording-") as file:
            for position in range(0, self.size, _COPIED):
                file.write(self.at(position, _COPIED))
            file.flush()
            yield file.name


class Window:
    """A file object for soundfile over bytes `start` to `end` of `data`, behind another `head`."""

    def __init__(self, data: Bytes, start: int = 0, end: int | None = None, head: bytes = b""):
        self._data, self._head = data, head
        self._shift = start - len(head)
        self._size = (data.size if end is None else min(end, data.size)) - self._shift
        self._position = 0

    def read(self, count: int) -> bytes:
        """Up to `count` bytes."""
        count = max(0, min(count, self._size - self._position))
        start = self._position
        found = self._head[start : start + count]
        if count > len(found):
            found += self._data.at(start + len(found) + self._shift, count - len(found))
        self._position += len(found)
        return found

    def tell(self) -> int:
        """The position, from the start of the head."""
        return self._position

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; returns it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + position
        return self._position
