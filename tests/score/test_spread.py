"""Student's t, and how spreads come together."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe.score.spread import Spread, margin, of_utterances, p_value, resampled_rates, together
from recipe.score.student import quantile, two_sided_p
from recipe.score.units import Units


# Of one and two degrees of freedom there are closed forms; the others are from printed tables.
@pytest.mark.parametrize(
    ("degrees", "confidence", "t"),
    [(1, 0.5, 1.0), (1, 0.95, 12.7062), (4, 0.95, 2.7764), (9, 0.99, 3.2498), (30, 0.95, 2.0423), (120, 0.95, 1.9799)],
)
def test_quantiles_are_those_of_the_tables(degrees, confidence, t):
    assert quantile(confidence, degrees) == pytest.approx(t, abs=1e-4)


@given(st.floats(0, 50))
def test_with_one_or_two_degrees_of_freedom_it_has_a_closed_form(t):
    # Near t = 0 the incomplete beta function is asked at 1 - t²: half of the digits are lost.
    assert two_sided_p(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-12 if t > 1e-3 else 1e-7)
    assert two_sided_p(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), abs=1e-12 if t > 1e-3 else 1e-7)


@given(st.floats(0, 8))
def test_with_many_it_is_the_normal_distribution(t):
    normal = math.erfc(t / math.sqrt(2))
    for degrees in (1e5, 9.9e5, 1.1e6, math.inf):
        assert two_sided_p(t, degrees) == pytest.approx(normal, abs=1e-5)
    assert two_sided_p(-t, 30) == two_sided_p(t, 30)


@given(st.floats(0.5, 1e4), st.floats(0.01, 0.999))
def test_a_quantile_is_where_the_probability_is(degrees, confidence):
    assert two_sided_p(quantile(confidence, degrees), degrees) == pytest.approx(1 - confidence, abs=1e-9)


def test_variances_add_and_the_less_known_one_decides():
    whole = together([Spread(3.0, 1000), Spread(4.0, 2)])
    assert whole.deviation == 5 and 2 < whole.degrees < 6
    assert together([Spread(2.0, 7)]) == Spread(2.0, 7)
    assert together([Spread(0.0, 7)]).deviation == 0


@given(st.lists(st.builds(Spread, st.floats(0.01, 5), st.floats(1, 500)), min_size=1, max_size=3), st.floats(-9, 9))
def test_p_is_below_five_percent_just_where_the_margin_leaves_out_zero(spreads, value):
    assert (p_value(value, spreads) < 0.05) == (abs(value) > margin(spreads))


def test_without_deviation_only_no_difference_is_sure():
    assert p_value(0.0, [Spread(0.0, 9)]) == 1 and p_value(0.1, [Spread(0.0, 9)]) is None


def test_utterances_alone_spread_as_their_resamples_do():
    units = Units()
    for i in range(300):
        units.add(None, (5 + i % 7, i * i % 4))
    rates = resampled_rates(units.cells(), 4000, 1)
    assert of_utterances(units.utterances()).deviation == pytest.approx(rates.std(), rel=0.05)


def test_units_keep_speakers_and_utterances():
    units = Units()
    for speaker, values in (("a", (3, 1)), (None, (3, 1)), ("a", (4, 0)), ("b", (7, 1))):
        units.add(speaker, values)
    assert dict(units.cells()) == {(7, 1): 2, (3, 1): 1}
    assert dict(units.utterances()) == {(3, 1): 2, (4, 0): 1, (7, 1): 1}
    assert units.sums(2) == (17, 3)
