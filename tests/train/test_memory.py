"""Memory of training processes and of those that read for them, which does not go by the size of the corpus."""

import gc
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from recipe.train.processes import sharing_memory

sys.path.insert(0, str(ROOT / "benchmarks"))
from bench_scale import memory_of


def measured(folder, utterances, ranks, workers):
    """Memory in MiB of each process at nine places of an epoch: of ranks above what they had with the model loaded, of
    workers all that is theirs alone."""
    command = [sys.executable, ROOT / "benchmarks/bench_scale.py", "memory", "--folder", folder]
    options = {"--utterances": utterances, "--ranks": ranks, "--workers": workers}
    command += [part for pair in options.items() for part in pair]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads((folder / f"memory-{rank}.json").read_text()) for rank in range(ranks)]
    assert all(len(values) == 9 for one in found for values in one.values())
    assert all(len(one) == 1 + workers for one in found)
    return found


@pytest.mark.slow
def test_it_is_flat(tmp_path):
    """Fifty thousand utterances as objects would be 40 MiB in each."""
    [found] = measured(tmp_path, 50_000, 1, 1)
    own, worker = found["above its base"], found["worker 0"]
    assert max(own) < 15 and max(own) - min(own) < 5
    assert max(worker) < 60 and worker[-1] - worker[4] < 10


@pytest.mark.slow
def test_it_is_flat_with_three_million(tmp_path):
    for found in measured(tmp_path, 3_000_000, 2, 2):
        for values in found.values():
            assert max(values) < 150 and values[-1] - values[0] < 15


def test_garbage_collection_of_a_reader_copies_nothing():
    objects = [[number] for number in range(500_000)]
    read, write = os.pipe()
    with sharing_memory():
        pid = os.fork()
        if not pid:
            before = memory_of()
            gc.collect()
            os.write(write, f"{memory_of() - before}".encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert float(os.read(read, 100)) < 5
    assert len(objects) == 500_000
