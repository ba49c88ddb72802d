"""Audio: from what wav.scp says to a waveform of one channel at the model's rate.

A source is a file path, a URL (http, https, s3, gs), a place in a tar or an ark (`ark:offset` as kaldiio writes it)
that may lie at a URL, or a command that ends in `|`. Whatever is wrong with one recording is an `AudioError` with a
short reason that the rejects and the decoder's details carry; it never stops a run by itself.
"""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from recipe.audio import containers, fetch, headers
from recipe.audio.address import is_command, is_url, split_shard
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.headers import Form
from recipe.audio.info import AudioError, AudioInfo, lossy_tolerance
from recipe.audio.place import Bytes
from recipe.audio.sound import Sound, sound

__all__ = [
    "AudioError",
    "AudioInfo",
    "Levels",
    "a_frame_at_least",
    "levels",
    "opened",
    "probe",
    "read",
    "read_part",
]

SAMPLING_RATE = 16000
# A shorter waveform gives no whole 25 ms frame.
MIN_SAMPLES = 400
FULL_SCALE = 0.999  # of 1: a sample from here on counts as clipped
FLOOR_DB = -100.0

_UNREADABLE = (soundfile.SoundFileError, ValueError, TypeError, MemoryError)  # soundfile's answers to damage
_ARK_OFFSET = re.compile(r"(.+):(\d+)\Z", re.DOTALL)
_BLOCK = 1 << 22  # samples decoded at a time: a damaged header may promise more than there is memory
_SMALL_BLOCK = 4096
# Formats whose headers may differ by an encoder's delay from what is decoded.
_LOSSY = {"VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"}


def split_ark(source: str) -> tuple[str, int] | None:
    """(path, offset) of `ark:offset`, unless a file of that very name exists."""
    match = _ARK_OFFSET.fullmatch(source)
    return (match[1], int(match[2])) if match and not os.path.exists(source) else None


def probe(source: str, fetch_policy: FetchPolicy = DEFAULT) -> AudioInfo:
    """Read a recording's header. Costs some ten microseconds for a local file; a command is run to its end and its
    output decoded, and a URL is downloaded. Of a recording that lacks its end, `incomplete` says what is missing and
    `samples` is what is there; of a command, that is an AudioError."""
    if is_command(source):
        waveform, rate = _from_command(source, 0.0, None, fetch_policy)
        return AudioInfo(waveform.shape[0], rate, waveform.shape[1])
    return headers.probe_file(*_place(source, fetch_policy), fetch_policy)


def read(
    source: str,
    rate: int = SAMPLING_RATE,
    start: float = 0.0,
    end: float | None = None,
    channel: int | str = "average",
    fetch_policy: FetchPolicy = DEFAULT,
    incomplete: bool = False,
) -> np.ndarray:
    """Read a recording, or its part from `start` to `end` seconds, as float32 [samples] in -1..1 at `rate` Hz.

    `channel` is "average" or the index of one channel from 0. Resampling is soxr's high quality. AudioErrors as
    `read_part` raises them, and `channel-missing`.
    """
    waveform, found_rate = read_part(source, start, end, fetch_policy, incomplete)
    mono = one_channel(waveform, channel, source)
    return resample(mono, found_rate, rate)


def read_part(
    source: str,
    start: float = 0.0,
    end: float | None = None,
    fetch_policy: FetchPolicy = DEFAULT,
    incomplete: bool = False,
) -> tuple[np.ndarray, int]:
    """Read a recording, or its part from `start` to `end` seconds, as it is: float32 [samples, channels], rate (Hz).

    AudioError `audio-truncated` for a recording that lacks its end or has fewer samples than its header says, unless
    the part lies before; with `incomplete` it is read as far as it goes. The output of a command has to be whole in
    either case, and what is damaged elsewhere than at its end is `audio-unreadable`.
    """
    if is_command(source):
        return _from_command(source, start, end, fetch_policy)
    with opened(source, fetch_policy) as data:
        return _decode(data, start, end, fetch_policy, incomplete)


