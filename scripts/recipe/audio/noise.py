"""White noise in a recording: what hearing it once more, and a little worse, is done with."""

import zlib

import numpy as np


def with_white_noise(waveform: np.ndarray, ratio_db: float, key: str) -> np.ndarray:
    """A waveform [samples] with Gaussian noise `ratio_db` decibels below its mean power; the noise follows from `key`
    and the length, so that it is the same each time. Digital silence stays silence."""
    random = np.random.default_rng(zlib.crc32(key.encode()))
    power = float(np.mean(np.square(waveform, dtype=np.float64))) / 10 ** (ratio_db / 10)
    return (waveform + np.sqrt(power) * random.standard_normal(len(waveform))).astype(np.float32)
