"""Confidences: of which tokens, calibrated by a temperature that is fitted, and measured."""

import json
import math
import random

import pytest

from recipe.decode import confidence
from recipe.decode.confidence import Spelling, calibrated, fit, word_log_probs
from recipe.files import RecipeError
from recipe.score.reliability import reliability, right_words
from recipe.text.words import split


def log_probs(spelling, text):
    return word_log_probs(spelling, text, split(text))


def test_a_word_has_the_tokens_that_spell_it_and_a_share_of_the_word_before():
    spelling = Spelling("Good day.", (2, 4, 8, 9), (-0.1, -0.2, -1.0, -5.0))
    assert log_probs(spelling, "Good day.") == pytest.approx([-0.3, -1.0 - 0.15])


def test_tokens_of_marks_that_are_gone_do_not_count():
    spelling = Spelling("[breath]be <|en|> seen", (8, 10, 11, 17, 22), (-9.0, -0.5, -9.0, -9.0, -0.25))
    assert log_probs(spelling, "be seen") == pytest.approx([-0.5, -0.5])
    assert log_probs(Spelling("", (), ()), "") == []


def test_a_temperature_pulls_towards_a_half_and_changes_no_order():
    assert calibrated(math.log(0.9), 1.0) == pytest.approx(0.9)
    assert calibrated(math.log(0.9), 2.0) == pytest.approx(0.75)
    assert calibrated(math.log(0.1), 2.0) == pytest.approx(0.25)
    assert 0.99 < calibrated(-1e-6) < 1


def test_a_fitted_temperature_is_that_of_the_data():
    draws = random.Random(1)
    sure = [draws.uniform(0.02, 0.98) for _ in range(4000)]
    right = [draws.random() < calibrated(math.log(p), 2.5) for p in sure]
    found = fit([math.log(p) for p in sure], right)
    assert found == pytest.approx(2.5, abs=0.25)
    before = reliability(zip(sure, right, strict=True)).error
    after = reliability((calibrated(math.log(p), found), r) for p, r in zip(sure, right, strict=True)).error
    assert after < 0.05 < before
    assert fit([-0.1, -2.0], [True, True]) == 1.0


@pytest.mark.parametrize("content", [{}, {"temperature": 0}, {"temperature": "1"}, [1]])
def test_a_file_without_a_temperature_is_refused(tmp_path, content):
    file = tmp_path / "calibration.json"
    file.write_text(json.dumps(content))
    with pytest.raises(RecipeError, match=r"calibration.json: temperature is .*, expected a number over 0"):
        confidence.read_temperature(file)
    file.write_text('{"temperature": 1.5}')
    assert confidence.read_temperature(file) == 1.5


def test_words_are_right_but_for_case_and_signs():
    assert right_words(["Set", "lamp", "to", "50%."], "set the lamp on, 50%") == [True, True, False, True]
    assert right_words(["把", "灯，"], "把灯") == [True, True]
    assert right_words(["a"], "") == [False] and right_words([], "a") == []


def test_reliability_is_by_tenths():
    found = reliability([(0.05, False), (0.95, True), (0.95, False), (1.0, True)])
    assert [(one.low, one.words, round(one.right, 2)) for one in found.bins] == [(0.0, 1, 0.0), (0.9, 3, 0.67)]
    assert found.error == pytest.approx((0.05 + 3 * abs(2.9 / 3 - 2 / 3)) / 4)
    assert reliability([]).words == 0
