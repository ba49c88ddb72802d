"""Members of tar files: a shard is read at the byte where a recording begins, and what is right before says how long it
is and, by its checksum, that it is one."""

import tarfile

from recipe.audio.address import is_url, path_of
from recipe.audio.info import AudioError
from recipe.audio.place import Bytes, Positioned


def is_tar(path: str) -> bool:
    """Whether a file is a tar, by its name."""
    return (path_of(path) if is_url(path) else path).lower().endswith(".tar")


def member(path: str, content: Positioned, offset: int) -> Bytes:
    """The recording in a tar whose bytes begin at `offset`. AudioError if none does, or the tar ends before it does."""
    header = content.pread(tarfile.BLOCKSIZE, offset - tarfile.BLOCKSIZE) if offset >= tarfile.BLOCKSIZE else b""
    try:
        stated = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        raise AudioError(
            "audio-unreadable", f"no member of the tar begins at byte {offset}: it is damaged, or was made anew"
        ) from None
    there = content.size - offset
    if there < stated.size:
        lack = f"the tar ends within the recording at byte {offset}: {stated.size} bytes stated, {max(0, there)} there"
        raise AudioError("audio-truncated", lack)
    if not stated.size:
        raise AudioError("audio-empty", f"the member at byte {offset} has 0 bytes")
    return Bytes(path, content, offset, stated.size)
