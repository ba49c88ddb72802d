"""The 80-bin Kaldi filter bank of the front end, before frames are stacked."""

import numpy as np
import torch
import torchaudio

BINS = 80
# The published front end works on 16-bit sample values; HF's expects the caller to scale.
WAVEFORM_SCALE = 32768.0


def fbank(waveform: np.ndarray) -> np.ndarray:
    """Log mel energies [frames, 80] of a 16 kHz waveform in -1..1: 25 ms Hamming windows every 10 ms, pre-emphasis
    0.97, no dither."""
    scaled = torch.from_numpy(waveform).unsqueeze(0) * WAVEFORM_SCALE
    return torchaudio.compliance.kaldi.fbank(
        scaled, num_mel_bins=BINS, frame_length=25, frame_shift=10, sample_frequency=16000, window_type="hamming"
    ).numpy()
