"""Recordings of utterances as they are packed: a whole recording byte for byte, a part of one as its samples, exactly;
or everything as 16 kHz FLAC."""

import io
from typing import NamedTuple

import numpy as np
import soundfile
from scipy.io import wavfile

from recipe.audio import reading as audio
from recipe.audio.address import is_command, is_url, path_of
from recipe.audio.fetch import FetchPolicy
from recipe.audio.info import AudioError
from recipe.audio.place import Bytes
from recipe.data.manifest import Utterance
from recipe.settings.data import AVERAGE

AS_IS, FLAC = "as-is", "flac"
FORMS = (AS_IS, FLAC)
_FLAC_CHANNELS, _FLAC_RATE = 8, 65535  # the most, the latter of rates that every decoder takes
_LONGEST_SUFFIX = 5


class PackedPiece(NamedTuple):
    """An utterance's recording: its bytes, the suffix of their format, and whether they have the one channel that the
    utterance asks for, so that it is not to be asked for again."""

    content: bytes
    suffix: str
    has_one_channel: bool


def piece(one: Utterance, form: str, policy: FetchPolicy) -> PackedPiece:
    """The recording of an utterance in one of FORMS, without what lies before and after it. AudioError says what is
    wrong where it cannot be read, or lacks its end."""
    if form == FLAC:
        channel = AVERAGE if one.channel is None else one.channel
        waveform = audio.read(one.source, start=one.start, end=one.end, channel=channel, fetch_policy=policy)
        return PackedPiece(*_flac16(_finite(waveform, one.source)), True)
    whole = not one.start and one.end is None and not is_command(one.source)
    if whole:
        with audio.opened(one.source, policy) as data:
            if not data.shared:  # where an entry of an ark ends is not said for all formats
                return PackedPiece(_copied(data, one.source, policy), _suffix(data, one.source), False)
    waveform, rate = audio.read_part(one.source, one.start, one.end, policy)
    if one.channel is not None:
        waveform = audio.one_channel(waveform, one.channel, one.source)[:, None]
    return PackedPiece(*exact(waveform, rate, _is_wav(one.source, policy)), one.channel is not None)


def _copied(data: Bytes, source: str, policy: FetchPolicy) -> bytes:
    info = audio.probe(source, policy)
    if info.incomplete:
        raise AudioError("audio-truncated", info.incomplete)
    return data.at(0, data.size)


def _is_wav(source: str, policy: FetchPolicy) -> bool:
    """Whether a recording is WAV, whose parts are then WAV as well: it is read several times as fast as FLAC."""
    if is_command(source):
        return False
    with audio.opened(source, policy) as data:
        return data.head[:4] in (b"RIFF", b"RF64")


def _suffix(data: Bytes, source: str) -> str:
    """The usual suffix of a format, or what the recording's own name ends in."""
    if data.head[:4] in (b"RIFF", b"RF64"):
        return ".wav"
    if data.head[:4] == b"fLaC":
        return ".flac"
    _, dot, end = (path_of(source) if is_url(source) else source).rpartition(".")
    return f".{end.lower()}" if dot and end.isalnum() and end.isascii() and len(end) <= _LONGEST_SUFFIX else ""


def exact(waveform: np.ndarray, rate: int, as_wav: bool) -> tuple[bytes, str]:
    """Samples, float32 [samples, channels] in -1..1, as a file that gives back the same numbers, and its suffix: of 16
    bits (in FLAC also 24) where these have every number, otherwise a WAV of 32-bit floats."""
    fits = waveform.shape[1] <= _FLAC_CHANNELS and rate <= _FLAC_RATE
    for bits in () if not len(waveform) else (16,) if as_wav or not fits else (16, 24):
        scaled = waveform * np.float32(2 ** (bits - 1))
        numbers = np.rint(scaled)
        if (numbers == scaled).all() and np.abs(numbers + 0.5).max() < 2 ** (bits - 1):
            return _wav(numbers.astype(np.int16), rate) if as_wav or not fits else _flac(numbers, rate, bits)
    return _wav(waveform, rate)


def _wav(samples: np.ndarray, rate: int) -> tuple[bytes, str]:
    """scipy's WAV: libsndfile's of floats has the time of day in it."""
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue(), ".wav"


def _flac(numbers: np.ndarray, rate: int, bits: int) -> tuple[bytes, str]:
    """Whole numbers of so many bits as FLAC. libsndfile takes 24 bits as the upper ones of 32."""
    samples = numbers.astype(np.int16) if bits == 16 else numbers.astype(np.int32) << 8
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype=f"PCM_{bits}")
    return file.getvalue(), ".flac"


def _flac16(waveform: np.ndarray) -> tuple[bytes, str]:
    """float32 [samples] at the model's rate as FLAC of 16 bits; resampling may go beyond full scale."""
    numbers = np.clip(np.rint(waveform * np.float32(2**15)), -(2**15), 2**15 - 1)
    return _flac(numbers, audio.SAMPLING_RATE, 16)


def _finite(waveform: np.ndarray, source: str) -> np.ndarray:
    if not np.isfinite(waveform).all():
        raise AudioError("audio-not-finite", f"{source}: NaN or infinite samples")
    return waveform
