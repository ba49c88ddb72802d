"""Tables of transcripts that are shifted against their recordings."""

import numpy as np
import pytest

from recipe.data import order


def lengths(count, by=0, first=0, last=None, seed=0):
    """(seconds, bytes) of lines, those from `first` to `last` with the transcripts of the line `by` further."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(10, 90, count)
    seconds = sizes / 15 * draw.uniform(0.7, 1.4, count)
    written = sizes.copy()
    span = slice(first, count if last is None else last)
    written[span] = np.roll(sizes, -by)[span]
    return list(zip(seconds.tolist(), written.tolist(), strict=True))


@pytest.mark.parametrize("by", [-3, -1, 1, 2])
@pytest.mark.parametrize("count", [100, 700, 3000])
def test_a_shifted_table_is_told_with_its_direction(by, count):
    [found] = order.shifted(lengths(count, by))
    assert (found.first, found.last, found.by) == (1, count, -by)
    assert found.there > 0.6 > 0.3 > found.own


def test_a_part_of_a_table_is_told_by_its_lines():
    [found] = order.shifted(lengths(3000, 1, 1000, 2000))
    assert 900 < found.first <= 1051 and 1950 <= found.last < 2101


@pytest.mark.parametrize("seed", range(5))
def test_a_table_in_order_is_not(seed):
    assert not list(order.shifted(lengths(20_000, seed=seed)))


def test_lengths_that_say_nothing_raise_no_alarm():
    draw = np.random.default_rng(1)
    assert not list(order.shifted((draw.uniform(0.3, 0.6), int(draw.integers(3, 6))) for _ in range(20_000)))
    assert not list(order.shifted((1.0, 5) for _ in range(1000)))


def test_few_lines_say_nothing():
    assert not list(order.shifted(lengths(30, 1)))