def opened(source: str, fetch_policy: FetchPolicy = DEFAULT) -> AbstractContextManager[Bytes]:
    """The bytes of a recording that is no command, for the time of the context."""
    return headers.opened(*_place(source, fetch_policy), fetch_policy)


def _place(source: str, fetch_policy: FetchPolicy) -> tuple[str, int]:
    """The file with a recording, and the byte at which it begins: a local one, or a shard at a URL."""
    if is_url(source):
        return split_shard(source) or (fetch.download(source, fetch_policy), 0)
    return split_ark(source) or (source, 0)


def _from_command(source: str, start: float, end: float | None, fetch_policy: FetchPolicy) -> tuple[np.ndarray, int]:
    with fetch.command_output(source, fetch_policy) as path:
        try:
            with headers.opened(path) as data:
                waveform, rate = _decode(data, 0.0, None, fetch_policy, incomplete=False, piped=True)
        except AudioError as error:
            detail = error.detail.replace(path, "output of the command")
            raise AudioError(error.reason, detail) from None
    return waveform[round(start * rate) : None if end is None else round(end * rate)], rate


def resample(mono: np.ndarray, found: int, wanted: int) -> np.ndarray:
    """float32 [samples] at the wanted rate."""
    if found != wanted:
        mono = soxr.resample(mono, found, wanted)
    return np.ascontiguousarray(mono, dtype=np.float32)


def one_channel(waveform: np.ndarray, channel: int | str, source: str = "") -> np.ndarray:
    """The asked channel of [samples, channels]; a mono recording has only one, whatever is asked."""
    if waveform.shape[1] == 1:
        return waveform[:, 0]
    if channel == "average":
        return sum(waveform.T) / np.float32(waveform.shape[1])  # numpy's mean of so few values takes 15 times as long
    if int(channel) >= waveform.shape[1]:
        raise AudioError("channel-missing", f"{source}: has {waveform.shape[1]} channels, asked for index {channel}")
    return waveform[:, int(channel)]


def a_frame_at_least(waveform: np.ndarray) -> np.ndarray:
    """A waveform [samples] at SAMPLING_RATE, with zeros behind it if it is too short for a frame of features."""
    return np.pad(waveform, (0, max(0, MIN_SAMPLES - len(waveform))))


@dataclass(frozen=True)
class Levels:
    """How loud a waveform is."""

    rms_db: float  # dB of full scale, at least FLOOR_DB
    clipped: float  # share of samples at full scale
    finite: bool


def levels(waveform: np.ndarray) -> Levels:
    """Measure samples of any shape; what is not finite counts as silent."""
    finite = bool(np.isfinite(waveform).all())
    if not waveform.size or not finite:
        return Levels(FLOOR_DB, 0.0, finite)
    power = float(np.mean(np.square(waveform, dtype=np.float64)))
    decibels = max(FLOOR_DB, 10 * np.log10(power)) if power else FLOOR_DB
    return Levels(float(decibels), float(np.mean(np.abs(waveform) >= FULL_SCALE)), True)


def _decode(
    data: Bytes, start: float, end: float | None, fetch_policy: FetchPolicy, incomplete: bool, piped: bool = False
) -> tuple[np.ndarray, int]:
    """Decode a recording, or its part from `start` to `end` seconds."""
    form = headers.form_of(data, piped)
    if form.container:
        return containers.read(data, form.container, start, end, fetch_policy.timeout, incomplete)
    if form.incomplete and not incomplete and end is None:
        raise AudioError("audio-truncated", form.incomplete)
    if form.numbers:
        return _checked(_numbers(form, start, end), form, start, incomplete)
    # Where the end is known exactly, an error before it is damage.
    lenient = incomplete and form.incomplete is not None and form.info is None
    try:
        decoded = _by_libsndfile(form, start, end, lenient)
    except _UNREADABLE as error:
        raise AudioError("audio-unreadable", f"{getattr(error, 'error_string', error)}") from None
    return _checked(decoded, form, start, incomplete)


