"""Audio headers: length, rate and channels of a recording, and whether the file holds what its header promises.

libsndfile takes a shortened file as it is. So the length that the header states is compared with the file's size here:
for WAV (RIFF, RF64), AIFF and SPHERE exactly, for FLAC by the last frame, for Ogg by the last page, for MP3 by its
Xing header where it has one. WAV and FLAC are read without libsndfile, which is several times as fast; every other
format, and every variant not known here, is libsndfile's. This module imports no numpy: that alone would take longer
than reading some thousand headers.
"""

import os
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

HEAD_BYTES = 4096
TAIL_BYTES = 65536
MAX_CHUNKS = 1000  # of a RIFF or AIFF file; more is no recording
# Lengths that programs write which cannot go back to the header (a pipe): the data go to the end of the file.
UNKNOWN_LENGTHS = range(0x7FFFF000, 0x80000000)
UNKNOWN_LENGTH = 0xFFFFFFFF
_RATES = range(100, 1_000_001)  # Hz; what lies outside is a damaged header


class AudioError(Exception):
    """A recording that cannot be used: `reason` is one of a few fixed words, `detail` says what was found."""

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a recording's header says."""

    samples: int  # per channel, at `rate`
    rate: int  # Hz
    channels: int
    incomplete: str | None = None  # of a recording that lacks its end: what is missing; `samples` is what is there

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


class Bytes:
    """Positioned reading of an open file from `base` on (an ark holds recordings behind one another)."""

    __slots__ = ("_descriptor", "base", "head", "size")

    def __init__(self, descriptor: int, base: int = 0):
        self._descriptor = descriptor
        self.base = base
        self.size = os.lseek(descriptor, 0, os.SEEK_END) - base
        self.head = os.pread(descriptor, HEAD_BYTES, base) if self.size > 0 else b""

    def at(self, position: int, count: int) -> bytes:
        if position + count <= len(self.head):
            return self.head[position : position + count]
        return os.pread(self._descriptor, count, self.base + position)

    def reopened(self) -> int:
        """A descriptor at the start of the file for a library to read and close."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.dup(self._descriptor)


class Rest:
    """An open file from its position on, for soundfile: of an ark one entry is read, not all that lies behind it."""

    def __init__(self, file: IO[bytes]):
        self._file, self._start = file, file.tell()
        self.read = file.read

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(position + (self._start if whence == os.SEEK_SET else 0), whence) - self._start


def probe_file(path: str, offset: int = 0) -> AudioInfo:
    """Read the header of the recording that starts `offset` bytes into a local file. AudioError says what is wrong."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not hold up the run
    except (FileNotFoundError, NotADirectoryError):
        raise AudioError("audio-missing", f"no such file: {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise AudioError("audio-unreadable", f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        data = Bytes(descriptor, offset)
        if data.size <= 0:
            raise AudioError("audio-empty", f"{path}: {max(0, data.size)} bytes")
        return _probe(data, path)
    except OSError as error:  # a folder, or a disk that fails
        raise AudioError("audio-unreadable", f"{path}: {error.strerror}") from None
    except AudioError as error:
        raise error if path in error.detail else AudioError(error.reason, f"{path}: {error.detail}") from None
    finally:
        os.close(descriptor)


def _probe(data: Bytes, path: str) -> AudioInfo:
    magic = data.head[:4]
    if magic in (b"RIFF", b"RF64") and data.head[8:12] == b"WAVE":
        info = riff(data)
    elif magic == b"fLaC":
        info = flac(data)
    else:
        info = None
    if info is None:
        if data.base:
            raise AudioError("audio-unreadable", f"neither WAV nor FLAC at byte {data.base}")
        info = _libsndfile(path)
        _check_length(data)
    return info


def _libsndfile(path: str) -> AudioInfo:
    import soundfile

    try:
        info = soundfile.info(path)
    except (soundfile.SoundFileError, TypeError, ValueError, MemoryError) as error:
        raise AudioError("audio-unreadable", f"{getattr(error, 'error_string', error)}") from None
    if info.frames >= 2**40:  # libsndfile's "unknown"
        raise AudioError("audio-unreadable", "the header does not say how long the recording is")
    return AudioInfo(info.frames, info.samplerate, info.channels)


def _check_length(data: Bytes) -> None:
    """Compare what other headers state with the file's size."""
    head = data.head
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        _check_aiff(data)
    elif head[:7] == b"NIST_1A":
        _check_sphere(data)
    elif head[:4] == b"OggS":
        _check_ogg(data)
    elif head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0):
        _check_mp3(data)


