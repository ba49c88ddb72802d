"""Training by two hosts, of which one is cut off and comes back."""

import sys
import time

import hosts
import large
import pytest

pytestmark = pytest.mark.slow
nothing_left = large.nothing_left
TIMEOUT = 120  # seconds: the other process waits as long while the first one prepares


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    hosts.skip_unless_possible()
    return large.make(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def two():
    with hosts.two() as both:
        yield both


def started(two, corpus, folder):
    """A torchrun on each host, which meet at the first one."""
    trainer = {"use_cpu": True, "ddp_timeout": TIMEOUT}
    words = large.flags(corpus, folder, accumulate=large.BATCHES // 2, trainer=trainer)
    meet = ["--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", f"{two[0].name}:29500"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *meet]
    return [
        large.Started(
            host.words(["env", f"GLOO_SOCKET_IFNAME={host.interface}", *torchrun, *words]), folder / f"log.{host.name}"
        )
        for host in two
    ]


@pytest.fixture(scope="module")
def calm(two, corpus, tmp_path_factory):
    """What an undisturbed run gives."""
    folder = tmp_path_factory.mktemp("calm") / "run"
    assert [one.ended() for one in started(two, corpus, folder)] == [0, 0]
    return large.results(folder)


def test_a_host_that_is_cut_off_is_named_and_the_same_command_goes_on(two, corpus, calm, tmp_path):
    folder = tmp_path / "cut"
    first, second = started(two, corpus, folder)
    first.until(r"step 6/")
    two[1].unplug()
    try:
        second.until("error: process 1 on asr-second: no answer from process 0 on asr-first")
        first.until("error: process 0 on asr-first: no answer from process 1 on asr-second")
        assert first.ended() != 0
    finally:
        two[1].plug_in()
    # Its torchrun waits for the first host's until it finds that gone; without a network for a quarter of an hour.
    assert second.ended() != 0
    assert large.steps_kept(folder)[-1] in (4, 8)

    again = started(two, corpus, folder)
    assert [one.ended() for one in again] == [0, 0]
    assert "going on from" in again[0].text
    assert large.results(folder) == calm


def test_one_that_is_back_in_time_is_waited_for(two, corpus, calm, tmp_path):
    folder = tmp_path / "waited"
    both = started(two, corpus, folder)
    both[0].until(r"step 6/")
    two[1].unplug()
    time.sleep(20)
    assert "step 8/" not in both[0].text
    two[1].plug_in()
    assert [one.ended() for one in both] == [0, 0]
    assert large.results(folder) == calm
