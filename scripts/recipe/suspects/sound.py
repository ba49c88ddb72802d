"""What a recording's samples say of it: how it ends, how long somebody speaks, and whether it is clipped."""

from typing import NamedTuple

import numpy as np

from recipe.audio.reading import SAMPLING_RATE, levels

_WINDOW, _FLOOR = SAMPLING_RATE // 100, 1e-9  # samples, 10 ms; -90 dB of full scale
_LOUD = 0.9  # quantile of the windows' levels that others are compared with
_END = 3  # windows
SPEECH = -30.0  # dB over that level from which on a window is taken for speech ...
QUIET = -70.0  # ... and dB of full scale: in a silent recording nobody speaks


class SoundEvidence(NamedTuple):
    """Level of the last 30 ms over that of the loudest tenth, in dB (speech dies away: a recording that ends near 0 was
    cut); seconds in which somebody speaks, by the level alone; and the share of samples at full scale."""

    ends_at: float
    speech: float
    clipped: float


def sound_evidence(waveform: np.ndarray) -> SoundEvidence:
    """What a waveform [samples] at 16 kHz says, of a frame at least."""
    windows = waveform[: len(waveform) // _WINDOW * _WINDOW].reshape(-1, _WINDOW).astype(np.float64)
    decibels = 10 * np.log10(np.square(windows).mean(axis=1) + _FLOOR)
    loud = np.quantile(decibels, _LOUD)
    spoken = np.count_nonzero(decibels > max(loud + SPEECH, QUIET))
    return SoundEvidence(
        ends_at=round(float(decibels[-_END:].mean() - loud), 2),
        speech=round(spoken * _WINDOW / SAMPLING_RATE, 2),
        clipped=round(levels(waveform).clipped, 5),
    )
