"""Lengths of utterances: audio or text, whichever is more."""

import pytest

from recipe.dataset import Utterances
from recipe.manifest import Utterance


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
def test_an_utterance_counts_by_its_audio_or_its_text(seconds, text, prompt, length):
    shortest = Utterance("a", "a.wav", "p" * 30, "t", 600, 5, 6.0)
    utterance = Utterance("b", "b.wav", prompt, "t", round(100 * seconds), text, seconds)
    dataset = Utterances([shortest, utterance], Characters())
    assert dataset.plan(0) == ([0, 1], [100, length]) and dataset.longest() == [100, length]
