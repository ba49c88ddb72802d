"""Augmentation and throughput: what they do, and that they are the same for the same seed, epoch and key."""

import numpy as np
import pytest
import soundfile
import torch
import transformers
from conftest import tone
from tables import table_of

from recipe.audio import reading as audio
from recipe.data.manifest import Utterance
from recipe.files import RecipeError
from recipe.model.network import audio_token_count
from recipe.settings.train import AugmentSettings
from recipe.train import flops
from recipe.train.augment import Augment, add_noise, reverberate
from recipe.train.dataset import Utterances


def noise_dir(folder):
    folder.mkdir()
    soundfile.write(folder / "n.wav", np.random.default_rng(1).standard_normal(8000).astype(np.float32) * 0.1, 16000)
    (folder / "wav.scp").write_text("n n.wav\n")
    return str(folder)


def test_augmentation_follows_from_seed_epoch_and_key(tmp_path):
    settings = AugmentSettings(speeds=(0.9, 1.1), noise=(noise_dir(tmp_path / "noise"),), noise_share=1.0)
    one, same, other = Augment(settings, 1), Augment(settings, 1), Augment(settings, 2)
    wave = tone(1.0)
    assert np.array_equal(one.waveform(wave, 3, "k"), same.waveform(wave, 3, "k"))
    assert not np.array_equal(one.waveform(wave, 3, "k"), other.waveform(wave, 3, "k"))
    assert not np.array_equal(one.waveform(wave, 3, "k"), one.waveform(wave, 3, "l"))


def test_of_a_long_noise_a_part_is_read(tmp_path, monkeypatch):
    settings = AugmentSettings(noise=(noise_dir(tmp_path / "noise"),), noise_share=1.0)
    soundfile.write(tmp_path / "noise/n.wav", np.arange(160_000, dtype=np.int16) % 20_000, 16000)
    augment, read = Augment(settings, 1), []
    monkeypatch.setattr(
        audio, "read", lambda *args, real=audio.read, **part: read.append(real(*args, **part)) or read[-1]
    )
    for key in "abc":
        assert len(augment.waveform(tone(1.0), 0, key)) == 16000
    assert all(abs(len(noise) - 16000) <= 1 for noise in read) and len({noise[0] for noise in read}) == 3


def test_a_noise_that_cannot_be_read_is_named_before_training(tmp_path):
    folder = noise_dir(tmp_path / "noise")
    settings = AugmentSettings(noise=(folder,), noise_share=1.0)
    augment = Augment(settings, 1)
    (tmp_path / "noise/n.wav").unlink()
    with pytest.raises(RecipeError, match=f"augment: audio-missing: no such file: {folder}/n.wav"):
        augment.waveform(tone(1.0), 0, "k")
    with pytest.raises(RecipeError, match=f"augment: {folder}/wav.scp: n: audio-missing"):
        Augment(settings, 1)


def test_no_settings_change_nothing():
    augment = Augment(AugmentSettings(), 1)
    wave, features = tone(1.0), torch.randn(20, 560)
    assert np.array_equal(augment.waveform(wave, 0, "k"), wave)
    assert augment.features(features, 0, "k") is features
    assert augment.versions == 1


def test_speed_changes_the_duration():
    wave = Augment(AugmentSettings(speeds=(1.25,)), 1).waveform(tone(2.0), 0, "k")
    assert abs(len(wave) - 2.0 / 1.25 * 16000) < 20


def test_noise_is_added_at_the_ratio_asked_for():
    random = np.random.default_rng(0)
    speech, noise = tone(1.0), random.standard_normal(50000)
    added = add_noise(speech, noise, 10.0, random) - speech
    assert 10 * np.log10(np.mean(speech**2) / np.mean(added**2)) == pytest.approx(10.0, abs=0.01)


def test_a_room_keeps_length_and_power():
    speech, response = tone(1.0), np.exp(-np.arange(4000) / 800) * np.random.default_rng(0).standard_normal(4000)
    wet = reverberate(speech, response)
    assert len(wet) == len(speech)
    assert np.mean(wet**2) == pytest.approx(np.mean(speech**2), rel=1e-5)
    assert np.allclose(reverberate(speech, np.array([0.0, 0.0, 0.5])), speech, atol=1e-6)


def test_masks_fill_bands_and_stretches_with_the_mean():
    features = torch.randn(100, 560)
    masked = Augment(AugmentSettings(frequency_masks=1, time_masks=1), 5).features(features, 0, "k")
    changed = masked != features
    assert 0 < changed.float().mean() < 0.5
    assert torch.allclose(masked[changed], features.mean(0).expand_as(features)[changed])


class Words:
    """A front end that counts a token for every character of a prompt."""

    def context_tokens(self, prompt, after):
        return len(prompt + after)


def test_weights_say_how_often_an_utterance_comes(tmp_path):
    utterances = [Utterance(f"u{i}", "x.wav", "p", "t", 600, 5, 6.0) for i in range(1000)]
    table = table_of(tmp_path, Words(), utterances[:500], utterances[500:])
    dataset = Utterances(table, Words(), weights=[0.25, 2.0], seed=1)
    indices = dataset.indices(0)
    counts = np.bincount(indices, minlength=1000)
    assert set(counts[500:]) == {2} and 80 < counts[:500].sum() < 170
    assert dataset.lengths(0)(indices).tolist() == [100] * len(indices)
    assert dataset.indices(1).tolist() != indices.tolist()
    # Of 1.5 utterances an epoch on average one epoch in five would have none.
    dataset = Utterances(table, Words(), weights=[0.003, 0.0], seed=1)
    drawn = [dataset.indices(epoch).tolist() for epoch in range(40)]
    assert min(map(len, drawn)) == 1 and max(map(max, drawn)) < 500 and len({tuple(one) for one in drawn}) > 20


@pytest.mark.parametrize(
    ("mode", "trained", "hours_per_hour"),
    [
        ("full", {"encoder", "adaptor", "llm"}, 3515),
        ("full", {"llm"}, 4299),
        ("full", {"adaptor"}, 6006),
        ("low_frame_rate", {"encoder", "adaptor", "llm"}, 6339),
        ("low_frame_rate", {"adaptor"}, 12191),
        ("low_frame_rate", {"encoder", "adaptor"}, 7628),
    ],
)
def test_formula_gives_the_computed_limits_of_the_published_model(mode, trained, hours_per_hour):
    """10 s of audio, 35 text tokens, at 40 % of 790 TFLOP/s; the prompt's length accounts for the few percent."""
    config = transformers.FunAsrNanoConfig()
    tokens = audio_token_count(167, mode) + 35 + 26
    operations = flops.training(flops.forward(config, 167, tokens, 36), trained)
    assert 0.4 * 790e12 * 10 / operations == pytest.approx(hours_per_hour, rel=0.05)