def truncated(stated: int, found: int) -> AudioError:
    """The error of a recording whose header states more bytes than there are."""
    return AudioError("audio-truncated", f"the header says {stated} bytes of audio, the file has {max(0, found)}")


# --- RIFF and AIFF ------------------------------------------------------------------------------------------------

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_WIDTHS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _ALAW: (8,), _MULAW: (8,)}  # bits of a sample


def riff(data: Bytes) -> AudioInfo | None:
    """The header of a RIFF or RF64 WAV file; None for a coding that has to be left to libsndfile."""
    format_chunk = long_length = None
    for name, length, start in _chunks(data, "<"):
        if name == b"data":
            if length == UNKNOWN_LENGTH and long_length is not None:
                length = long_length
            return _wav_info(data, format_chunk, length, start)
        if name == b"fmt ":
            format_chunk = data.at(start, min(length, 40))
        elif name == b"ds64" and length >= 16:
            long_length = int.from_bytes(data.at(start + 8, 8), "little")
    raise AudioError("audio-truncated", "there is no data chunk")


def _chunks(data: Bytes, endian: str):
    """(name, length, position of the content) of the chunks of a RIFF or AIFF file."""
    unpack = struct.Struct(endian + "4sI").unpack
    position = 12
    for _ in range(MAX_CHUNKS):
        header = data.at(position, 8)
        if len(header) < 8:
            return
        name, length = unpack(header)
        yield name, length, position + 8
        position += 8 + length + (length & 1)


