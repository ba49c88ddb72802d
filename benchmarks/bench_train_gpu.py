#!/usr/bin/env python3
"""Training rate of a full-size model with random weights on one GPU: hours of audio per hour, share of peak, memory.

Sizes are those of Fun-ASR-Nano (830 M parameters). Training is the recipe's own, from its trainer down; only the data
are made up: utterances of one length with random features and 3.5 tokens of text a second, in memory, so that neither
disk nor padding counts. Modes are those that `freeze` and `cache_frozen` make. The first steps are a warm-up.

python benchmarks/bench_train_gpu.py                                  # all modes, low frame rate, 240 s a batch
python benchmarks/bench_train_gpu.py --audio-tokens full --batch-seconds 120 240 480 --modes full
python benchmarks/bench_train_gpu.py --compile --dropout 0 --batch-seconds 1920 2880
python benchmarks/bench_train_gpu.py --compile --gradient-checkpointing
python benchmarks/bench_train_gpu.py --graphs --batch-seconds 240 480 --modes full   # with --compile or without
python benchmarks/bench_train_gpu.py --small --steps 2                # a smoke test: a small model, on a CPU too
"""

import argparse
import gc
import logging
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

WARM_UP = 3
TOKENS_PER_SECOND = 3.5
PROMPT_TOKENS = 25
# Frozen parts, and whether their outputs are cached.
MODES = {
    "full": ((), False),
    "llm": (("encoder", "adaptor"), False),
    "llm-cached": (("encoder", "adaptor"), True),
    "adaptor": (("encoder", "llm"), False),
    "adaptor-cached": (("encoder", "llm"), True),
    "encoder+adaptor": (("llm",), False),
}


class Done(Exception):
    """Enough steps."""


def build(audio_tokens: str, small: bool, device: str):
    """A recognizer of the published size (transformers' default configuration), or a small one, of random weights."""
    import torch
    import transformers

    from recipe.model.network import FunAsrNanoForConditionalGeneration, Recognizer

    config = transformers.FunAsrNanoConfig(attn_implementation="sdpa")
    if small:
        config.audio_config.num_hidden_layers, config.audio_config.num_timestamp_prediction_layers = 3, 1
        config.text_config.num_hidden_layers, config.text_config.vocab_size = 2, 2000
        config.text_config.layer_types = config.text_config.layer_types[:2]
        config.audio_token_id = 1999
    torch.manual_seed(1)
    with torch.device(device):
        model = FunAsrNanoForConditionalGeneration(config)
    return Recognizer(model, None, audio_tokens, "nothing")


@dataclass
class MadeUp:
    """A training set of one utterance that comes over and over."""

    item: object
    frames: int
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, position):
        return self.item

    def plan(self, epoch: int, rows: int):
        """Its batches in an epoch, of so many rows."""
        from recipe.train.plans import EpochPlan

        starts = np.arange(0, self.count, rows)
        return EpochPlan(np.arange(self.count, dtype=np.int32), starts, starts + rows, 0.0)


def made_up(recognizer, seconds: float, rows: int, batches: int, frozen: tuple, cached: bool) -> MadeUp:
    """`batches` batches of `rows` utterances; `cached` as outputs of the frozen parts."""
    import torch

    from recipe.data.manifest import speech_length
    from recipe.model.features import FRAME_WIDTH, Item, stacked_frames
    from recipe.model.network import audio_token_count
    from recipe.text.prompt import IGNORED, Example
    from recipe.train.dataset import FrozenItem
    from recipe.train.frozen import ADAPTOR_OUTPUTS, ENCODER_OUTPUTS

    config = recognizer.model.config
    frames, text = stacked_frames(speech_length(seconds)), int(TOKENS_PER_SECOND * seconds) + 1
    audio = audio_token_count(frames, recognizer.audio_tokens)
    target = torch.randint(100, config.text_config.vocab_size - 1, (text,)).tolist()
    context = [1] * (PROMPT_TOKENS - 5) + [config.audio_token_id] * audio + [2] * 5
    example = Example(context + target, [IGNORED] * len(context) + target)
    if not cached:
        item = Item("made-up", torch.randn(frames, FRAME_WIDTH), example)
    elif "adaptor" in frozen:
        outputs = torch.randn(audio, config.adaptor_config.hidden_size)
        item = FrozenItem("made-up", outputs, example, frames, ADAPTOR_OUTPUTS)
    else:
        outputs = torch.randn(frames, config.audio_config.hidden_size)
        item = FrozenItem("made-up", outputs, example, frames, ENCODER_OUTPUTS)
    return MadeUp(item, frames, rows * batches)


