#!/usr/bin/env python3
"""Training rate of train.py beside the published toolkit's trainer: same model, audio, batches and threads, on a CPU.

The model is a small one whose vocabulary is widened to the published size. Both sides train on the same utterances in
the same batches, without workers, so that the audio is read and its features are made in the process that is timed.
The toolkit's side is its own train_ds with its own data set, trainer and optimizer, in an environment that has it; only
the batches are given to it, and the device, which its trainer otherwise takes to be a GPU. The first steps are a
warm-up; nobody evaluates or saves.

python benchmarks/bench_train.py --toolkit-python PYTHON
python benchmarks/bench_train.py --ours-only --freeze encoder llm
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
VOCABULARY = 151936
WARM_UP = 3
PARTS = ("data", "forward", "backward", "optimizer")
RATE = 1e-5  # of learning


class Done(Exception):
    """Enough steps."""


class Clock:
    """Seconds by part of a step, and of whole steps, after the warm-up."""

    def __init__(self, steps: int):
        self._wanted = steps
        self._steps = 0
        self.parts = dict.fromkeys(PARTS, 0.0)
        self._processor = self._started = 0.0

    def add(self, part: str, seconds: float) -> None:
        if self._steps >= WARM_UP:
            self.parts[part] += seconds

    def timed(self, part: str, function):
        """`function`, adding the time that it takes to `part`."""

        def wrapper(*args, **kwargs):
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.add(part, time.perf_counter() - start)

        return wrapper

    def step(self) -> None:
        """Called at the end of every step."""
        self._steps += 1
        if self._steps == WARM_UP:
            self._started, self._processor = time.perf_counter(), time.process_time()
        if self._steps == WARM_UP + self._wanted:
            raise Done

    def result(self) -> dict:
        clock, processor = time.perf_counter() - self._started, time.process_time() - self._processor
        return {"clock": clock, "processor": processor, **self.parts}


def build(folder: Path, data: Path) -> None:
    """The model in both layouts, and the manifest: folder/hf, folder/toolkit, folder/train.jsonl."""
    from recipe.model.network import load

    recognizer = load(ROOT / "models/tiny", "low_frame_rate")
    recognizer.model.resize_token_embeddings(VOCABULARY)
    recognizer.save(folder / "hf", {"base": None})

    def run(script: str, *arguments) -> None:
        subprocess.run([sys.executable, SCRIPTS / script, *arguments], check=True, stderr=subprocess.PIPE)

    run("convert.py", "--to", "toolkit", folder / "hf", folder / "toolkit")
    files = ["--scp-file", data / "wav.scp", "--transcript-file", data / "text", "--jsonl-file", folder / "train.jsonl"]
    run("scp2jsonl.py", *files, "--rejects-file", folder / "rejects.tsv", "--tokenizer", folder / "hf")


def ours(folder: Path, batches: list[list[int]], args: argparse.Namespace) -> dict:
    """Train with train.py's library in this process."""
    import torch

    from recipe.model import network as model
    from recipe.settings import train as settings
    from recipe.train import batching, bookkeeping, trainer
    from recipe.train import run as train
    from recipe.train.plans import EpochPlan
    from recipe.train.sets import TrainingInputs

    torch.set_num_threads(args.threads)
    clock = Clock(len(batches) - WARM_UP)

    class Timed(trainer.AsrTrainer):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.get_batch_samples = clock.timed("data", self.get_batch_samples)
            self.compute_loss = clock.timed("forward", self.compute_loss)
            self.accelerator.backward = clock.timed("backward", self.accelerator.backward)
            self._clip_grad_norm = clock.timed("optimizer", self._clip_grad_norm)

        def create_optimizer(self, *arguments):
            super().create_optimizer(*arguments)
            self.optimizer.step = clock.timed("optimizer", self.optimizer.step)
            return self.optimizer

    class Steps(bookkeeping.Bookkeeping):
        def on_step_end(self, *arguments, **options):
            clock.step()

    train.AsrTrainer, train.Bookkeeping = Timed, Steps
    ends = np.cumsum([len(batch) for batch in batches])
    starts = np.concatenate([[0], ends[:-1]])
    batching.epoch_plan = lambda *_, **__: EpochPlan(np.concatenate(batches).astype(np.int32), starts, ends, 0.0)
    chosen = settings.TrainSettings(
        max_steps=len(batches), workers=0, freeze=tuple(args.freeze), learning_rate=RATE, select="last",
        decode_utterances=0, batch_seconds=args.batch_seconds, evaluations=1,
    )  # fmt: skip
    manifest = folder / "train.jsonl"
    recognizer = model.load(folder / "hf")
    try:
        train.train(recognizer, chosen, TrainingInputs([manifest], [manifest]), folder / "model", folder / "state")
    except Done:
        return clock.result()
    raise RuntimeError("training ended too soon")