def _wav_info(data: Bytes, format_chunk: bytes | None, length: int, start: int) -> AudioInfo | None:
    if format_chunk is None or len(format_chunk) < 16:
        raise AudioError("audio-unreadable", "there is no fmt chunk before the audio")
    coding, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", format_chunk)
    if coding == _EXTENSIBLE and len(format_chunk) >= 26:
        coding = int.from_bytes(format_chunk[24:26], "little")
    there = data.size - start
    if length == UNKNOWN_LENGTH or length in UNKNOWN_LENGTHS:
        # Said of the whole file as well: written through a pipe. Said of the data alone: a damaged header.
        whole = int.from_bytes(data.head[4:8], "little")
        if data.base or not (whole == UNKNOWN_LENGTH or whole in range(0x7FFFF000, 0x80001000)):
            raise truncated(length, there)
        length = there
    if length > there:
        raise truncated(length, there)
    if length == 0 and there > 0 and not data.base and int.from_bytes(data.head[4:8], "little") + 8 < data.size:
        raise AudioError("header-mismatch", f"the header says 0 bytes of audio, the file has {there} behind it")
    if bits not in _WIDTHS.get(coding, ()) or channels == 0 or block != channels * bits // 8 or rate not in _RATES:
        return None
    return AudioInfo(length // block, rate, channels)


def _check_aiff(data: Bytes) -> None:
    for name, length, start in _chunks(data, ">"):
        if name == b"SSND" and start + length > data.size:
            raise truncated(length, data.size - start)


# --- FLAC ---------------------------------------------------------------------------------------------------------


def flac(data: Bytes) -> AudioInfo | None:
    """The header of a FLAC file; None if it does not say how long the recording is."""
    info = data.head[8:42]
    if len(info) < 34 or data.head[4] & 0x7F:
        raise AudioError("audio-truncated" if data.size < 42 else "audio-unreadable", "there is no FLAC stream header")
    packed = int.from_bytes(info[10:18], "big")
    rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    if rate not in _RATES or samples == 0:
        return None
    if data.base:
        # Where an entry of an ark ends is not known, but it can only be cut where the ark is, and coding saves space.
        whole = data.size > samples * channels * ((packed >> 36 & 31) + 1) // 7 or _flac_decodes(data, samples)
    else:
        whole = _flac_is_whole(data, samples, int.from_bytes(info[2:4], "big"), int.from_bytes(info[7:10], "big"))
    if not whole:
        raise AudioError("audio-truncated", f"the header says {samples} samples, the last ones are missing")
    return AudioInfo(samples, rate, channels)


def _flac_is_whole(data: Bytes, samples: int, block: int, largest: int) -> bool:
    """Whether the last frame's header lies near the end of the file; if it is not found, whether it can be decoded."""
    window = min(data.size, max(largest + 1024, 16384), 1 << 20)
    tail = data.at(data.size - window, window)
    last_frame = (samples - 1) // max(1, block)
    # Frames of one size are numbered (sync code ff f8); with sizes that vary, the first sample is stated (ff f9).
    for sync, numbers in ((b"\xff\xf8", (last_frame,)), (b"\xff\xf9", range(max(0, samples - 65536), samples))):
        position = len(tail)
        while (position := tail.rfind(sync, 0, position)) >= 0:
            if _coded_number(tail[position + 4 : position + 11]) in numbers:
                return True
    return _flac_reaches_end(data, samples)


def _coded_number(code: bytes) -> int | None:
    """The frame or sample number of a FLAC frame header: UTF-8's scheme, up to 7 bytes."""
    if not code:
        return None
    first = code[0]
    if first < 0x80:
        return first
    length = 8 - (first ^ 0xFF).bit_length()
    if not 2 <= length <= 7 or len(code) < length:
        return None
    value = first & (0x7F >> length)
    for byte in code[1:length]:
        if byte & 0xC0 != 0x80:
            return None
        value = value << 6 | byte & 0x3F
    return value


def _flac_reaches_end(data: Bytes, samples: int) -> bool:
    import soundfile

    try:
        with soundfile.SoundFile(data.reopened(), closefd=True) as file:
            file.seek(samples - 1)
            return len(file.read(1)) == 1
    except (soundfile.SoundFileError, TypeError, ValueError):
        return False


def _flac_decodes(data: Bytes, samples: int) -> bool:
    import soundfile

    with suppress(soundfile.SoundFileError), os.fdopen(data.reopened(), "rb") as file:
        file.seek(data.base)
        with soundfile.SoundFile(Rest(file)) as opened:
            return sum(map(len, opened.blocks(1 << 20))) >= samples
    return False


# --- Others -------------------------------------------------------------------------------------------------------

_SPHERE_FIELD = re.compile(rb"(sample_count|channel_count|sample_n_bytes) -i (\d+)")


def _check_sphere(data: Bytes) -> None:
    fields = {name: int(value) for name, value in _SPHERE_FIELD.findall(data.head)}
    header = data.head[8:16].strip()
    if len(fields) == 3 and header.isdigit():
        stated = fields[b"sample_count"] * fields[b"channel_count"] * fields[b"sample_n_bytes"]
        if stated > data.size - int(header):
            raise truncated(stated, data.size - int(header))


def _check_ogg(data: Bytes) -> None:
    """The last page must be whole and marked as the end of the stream."""
    window = min(data.size, TAIL_BYTES)
    tail = data.at(data.size - window, window)
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27:
        raise AudioError("audio-truncated", "the last Ogg page is incomplete")
    segments = tail[page + 26]
    end = page + 27 + segments + sum(tail[page + 27 : page + 27 + segments])
    if end > len(tail) or not tail[page + 5] & 4:
        raise AudioError("audio-truncated", "the last Ogg page is not the end of the stream")


def _check_mp3(data: Bytes) -> None:
    """A Xing or Info header states how many bytes follow; without one the length is unknown."""
    start = 0
    if data.head[:3] == b"ID3" and len(data.head) >= 10:
        a, b, c, d = data.head[6:10]
        start = 10 + (a << 21 | b << 14 | c << 7 | d)
    frame = data.at(start, 256)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if place >= 0 and len(frame) >= place + 16:
        flags = int.from_bytes(frame[place + 4 : place + 8], "big")
        if flags & 2:
            field = place + (12 if flags & 1 else 8)
            stated = int.from_bytes(frame[field : field + 4], "big")
            if stated > data.size - start:
                raise truncated(stated, data.size - start)
