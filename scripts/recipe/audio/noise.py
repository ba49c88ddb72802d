"""White noise in a recording: what hearing it once more, and a little worse, is done with."""

import zlib

import numpy as np


def with_white_noise(waveform: np.ndarray, ratio_db: float, key: str) -> np.ndarray:
    """A waveform [samples] with Gaussian noise `ratio_db` decibels below its mean power; the noise follows from `key`
    and the length, so that it is the same each time. Digital silence stays silence."""
    random = np.random.default_rng(zlib.crc32(key.encode()))
    power = float(np.mean(np.square(waveform, dtype=np.float64))) / 10 ** (ratio_db / 10)
    return (waveform + np.sqrt(power) * random.standard_normal(len(waveform))).astype(np.float32)


_FRAME = 320  # samples, 20 ms
MOST_DB = 60.0  # what is more is digital silence between words, of which nothing can be told


def speech_to_noise(waveform: np.ndarray) -> float | None:
    """An estimate of how far the peaks of speech lie over the noise between them, in dB from 0 to MOST_DB, of a 16 kHz
    waveform [samples]; None of less than ten frames, or of nothing but zeros.

    As NIST's stnr does, it goes by the energies of 20 ms frames: the 95th percentile is taken for speech (and the noise
    in it), the 10th for noise alone. So it wants pauses, if only between words, and is some dB over a ratio of mean
    powers."""
    frames = waveform[: len(waveform) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if len(frames) < 10 or not np.isfinite(frames).all():
        return None
    noise, speech = np.quantile(np.square(frames, dtype=np.float64).mean(axis=1), [0.1, 0.95])
    if not speech:
        return None
    least = 10 ** (-MOST_DB / 10)
    return float(np.clip(10 * np.log10(max(speech - noise, least * speech) / max(noise, least * speech)), 0.0, MOST_DB))
