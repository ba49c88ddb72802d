"""What recordings say by themselves: seconds of speech, clipping, and how long a transcript takes."""

import numpy as np
import pytest
from conftest import tone

from recipe.suspects import speaking_rate
from recipe.suspects.sound import sound_evidence
from recipe.suspects.speaking_rate import Spoken
from recipe.suspects.vocabulary import Vocabulary

RATE = 16000


def test_seconds_of_speech_are_those_that_are_loud():
    waveform = np.concatenate([np.zeros(RATE), tone(0.5), np.zeros(RATE // 2)]).astype(np.float32)
    assert sound_evidence(waveform).speech == pytest.approx(0.5, abs=0.02)
    assert sound_evidence(np.zeros(RATE, np.float32)).speech == 0


def test_clipped_samples_are_counted():
    assert sound_evidence(tone(1.0)).clipped == 0
    assert sound_evidence(np.clip(tone(1.0) * 5, -1, 1)).clipped > 0.3


def corpus(count, draw):
    """Transcripts of two scripts by a fast and a slow speaker: a letter takes 60 ms, a character 200 ms."""
    for number in range(count):
        letters, size = (("abcdefgh", 40), ("你好今天很热", 12))[number % 2]
        text = "".join(draw.choice(list(letters), draw.integers(2, size)))
        seconds = sum(0.06 if char.isascii() else 0.2 for char in text)
        speaker = ("fast", "slow")[number // 2 % 2]
        yield Spoken(text, speaker, seconds * (1.5 if speaker == "slow" else 1.0) * draw.uniform(0.9, 1.1))


def test_what_is_too_long_for_its_recording_stands_out_for_any_script_and_speaker():
    said = list(corpus(2000, np.random.default_rng(0)))
    rate = speaking_rate.learn(lambda: iter(said))
    usual = rate.deviations(said)
    assert np.abs(np.median(usual)) < 0.1 and np.quantile(np.abs(usual), 0.99) < 5
    halved = [one._replace(speech=one.speech / 2) for one in said if len(one.text) > 4]
    doubled = [one._replace(speech=one.speech * 2) for one in said if len(one.text) > 4]
    assert np.quantile(rate.deviations(halved), 0.05) > 4
    assert np.quantile(rate.deviations(doubled), 0.95) < -4


def test_a_small_corpus_teaches_no_rate():
    assert speaking_rate.learn(lambda: corpus(speaking_rate.LEAST - 1, np.random.default_rng(0))) is None


def test_an_empty_transcript_has_a_rate_all_the_same():
    said = [*corpus(100, np.random.default_rng(0)), Spoken("", None, 2.0)]
    assert np.isfinite(speaking_rate.learn(lambda: iter(said)).deviations(said)).all()


def test_words_of_another_language_are_unknown():
    texts = [
        "turn on the light",
        "turn off the radio now",
        "the light is on",
        "turn the radio on now",
        "is the light off",
    ]
    strange = "mach bitte das Licht an"
    vocabulary = Vocabulary()
    for text in [*texts, strange, "打开厨房的灯"]:
        vocabulary.add("en", text)
    assert vocabulary.unknown("en", strange) == 1
    assert vocabulary.unknown("en", texts[0]) == 0
    assert vocabulary.unknown("en", "打开厨房的灯") == 0


def test_words_are_known_by_language():
    vocabulary = Vocabulary()
    for language, text in [("en", "das ist mein Haus"), ("de", "das ist mein Haus"), ("de", "mein Haus das ist")]:
        vocabulary.add(language, text)
    assert vocabulary.unknown("en", "das ist mein Haus") == 1
    assert vocabulary.unknown("de", "das ist mein Haus") == 0
