"""Batches: everything once, within the budget, little padding, the same for the same seed; planned ahead and kept."""

import time

import numpy as np
import pytest

from recipe.model.batches import batch_by_size, padding_share
from recipe.model.features import FRAME_SECONDS
from recipe.train.batching import POOL_BATCHES, RUN, TrainingBatches, epoch_plan
from recipe.train.plans import Plans


@pytest.fixture(scope="module")
def frames():
    """Stacked frames of 20,000 utterances of 1-30 s, log-normal around 6 s."""
    seconds = np.random.default_rng(0).lognormal(np.log(6), 0.7, 20000).clip(1, 30)
    return (seconds / FRAME_SECONDS).astype(int)


def planned(frames, budget=2000, seed=1, epoch=0, ranks=1, shuffle="full"):
    """The plan of an epoch that has every utterance once."""
    return epoch_plan(np.arange(len(frames)), frames.__getitem__, budget, seed, epoch, ranks, shuffle)


def batches_of(*arguments, **options):
    return list(planned(*arguments, **options).batches())


def one_by_one(frames, budget, seed, epoch, ranks):
    """The same batches as they are described, utterance by utterance: what every release has trained on."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(frames))
    pool = max(1, int(POOL_BATCHES * budget / max(1.0, np.mean(frames))))
    pools = [sorted(order[start : start + pool], key=lambda i: frames[i]) for start in range(0, len(order), pool)]
    batches = [batch for one in pools for batch in batch_by_size(one, frames, budget)]
    random.shuffle(batches)
    while len(batches) % ranks:
        largest = max(range(len(batches)), key=lambda i: (len(batches[i]), -i))
        batch = batches.pop(largest)
        batches[largest:largest] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    return batches


class TestEpoch:
    @pytest.mark.parametrize("ranks", [1, 3, 8])
    @pytest.mark.parametrize("budget", [600, 2000, 50000])
    @pytest.mark.parametrize("count", [50, 1000, 20000])
    def test_batches_are_those_of_utterance_by_utterance(self, frames, count, budget, ranks):
        expected = one_by_one(frames[:count].tolist(), budget, 7, count % 11, ranks)
        assert batches_of(frames[:count], budget, 7, count % 11, ranks) == expected

    def test_every_utterance_is_in_it_exactly_once(self, frames):
        batches = batches_of(frames, epoch=3)
        assert sorted(i for batch in batches for i in batch) == list(range(len(frames)))

    def test_an_utterance_that_comes_twice_is_in_it_twice(self, frames):
        often = np.repeat(np.arange(100), 2)
        batches = list(epoch_plan(often, frames.__getitem__, 2000, 1, 0).batches())
        assert sorted(i for batch in batches for i in batch) == often.tolist()

    def test_no_batch_is_over_the_budget(self, frames):
        assert all(len(b) * max(frames[b]) <= 2000 for b in batches_of(frames))

    def test_an_utterance_over_the_budget_is_a_batch_of_its_own(self):
        assert sorted(batches_of(np.array([5, 500, 5]), 100)) == [[0, 2], [1]]
        assert batch_by_size([0, 1, 2], [5, 500, 5], 100) == [[0], [1], [2]]

    def test_padding_is_under_five_percent_and_counted(self, frames):
        plan = planned(frames)
        assert plan.padding == pytest.approx(padding_share(list(plan.batches()), frames.tolist()))
        assert 0 < plan.padding < 0.05

    def test_steps_mix_lengths(self, frames):
        """Neighbouring batches are of unrelated lengths: no ramp from short to long."""
        longest = [max(frames[batch]) for batch in batches_of(frames)]
        correlation = np.corrcoef(longest[:-1], longest[1:])[0, 1]
        assert abs(correlation) < 0.1

    def test_seed_and_epoch_decide_the_order(self, frames):
        assert batches_of(frames) == batches_of(frames)
        assert batches_of(frames) != batches_of(frames, epoch=1)
        assert batches_of(frames) != batches_of(frames, seed=2)

    def test_too_few_utterances_for_the_ranks_are_an_error(self):
        with pytest.raises(RuntimeError, match="cannot be shared"):
            planned(np.array([10, 10, 10]), 10, ranks=2)


def runs_at_a_time(batches):
    """The most blocks of RUN utterances that any 50 batches, about a pool, have utterances of."""
    return max(len({i // RUN for batch in batches[at : at + 50] for i in batch}) for at in range(0, len(batches), 50))


class TestChunks:
    @pytest.mark.parametrize("ranks", [1, 3, 8])
    @pytest.mark.parametrize("count", [1, 50, 101, 20000])
    def test_every_utterance_is_in_an_epoch_once_and_no_batch_over_the_budget(self, frames, count, ranks):
        if count < ranks:
            pytest.skip("too few")
        batches = batches_of(frames[:count], epoch=3, ranks=ranks, shuffle="chunks")
        assert sorted(i for batch in batches for i in batch) == list(range(count))
        assert all(len(b) * max(frames[b]) <= 2000 for b in batches)
        assert len(batches) % ranks == 0

    def test_an_utterance_that_comes_twice_is_in_it_twice_and_one_of_no_weight_never(self, frames):
        some = np.repeat(np.arange(0, 3000, 3), 2)
        batches = list(epoch_plan(some, frames.__getitem__, 2000, 1, 0, shuffle="chunks").batches())
        assert sorted(i for batch in batches for i in batch) == some.tolist()

    @pytest.mark.parametrize("ranks", [1, 4])
    def test_a_rank_reads_a_few_runs_of_neighbours_at_a_time(self, frames, ranks):
        batches = batches_of(frames, ranks=ranks, shuffle="chunks")
        pool = int(POOL_BATCHES * 2000 / frames.mean())
        for rank in range(ranks):
            # A run touches two blocks of RUN, and fifty batches two pools, and the end of another rank's.
            assert runs_at_a_time(batches[rank::ranks]) <= 2 * 3 * (pool / RUN + 1)
        assert runs_at_a_time(batches_of(frames)) > 150

    def test_padding_is_that_of_a_full_shuffle_and_steps_mix_lengths(self, frames):
        plan, full = planned(frames, shuffle="chunks"), planned(frames)
        assert plan.padding == pytest.approx(padding_share(list(plan.batches()), frames.tolist()))
        assert plan.padding == pytest.approx(full.padding, abs=0.01)
        longest = [max(frames[batch]) for batch in plan.batches()]
        assert abs(np.corrcoef(longest[:-1], longest[1:])[0, 1]) < 0.1

    def test_seed_and_epoch_decide_the_order_and_which_are_neighbours(self, frames):
        chunks = {"shuffle": "chunks"}
        assert batches_of(frames, **chunks) == batches_of(frames, **chunks)
        different = [batches_of(frames, **chunks, **other) for other in ({}, {"epoch": 1}, {"seed": 2})]
        first = [sorted(i for batch in batches[:POOL_BATCHES] for i in batch) for batches in different]
        assert first[0] != first[1] != first[2] != first[0]
        # A run begins elsewhere in each epoch.
        begins = [min(i % RUN for i in some if i - 1 not in some) for some in first]
        assert len(set(begins)) == 3


class TestRun:
    @pytest.fixture
    def plans(self, frames, tmp_path):
        """Opens the plans of 500 utterances, as the first process or another; `made` lists what is planned."""

        def opened(first=True, ranks=1):
            def make(epoch):
                opened.made.append(epoch)
                return planned(frames[:500], epoch=epoch, ranks=ranks)

            return Plans(tmp_path, make if first else None)

        opened.made = []
        return opened

    @pytest.mark.parametrize("ranks", [1, 2, 4])
    def test_ranks_share_an_epoch_without_loss_or_repetition(self, plans, ranks):
        parts = []
        for rank in range(ranks):
            batches = TrainingBatches(plans(rank == 0, ranks), 2000, rank, ranks)
            batches.set_length(batches.batches_in(1))
            parts.append(list(batches))
        assert len({len(part) for part in parts}) == 1
        assert sorted(index for part in parts for batch in part for _, index in batch) == list(range(500))
        assert plans.made == [0]

    def test_it_is_one_sequence_that_can_be_taken_up_anywhere(self, frames, plans):
        batches = TrainingBatches(plans(), 2000)
        total = batches.batches_in(2.5)
        batches.set_length(total)
        everything = list(batches)
        assert len(everything) == len(batches) == total
        assert [batch[0][0] for batch in everything] == sorted(batch[0][0] for batch in everything)
        expected = [batch for epoch in range(3) for batch in batches_of(frames[:500], epoch=epoch)]
        assert [[index for _, index in batch] for batch in everything] == expected[:total]
        assert batches.epoch_at(0) == 0
        assert batches.epoch_at(batches.batches_in(1)) == 1
        assert batches.epoch_at(total) == pytest.approx(2.5, abs=0.05)
        assert batches.epoch_at(batches.batches_in(3)) == 3 and 3 not in plans.made
        for done in (7, batches.batches_in(1), total - 1):
            batches = TrainingBatches(plans(), 2000)
            batches.set_length(total)
            batches.done = done
            assert list(batches) == [[]] * done + everything[done:]

    def test_what_is_done_is_not_planned_again(self, plans):
        first = plans()
        first.count(13)
        assert plans.made == list(range(13))
        batches = TrainingBatches(plans(), 2000)
        batches.set_length(batches.batches_in(13))
        batches.done = batches.batches_in(10) + 5
        plans.made.clear()
        assert batches.epoch_at(batches.done) > 10
        assert len(list(batches)) == batches.length and plans.made == [10, 11, 12]

    def test_the_next_epoch_is_planned_while_one_is_in_use(self, plans, tmp_path):
        batches = TrainingBatches(plans(), 2000)
        batches.set_length(batches.batches_in(1) * 20)
        last = 19
        for batch in batches:
            epoch = batch[0][0]
            deadline = time.monotonic() + 60
            while epoch < last and not (tmp_path / f"epoch-{epoch + 1}").is_file() and time.monotonic() < deadline:
                time.sleep(0.01)  # nobody asks for it yet
            there = {int(file.name.partition("-")[2]) for file in tmp_path.glob("epoch-*")}
            assert there == set(range(max(0, epoch - 1), min(last, epoch + 1) + 1))
        assert epoch == last

    def test_what_slower_processes_have_yet_to_open_is_kept(self, frames, tmp_path):
        """Otherwise they would wait for it forever: readers of the first one are several short epochs ahead."""
        ahead = 10 * 4
        first = Plans(tmp_path, lambda epoch: planned(frames[:30], epoch=epoch, ranks=4), ahead)
        batches = TrainingBatches(first, 2000, 0, 4)
        batches.set_length(100)
        taken = iter(batches)
        for number in range(60):
            epoch = next(taken)[0][0]
            slowest = int(batches.epoch_at(max(0, number - 9)))
            assert all((tmp_path / f"epoch-{one}").is_file() for one in range(slowest, epoch + 1))
        assert slowest < epoch - 1 and not (tmp_path / "epoch-0").exists()

    def test_an_epoch_that_cannot_be_planned_is_an_error_where_it_is_used(self, frames, tmp_path):
        def make(epoch):
            if epoch == 1:
                raise OSError("no space left on device")
            return planned(frames[:500], epoch=epoch)

        batches = TrainingBatches(Plans(tmp_path, make), 2000)
        batches.set_length(1000)
        taken = iter(batches)
        assert next(taken)[0][0] == 0
        with pytest.raises(OSError, match="no space left"):
            list(taken)
