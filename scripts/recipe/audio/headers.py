"""Audio headers: length, rate and channels of a recording, and whether the file holds what its header promises.

libsndfile takes a shortened file as it is. So the length that the header states is compared with the file's size here:
for WAV (RIFF, RF64), AIFF, AU and SPHERE exactly, for FLAC by the last frame, for Ogg by the last page, for MP3 by its
Xing header or the last frame. A recording that lacks its end is no error: what is there can be decoded, and what is
missing is said. WAV and FLAC are read without libsndfile, which is several times as fast; every other format, and
every variant not known here, is libsndfile's, and what that does not read is for `containers`. This module imports no
numpy: that alone would take longer than reading some thousand headers.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from recipe.audio import containers, flac, mpeg, tars, wav
from recipe.audio.address import is_url
from recipe.audio.info import AudioError, AudioInfo, lacking
from recipe.audio.place import HEAD_BYTES, Bytes, OpenFile, Window
from recipe.audio.policy import DEFAULT, FetchPolicy
from recipe.audio.remote import RemoteFile

__all__ = ["AudioError", "AudioInfo", "Form", "form_of", "opened", "probe_file"]

TAIL_BYTES = 65536
_CONTAINER = b"AUDIO"  # kaldiio's
_UNKNOWN_SAMPLES = 2**40  # from here on: libsndfile's "unknown"
_BLOCK = 4096  # samples decoded at a time where it is counted how many there are


@dataclass(frozen=True, slots=True)
class Form:
    """What the bytes of a recording say without libsndfile's help, and how they are decoded."""

    source: int | Window  # for libsndfile: a descriptor or a file object
    info: AudioInfo | None = None  # None: libsndfile has to say
    incomplete: str | None = None  # what is missing at the end
    container: str | None = None  # what `containers` has to decode
    numbers: tuple[Bytes, int, str] | None = None  # of the commonest WAVs: in what and where samples lie, numpy's type


def probe_file(path: str, offset: int = 0, fetch_policy: FetchPolicy = DEFAULT) -> AudioInfo:
    """Read the header of the recording that starts `offset` bytes into a file: some ten microseconds for local WAV and
    FLAC. One that lacks its end is decoded to count its samples unless its format shows them, and so is one that only
    `containers` reads. AudioError says what is wrong where nothing can be decoded."""
    with opened(path, offset, fetch_policy) as data:
        form = form_of(data)
        if form.container:
            return containers.probe(data, form.container, fetch_policy.timeout)
        if form.info is None:
            info = _libsndfile(form.source)
            form = replace(form, info=replace(info, samples=_count(form.source)) if form.incomplete else info)
        if form.incomplete and not form.info.samples:
            raise AudioError("audio-truncated", form.incomplete)
        return form.info if form.info.incomplete == form.incomplete else replace(form.info, incomplete=form.incomplete)