def toolkit(folder: Path, batches: list[list[int]], args: argparse.Namespace) -> dict:
    """Train with the toolkit's train_ds in this process."""
    import torch
    from funasr.bin import train_ds
    from funasr.register import tables

    torch.set_num_threads(args.threads)
    clock = Clock(len(batches) - WARM_UP)
    names = dict(zip(PARTS, ("data_load", "forward_time", "backward_time", "optim_time"), strict=True))

    class OnCpu(train_ds.Trainer):
        # train_ds sets it to the number of a GPU.
        device = property(lambda self: "cpu", lambda self, value: None)

        def log(self, loss_dict, *arguments, **options):
            super().log(loss_dict, *arguments, **options)
            expected = len(batches[loss_dict["batch_idx"]])
            if int(loss_dict["stats"]["batch_size"]) != expected:
                raise RuntimeError(f"the toolkit left utterances out of a batch of {expected}")
            for part, name in names.items():
                clock.add(part, float(loss_dict["speed_stats"][name]))
            clock.step()

    class Given:
        """The batches that the other side has."""

        def __iter__(self):
            return iter(batches)

        def __len__(self):
            return len(batches)

        def set_epoch(self, epoch):
            pass

    train_ds.Trainer = OnCpu
    tables.batch_sampler_classes["Given"] = lambda *_, **__: {"batch_sampler": Given(), "num_workers": 0}
    manifest = str(folder / "train.jsonl")
    frozen = {f"{kind}_conf": {"freeze": part in args.freeze} for kind, part in
              (("audio_encoder", "encoder"), ("audio_adaptor", "adaptor"), ("llm", "llm"))}  # fmt: skip
    options = {
        "model": str(folder / "toolkit"), "device": "cpu", "ncpu": args.threads, "disable_update": True,
        "train_data_set_list": manifest, "valid_data_set_list": manifest, "output_dir": str(folder / "toolkit-out"),
        "dataset": "FunASR",
        "dataset_conf": {"index_ds": "FunASR", "batch_sampler": "Given", "batch_type": "token", "retry": 1},
        "train_conf": {"max_epoch": 1, "log_interval": 1}, "optim": "adamw", "optim_conf": {"lr": RATE},
        "scheduler": "warmuplr", "scheduler_conf": {"warmup_steps": 10}, **frozen,
    }  # fmt: skip
    try:
        train_ds.main(**options)
    except Done:
        return clock.result()
    raise RuntimeError("training ended too soon")


def cut(folder: Path, args: argparse.Namespace) -> tuple[list[list[int]], float]:
    """The batches of both sides, and the seconds of audio in those that are timed."""
    from recipe.data import manifest
    from recipe.model.features import FRAME_SECONDS, stacked_frames
    from recipe.train import batching

    utterances = list(manifest.read(folder / "train.jsonl"))
    frames = np.array([stacked_frames(utterance.speech_length) for utterance in utterances])
    budget = int(args.batch_seconds / FRAME_SECONDS)
    plan = batching.epoch_plan(np.arange(len(frames)), frames.__getitem__, budget, 1, 0)
    batches = list(plan.batches())[: WARM_UP + args.steps]
    return batches, sum(utterances[i].duration for batch in batches[WARM_UP:] for i in batch)


def side(python: str, name: str, folder: Path, args: argparse.Namespace) -> dict:
    """Run one side as a process and read what it measured."""
    result = folder / f"{name}.json"
    command = [python, __file__, *sys.argv[1:], "--side", name, "--folder", folder]
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{name}: exit status {done.returncode}\n{done.stderr[-3000:]}")
    return json.loads(result.read_text())


def report(args: argparse.Namespace, folder: Path) -> None:
    batches, seconds = cut(folder, args)
    (folder / "batches.json").write_text(json.dumps(batches))
    sides = {"ours": sys.executable} | ({} if args.ours_only else {"toolkit": args.toolkit_python})
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, {args.threads} threads a side; {' '.join(sys.argv)}")
    print(
        f"{len(batches) - WARM_UP} steps of {args.batch_seconds:g} s, {seconds:.0f} s of audio, vocabulary "
        f"{VOCABULARY}, frozen: {' '.join(args.freeze) or 'nothing'}; best of {args.rounds}"
    )
    runs: dict[str, list[dict]] = {name: [] for name in sides}
    for _ in range(args.rounds):  # sides take turns, so that a busy machine is busy for all
        for name, python in sides.items():
            runs[name].append(side(python, name, folder, args))
    best = {name: min(found, key=lambda run: run["clock"]) for name, found in runs.items()}
    for name, cost in best.items():
        steps = len(batches) - WARM_UP
        parts = ", ".join(f"{part} {1000 * cost[part] / steps:.0f}" for part in PARTS)
        rest = 1000 * (cost["clock"] - sum(cost[part] for part in PARTS)) / steps
        print(
            f"{name:8}{seconds / cost['clock']:7.1f} s of audio a second, {seconds / cost['processor']:7.1f} by "
            f"processor time; {1000 * cost['clock'] / steps:.0f} ms a step: {parts}, other {rest:.0f}"
        )
    if "toolkit" in best:
        ratio = {what: best["toolkit"][what] / best["ours"][what] for what in ("clock", "processor")}
        print(f"ours is {ratio['clock']:.2f} x as fast by the clock, {ratio['processor']:.2f} x by processor time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data/train", help="Kaldi data directory")
    parser.add_argument("--toolkit-python", default=sys.executable, help="Python of an environment with funasr")
    parser.add_argument("--freeze", nargs="*", default=[], choices=("encoder", "adaptor", "llm"))
    parser.add_argument(
        "--batch-seconds", type=float, default=60.0, help="padded audio a batch (the toolkit's default)"
    )
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each side")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--side", choices=("ours", "toolkit"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side != "toolkit":
        sys.path.insert(0, str(SCRIPTS))
    if args.side:
        batches = json.loads((args.folder / "batches.json").read_text())
        measured = {"ours": ours, "toolkit": toolkit}[args.side](args.folder, batches, args)
        (args.folder / f"{args.side}.json").write_text(json.dumps(measured))
        return
    with tempfile.TemporaryDirectory() as name:
        build(Path(name), args.data.resolve())
        report(args, Path(name))


if __name__ == "__main__":
    main()
