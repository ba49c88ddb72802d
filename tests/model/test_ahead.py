"""Batches read ahead: the same ones, errors and all, and no thread that stays."""

import threading
import time

import pytest
import torch

from recipe.model.ahead import PREFETCHED, prefetch


def test_batches_and_their_order_stay():
    assert list(prefetch([n] for n in range(20))) == [[n] for n in range(20)]


def test_reading_goes_on_while_a_batch_is_at_work_but_not_far():
    read = []
    ahead = prefetch(read.append(n) or [n] for n in range(20))
    assert next(ahead) == [0]
    deadline = time.monotonic() + 10
    while len(read) < PREFETCHED + 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert len(read) == PREFETCHED + 2  # one at work, some that wait, and one in hand


def test_an_error_comes_where_the_batch_would():
    def batches():
        yield [0]
        raise OSError("broken")

    ahead = prefetch(batches())
    assert next(ahead) == [0]
    with pytest.raises(OSError, match="broken"):
        next(ahead)


def test_the_threads_of_whoever_uses_the_batches_stay():
    before = torch.get_num_threads()
    assert list(prefetch([torch.get_num_threads()] for _ in range(3))) == [[1]] * 3
    assert torch.get_num_threads() == before


def test_the_thread_ends_with_its_use():
    before = threading.active_count()
    ahead = prefetch([n] for n in range(20))
    next(ahead)
    assert threading.active_count() == before + 1
    ahead.close()
    assert threading.active_count() == before
