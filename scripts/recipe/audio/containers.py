"""Recordings that libsndfile does not read: AAC in MP4 (m4a, 3gp), WebM and Matroska, AMR, Windows Media and others.

FFmpeg decodes them: by PyAV where that can be imported (`pip install av`; its wheels carry FFmpeg), because it needs no
process for each recording, otherwise by the program `ffmpeg`. Formats are told by their content, and FFmpeg is told
which: a file is never taken for a playlist that names others. Nothing states the exact number of samples, so the
lengths of these recordings are found by decoding them. Imports no numpy by itself: see `headers`.
"""

import itertools
import logging
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from recipe.audio import fetch
from recipe.audio.info import RATES, AudioError, AudioInfo
from recipe.audio.place import Bytes

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

INSTALL = "pip install av, or put ffmpeg on the path"
MAX_CHANNELS = 64
MAX_VALUES = 1 << 31  # samples of all channels; a damaged or hostile file may promise more than there is memory
_PREROLL = 1.0  # seconds that are decoded before a part: a decoder needs some to be where it would have been
_SEEK_FROM = 10.0  # seconds; what begins before is reached by decoding

# By FFmpeg's name of a format: ours.
KINDS = {
    "mov": "MP4 or QuickTime", "matroska": "WebM or Matroska", "amr": "AMR", "asf": "Windows Media", "aac": "AAC",
    "loas": "AAC", "avi": "AVI", "flv": "Flash video", "mpegts": "MPEG transport stream", "mpeg": "MPEG video",
    "ogg": "Speex in Ogg", "wv": "WavPack", "ape": "Monkey's Audio", "tta": "True Audio", "mpc": "Musepack",
    "mpc8": "Musepack", "ac3": "AC-3", "dts": "DTS", "rm": "RealMedia",
}  # fmt: skip
_MAGIC = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"), (0, b"#!AMR", "amr"), (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (8, b"AVI ", "avi"), (0, b"FLV\x01", "flv"), (0, b"\0\0\1\xba", "mpeg"), (28, b"Speex   ", "ogg"),
    (0, b"wvpk", "wv"), (0, b"MAC ", "ape"), (0, b"TTA1", "tta"), (0, b"MP+", "mpc"), (0, b"MPCK", "mpc8"),
    (0, b"\x0b\x77", "ac3"), (0, b"\x7f\xfe\x80\x01", "dts"), (0, b".RMF", "rm"), (0, b".ra\xfd", "rm"),
    *((4, name, "mov") for name in (b"ftyp", b"moov", b"mdat", b"wide", b"styp")),
)  # fmt: skip
_TS_PACKET = 188  # bytes


def kind_of(data: Bytes) -> str | None:
    """FFmpeg's name of the format of a recording that is for this module; None for all others."""
    head = data.head
    for place, magic, kind in _MAGIC:
        if head.startswith(magic, place):
            return kind
    if head[:1] == b"G" and len(head) > 2 * _TS_PACKET and head[_TS_PACKET] == head[2 * _TS_PACKET] == ord("G"):
        return "mpegts"
    if (length := _adts_length(head[:7])) and (data.size == length or _adts_length(data.at(length, 7))):
        return "aac"
    if _is_loas(head) and _is_loas(data.at(3 + (int.from_bytes(head[1:3], "big") & 0x1FFF), 3)):
        return "loas"
    return None


def probe(data: Bytes, kind: str, timeout: float) -> AudioInfo:
    """Length, rate and channels, found by decoding all of it: an hour takes some seconds. A recording that lacks its
    end has what can be decoded. AudioError if that is nothing, or if FFmpeg takes more than `timeout` seconds where it
    is a process of its own."""
    lack = _lack(data, kind)
    count, rate, channels = 0, 0, 0
    try:
        for block, rate in _blocks(data, kind, 0.0, None, timeout):  # noqa: B007 (the last one is asked for)
            count, channels = count + len(block), block.shape[1]
    except AudioError as error:
        _check_end(error, lack, count)
    if not count:
        raise AudioError("audio-truncated" if lack else "audio-empty", lack or "no samples in its audio stream")
    return AudioInfo(count, rate, channels, lack)