def one_shape(recognizer, rows: int, frames: int, tokens: int, targets: int):
    """The ladder of a single shape: batches of so many rows, each of so many stacked frames, tokens and targets."""
    from recipe.model.network import audio_token_count
    from recipe.train.ladder import Ladder

    common = tokens - targets - audio_token_count(frames, recognizer.audio_tokens)
    return Ladder((frames,), (targets,), rows * targets, rows * frames, common, recognizer.audio_tokens)


def measure(recognizer, mode: str, batch_seconds: float, args: argparse.Namespace) -> dict:
    """What training in a mode costs a step, and makes of it."""
    import torch

    from recipe.settings import train as settings
    from recipe.train import batching, flops, trainer
    from recipe.train.arguments import precision_of, trainer_arguments
    from recipe.train.collate import CollateReadable
    from recipe.train.left_out import LeftOut
    from recipe.train.notice import Notice
    from recipe.train.plans import Plans

    frozen, cached = MODES[mode]
    chosen = settings.TrainSettings(
        freeze=frozen, cache_frozen=cached, max_steps=WARM_UP + args.steps, evaluations=1, decode_utterances=0,
        select="last", workers=args.workers, gradient_checkpointing=args.gradient_checkpointing,
        batch_seconds=batch_seconds, log_every=10_000, cuda_graphs=args.graphs,
    )  # fmt: skip
    rows = max(1, int(batch_seconds / args.seconds))
    data = made_up(recognizer, args.seconds, rows, WARM_UP + args.steps, frozen, cached)
    model = recognizer.model
    example = data.item.example
    counts = data.frames, len(example.input_ids), sum(label >= 0 for label in example.labels)
    ladder = one_shape(recognizer, rows, *counts) if args.graphs else None
    collator = CollateReadable(0, model.config.audio_token_id, ladder)
    model.freeze(set(frozen))
    on_gpu = model.device.type == "cuda"
    times, profiler = [], torch.profiler.profile()

    class Steps(trainer.transformers.TrainerCallback):
        def on_step_end(self, arguments, state, control, **kwargs):
            if state.global_step in (WARM_UP, WARM_UP + args.steps):
                if on_gpu:
                    torch.cuda.synchronize()
                times.append(time.perf_counter())
                if args.profile:
                    (profiler.start if len(times) == 1 else profiler.stop)()
            if len(times) == 2:
                raise Done

    if on_gpu:
        gc.collect()  # the optimizer of the mode before
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        plans = Plans(Path(folder), lambda epoch: data.plan(epoch, rows))
        batches = batching.TrainingBatches(plans, rows * data.frames)
        batches.set_length(WARM_UP + args.steps)
        precision = precision_of(chosen)
        arguments = trainer_arguments(chosen, Path(folder), precision)
        arguments.max_steps = WARM_UP + args.steps
        training = trainer.AsrTrainer(
            recognizer, batches, chosen, LeftOut(chosen, {}, Path(folder) / "rejects.tsv"), Notice(0), args=arguments,
            train_dataset=data, eval_dataset=data, data_collator=collator, callbacks=[Steps()],
        )  # fmt: skip
        try:
            training.train()
        except Done:
            model.zero_grad(set_to_none=True)
    seconds = (times[1] - times[0]) / args.steps
    parts = {"encoder", "adaptor", "llm"} - set(frozen)
    cached_parts = set(frozen) - {"llm"} if cached else set()
    operations = rows * flops.training(flops.forward(model.config, *counts), parts, cached_parts)
    memory = torch.cuda.max_memory_reserved() / 2**30 if on_gpu else float("nan")
    return {
        "seconds": seconds, "rate": rows * args.seconds / seconds, "tflops": operations / seconds / 1e12,
        "memory": memory, "waits": waits(profiler, args.steps) if args.profile else "",
    }  # fmt: skip


