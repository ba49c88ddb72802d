#!/usr/bin/env python3
"""What a large corpus costs a training run, with audio that is not there: memory of all processes, time to begin.

A manifest of made-up utterances is written with its index, as the data stage does. `start` measures what a run does
between loading the model and its first step, and what one does that goes on late. `memory` has processes and their
reading workers go through one epoch, without network and with silence for audio, and measures each as they go.

python benchmarks/bench_scale.py start --utterances 10000000
python benchmarks/bench_scale.py memory --utterances 3000000
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
MIB = 2**20
WORDS = "lights kitchen music volume window garden report weather station morning evening please open close start stop"


def write_corpus(path: Path, count: int) -> None:
    """A manifest of `count` utterances of 6 s about, of two languages, and its index."""
    from recipe.data.index_writer import Indexed, IndexWriter, beside
    from recipe.data.manifest import Utterance, speech_length

    random = np.random.default_rng(1)
    words = WORDS.split()
    with open(path, "wb") as file, IndexWriter(beside(path)) as index:
        offset = 0
        for start in range(0, count, 100_000):
            seconds = random.lognormal(np.log(5.5), 0.4, min(100_000, count - start)).clip(0.5, 30).round(4).tolist()
            chosen = random.integers(len(words), size=(len(seconds), 5)).tolist()
            for number, (length, some) in enumerate(zip(seconds, chosen, strict=True), start):
                text = " ".join(
                    [*(words[i] for i in some), f"name{'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10 % 10]}"]
                )
                frames = speech_length(length)
                key, language = f"speaker{number % 1000:04d}-{number:09d}", ("en", "zh")[number % 2]
                source = f"/corpora/large/wav/{number % 1000:04d}/{key}.flac"
                prompt = ("语音转写成英文：", "语音转写成中文：")[number % 2]
                one = Utterance(key, source, prompt, text, frames, 9, length, speaker=key[:11], language=language)
                head, tail = one.fragments()
                line = f"{head}9{tail}\n".encode()
                index.add(offset, Indexed(key, frames, 9, prompt, "", length, language))
                file.write(line)
                offset += len(line)
        file.flush()
        index.finish(path)


def memory_of(pid: int | str = "self", kind: str = "Private_") -> float:
    """Memory of a process in MiB: what no other process shares, or of another kind of /proc/PID/smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def own_memory() -> float:
    """Memory of this process that is no file's, in MiB, shared with workers that it began or not."""
    return memory_of(kind="Anonymous")


class Run:
    """A run up to its batches, as train.py begins it; `seconds` of the processor (all threads) by what was done."""

    def __init__(self, folder: Path, manifest: Path, epochs: int, augmented: bool = True):
        from recipe.model import network
        from recipe.settings.train import AugmentSettings, HotwordSettings, TrainSettings
        from recipe.train import run
        from recipe.train.sets import TrainingInputs, read_sets

        recognizer = network.load(ROOT / "models/tiny")
        augment = AugmentSettings(speeds=(0.9, 1.0, 1.1), hotwords=HotwordSettings(share=0.3)) if augmented else None
        settings = TrainSettings(epochs=epochs, batch_seconds=240.0, augment=augment or AugmentSettings())
        inputs = TrainingInputs([manifest], [folder / "valid.jsonl"])
        state = folder / "state"
        state.mkdir(exist_ok=True)
        self.seconds: dict[str, float] = {}
        self._clock = time.process_time()
        self.base = own_memory()
        begun = run.told_by_first(lambda: run._begin(recognizer, settings, inputs, folder / "model", state))
        self._done("hashes and indexes")
        sets = read_sets(recognizer, settings, inputs, begun[0], folder / "rejects.tsv", state / run.SETS)
        self.train_set = sets[0]
        self._done("sets and hotwords")
        self.batches = run._batches(self.train_set, inputs, settings, 4000, state)
        self.batches.set_length(self.batches.batches_in(epochs))
        self._done(f"plans of {epochs} epochs")
        self.pad_id = recognizer.tokenizer.pad_token_id

    def _done(self, what: str) -> None:
        now = time.process_time()
        self.seconds[what] = now - self._clock
        self._clock = now

    def first_batch(self) -> None:
        next(batch for batch in self.batches if batch)
        self._done("first batch")


def start(args: argparse.Namespace, folder: Path, manifest: Path) -> None:
    """Processor seconds until the first step of a new run, and of one that goes on near its end."""
    for name, share in (("begun", 0.0), ("goes on late", 0.95)):
        run = Run(folder, manifest, args.epochs)
        run.batches.done = int(share * run.batches.length)
        run.first_batch()
        parts = ", ".join(f"{what} {seconds:.2f}" for what, seconds in run.seconds.items())
        print(f"{args.utterances} utterances, {name}: {sum(run.seconds.values()):.1f} s of processor ({parts})")


def memory(args: argparse.Namespace, folder: Path, manifest: Path) -> None:
    """Private memory of all processes in an epoch."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(args.ranks)]
    command += [__file__, "rank", "--folder", str(folder), "--workers", str(args.workers)]
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environ)
    for rank in range(args.ranks):
        found = json.loads((folder / f"memory-{rank}.json").read_text())
        for process, values in found.items():
            print(f"rank {rank} {process}: " + " ".join(f"{value:.0f}" for value in values))


def rank(args: argparse.Namespace, folder: Path, manifest: Path) -> None:
    """One process of `memory`: its private memory, above what it had with the model loaded, and its workers', in MiB at
    each tenth of the epoch."""
    import torch

    from recipe.train.collate import CollateReadable
    from recipe.train.dataset import Utterances
    from recipe.train.processes import sharing_memory

    torch.distributed.init_process_group("gloo")
    silence = torch.zeros(1, 560)
    Utterances._features = lambda self, epoch, index, utterance: silence
    run = Run(folder, manifest, 1)
    loader = torch.utils.data.DataLoader(
        run.train_set, batch_sampler=run.batches, collate_fn=CollateReadable(run.pad_id, 0), num_workers=args.workers
    )
    names = ["above its base", *(f"worker {number}" for number in range(args.workers))]
    found: dict[str, list[float]] = {name: [] for name in names}
    total = len(run.batches)
    with sharing_memory():
        iterator = iter(loader)
        for number, _ in enumerate(iterator, 1):
            if number * 10 // total > (number - 1) * 10 // total and number < total:
                values = [own_memory() - run.base, *(memory_of(worker.pid) for worker in iterator._workers)]
                for name, value in zip(names, values, strict=True):
                    found[name].append(round(value, 1))
                (folder / f"memory-{os.environ['RANK']}.json").write_text(json.dumps(found))
    torch.distributed.barrier()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["start", "memory", "rank"])
    parser.add_argument("--utterances", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the corpus is kept, or is from an earlier call")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recipe-") as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if args.what != "rank" and not (folder / "train.jsonl").is_file():
            write_corpus(folder / "valid.jsonl", 1000)
            write_corpus(folder / "train.jsonl", args.utterances)
        {"start": start, "memory": memory, "rank": rank}[args.what](args, folder, folder / "train.jsonl")


if __name__ == "__main__":
    main()