def read(
    data: Bytes, kind: str, start: float, end: float | None, timeout: float, incomplete: bool
) -> tuple["np.ndarray", int]:
    """Read a recording, or its part from `start` to `end` seconds: float32 [samples, channels], rate (Hz).

    Of one that lacks its end, what is there if `incomplete`; otherwise AudioError, unless the part lies before it.
    """
    import numpy as np

    blocks: list[np.ndarray] = []
    rate, wanted, failure = 0, None, None
    try:
        for block, rate in _blocks(data, kind, start, end, timeout):
            wanted = None if end is None else round(end * rate) - round(start * rate)
            blocks.append(block)
    except AudioError as error:
        failure = error
    found = sum(map(len, blocks))
    if failure or wanted is None or found < wanted:
        lack = _lack(data, kind)
        if lack and not incomplete:
            raise AudioError("audio-truncated", lack)
        if failure:
            _check_end(failure, lack, found)
    if not blocks:
        return np.zeros((0, 1), np.float32), rate or probe(data, kind, timeout).rate
    return np.concatenate(blocks), rate


def _check_end(error: AudioError, lack: str | None, found: int) -> None:
    """Let an error pass if it was met at the end of what there is."""
    if not lack or error.reason != "audio-unreadable":
        raise error
    if not found:
        raise AudioError("audio-truncated", f"{lack}; without it: {error.detail}")


# --- Decoding -----------------------------------------------------------------------------------------------------

Blocks = Iterator[tuple["np.ndarray", int]]  # float32 [samples, channels], rate


def _blocks(data: Bytes, kind: str, start: float, end: float | None, timeout: float) -> Blocks:
    """The samples from `start` to `end` seconds, block by block."""
    decode = decoder()
    if decode is None:
        raise AudioError("no-decoder", f"{KINDS[kind]}, which libsndfile does not read: {INSTALL}")
    total = 0
    with data.as_file() as path:
        for block, rate in decode(path, kind, start, end, timeout):
            total += block.size
            if rate not in RATES or not 0 < block.shape[1] <= MAX_CHANNELS or total > MAX_VALUES:
                found = f"{rate} Hz, {block.shape[1]} channels, {total} samples and more"
                raise AudioError("audio-unreadable", f"{found}: beyond what is read")
            yield block, rate


@cache
def decoder() -> Callable[[str, str, float, float | None, float], Blocks] | None:
    """What decodes here: PyAV, the program ffmpeg, or nothing. Logged once."""
    try:
        import av
    except ImportError:
        program = shutil.which("ffmpeg")
        if program is None:
            return None
        logger.info("recordings that libsndfile does not read are decoded by %s", program)
        return _by_program
    logger.info("recordings that libsndfile does not read are decoded by PyAV %s", av.__version__)
    return _by_pyav


# By PyAV

Frames = Iterator[tuple[Any, int]]  # a frame, and how many of its samples count