@contextmanager
def opened(path: str, offset: int = 0, fetch_policy: FetchPolicy = DEFAULT) -> Iterator[Bytes]:
    """The bytes of a local file, or from `offset` on those of a tar's member or an ark's entry, which may lie at an
    address. AudioErrors inside get its name, and failures of the disk become some."""
    if is_url(path):
        with _named(path):
            yield _part(path, RemoteFile(path, fetch_policy), offset)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not hold up the run
    except (FileNotFoundError, NotADirectoryError):
        raise AudioError("audio-missing", f"no such file: {path}{_hint(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise AudioError("audio-unreadable", f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        with _named(path):
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise AudioError("audio-unreadable", "not a file")  # a device or a named pipe would hold up the run
            yield _part(path, OpenFile(descriptor), offset)
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """A context whose errors get the name of a file."""
    try:
        yield
    except AudioError as error:
        raise error.named(path) from None
    except OSError as error:  # a disk that fails
        raise AudioError("audio-unreadable", f"{path}: {error.strerror or error}") from None


def _part(path: str, content: OpenFile | RemoteFile, offset: int) -> Bytes:
    """The recording that begins `offset` bytes into a file."""
    if offset and tars.is_tar(path):
        return tars.member(path, content, offset)
    data = Bytes(path, content, offset, shared=offset > 0)
    if data.size <= 0:
        raise AudioError("audio-empty", f"{max(0, data.size)} bytes")
    return data


_HINTS = (
    (r"""(?:^|/)(["']).*\1\Z""", "write the path without quotes; what follows the key is the path, spaces included"),
    (r"(?:^|/)~", "write the folder out; only a shell knows what ~ stands for"),
    (r"(?:^|/)file:/*(/.*)", "write the path alone, {0}"),
    (r"(?:^|/)[a-z][a-z0-9+.-]+:/", "only http, https, s3 and gs are fetched; copy it, or have it printed: ... |"),
    (r"\\", r"write / in place of \, and the path as it is on this machine"),
    (r"\r\Z", "the line ends with a carriage return, as on Windows; convert the table"),
)  # fmt: skip


def _hint(path: str) -> str:
    """What may be wrong with a path that names no file. One that was relative has its table's folder before it."""
    for pattern, hint in _HINTS:
        if match := re.search(pattern, path, re.IGNORECASE):
            return f" ({hint.format(*match.groups())})"
    return ""


def form_of(data: Bytes, piped: bool = False) -> Form:
    """Look at a recording's header and end; `piped`: it came through a pipe, and its header may not know its length.

    AudioError if nothing of it can be decoded.
    """
    magic = data.head[:4]
    if magic == _CONTAINER[:4] and data.shared:
        return _kaldiio(data)
    if magic in (b"RIFF", b"RF64") and data.head[8:12] == b"WAVE":
        return _wav(data, piped)
    if magic == b"fLaC" and (info := flac.probe(data)):
        return Form(data.source(), info, info.incomplete)
    if data.shared:
        raise AudioError("audio-unreadable", f"no WAV, FLAC or AUDIO entry of an ark at byte {data.base}")
    if kind := containers.kind_of(data):
        return Form(data.source(), container=kind)
    return Form(data.source(), incomplete=_lack(data))


def _wav(data: Bytes, piped: bool) -> Form:
    layout = wav.layout(data, piped)
    info = layout.info()
    if layout.restated:
        source = layout.mended(data)
    elif data.shared:
        source = Window(data, 0, layout.start + layout.length)
    else:
        source = data.source()
    kind = layout.numbers() if info else None
    return Form(source, info, layout.incomplete, numbers=(data, layout.start, kind) if kind else None)


def _kaldiio(data: Bytes) -> Form:
    """kaldiio's container (its matio.py): AUDIO, one byte that says how many bytes its length has, the length, a
    recording in a format of its own."""
    digits = int.from_bytes(data.at(len(_CONTAINER), 1))
    begin = len(_CONTAINER) + 1 + digits
    length = int.from_bytes(data.at(len(_CONTAINER) + 1, digits), "little")
    content = data.part(begin, length)
    if data.head[: len(_CONTAINER)] != _CONTAINER or content.size <= 0:
        raise AudioError("audio-truncated", f"{length} bytes stated, {max(0, content.size)} there")
    form = form_of(content)
    if form.container:
        raise AudioError("audio-unreadable", f"{form.container} in an ark is not read")
    if content.size < length and not form.incomplete:
        return replace(form, incomplete=f"{length} bytes stated, {content.size} there")
    return form


def _libsndfile(source: int | Window) -> AudioInfo:
    import soundfile

    from recipe.audio.sound import sound

    try:
        with sound(source) as file:
            info = AudioInfo(file.frames, file.samplerate, file.channels)
    except (soundfile.SoundFileError, TypeError, ValueError, MemoryError) as error:
        raise AudioError("audio-unreadable", f"{getattr(error, 'error_string', error)}") from None
    if info.samples >= _UNKNOWN_SAMPLES:
        raise AudioError("audio-unreadable", "the header does not say how long the recording is")
    return info


def _count(source: int | Window) -> int:
    """Samples per channel that can be decoded, up to the end or an error."""
    import soundfile

    from recipe.audio.sound import sound

    count = 0
    try:
        with sound(source) as file:
            while block := len(file.read(_BLOCK, dtype="int16", always_2d=True)):
                count += block
    except (soundfile.SoundFileError, TypeError, ValueError, MemoryError):
        pass  # what came before it is there
    return count


# --- What is missing at the end of other formats --------------------------------------------------------------------


def _lack(data: Bytes) -> str | None:
    """Compare what other headers state with the file's size; None if nothing is missing, or shows."""
    head = data.head
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _lack_of_aiff(data)
    if head[:4] == b".snd":
        return _lack_of_au(data)
    if head[:7] == b"NIST_1A":
        return _lack_of_sphere(data)
    if head[:4] == b"riff":
        return _lack_of_w64(data)
    if head[:4] == b"OggS":
        return _lack_of_ogg(data)
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0):
        return mpeg.lack(data)
    return None


