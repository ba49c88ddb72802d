"""Audio: from what wav.scp says to a waveform of one channel at the model's rate.

A source is a file path, `ark:offset` as kaldiio reads it, or a command that ends in `|`. Whatever is wrong with one
recording is an `AudioError` with a short reason that the rejects and the decoder's details carry; it never stops a run
by itself.
"""

import io
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLING_RATE = 16000
# A shorter waveform gives no whole 25 ms frame.
MIN_SAMPLES = 400

_ARK_OFFSET = re.compile(r"(.+):(\d+)\Z")
_COMMAND_TIMEOUT = 600  # seconds


class AudioError(Exception):
    """A recording that cannot be used: `reason` is one of a few fixed words, `detail` says what was found."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class AudioInfo:
    """What a recording's header says."""

    samples: int  # per channel, at `rate`
    rate: int  # Hz
    channels: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def is_command(source: str) -> bool:
    """Whether a wav.scp entry is a shell command (`... |`)."""
    return source.rstrip().endswith("|")


def probe(source: str, allow_commands: bool = False) -> AudioInfo:
    """Read a recording's header. Costs tens of microseconds for a local file; a command is run to its end."""
    if is_command(source) or _ARK_OFFSET.fullmatch(source):
        waveform, rate = _read_all(source, allow_commands)
        return AudioInfo(waveform.shape[0], rate, waveform.shape[1])
    try:
        info = soundfile.info(source)
    except soundfile.LibsndfileError as error:
        raise _unreadable(source, error) from None
    return AudioInfo(info.frames, info.samplerate, info.channels)


def read(
    source: str,
    rate: int = SAMPLING_RATE,
    start: float = 0.0,
    end: float | None = None,
    channel: int | str = "average",
    allow_commands: bool = False,
) -> np.ndarray:
    """Read a recording, or its part from `start` to `end` seconds, as float32 [samples] in -1..1 at `rate` Hz.

    `channel` is "average" or the index of one channel from 0. Resampling is soxr's high quality.
    """
    if is_command(source) or _ARK_OFFSET.fullmatch(source):
        waveform, found_rate = _read_all(source, allow_commands)
        last = None if end is None else round(end * found_rate)
        waveform = waveform[round(start * found_rate) : last]
    else:
        waveform, found_rate = _read_file(source, start, end)
    mono = _one_channel(waveform, channel, source)
    if found_rate != rate:
        mono = soxr.resample(mono, found_rate, rate)
    return np.ascontiguousarray(mono, dtype=np.float32)


def _read_file(path: str, start: float, end: float | None) -> tuple[np.ndarray, int]:
    """Read [samples, channels] and the rate of a file that libsndfile knows."""
    try:
        with soundfile.SoundFile(path) as file:
            if start:
                file.seek(round(start * file.samplerate))
            frames = -1 if end is None else round(end * file.samplerate) - file.tell()
            return file.read(frames, dtype="float32", always_2d=True), file.samplerate
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error) from None


def _read_all(source: str, allow_commands: bool) -> tuple[np.ndarray, int]:
    """Read [samples, channels] and the rate of a command's output or of an ark entry."""
    if is_command(source):
        if not allow_commands:
            raise AudioError("command-refused", "wav.scp holds a shell command; set allow_commands: true to run it")
        return _read_command(source.rstrip()[:-1])
    import kaldiio  # only arks need it

    try:
        rate, samples = kaldiio.load_mat(source)
    except FileNotFoundError:
        raise AudioError("audio-missing", f"no such file: {source}") from None
    except (ValueError, TypeError, AssertionError, EOFError, OSError) as error:
        raise AudioError("audio-unreadable", f"{source}: {error}") from None
    samples = samples if samples.ndim == 2 else samples[:, None]
    scale = 32768.0 if np.issubdtype(samples.dtype, np.integer) else 1.0
    return samples.astype(np.float32) / scale, rate


def _read_command(command: str) -> tuple[np.ndarray, int]:
    # The user allowed commands: wav.scp is then a program of theirs, run as Kaldi runs it.
    done = subprocess.run(command, shell=True, capture_output=True, timeout=_COMMAND_TIMEOUT, check=False)  # noqa: S602
    if done.returncode != 0:
        tail = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise AudioError("command-failed", f"exit status {done.returncode}: {tail[0]}")
    try:
        return soundfile.read(io.BytesIO(done.stdout), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError("audio-unreadable", f"output of command: {error}") from None


def _one_channel(waveform: np.ndarray, channel: int | str, source: str) -> np.ndarray:
    if waveform.shape[1] == 1:
        return waveform[:, 0]
    if channel == "average":
        return waveform.mean(axis=1)
    if int(channel) >= waveform.shape[1]:
        raise AudioError("channel-missing", f"{source}: has {waveform.shape[1]} channels, asked for index {channel}")
    return waveform[:, int(channel)]


def _unreadable(path: str, error: Exception) -> AudioError:
    file = Path(path)
    if not file.exists():
        return AudioError("audio-missing", f"no such file: {path}")
    if not file.is_file():
        return AudioError("audio-unreadable", f"{path}: not a file")
    if file.stat().st_size == 0:
        return AudioError("audio-empty", f"{path}: 0 bytes")
    return AudioError("audio-unreadable", f"{path}: {getattr(error, 'error_string', error)}")
