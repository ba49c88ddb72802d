"""Random numbers of utterances, for whole sets at once: a hash of the seed, the epoch, the purpose and each key."""

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def uniform(keys: np.ndarray, seed: int, epoch: int, purpose: int) -> np.ndarray:
    """A number of [0, 1) for each of `keys` (CRC-32 of utterances' keys), independent for each seed, epoch and purpose.

    The finalizer of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014).
    """
    state = np.zeros(1, np.uint64)
    for part in (seed, epoch, purpose):
        state = _mixed(state + np.uint64(part))
    return (_mixed(state + keys.astype(np.uint64)) >> np.uint64(11)) * 2.0**-53


def _mixed(values: np.ndarray) -> np.ndarray:
    """Each value [n] of 64 bits as another one, every bit of which depends on every bit of it."""
    values = values + _STEP
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        values = (values ^ (values >> shift)) * factor
    return values ^ (values >> _SHIFTS[-1])
