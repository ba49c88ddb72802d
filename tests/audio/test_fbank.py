"""The front end's numbers are those of torchaudio and transformers, whatever the audio, its length and the threads."""

import numpy as np
import pytest
import torch
import torchaudio
from conftest import ROOT, tone

from recipe.audio import reading as audio
from recipe.audio.fbank import WAVEFORM_SCALE, fbank
from recipe.files import RecipeError
from recipe.model import network as model
from recipe.model.features import FrontEnd, stack

RANDOM = np.random.default_rng(0)


def by_torchaudio(waveform):
    scaled = torch.from_numpy(waveform * np.float32(WAVEFORM_SCALE))[None]
    return torchaudio.compliance.kaldi.fbank(
        scaled, num_mel_bins=80, frame_length=25, frame_shift=10, sample_frequency=16000, window_type="hamming"
    ).numpy()


def speech():
    return audio.read(str(min((ROOT / "data/test/wav").glob("*.flac"))))


WAVEFORMS = {
    "speech": speech,
    "quiet speech on a large offset": lambda: speech() * np.float32(0.01) + np.float32(0.5),
    "louder than full scale": lambda: speech() * np.float32(30),
    "digital silence": lambda: np.zeros(16000, np.float32),
    "a constant": lambda: np.full(16000, 0.3, np.float32),
    "the last bit": lambda: (RANDOM.integers(-1, 2, 16000) / 32768).astype(np.float32),
    "a tone beside empty bins": lambda: np.sin(np.arange(16000) / 3).astype(np.float32),
    "a click": lambda: np.eye(1, 16000, 5000, dtype=np.float32)[0],
    "many blocks": lambda: tone(30.0),
}


@pytest.mark.parametrize("what", WAVEFORMS)
def test_energies_are_those_of_torchaudio(what):
    waveform = WAVEFORMS[what]()
    assert np.allclose(fbank(waveform), by_torchaudio(waveform), rtol=0, atol=1e-5)


@pytest.mark.parametrize("samples", [400, 559, 560, 512 * 160 + 239, 512 * 160 + 240, 512 * 160 + 400])
def test_frames_are_those_of_torchaudio_for_any_length(samples):
    waveform = tone(6.0)[:samples]
    assert np.allclose(fbank(waveform), by_torchaudio(waveform), rtol=0, atol=1e-5)


def test_what_is_not_a_number_stays_in_its_frames():
    waveform = tone(1.0)
    waveform[8000] = np.nan
    found = fbank(waveform)
    assert np.array_equal(np.isnan(found), np.isnan(by_torchaudio(waveform))) and np.isnan(found).any()


def test_threads_do_not_change_a_bit():
    threads, waveform, made = torch.get_num_threads(), tone(20.0), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            made.append(fbank(waveform).tobytes())
    finally:
        torch.set_num_threads(threads)
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("samples", [400, 559, 560, 1359, 1360, 2000, 16000, 33333])
def test_stacked_frames_are_those_of_transformers(full_model, samples):
    recognizer = model.load(full_model)
    waveform = tone(3.0)[:samples]
    scaled = waveform * np.float32(WAVEFORM_SCALE)
    [expected] = recognizer.processor.feature_extractor(scaled, sampling_rate=16000)["input_features"]
    found = FrontEnd(recognizer).features(waveform)
    assert found.shape == expected.shape and torch.allclose(found, expected, rtol=0, atol=1e-5)


def test_frames_are_repeated_at_both_ends():
    stacked = stack(torch.arange(8.0)[:, None])
    assert stacked.tolist() == [[0, 0, 0, 0, 1, 2, 3], [3, 4, 5, 6, 7, 7, 7]]


def test_another_front_end_is_refused(full_model):
    recognizer = model.load(full_model)
    recognizer.processor.feature_extractor.stride_lfr = 4
    with pytest.raises(RecipeError, match="stride_lfr 4"):
        FrontEnd(recognizer)
