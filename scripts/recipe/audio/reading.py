"""Audio: from what wav.scp says to a waveform of one channel at the model's rate.

A source is a file path, an http(s) URL, `ark:offset` as kaldiio writes it, or a command that ends in `|`. Whatever is
wrong with one recording is an `AudioError` with a short reason that the rejects and the decoder's details carry; it
never stops a run by itself.
"""

import io
import os
import re
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import soundfile
import soxr

from recipe.audio import fetch, headers
from recipe.audio.fetch import DEFAULT, FetchPolicy, is_command, is_url
from recipe.audio.headers import AudioError, AudioInfo

__all__ = ["AudioError", "AudioInfo", "Levels", "is_command", "levels", "probe", "read", "read_part"]

SAMPLING_RATE = 16000
# A shorter waveform gives no whole 25 ms frame.
MIN_SAMPLES = 400
FULL_SCALE = 0.999  # of 1: a sample from here on counts as clipped
FLOOR_DB = -100.0

_UNREADABLE = (soundfile.SoundFileError, ValueError, TypeError, MemoryError)  # soundfile's answers to damage
_ARK_OFFSET = re.compile(r"(.+):(\d+)\Z", re.DOTALL)
_BLOCK = 1 << 22  # samples decoded at a time: a damaged header may promise more than there is memory


def split_ark(source: str) -> tuple[str, int] | None:
    """(path, offset) of `ark:offset`, unless a file of that very name exists."""
    match = _ARK_OFFSET.fullmatch(source)
    return (match[1], int(match[2])) if match and not os.path.exists(source) else None


def probe(source: str, fetch_policy: FetchPolicy = DEFAULT) -> AudioInfo:
    """Read a recording's header. Costs some ten microseconds for a local file; a command is run to its end, and a URL
    is downloaded."""
    if is_command(source):
        waveform, rate = _from_memory(fetch.command_output(source, fetch_policy), "output of the command")
        return AudioInfo(waveform.shape[0], rate, waveform.shape[1])
    if is_url(source):
        return headers.probe_file(fetch.download(source, fetch_policy))
    if ark := split_ark(source):
        try:
            return headers.probe_file(*ark)
        except AudioError as error:
            if error.reason in ("audio-missing", "audio-empty", "audio-truncated"):
                raise
        waveform, rate = _from_ark(*ark)  # not a plain WAV file inside: kaldiio's own container
        return AudioInfo(waveform.shape[0], rate, waveform.shape[1])
    return headers.probe_file(source)


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

    `channel` is "average" or the index of one channel from 0. Resampling is soxr's high quality.
    """
    waveform, found_rate = read_part(source, start, end, fetch_policy)
    mono = one_channel(waveform, channel, source)
    return resample(mono, found_rate, rate)


def read_part(
    source: str,
    start: float = 0.0,
    end: float | None = None,
    fetch_policy: FetchPolicy = DEFAULT,
) -> tuple[np.ndarray, int]:
    """Read a recording, or its part from `start` to `end` seconds, as it is: float32 [samples, channels], rate (Hz)."""
    if is_command(source):
        content = fetch.command_output(source, fetch_policy)
        return _part(*_from_memory(content, "output of the command"), start, end)
    if is_url(source):
        return _from_file(fetch.download(source, fetch_policy), start, end)
    if ark := split_ark(source):
        return _part(*_from_ark(*ark), start, end)
    return _from_file(source, start, end)


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


def _part(waveform: np.ndarray, rate: int, start: float, end: float | None) -> tuple[np.ndarray, int]:
    return waveform[round(start * rate) : None if end is None else round(end * rate)], rate


def _from_file(path: str, start: float, end: float | None) -> tuple[np.ndarray, int]:
    if not os.path.isfile(path):
        headers.probe_file(path)
        raise AudioError("audio-unreadable", f"{path}: not a file")  # a device or a named pipe would hold up the run
    try:
        return _decode(path, start, end)
    except _UNREADABLE as error:
        headers.probe_file(path)  # knows missing, empty and shortened files, and says so
        raise AudioError("audio-unreadable", f"{path}: {getattr(error, 'error_string', error)}") from None


def _decode(file: Any, start: float, end: float | None) -> tuple[np.ndarray, int]:
    """Decode a path or a file object, block by block."""
    with soundfile.SoundFile(file) as opened:
        first = round(start * opened.samplerate)
        left = (opened.frames if end is None else min(opened.frames, round(end * opened.samplerate))) - first
        if first:
            opened.seek(min(first, opened.frames))
        blocks = []
        while left > 0:
            block = opened.read(min(left, _BLOCK), dtype="float32", always_2d=True)
            blocks.append(block)
            left -= len(block)
            if len(block) < min(left + len(block), _BLOCK):
                break
        empty = np.zeros((0, opened.channels), np.float32)
        return blocks[0] if len(blocks) == 1 else np.concatenate([empty, *blocks]), opened.samplerate


def _from_memory(content: bytes, what: str) -> tuple[np.ndarray, int]:
    if not content:
        raise AudioError("audio-empty", f"{what}: 0 bytes")
    return _decode_whole(io.BytesIO(content), what)


def _decode_whole(file: Any, what: str) -> tuple[np.ndarray, int]:
    try:
        return _decode(file, 0.0, None)
    except _UNREADABLE as error:
        raise AudioError("audio-unreadable", f"{what}: {getattr(error, 'error_string', error)}") from None


def _from_ark(path: str, offset: int) -> tuple[np.ndarray, int]:
    """Read one recording of an ark: a WAV or FLAC file inside, or kaldiio's AUDIO container.

    kaldiio would also load pickles and matrices; a pickle runs code and a matrix has no sampling rate, so both are
    refused here.
    """
    what = f"{path}:{offset}"
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            magic = file.read(8)
            file.seek(offset)
            if magic[:4] == b"RIFF":
                return _from_memory(file.read(int.from_bytes(magic[4:8], "little") + 8), what)
            if magic[:4] == b"fLaC":
                return _decode_whole(headers.Rest(file), what)
            if magic[:5] == b"AUDIO":
                return _from_container(file, what)
    except FileNotFoundError:
        raise AudioError("audio-missing", f"no such file: {path}") from None
    except (OSError, MemoryError, OverflowError) as error:
        raise AudioError("audio-unreadable", f"{what}: {error}") from None
    if not magic:
        raise AudioError("audio-empty", f"{what}: the file ends before this offset")
    raise AudioError("audio-unreadable", f"{what}: no WAV, FLAC or AUDIO entry of an ark (found {magic[:5]!r})")


def _from_container(file: IO[bytes], what: str) -> tuple[np.ndarray, int]:
    """kaldiio's container: AUDIO, one byte that says how many bytes its length has, the length, a recording in a format
    of its own. kaldiio itself (matio.py) takes what is there of one that was cut."""
    file.seek(len(b"AUDIO"), os.SEEK_CUR)
    length = int.from_bytes(file.read(int.from_bytes(file.read(1))), "little")
    content = file.read(length)
    if len(content) < length:
        raise AudioError("audio-truncated", f"{what}: {length} bytes stated, {len(content)} there")
    return _from_memory(content, what)