def _by_pyav(path: str, kind: str, start: float, end: float | None, timeout: float) -> Blocks:
    import av

    try:
        with _opened(path, kind) as container:
            frames, position = _sought(container, start)
            if position is not None:
                yield from _cut(frames, position, start, end)
                return
        with _opened(path, kind) as container:
            yield from _cut(_frames(container), 0, start, end)
    except (av.FFmpegError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError, EOFError) as error:
        raise AudioError("audio-unreadable", f"{KINDS[kind]}: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def _opened(path: str, kind: str) -> Iterator[Any]:
    import av

    # Of a file object nothing leads to other files or addresses, and its name may be any.
    options = {"protocol_whitelist": "pipe"}
    with open(path, "rb") as file, av.open(file, format=kind, options=options, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise AudioError("audio-unreadable", f"{KINDS[kind]} without an audio stream")
        if container.streams.audio[0].codec_context is None:
            raise AudioError("audio-unreadable", f"{KINDS[kind]} in a coding that FFmpeg does not know")
        yield container


def _sought(container: Any, start: float) -> tuple[Frames, int | None]:
    """Frames from somewhat before `start` seconds on, and the sample at which they begin; None if a search leads
    nowhere and decoding has to begin at the first."""
    import av

    frames = _frames(container)
    if start <= _SEEK_FROM:
        return frames, 0
    stream = container.streams.audio[0]
    try:
        first, _ = next(frames)  # by which a decoder that skips samples at the start is done with that
        begin = (start - _PREROLL) / float(stream.time_base) + (stream.start_time or 0)
        container.seek(int(begin), stream=stream)
        frames = _frames(container)
        found, count = next(frames)
        position = round((found.pts - first.pts) * found.time_base * found.rate)
    except (av.FFmpegError, StopIteration, TypeError, ValueError, OverflowError, EOFError):
        return frames, None
    return itertools.chain([(found, count)], frames), position if 0 < position <= start * found.rate else None


def _frames(container: Any) -> Frames:
    """What is decoded. Of the last frame only what its packet says that it lasts: an encoder fills it up."""
    import av

    stream = container.streams.audio[0]
    held, end = None, None
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and packet.duration:
                end = packet.pts + packet.duration
            for frame in stream.codec_context.decode(packet if packet.size else None):
                if held:
                    yield held, held.samples
                held = frame
    except av.FFmpegError:
        if held:
            yield held, held.samples
        raise
    if held:
        yield held, _lasting(held, end, stream)


def _lasting(frame: Any, end: int | None, stream: Any) -> int:
    """Samples of the last frame, whose packet ends at `end`; all where times are coarser than samples."""
    if end is None or frame.pts is None or stream.time_base * frame.rate > 1:
        return frame.samples
    left = round((end - frame.pts) * stream.time_base * frame.rate)
    return left if 0 < left < frame.samples else frame.samples


def _cut(frames: Frames, position: int, start: float, end: float | None) -> Blocks:
    """The part from `start` to `end` seconds of frames of which the first begins at the sample `position`."""
    form = None
    for frame, count in frames:
        block = _samples(frame)[:count]
        form = form or (frame.rate, block.shape[1])
        if form != (frame.rate, block.shape[1]):
            raise AudioError("audio-unreadable", "its rate or channels change")
        first = round(start * frame.rate) - position
        last = len(block) if end is None else round(end * frame.rate) - position
        yield block[max(0, first) : max(0, last)], frame.rate
        position += len(block)
        if last <= len(block) and end is not None:
            return


def _samples(frame: Any) -> "np.ndarray":
    """A frame's samples as float32 [samples, channels] in -1..1."""
    import numpy as np

    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128
    if values.dtype.kind == "i":
        return values.astype(np.float32) / np.float32(2 ** (8 * values.dtype.itemsize - 1))
    return values.astype(np.float32)


# By the program

_SOUGHT_BY_PROGRAM = {"mov", "matroska", "aac"}  # in others a search may end elsewhere, in ASF and AVI for one
_AU_HEADER = struct.Struct(">4sIIIII")  # magic, where samples begin, their bytes, coding, rate, channels


def _by_program(path: str, kind: str, start: float, end: float | None, timeout: float) -> Blocks:
    """AU of 32-bit floats is asked for: its header is short, and says rate and channels."""
    import numpy as np

    # A search ends at some frame; what is left out of the output counts in samples, but for an offset at the start.
    sought = start - _PREROLL if start > _SEEK_FROM and kind in _SOUGHT_BY_PROGRAM else 0.0
    search, left_out = (["-ss", f"{sought:.6f}"], ["-ss", f"{_PREROLL:.6f}"]) if sought else ([], [])
    last = [] if end is None else ["-t", f"{(end - start if sought else end) + _PREROLL:.6f}"]
    command = [
        "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-protocol_whitelist", "file,pipe", *search, "-f", kind,
        "-i", f"file:{os.path.abspath(path)}", "-map", "0:a:0", *left_out, *last, "-c:a", "pcm_f32be", "-f",
        "au", "pipe:1",
    ]  # fmt: skip
    output, problem = _run(command, timeout)
    if len(output) >= _AU_HEADER.size:
        _, begin, _, _, rate, channels = _AU_HEADER.unpack_from(output)
        values = np.frombuffer(output, ">f4", offset=begin)
        values = values[: len(values) // channels * channels].reshape(-1, channels).astype(np.float32)
        begin = 0 if sought else round(start * rate)
        yield values[begin : None if end is None else begin + round(end * rate) - round(start * rate)], rate
    if "matches no streams" in problem:
        raise AudioError("audio-unreadable", f"{KINDS[kind]} without an audio stream")
    if problem:
        problem = problem.splitlines()[-1]
        raise AudioError("audio-unreadable", f"{KINDS[kind]}: {problem}")


def _run(command: list[str], timeout: float) -> tuple[bytes, str]:
    """Standard output of ffmpeg, and what it says went wrong, if it failed; AudioError beyond a limit."""
    deadline = time.monotonic() + timeout
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages)
        try:
            output = fetch.read_pipe(process.stdout, deadline, MAX_VALUES * 4)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise AudioError("decoder-timeout", f"ffmpeg took more than {timeout:g} s") from None
        except OverflowError:
            raise AudioError("audio-unreadable", f"more than {MAX_VALUES} samples") from None
        finally:
            process.kill()
            process.wait()
        messages.seek(0)
        said = messages.read().decode("utf-8", "replace").strip()
    return output, (said or f"exit status {status}") if status else ""


# --- What is missing at the end -----------------------------------------------------------------------------------

_AMR_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1)  # of a frame, by mode; RFC 4867, 5.3
_AMR_WB_BYTES = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1)
_MAX_BOXES = 10_000  # of an MP4 in fragments of a second: hours


