#!/usr/bin/env python3
"""What batches of few shapes cost in padding: with `cuda_graphs` and without, by the plans of three epochs; on a CPU.

Of the bundled training set, or of made-up utterances: 1 to 30 s, log-normal around 6 s (deviation 0.7 of the
logarithm), 3.5 tokens of text a second (deviation 0.8).

python benchmarks/bench_padding.py --batch-seconds 60 120                     # the bundled corpus, bundled model
python benchmarks/bench_padding.py --made-up 20000 --batch-seconds 120 240 480 960
"""

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
COMMON_TOKENS = 25
EPOCHS = 3


def bundled(folder: Path):
    """The bundled training set, as training has it."""
    from recipe.data import index
    from recipe.model import network
    from recipe.settings.train import TrainSettings
    from recipe.train.dataset import Utterances
    from recipe.train.fitting import tables

    data, manifest = ROOT / "data/train", folder / "train.jsonl"
    subprocess.run(
        [sys.executable, ROOT / "scripts/scp2jsonl.py", "--scp-file", data / "wav.scp", "--transcript-file",
         data / "text", "--jsonl-file", manifest, "--rejects-file", folder / "rejects.tsv", "--tokenizer",
         ROOT / "models/tiny"], check=True, capture_output=True,
    )  # fmt: skip
    recognizer, found = network.load(ROOT / "models/tiny"), [index.find(manifest, folder / "index")]
    train, *_ = tables(recognizer, TrainSettings(), (found, found), folder / "rejects.tsv", folder / "tables")
    return Utterances(train, None), recognizer.audio_tokens


def made_up(folder: Path, count: int):
    """So many utterances that are lengths alone."""
    from recipe.model.features import FRAME_SECONDS
    from recipe.train.dataset import Utterances
    from recipe.train.table import ROW, UtteranceTable

    random, rows = np.random.default_rng(0), np.zeros(count, ROW)
    seconds = random.lognormal(np.log(6), 0.7, count).clip(1, 30)
    rows["frames"] = seconds / FRAME_SECONDS
    rows["text"] = np.maximum(1, seconds * random.normal(3.5, 0.8, count).clip(1.5, 7))
    (folder / "rows").write_bytes(rows.tobytes())
    table = UtteranceTable(folder / "rows", [], COMMON_TOKENS, float(seconds.sum()))
    return Utterances(table, None), "low_frame_rate"


def cells(data, plan, audio_tokens: str, shapes) -> np.ndarray:
    """Padded frames, tokens and targets of an epoch; `shapes` is the ladder, if there is one."""
    from recipe.model.network import audio_token_count

    frames, text = data.sizes(0)(np.arange(len(data)))
    audio = np.array([audio_token_count(count, audio_tokens) for count in range(1, frames.max() + 1)])[frames - 1]
    tokens, found = audio + text + data.utterances.common_tokens, np.zeros(3)
    for batch in plan.batches():
        size = len(batch), int(frames[batch].max()), int(tokens[batch].max()), int(text[batch].sum()) + len(batch)
        if shapes:
            shape = shapes.shape_of(*size)
            size = shape.rows, shape.frames, shape.tokens, shape.targets
        found += size[0] * size[1], size[0] * size[2], size[3]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--made-up", type=int, metavar="N", help="so many made-up utterances instead of the bundled set"
    )
    parser.add_argument("--batch-seconds", type=float, nargs="+", default=[120.0, 240.0, 480.0])
    args = parser.parse_args()
    from recipe.model.features import FRAME_SECONDS
    from recipe.settings.train import TrainSettings
    from recipe.train import batching, ladder

    logging.disable(logging.INFO)
    print(f"{' '.join(sys.argv)}; padding: frames; more: frames, tokens and targets, of {EPOCHS} epochs")
    for seconds in args.batch_seconds:
        with tempfile.TemporaryDirectory() as folder:
            data, audio_tokens = made_up(Path(folder), args.made_up) if args.made_up else bundled(Path(folder))
            budget = round(seconds / FRAME_SECONDS)
            started = time.perf_counter()
            shapes = ladder.fitted(data, TrainSettings(), budget, audio_tokens)
            took = time.perf_counter() - started
            sums, padding, batches = np.zeros((2, 3)), np.zeros(2), np.zeros(2)
            for epoch in range(EPOCHS):
                for side, rounding in enumerate((None, shapes.rounding(data, epoch))):
                    plan = batching.epoch_plan(
                        np.arange(len(data)), data.lengths(epoch), budget, 1, epoch, rounding=rounding
                    )
                    sums[side] += cells(data, plan, audio_tokens, shapes if side else None)
                    padding[side] += plan.padding / EPOCHS
                    batches[side] += len(plan.ends) / EPOCHS
            more = ", ".join(f"{one:+.1%}" for one in sums[1] / sums[0] - 1)
            print(
                f"{seconds:g} s a batch: {len(shapes.shapes)} shapes in {took:.1f} s, batches {batches[0]:.0f} and "
                f"{batches[1]:.0f}, padding {padding[0]:.1%} and {padding[1]:.1%}, more {more}",
                flush=True,
            )


if __name__ == "__main__":
    main()
