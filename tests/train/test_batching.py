"""Batches: everything once, within the budget, little padding, the same for the same seed."""

from itertools import islice

import numpy as np
import pytest

from recipe.model.batches import batch_by_size, padding_share
from recipe.model.features import FRAME_SECONDS
from recipe.train.batching import TrainingBatches, epoch_batches, share


@pytest.fixture(scope="module")
def frames():
    """Stacked frames of 20,000 utterances of 1-30 s, log-normal around 6 s."""
    seconds = np.random.default_rng(0).lognormal(np.log(6), 0.7, 20000).clip(1, 30)
    return (seconds / FRAME_SECONDS).astype(int).tolist()


def test_every_utterance_is_in_an_epoch_exactly_once(frames):
    batches = epoch_batches(frames, 2000, seed=1, epoch=3)
    assert sorted(i for batch in batches for i in batch) == list(range(len(frames)))


def test_no_batch_is_over_the_budget(frames):
    assert all(len(b) * max(frames[i] for i in b) <= 2000 for b in epoch_batches(frames, 2000, 1, 0))


def test_an_utterance_over_the_budget_is_a_batch_of_its_own():
    assert batch_by_size([0, 1, 2], [5, 500, 5], 100) == [[0], [1], [2]]


def test_padding_is_under_five_percent(frames):
    assert padding_share(epoch_batches(frames, 2000, 1, 0), frames) < 0.05


def test_steps_mix_lengths(frames):
    """Neighbouring batches are of unrelated lengths: no ramp from short to long."""
    longest = [max(frames[i] for i in batch) for batch in epoch_batches(frames, 2000, 1, 0)]
    correlation = np.corrcoef(longest[:-1], longest[1:])[0, 1]
    assert abs(correlation) < 0.1


def test_seed_and_epoch_decide_the_order(frames):
    assert epoch_batches(frames, 2000, 1, 0) == epoch_batches(frames, 2000, 1, 0)
    assert epoch_batches(frames, 2000, 1, 0) != epoch_batches(frames, 2000, 1, 1)
    assert epoch_batches(frames, 2000, 1, 0) != epoch_batches(frames, 2000, 2, 0)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_an_epoch_without_loss_or_repetition(frames, ranks):
    parts = []
    for rank in range(ranks):
        batches = TrainingBatches(lambda epoch: (range(len(frames)), frames), 2000, 1, rank, ranks)
        batches.set_length(batches.batches_in(1))
        parts.append(list(batches))
    assert len({len(part) for part in parts}) == 1
    assert sorted(index for part in parts for batch in part for _, index in batch) == list(range(len(frames)))


def test_too_few_utterances_for_the_ranks_are_an_error():
    with pytest.raises(RuntimeError, match="cannot be shared"):
        share([[0], [1], [2]], 2)


def test_a_run_is_one_sequence_that_can_be_taken_up_anywhere(frames):
    batches = TrainingBatches(lambda epoch: (range(500), frames[:500]), 2000, 1)
    total = batches.batches_in(2.5)
    batches.set_length(total)
    everything = list(batches)
    assert len(everything) == len(batches) == total
    assert [epoch for batch in everything for epoch, _ in batch[:1]] == sorted(e for b in everything for e, _ in b[:1])
    assert list(islice(batches, 7, None)) == everything[7:]
    assert batches.epoch_at(0) == 0
    assert batches.epoch_at(batches.batches_in(1)) == 1
