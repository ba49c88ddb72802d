"""The training set: what an utterance counts as, and features that are made once."""

import pytest
import torch
from stages import scp2jsonl
from tables import table_of

from recipe.audio import reading as audio
from recipe.data import manifest
from recipe.data.manifest import Utterance
from recipe.model import network as model
from recipe.model.features import FrontEnd
from recipe.settings.train import AugmentSettings
from recipe.train.augment import Augment
from recipe.train.dataset import Utterances


class Characters:
    """A front end that counts a token for every character of a prompt."""

    def context_tokens(self, prompt, after=""):
        return len(prompt + after)


@pytest.mark.parametrize(
    ("seconds", "text", "prompt", "length"),
    [
        (6.0, 5, "p" * 30, 100),  # audio: 60 ms frames
        (1.2, 50, "p" * 30, 50),  # text, without the prompt that all have
        (1.2, 50, "p" * 40, 60),  # and with what makes a prompt longer
    ],
)
def test_an_utterance_counts_by_its_audio_or_its_text(tmp_path, seconds, text, prompt, length):
    shortest = Utterance("a", "a.wav", "p" * 30, "t", 600, 5, 6.0)
    utterance = Utterance("b", "b.wav", prompt, "t", round(100 * seconds), text, seconds)
    dataset = Utterances(table_of(tmp_path, Characters(), [shortest, utterance]), Characters())
    assert dataset.lengths(0)(dataset.indices(0)).tolist() == [100, length] and dataset.longest() == max(100, length)


def test_features_of_a_small_set_are_made_once_at_each_speed(data_dir, full_model, monkeypatch):
    scp2jsonl(data_dir, full_model)
    front_end, augment = FrontEnd(model.load(full_model)), Augment(AugmentSettings(speeds=(0.9, 1.0, 1.1)), 1)
    utterances = table_of(data_dir, front_end, manifest.read(data_dir / "out" / "set.jsonl"))
    reads, read = [], audio.read
    monkeypatch.setattr(audio, "read", lambda source, **options: reads.append(source) or read(source, **options))
    kept, anew = (Utterances(utterances, front_end, augment) for _ in range(2))
    anew._cache = None
    for epoch in range(20):
        for i in range(8):
            assert torch.equal(kept[epoch, i].features, anew[epoch, i].features)
    assert len(reads) == 20 * 8 + 3 * 8