def _lack(data: Bytes, kind: str) -> str | None:
    """What is missing of a recording, where its format shows it."""
    find = {"mov": _lack_of_mp4, "matroska": _lack_of_matroska, "amr": _lack_of_amr, "aac": _lack_of_adts}.get(kind)
    return find(data) if find else None


def _lack_of_mp4(data: Bytes) -> str | None:
    """The boxes of the top level follow one another up to the end; one may say that it goes to the end (length 0)."""
    position = 0
    for _ in range(_MAX_BOXES):
        header = data.at(position, 16)
        if len(header) < 8:
            return None
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return None
        if position + length > data.size:
            name = header[4:8].decode("latin-1")
            return f"its part {name!r} has {length} bytes by its header, {data.size - position} are there"
        position += length
    return None


def _lack_of_matroska(data: Bytes) -> str | None:
    """The segment, behind the EBML header, states its length; all bits set where it was streamed."""
    header, width = _vint(data.head[4:12])
    position = 4 + width + header
    length, width = _vint(data.at(position + 4, 8))
    if data.at(position, 4) != b"\x18\x53\x80\x67" or not width or length == (1 << 7 * width) - 1:
        return None
    there = data.size - position - 4 - width
    return f"the header says {length} bytes, {there} are there" if length > there else None


def _vint(code: bytes) -> tuple[int, int]:
    """(value, bytes) of EBML's integers: as many zeros as bytes follow, a one, the value."""
    width = 9 - code[0].bit_length() if code and code[0] else 0
    return int.from_bytes(code[:width]) & (1 << 7 * width) - 1, width


def _lack_of_amr(data: Bytes) -> str | None:
    wide = data.head.startswith(b"#!AMR-WB\n")
    if b"MC" in data.head[:9]:  # several channels
        return None
    sizes, begin = (_AMR_WB_BYTES, 9) if wide else (_AMR_BYTES, 6)
    return _lack_of_frames(data, begin, lambda header: sizes[header[0] >> 3 & 15])


def _lack_of_adts(data: Bytes) -> str | None:
    return _lack_of_frames(data, 0, _adts_length)


def _lack_of_frames(data: Bytes, position: int, length_of: Callable[[bytes], int]) -> str | None:
    """Whether the last of frames that follow one another is cut."""
    while header := data.at(position, 7):
        length = length_of(header)
        if not length:
            return None if len(header) == 7 else "the last frame is cut"
        position += length
    return f"the last frame lacks {position - data.size} bytes" if position > data.size else None


def _adts_length(header: bytes) -> int:
    """Bytes of a frame of AAC in ADTS; 0 if these seven bytes begin none."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0


def _is_loas(header: bytes) -> bool:
    return header[:1] == b"\x56" and len(header) > 2 and header[1] & 0xE0 == 0xE0
