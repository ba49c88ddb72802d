"""Training by several processes of one machine on a million packed utterances: killed, told to end, going on."""

import os
import shutil
import signal
import sys
from pathlib import Path

import large
import pytest
from conftest import ROOT
from safetensors.torch import load_file

from recipe.files import read_json, write_json

sys.path.insert(0, str(ROOT / "benchmarks"))
from bench_scale import memory_of

pytestmark = pytest.mark.slow
nothing_left = large.nothing_left
PROCESSES = [2, 4]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return large.make(tmp_path_factory.mktemp("corpus"))


def started(corpus, folder, processes, **changes):
    """A training by so many processes, with as many batches a step in all."""
    words = large.flags(corpus, folder, accumulate=large.BATCHES // processes, **changes)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return large.Started([sys.executable, *(torchrun if processes > 1 else []), *words], folder / "log")


@pytest.fixture(scope="module")
def without_dropout(corpus, tmp_path_factory):
    """Weights after four steps, by the number of processes: dropout would be drawn by each of them. The setting is the
    encoder's; the adaptor's is what its model says."""
    model = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(ROOT / "models/tiny", model)
    config = read_json(model / "config.json")
    config["adaptor_config"] |= {"attention_dropout": 0.0, "hidden_dropout": 0.0}
    write_json(model / "config.json", config)
    found = {}
    for processes in (1, *PROCESSES):
        folder = tmp_path_factory.mktemp(f"by{processes}") / "run"
        assert started(corpus, folder, processes, model=model, dropout=0.0, max_steps=4, evaluations=1).ended() == 0
        found[processes] = load_file(folder / "model/model.safetensors")
    return found


def until_first_step(training):
    """Seconds until a training's first step; of each process, seconds of the processor and private memory in MiB."""
    seconds = training.until(r"step 1/")
    pids = [pid for _, pid in sorted(training.ranks().items())]
    return seconds, [processor_seconds(pid) for pid in pids], [memory_of(pid) for pid in pids]


def processor_seconds(pid):
    """Seconds of the processor that a process has had."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("processes", PROCESSES)
def test_a_million_utterances_take_no_more_memory_than_some(corpus, processes, tmp_path):
    """In any process, when the first step is done; the first keeps up to 61 MiB of planning (docs/scale.md)."""
    private = {}
    for name, train in (("48", corpus.valid), ("a million", corpus.train)):
        training = started(large.Corpus(train, corpus.valid), tmp_path / name, processes, max_steps=1, evaluations=1)
        seconds, processor, private[name] = until_first_step(training)
        assert training.ended() == 0
        own = ", ".join(f"{used:.1f} s {size:.0f} MiB" for used, size in zip(processor, private[name], strict=True))
        print(f"{processes} processes, {name} utterances: first step after {seconds:.0f} s; of the processor: {own}")
    assert len(private["48"]) == processes
    assert all(many - some < 100 for some, many in zip(*private.values(), strict=True))


@pytest.mark.parametrize("processes", PROCESSES)
def test_killed_and_told_to_end_they_end_with_the_same_weights(corpus, processes, tmp_path):
    assert started(corpus, tmp_path / "calm", processes).ended() == 0

    folder = tmp_path / "killed"
    killed = started(corpus, folder, processes)
    killed.until(r"step 6/")
    os.kill(killed.ranks()[processes - 1], signal.SIGKILL)
    assert killed.ended() != 0
    assert large.steps_kept(folder)[-1] in (4, 8)

    told = started(corpus, folder, processes)
    told.until(r"step 10/")
    os.kill(told.process.pid, signal.SIGTERM)
    assert told.ended() != 0
    assert "going on from" in told.text and "ended by SIGTERM after step" in told.text
    assert large.steps_kept(folder)[-1] >= 10

    assert started(corpus, folder, processes).ended() == 0
    assert large.results(folder) == large.results(tmp_path / "calm")


@pytest.mark.parametrize("processes", PROCESSES)
def test_they_train_as_one_process_does_with_as_many_batches(without_dropout, processes):
    one, several, start = (
        without_dropout[1],
        without_dropout[processes],
        load_file(ROOT / "models/tiny/model.safetensors"),
    )
    moved = sum(float((one[name] - start[name]).square().sum()) for name in one)
    apart = sum(float((one[name] - several[name]).square().sum()) for name in one)
    print(f"{processes} processes: {(apart / moved) ** 0.5:.1e} of the way apart from one")
    assert 0 < apart < 0.01**2 * moved
