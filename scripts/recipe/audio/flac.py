"""FLAC: the length that a header states, and how many samples are there of a stream that lacks its end.

Frames carry their number and checksums (RFC 9639), so the last whole one is found without decoding what comes before.
"""

from dataclasses import dataclass

from recipe.audio.info import RATES, AudioError, AudioInfo
from recipe.audio.place import Bytes

_SYNCS = (b"\xff\xf8", b"\xff\xf9")  # blocks of one size, whose frames are numbered; of any, with the first sample
_LARGEST = 1 << 20  # bytes at the end in which the last frame is looked for
_SIZES = {1: 192} | {code: 576 << code - 2 for code in range(2, 6)} | {code: 256 << code - 8 for code in range(8, 16)}


def probe(data: Bytes) -> AudioInfo | None:
    """The header of a FLAC file; None if it says nothing sensible.

    Costs some ten microseconds: the last frame lies at the end of a whole file. AudioError if nothing is there.
    """
    info = data.head[8:42]
    if len(info) < 34 or data.head[4] & 0x7F:
        raise AudioError("audio-truncated" if data.size < 42 else "audio-unreadable", "there is no FLAC stream header")
    packed = int.from_bytes(info[10:18], "big")
    rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    block, largest = int.from_bytes(info[2:4], "big"), int.from_bytes(info[7:10], "big")
    if rate not in RATES:
        return None
    # Where an entry of an ark ends is not known, but it can only be cut where the ark is, and coding saves space.
    if data.shared and data.size > samples * channels * ((packed >> 36 & 31) + 1) // 7 > 0:
        return AudioInfo(samples, rate, channels)
    if samples and (_ends_with(data, samples, block, largest) or _reaches_end(data, samples)):
        return AudioInfo(samples, rate, channels)
    return _as_far_as_it_goes(data, AudioInfo(samples, rate, channels), block)


def _ends_with(data: Bytes, samples: int, block: int, largest: int) -> bool:
    """Whether the file ends with the frame of the last sample. (An entry of an ark ends somewhere.)"""
    tail = _tail(data, min(max(largest + 1024, 16384), _LARGEST))
    last_frame = (samples - 1) // max(1, block)
    for sync, numbers in zip(_SYNCS, ((last_frame,), range(max(0, samples - 65536), samples)), strict=True):
        position = len(tail)
        while (position := tail.rfind(sync, 0, position)) >= 0:
            if _coded_number(tail[position + 4 : position + 11]) in numbers and _is_whole(tail[position:]):
                return True
    return False


def _tail(data: Bytes, count: int) -> bytes:
    count = min(data.size, count)
    return data.at(data.size - count, count)


def _is_whole(frame: bytes) -> bool:
    """Whether the checksum at the end of a frame is that of the frame.

    As a polynomial over two elements, frame and checksum are a multiple of x^16 + x^15 + x^2 + 1, which is (x + 1)
    (x^15 + x + 1). In place of a loop over bytes, large integers are folded: modulo the latter, x^(15 k) is x^k + 1
    where k is a power of 2.
    """
    value = int.from_bytes(frame, "big")
    if value.bit_count() & 1:
        return False
    while (length := value.bit_length()) > 15:
        power = 1 << ((length - 1) // 15).bit_length() - 1
        high, low = value >> 15 * power, value & (1 << 15 * power) - 1
        value = high << power ^ high ^ low
    return value == 0


def _coded_number(code: bytes) -> int | None:
    """The frame or sample number of a FLAC frame header: UTF-8's scheme, up to 7 bytes."""
    length = _coded_length(code)
    if length == 0 or len(code) < length:
        return None
    value = code[0] & (0x7F >> length if length > 1 else 0x7F)
    for byte in code[1:length]:
        if byte & 0xC0 != 0x80:
            return None
        value = value << 6 | byte & 0x3F
    return value


def _coded_length(code: bytes) -> int:
    """Bytes of a coded number, by its first one; 0 if it is none."""
    if not code or code[0] < 0x80:
        return len(code[:1])
    ones = 8 - (code[0] ^ 0xFF).bit_length()
    return ones if 2 <= ones <= 7 else 0


def _reaches_end(data: Bytes, samples: int) -> bool:
    """Whether the last sample can be decoded: tags may follow, or other entries of an ark."""
    import soundfile

    from recipe.audio.sound import sound

    try:
        with sound(data.source()) as file:
            file.seek(samples - 1)
            return len(file.read(1)) == 1
    except (soundfile.SoundFileError, TypeError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class _Frame:
    first: int  # the number of its first sample
    samples: int
    whole: bool


def _as_far_as_it_goes(data: Bytes, stated: AudioInfo, block: int) -> AudioInfo:
    """What is there of a stream that lacks its end, or whose header does not say how long it is."""
    frame = _last_frame(data, block)
    there = frame.first + frame.samples * frame.whole if frame else 0
    if not stated.samples and frame and frame.whole:
        return AudioInfo(there, stated.rate, stated.channels)
    said = f"the header says {stated.samples} samples" if stated.samples else "the last frame is cut"
    lack = f"{said}, {there} are there"
    if not 0 < there < (stated.samples or there + 1):
        # All frames are there and none is last: not its end is damaged, and decoding says where.
        raise AudioError("audio-truncated" if there == 0 else "audio-unreadable", lack)
    return AudioInfo(there, stated.rate, stated.channels, lack)


def _last_frame(data: Bytes, block: int) -> _Frame | None:
    """The frame whose header is the last one."""
    tail = _tail(data, _LARGEST)
    position = len(tail)
    while (position := tail.rfind(b"\xff", 0, position)) >= 0:
        if tail[position : position + 2] in _SYNCS and (frame := _frame(tail[position:], block)):
            return frame
    return None


def _frame(frame: bytes, block: int) -> _Frame | None:
    """What a frame's header says; None if its checksum says that it is none."""
    number = _coded_number(frame[4:11])
    if number is None:
        return None
    size_code, rate_code = frame[2] >> 4, frame[2] & 15
    place = 4 + _coded_length(frame[4:])
    extra = {6: 1, 7: 2}.get(size_code, 0)
    end = place + extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(frame) <= end or _header_checksum(frame[:end]) != frame[end]:
        return None
    samples = int.from_bytes(frame[place : place + extra], "big") + 1 if extra else _SIZES.get(size_code, 0)
    first = number if frame[1] & 1 else number * block
    return _Frame(first, samples, _is_whole(frame))


def _header_checksum(header: bytes) -> int:
    """CRC-8 of x^8 + x^2 + x + 1."""
    value = 0
    for byte in header:
        value ^= byte
        for _ in range(8):
            value = value << 1 ^ (0x107 if value & 0x80 else 0)
    return value
