"""White noise that is added, and the estimate of how much there is."""

import numpy as np
import pytest

from recipe.audio.noise import MOST_DB, speech_to_noise, with_white_noise


def bursts(level_db, seconds=8, rate=16000):
    """A tone that sounds half of the time, with noise `level_db` below it throughout."""
    time = np.arange(seconds * rate) / rate
    tone = np.sqrt(2) * np.sin(2 * np.pi * 440 * time) * (time % 1 < 0.5)
    noise = np.random.default_rng(1).standard_normal(len(time)) * 10 ** (-level_db / 20)
    return (0.1 * (tone + noise)).astype(np.float32)


@pytest.mark.parametrize("level", [5, 15, 25, 40])
def test_speech_over_noise_is_found_where_there_are_pauses(level):
    assert speech_to_noise(bursts(level)) == pytest.approx(level, abs=1.5)


def test_noise_alone_is_nothing_over_it_and_digital_silence_between_words_the_most():
    assert speech_to_noise(np.random.default_rng(2).standard_normal(160_000).astype(np.float32)) == 0
    assert speech_to_noise(bursts(200)) == MOST_DB
    assert speech_to_noise(np.zeros(160_000, np.float32)) is None
    assert speech_to_noise(np.ones(100, np.float32)) is None
    assert speech_to_noise(np.full(16_000, np.nan, np.float32)) is None


def test_noise_that_is_added_has_its_level_and_is_the_same_for_a_key():
    speech = bursts(60)
    noisy = with_white_noise(speech, 20.0, "key")
    difference = noisy.astype(np.float64) - speech
    assert 10 * np.log10(np.mean(speech**2) / np.mean(difference**2)) == pytest.approx(20.0, abs=0.1)
    assert np.array_equal(noisy, with_white_noise(speech, 20.0, "key"))
    assert not np.array_equal(noisy, with_white_noise(speech, 20.0, "other"))
    assert not with_white_noise(np.zeros(100, np.float32), 20.0, "key").any()
