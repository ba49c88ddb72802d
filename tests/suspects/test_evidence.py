"""Wrong transcripts that are made, scores, and the share."""

import numpy as np
import pytest

from recipe.data.leaks import said
from recipe.suspects import classifier, evidence, share
from recipe.suspects.judgement import TextLoss
from recipe.suspects.made_wrong import made_wrong
from recipe.suspects.sound import sound_evidence

TEXTS = ["turn on the light in the hall", "打开厨房的灯", "call Anna tomorrow at nine", "what is the weather like"]


@pytest.mark.parametrize("key", [f"k{n}" for n in range(24)])
@pytest.mark.parametrize("text", TEXTS)
def test_a_made_wrong_transcript_says_something_else(key, text):
    wrong = made_wrong(key, text, TEXTS)
    assert said(wrong) != said(text) and wrong
    assert wrong == made_wrong(key, text, TEXTS)


def test_all_ways_of_making_wrong_occur():
    text = TEXTS[0]
    made = {made_wrong(f"k{n}", text, TEXTS) for n in range(200)}
    assert any(wrong in TEXTS for wrong in made)
    assert any(wrong.startswith(text) for wrong in made)
    assert any(wrong not in TEXTS and len(wrong) < len(text) for wrong in made)


def test_there_is_no_wrong_one_where_all_say_the_same():
    assert made_wrong("k", "seven", ["seven", "Seven."]) is None


def test_features_grow_with_disagreement():
    right = evidence.features("seven", "seven", TextLoss(0.1, 0.1, 2), TextLoss(0.1, 0.1, 2))
    wrong = evidence.features("nine", "seven", TextLoss(9.0, 8.0, 2), TextLoss(0.1, 0.1, 2))
    assert all(two > one for one, two in zip(right, wrong, strict=True))


def test_a_recording_that_is_cut_ends_loud():
    speech = np.random.default_rng(0).normal(size=16000).astype(np.float32) * np.hanning(16000).astype(np.float32)
    assert sound_evidence(speech[:8000]).ends_at > -3 > -30 > sound_evidence(speech).ends_at


def test_loud_ends_count_where_they_are_rare():
    levels = np.full(100, -40.0)
    levels[3] = -2.0
    assert evidence.usual(levels, evidence.LOUD_END) == evidence.LOUD_END
    assert evidence.usual(np.linspace(-5, 0, 100), evidence.LOUD_END) > -0.5


def simulated(count, wrong_share, seed=0):
    """Features of utterances of which so many are wrong, of made wrong ones, and which are wrong."""
    draw = np.random.default_rng(seed)
    wrong = draw.random(count) < wrong_share
    features = draw.normal(size=(count, 4)) + 3.0 * wrong[:, None]
    return features, draw.normal(size=(count, 4)) + 3.0, wrong


@pytest.mark.parametrize("wrong_share", [0.01, 0.05, 0.2, 0.6])
def test_wrong_ones_come_first_and_their_share_is_estimated(wrong_share):
    features, made, wrong = simulated(4000, wrong_share)
    scores, of_made = classifier.scores(features, made)
    first = np.argsort(-scores)[: wrong.sum()]
    assert wrong[first].mean() > 0.95
    found = share.wrong_share(scores, of_made)
    assert found.low <= wrong.mean() <= found.high * 1.02
    assert found.share == pytest.approx(wrong.mean(), rel=0.4)


def test_of_a_clean_corpus_next_to_nothing_is_wrong():
    features, made, _ = simulated(4000, 0.0)
    assert share.wrong_share(*classifier.scores(features, made)).high < 0.01


def test_where_none_looks_wrong_some_still_may_be():
    found = share.wrong_share(np.zeros(1000), np.full(100, 9.0))
    assert found.share == found.low == 0 and found.high == pytest.approx(3 / 1000)


def test_one_wrong_one_is_no_reason_to_suspect_all():
    scores, of_made = np.append(np.zeros(119), 9.0), np.full(100, 9.0)
    found = share.wrong_share(scores, of_made)
    assert found.share == pytest.approx(1 / 120) and found.low == 0 and found.high < 0.04


def test_a_feature_that_never_changes_does_no_harm():
    features, made, wrong = simulated(1000, 0.1)
    features[:, 0] = made[:, 0] = 2.0
    scores, _ = classifier.scores(features, made)
    assert np.isfinite(scores).all() and wrong[np.argsort(-scores)[:80]].all()
