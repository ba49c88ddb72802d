"""MPEG audio (MP3, MP2): frames, and what of their stream is missing.

A Xing or Info header states how many bytes there are; of a stream without one, only a frame that is cut shows that the
end is missing (headers of frames: ISO/IEC 11172-3, 2.4.1.3, and 13818-3 for the lower rates).
"""

from recipe.audio.info import lacking
from recipe.audio.place import Bytes

_KILOBITS = {  # by MPEG-1 or lower, and layer
    (True, 1): range(32, 449, 32),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)  # Hz, of MPEG-1; half of it in MPEG-2, a quarter in 2.5
_TAIL = 16384  # bytes at the end in which frames are followed
_FEWEST = 3  # frames one behind the other that are no coincidence
_ID3V1 = 128  # bytes


def start(data: Bytes) -> int:
    """Where the first frame should be: behind an ID3 tag, if there is one."""
    if data.head[:3] != b"ID3" or len(data.head) < 10:
        return 0
    a, b, c, d = data.head[6:10]
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def is_mpeg(data: Bytes) -> bool:
    """Whether frames follow one another at the start."""
    position, kind = start(data), None
    for _ in range(_FEWEST):
        header = data.at(position, 4)
        length = frame_length(header)
        if not length or (kind and _kind(header) != kind):
            return kind is not None and position == data.size
        position, kind = position + length, _kind(header)
    return True


def frame_length(header: bytes) -> int:
    """Bytes of the frame that begins with these four; 0 if none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer, rate = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3), header[2] >> 2 & 3
    if version == 1 or layer == 4 or rate == 3 or header[2] >> 4 in (0, 15):
        return 0
    first = version == 3
    bits = _KILOBITS[first, layer][(header[2] >> 4) - 1] * 1000
    hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    slots = {1: 12, 2: 144, 3: 144 if first else 72}[layer] * bits // hertz + (header[2] >> 1 & 1)
    return slots * 4 if layer == 1 else slots


def _kind(header: bytes) -> tuple[int, int]:
    """What all frames of a stream share: version, layer, rate."""
    return header[1] & 0xFE, header[2] & 0x0C


def lack(data: Bytes) -> str | None:
    """What is missing at the end of a stream, if anything is and shows."""
    begin = start(data)
    frame = data.at(begin, 256)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    flags = int.from_bytes(frame[place + 4 : place + 8], "big")
    if place >= 0 and flags & 2:
        field = place + (12 if flags & 1 else 8)
        stated = int.from_bytes(frame[field : field + 4], "big")
        return lacking(stated, data.size - begin) if stated > data.size - begin else None
    return _cut_frame(data, _kind(frame)) if frame_length(frame[:4]) else None


def _cut_frame(data: Bytes, kind: tuple[int, int]) -> str | None:
    """Whether the last frame is cut, as far as the frames can be followed up to the end."""
    size = data.size - (_ID3V1 if data.at(data.size - _ID3V1, 3) == b"TAG" else 0)
    begin = max(start(data), size - _TAIL)
    tail = data.at(begin, size - begin)
    position = -1
    while (position := tail.find(b"\xff", position + 1)) >= 0:
        frames, end = _follow(tail, position, kind)
        if frames >= _FEWEST:
            return f"the last frame lacks {end - len(tail)} bytes" if end > len(tail) else None
    return None


def _follow(tail: bytes, position: int, kind: tuple[int, int]) -> tuple[int, int]:
    """The number of frames that follow one another from `position` on, and where the last one ends."""
    frames = 0
    while (header := tail[position : position + 4]) and (length := frame_length(header)) and _kind(header) == kind:
        frames, position = frames + 1, position + length
    return frames, position
