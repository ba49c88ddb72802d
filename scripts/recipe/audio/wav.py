"""RIFF and RF64 WAV: where the audio lies, how much of it there is, and a header that says so.

A program that writes through a pipe cannot go back to the header; one that died did not. Either leaves sizes that are
not those of the file, which libsndfile would take for no audio at all.
"""

import struct
from dataclasses import dataclass

from recipe.audio.info import RATES, AudioError, AudioInfo, lacking, truncated
from recipe.audio.place import Bytes, Window

MAX_CHUNKS = 1000  # of a RIFF or AIFF file; more is no recording
# What programs write that do not know the length: 2^32 - 1, 2^31 - 1, 2^31 or 0x7ffff000, some with their header added
# or rounded to whole samples.
_UNKNOWN = (range(0x7FFFF000, 0x80001000), range(0xFFFFF000, 0x100000000))
_UNKNOWN_LONG = 0xFFFFFFFF  # of RF64: its ds64 chunk has the length
_LONGEST = 0xFFFFF000  # bytes of audio in a RIFF
_BEHIND_SECONDS = 0.5  # of bytes that no chunk accounts for, from which on they are taken for audio
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")  # that programs hang behind the RIFF

_PCM, _FLOAT, _ALAW, _MULAW = 1, 3, 6, 7
_EXTENSIBLE = b"\xfe\xff"  # the coding stands further behind
_WIDTHS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _ALAW: (8,), _MULAW: (8,)}  # bits of a sample
_NUMBERS = {(_PCM, 16): "<i2", (_FLOAT, 32): "<f4"}


@dataclass(frozen=True, slots=True)
class WavLayout:
    """Where the audio of a WAV file is: `length` bytes from `start` on, coded as its `fmt ` chunk says."""

    coding: bytes
    start: int
    length: int  # of what is there
    restated: bool = False  # the header says otherwise
    incomplete: str | None = None  # what is missing

    def info(self) -> AudioInfo | None:
        """The recording's length, rate and channels; None for a coding that has to be left to libsndfile."""
        _, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", self.coding)
        coding = self._coding()
        if bits not in _WIDTHS.get(coding, ()) or channels == 0 or block != channels * bits // 8 or rate not in RATES:
            return None
        return AudioInfo(self.length // block, rate, channels, self.incomplete)

    def numbers(self) -> str | None:
        """numpy's name of its samples, if they are 16-bit integers or 32-bit floats; of a recording that has `info`."""
        return _NUMBERS.get((self._coding(), int.from_bytes(self.coding[14:16], "little")))

    def _coding(self) -> int:
        place = 24 if self.coding[:2] == _EXTENSIBLE and len(self.coding) >= 26 else 0
        return int.from_bytes(self.coding[place : place + 2], "little")

    def mended(self, data: Bytes) -> Window:
        """The recording behind a header of true sizes, of RF64 where they need more than 32 bits."""
        coding = _chunk(b"fmt ", len(self.coding)) + self.coding + bytes(len(self.coding) & 1)
        long = self.length > _LONGEST
        sizes = _chunk(b"ds64", 28) + struct.pack("<QQQI", 0, self.length, 0, 0) if long else b""
        head = b"WAVE" + sizes + coding + _chunk(b"data", self.length)
        head = _chunk(b"RF64" if long else b"RIFF", len(head) + self.length) + head
        return Window(data, self.start, self.start + self.length, head)


def _chunk(name: bytes, length: int) -> bytes:
    return name + struct.pack("<I", min(length, _UNKNOWN_LONG))


def layout(data: Bytes, piped: bool = False) -> WavLayout:
    """Where the audio of a RIFF or RF64 file is; what came through a pipe (`piped`) may state any length that programs
    write which do not know it. AudioError if there is none."""
    coding = long_length = None
    for name, length, start in chunks(data, "<"):
        if name == b"data":
            if length == _UNKNOWN_LONG and long_length is not None:
                length = long_length
            if coding is None or len(coding) < 16:
                raise AudioError("audio-unreadable", "there is no fmt chunk before the audio")
            return _measured(data, coding, start, length, piped)
        if name == b"fmt ":
            coding = data.at(start, min(length, 256))
        elif name == b"ds64" and length >= 16:
            long_length = int.from_bytes(data.at(start + 8, 8), "little")
    raise AudioError("audio-truncated", "there is no data chunk")


def chunks(data: Bytes, endian: str):
    """(name, length, position of the content) of the chunks of a RIFF ("<") or AIFF (">") file."""
    unpack = struct.Struct(endian + "4sI").unpack
    position = 12
    for _ in range(MAX_CHUNKS):
        header = data.at(position, 8)
        if len(header) < 8:
            return
        name, length = unpack(header)
        yield name, length, position + 8
        position += 8 + length + (length & 1)


def _measured(data: Bytes, coding: bytes, start: int, stated: int, piped: bool) -> WavLayout:
    there = data.size - start
    whole = int.from_bytes(data.head[4:8], "little")
    if stated == there:
        return WavLayout(coding, start, there)
    if (_unknown(stated) and _unknown(whole) and not data.shared) or (piped and (stated == 0 or _unknown(stated))):
        return WavLayout(coding, start, there, restated=True)
    if stated > there:
        # Where an entry of an ark ends is not known unless both lengths say the same.
        if data.shared and (_unknown(stated) or start + stated > whole + 8):
            raise truncated(stated, there)
    elif data.shared or not _audio_behind(data, coding, start, stated):
        return WavLayout(coding, start, stated)
    block = int.from_bytes(coding[12:14], "little") or 1  # bytes that are decoded together
    usable = max(0, there) // block * block
    return WavLayout(coding, start, usable, restated=True, incomplete=lacking(stated, there))


def _unknown(length: int) -> bool:
    return any(length in lengths for lengths in _UNKNOWN)


def _audio_behind(data: Bytes, coding: bytes, start: int, stated: int) -> bool:
    """Whether audio goes on behind the end that the header states, as after a recorder that died: it left a length of
    0, or that of the last time it wrote one. Chunks, tags, a few bytes and emptiness are none."""
    end = start + stated
    behind = data.at(end, 4096)
    if behind.startswith(_TAGS) or any(_is_chunk(data, position) for position in (end, end + (end & 1))):
        return False
    rate = int.from_bytes(coding[8:12], "little")  # bytes a second
    return stated == 0 or (data.size - end > rate * _BEHIND_SECONDS and any(behind))


def _is_chunk(data: Bytes, position: int) -> bool:
    name, length = data.at(position, 4), int.from_bytes(data.at(position + 4, 4), "little")
    fits = position + 8 + length <= data.size + 1
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name) and (fits or name == b"LIST")