def _more(stated: int, found: int) -> str | None:
    return lacking(stated, found) if stated > found else None


def _lack_of_aiff(data: Bytes) -> str | None:
    return next(
        (_more(length, data.size - start) for name, length, start in wav.chunks(data, ">") if name == b"SSND"), None
    )


def _lack_of_au(data: Bytes) -> str | None:
    """All bits set: not known, up to the end."""
    start, stated = (int.from_bytes(data.head[i : i + 4], "big") for i in (4, 8))
    return None if stated == 0xFFFFFFFF else _more(stated, data.size - start)


def _lack_of_w64(data: Bytes) -> str | None:
    """Chunks as in RIFF, but named by 16 bytes, with lengths of 8 that count name and length, in multiples of 8."""
    position = 40
    while len(header := data.at(position, 24)) == 24 and position < HEAD_BYTES:
        length = int.from_bytes(header[16:], "little")
        if header[:4] == b"data" or length < 24:
            return _more(length - 24, data.size - position - 24)
        position += length + -length % 8
    return None


_SPHERE_FIELD = re.compile(rb"(sample_count|channel_count|sample_n_bytes) -i (\d+)")


def _lack_of_sphere(data: Bytes) -> str | None:
    fields = {name: int(value) for name, value in _SPHERE_FIELD.findall(data.head)}
    header = data.head[8:16].strip()
    if len(fields) < 3 or not header.isdigit():
        return None
    stated = fields[b"sample_count"] * fields[b"channel_count"] * fields[b"sample_n_bytes"]
    return _more(stated, data.size - int(header))


def _lack_of_ogg(data: Bytes) -> str | None:
    """The last page must be whole and marked as the end of the stream."""
    window = min(data.size, TAIL_BYTES)
    tail = data.at(data.size - window, window)
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27:
        return "the last Ogg page is incomplete"
    segments = tail[page + 26]
    end = page + 27 + segments + sum(tail[page + 27 : page + 27 + segments])
    if end > len(tail) or not tail[page + 5] & 4:
        return "the last Ogg page is not the end of the stream"
    return None


# --- Telling recordings from other files ----------------------------------------------------------------------------

_MAGIC = (
    (0, b"fLaC"), (0, b"OggS"), (0, b"NIST_1A"), (0, b".snd"), (0, b"caff"), (0, b"riff\x2e\x91\xcf\x11"),
    (8, b"WAVE"), (8, b"AIFF"), (8, b"AIFC"),
)  # fmt: skip


def is_audio(data: Bytes) -> bool:
    """Whether a file of any name looks like a recording: it begins as one of the formats that are read here."""
    begins = any(data.head.startswith(magic, place) for place, magic in _MAGIC)
    return begins or containers.kind_of(data) is not None or mpeg.is_mpeg(data)