def _checked(decoded: "_Decoded", form: Form, start: float, incomplete: bool) -> tuple[np.ndarray, int]:
    """What was decoded, unless it is shorter than it should be."""
    found = len(decoded.waveform)
    if form.incomplete and ((not incomplete and found < decoded.asked) or (found == 0 and start == 0)):
        raise AudioError("audio-truncated", form.incomplete)
    if found < decoded.stated - decoded.tolerance and not incomplete:
        raise AudioError("audio-truncated", f"{decoded.stated} samples stated, {found} decoded")
    return decoded.waveform, decoded.rate


@dataclass(frozen=True)
class _Decoded:
    """A part of a recording as libsndfile decoded it."""

    waveform: np.ndarray  # float32 [samples, channels]
    rate: int  # Hz
    asked: int  # samples, from the start to the end that was asked for
    stated: int  # of these, by the header
    tolerance: int  # samples that the header may state too many


def _span(start: float, end: float | None, rate: int, samples: int) -> tuple[int, int, int]:
    """The first sample from `start` to `end` seconds of so many, how many there should be, and how many are stated."""
    first = min(round(start * rate), samples)
    asked = (samples if end is None else round(end * rate)) - first
    return first, asked, max(0, min(asked, samples - first))


def _numbers(form: Form, start: float, end: float | None) -> _Decoded:
    """Read the commonest WAVs as libsndfile does, in a third of its time: their samples are numbers of numpy's."""
    info, (data, begin, kind) = form.info, form.numbers
    first, asked, stated = _span(start, end, info.rate, info.samples)
    width = np.dtype(kind).itemsize * info.channels
    content = b"".join(
        data.at(begin + place * width, min(_BLOCK, first + stated - place) * width)
        for place in range(first, first + stated, _BLOCK)
    )
    values = np.frombuffer(content[: len(content) // width * width], kind).reshape(-1, info.channels)
    waveform = values.astype(np.float32)
    if kind == "<i2":
        waveform *= np.float32(1 / 32768)
    return _Decoded(waveform, info.rate, asked, stated, 0)


def _by_libsndfile(form: Form, start: float, end: float | None, lenient: bool) -> _Decoded:
    """Decode block by block; `lenient` takes an error for the end."""
    with sound(form.source) as file:
        frames = form.info.samples if form.info else file.frames
        first, asked, stated = _span(start, end, file.samplerate, frames)
        if first and stated and not _seek(file, first):
            return _from_the_beginning(form, first, asked, stated, lenient)
        return _decoded(file, list(_blocks(file, stated, lenient)), asked, stated)


def _seek(file: Sound, sample: int) -> bool:
    try:
        return file.seek(sample) == sample
    except soundfile.SoundFileError:
        return False


def _from_the_beginning(form: Form, first: int, asked: int, stated: int, lenient: bool) -> _Decoded:
    """Decode what cannot be searched in: some codings, and a FLAC near the place where it is cut."""
    with sound(form.source) as file:
        blocks, position = [], 0
        for block in _blocks(file, first + stated, lenient):
            blocks.append(block[max(0, first - position) :])
            position += len(block)
        return _decoded(file, blocks, asked, stated)


def _decoded(file: Sound, blocks: list[np.ndarray], asked: int, stated: int) -> _Decoded:
    empty = np.zeros((0, file.channels), np.float32)
    waveform = blocks[0] if len(blocks) == 1 else np.concatenate([empty, *blocks])
    tolerance = lossy_tolerance(stated) if file.subtype in _LOSSY else 0
    return _Decoded(waveform, file.samplerate, asked, stated, tolerance)


def _blocks(file: Sound, count: int, lenient: bool) -> Iterator[np.ndarray]:
    """Up to `count` samples, fewer at the end."""
    size = _SMALL_BLOCK if lenient else _BLOCK  # of a block with an error nothing is left
    while count > 0:
        try:
            block = file.read(min(count, size), dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            if lenient:
                return
            raise
        yield block
        if len(block) < min(count, size):
            return
        count -= len(block)