# What the profiler calls it when the CPU asks for a value, or waits until the device is through.
WAITS = ("aten::item", "aten::nonzero", "aten::is_nonzero", "aten::masked_select", "cudaStreamSynchronize",
         "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")  # fmt: skip


def waits(profiler, steps: int) -> str:
    """How often a step waits, and for how long in all, by what it waits in; a step asks once whether the one before was
    taken."""
    found = [one for one in profiler.key_averages() if one.key in WAITS]
    words = [f"{one.key} {one.count / steps:.1f} times, {one.cpu_time_total / 1000 / steps:.1f} ms" for one in found]
    return "; ".join(words) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--audio-tokens", choices=("low_frame_rate", "full"), default="low_frame_rate")
    parser.add_argument("--batch-seconds", type=float, nargs="+", default=[240.0], help="audio a batch")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of an utterance")
    parser.add_argument("--workers", type=int, default=4, help="processes that make batches")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed")
    parser.add_argument("--peak", type=float, default=790.0, help="TFLOP/s of bf16 that the GPU reaches (H200: 790)")
    parser.add_argument("--dropout", type=float, help="of the encoder (default: the published model's 0.1)")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--static", action="store_true", help="with --compile: for one shape, not for any")
    parser.add_argument(
        "--compile-mode", help="with --compile: torch.compile's mode, reduce-overhead for its own graphs"
    )
    parser.add_argument("--graphs", action="store_true", help="steps recorded and replayed (cuda_graphs)")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--profile", action="store_true", help="say what makes the CPU wait")
    parser.add_argument("--small", action="store_true", help="a small model, to see whether this runs")
    args = parser.parse_args()
    import torch
    import transformers

    from recipe.train import compiled

    # What comes of --graphs.
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logging.getLogger("recipe.train.recorded").setLevel(logging.INFO)
    on_gpu = torch.cuda.is_available()
    if not on_gpu and not args.small:
        sys.exit("bench_train_gpu.py: no GPU here; --small runs on a CPU")
    if not on_gpu:
        args.workers = 0  # a small model needs the cores itself
    recognizer = build(args.audio_tokens, args.small, "cuda" if on_gpu else "cpu")
    if args.dropout is not None:
        recognizer.model.set_dropout(args.dropout)
    if args.gradient_checkpointing:
        recognizer.model.gradient_checkpointing_enable()
    if args.compile:
        compiled.compile_layers(recognizer.model, dynamic=not args.static, mode=args.compile_mode)
    device = torch.cuda.get_device_name() if on_gpu else "CPU"
    print(f"{device}, torch {torch.__version__}, transformers {transformers.__version__}; {' '.join(sys.argv)}")
    print(
        f"{recognizer.model.num_parameters() / 1e6:.0f} M parameters, {args.audio_tokens}, utterances of "
        f"{args.seconds:g} s; share of {args.peak:g} TFLOP/s"
    )
    for mode in args.modes:
        for batch_seconds in args.batch_seconds:
            try:
                found = measure(recognizer, mode, batch_seconds, args)
            except torch.OutOfMemoryError:
                print(f"{mode:15} {batch_seconds:5g} s a batch: out of memory")
                continue
            print(
                f"{mode:15} {batch_seconds:5g} s a batch: {1000 * found['seconds']:7.1f} ms a step, "
                f"{found['rate']:7.0f} h/h, {found['tflops']:6.1f} TFLOP/s, {found['tflops'] / args.peak:6.1%} of "
                f"peak, {found['memory']:6.1f} GiB"
            )
            if args.profile:
                print(f"{mode:15} {batch_seconds:5g} s a batch: a step waits in {found['waits']}")


if __name__ == "__main__":
    main()
