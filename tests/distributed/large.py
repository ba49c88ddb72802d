"""A packed corpus of a million utterances, made in seconds of few recordings, and trainings on it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from conftest import ROOT

from recipe.data import manifest
from recipe.data.index_writer import Indexed, IndexWriter, beside
from recipe.data.shards import listing
from recipe.files import sha256
from recipe.train.checkpoints import COMPLETE

UTTERANCES = 1_000_000
BATCHES = 4  # a step, of all processes
# Dropout, masks and speeds are drawn anew in each step: a run that goes on wrongly ends with other weights.
SETTINGS = {
    "max_steps": 12, "learning_rate": 1e-3, "batch_seconds": 8.0, "evaluations": 3, "log_every": 1, "workers": 0,
    "decode_utterances": 4, "select": "last", "augment": {"speeds": [0.9, 1.0, 1.1], "frequency_masks": 1},
    "trainer": {"use_cpu": True},
}  # fmt: skip
STEPS = SETTINGS["max_steps"]


def script(name, flags):
    """Run a stage with flags by their names."""
    words = [sys.executable, ROOT / "scripts" / name, *(word for pair in flags.items() for word in pair)]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Corpus:
    """Packed manifests."""

    train: Path
    valid: Path


def make(folder, data=ROOT / "data/valid", model=ROOT / "models/tiny", utterances=UTTERANCES):
    """The recordings of a data directory in two shards, and a packed manifest that names them again and again."""
    small, packed = folder / "small.jsonl", folder / "valid.jsonl"
    tables = {"--scp-file": data / "wav.scp", "--transcript-file": data / "text", "--tokenizer": model}
    script("scp2jsonl.py", {**tables, "--jsonl-file": small, "--rejects-file": folder / "small.tsv"})
    source = subprocess.check_output(["du", "-sbL", data / "wav"], text=True)
    half = int(source.split()[0]) / 2e6 + 0.01
    places = {"--shards-dir": folder / "shards", "--packed-file": packed, "--rejects-file": folder / "packed.tsv"}
    script("pack.py", {"--jsonl-file": small, **places, "--shard-megabytes": half})
    assert len([*(folder / "shards").glob("*.tar")]) == 2
    large = folder / "train.jsonl"
    repeat(list(manifest.read(packed)), large, utterances)
    listing(large).write_bytes(listing(packed).read_bytes())
    return Corpus(large, packed)


def repeat(some, path, count):
    """A manifest of `count` lines, with its index: the utterances again and again, with keys of their own."""
    lines, contexts = [], []
    for one in some:
        head, tail = one.fragments()
        assert tail.count(one.key) == 1
        lines.append(f"{head}{one.text_length}{tail}\n".replace(f'"key": "{one.key}"', '"key": "%s"'))
        contexts.append((one.speech_length, one.text_length, one.prompt, one.after, one.duration, one.language))
    with open(path, "wb") as file, IndexWriter(beside(path)) as index:
        offset = 0
        for number in range(count):
            key = f"utterance-{number:09d}"
            index.add(offset, Indexed(key, *contexts[number % len(some)]))
            line = lines[number % len(some)].replace("%s", key).encode()
            file.write(line)
            offset += len(line)
        file.flush()
        index.finish(path)


def flags(corpus, folder, model=ROOT / "models/tiny", **changes):
    """What scripts/train.py is told; its settings are written to the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "run.yaml").write_text(yaml.safe_dump(SETTINGS | changes))
    words = ["--config", folder / "run.yaml", "--train-jsonl", corpus.train, "--valid-jsonl", corpus.valid]
    words += ["--model", model, "--output-dir", folder / "model", "--state-dir", folder / "state"]
    return list(map(str, [ROOT / "scripts/train.py", *words, "--threads", 1, "--checkpoint-minutes", 0]))


SECONDS = 1800  # that anything may take, on a busy machine too


class Started:
    """A process at work, whose output goes to a file that others may append to as well."""

    running: ClassVar[list["Started"]] = []

    def __init__(self, words, log, **options):
        self.log, self.begun = log, time.monotonic()
        environ = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with open(log, "a") as file:
            self._before = file.tell()
            self.process = subprocess.Popen(words, stdout=file, stderr=file, env=environ, **options)
        self.running.append(self)

    @property
    def text(self):
        """What it has said."""
        return self.log.read_text()[self._before :]

    def until(self, said, seconds=SECONDS):
        """Wait for what a regular expression finds in its log; returns the seconds since the start."""
        while not re.search(said, self.text):
            assert self.process.poll() is None, f"ended without {said!r}:\n{self.text[-5000:]}"
            assert time.monotonic() < self.begun + seconds, f"no {said!r} in {seconds} s:\n{self.text[-5000:]}"
            time.sleep(0.02)
        return time.monotonic() - self.begun

    def ended(self, seconds=SECONDS):
        """Wait for its end; returns its exit status."""
        return self.process.wait(seconds)

    def stop(self):
        """Kill it, and all that it began."""
        for pid in [*descendants(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def ranks(self):
        """Process of each rank, by its number: children of torchrun (or of what it was started by), or itself."""
        found = {}
        for pid in descendants(self.process.pid):
            try:
                environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except FileNotFoundError:
                continue
            numbers = [int(word[5:]) for word in environ if word.startswith(b"RANK=")]
            if numbers and b"train.py" in command:
                found.setdefault(numbers[0], pid)
        return found


@pytest.fixture(autouse=True)
def nothing_left():
    """End what a failed test leaves at work; for modules that have this as one of their names."""
    yield
    while Started.running:
        Started.running.pop().stop()


def descendants(pid):
    """All children of a process, and theirs, those nearer first."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    own = list(map(int, children.read_text().split())) if children.exists() else []
    return own + [further for child in own for further in descendants(child)]


def steps_kept(folder):
    """Steps of the whole checkpoints."""
    return sorted(int(mark.parent.name.rpartition("-")[2]) for mark in folder.glob(f"state/checkpoint-*/{COMPLETE}"))


def results(folder):
    """What a run is judged by: its weights, evaluations and logged losses, by step."""
    history = json.loads((folder / "model/history.json").read_text())
    told = [{name: value for name, value in entry.items() if name in TOLD} for entry in history]
    return sha256(folder / "model/model.safetensors"), [entry for entry in told if len(entry) > 1]


TOLD = {"step", "loss", "grad_norm", "learning_rate", "eval_loss", "eval_cer"}
