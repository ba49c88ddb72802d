"""Fit a model's CTC branch to words whose times are known, so that it says well when words are said (docs/decoding.md).

In:  --model-dir, whose branch goes on learning, or gets a new one; --data-dir, a folder with wav.scp (with segments),
     text and ctm (key of the utterance, channel, begin, length, word), and with --valid-dir another that is measured.
Out: --output-dir, the model directory with the branch; all its other weights are the same, byte for byte.
"""

import argparse
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from recipe.audio import fetch, reading
from recipe.cli import run
from recipe.data import datadir, join
from recipe.files import RecipeError, read_json, sha256, write_json
from recipe.settings import flags

logger = logging.getLogger("fit_times")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory")
    parser.add_argument("--data-dir", required=True, nargs="+", help="folders with wav.scp, text and ctm")
    parser.add_argument("--valid-dir", help="such a folder, which the branch is measured on")
    parser.add_argument("--output-dir", required=True, help="model directory to write")
    parser.add_argument("--epochs", type=flags.at_least(1), default=10, help="passes over the data (default: 10)")
    parser.add_argument("--learning-rate", type=flags.at_least(0, float), default=2e-3, help="peak (default: 0.002)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another branch (default: 1)")
    parser.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="of the branch's tensors (default: float32)"
    )
    return parser.parse_args()


def utterances(folder: str) -> Iterator:
    """The utterances of a data directory that have words with times."""
    from recipe.train.known_times import KnownUtterance, read_ctm

    scp = os.path.join(folder, "wav.scp")
    known = read_ctm(os.path.join(folder, "ctm"))
    tables = datadir.tables(scp, ["segments", "utt2channel"])
    for entry in join.join(scp, os.path.join(folder, "text"), tables, lambda language, hotwords: ""):
        if entry.problem:
            raise RecipeError(f"{folder}: {entry.key}: {entry.problem[0]}: {entry.problem[1]}")
        if entry.text and entry.key in known:
            source = datadir.resolve(entry.source, scp)
            part = {"start": entry.start, "end": entry.end, "fetch_policy": fetch.DEFAULT}
            channel = "average" if entry.channel is None else entry.channel
            waveform = reading.read(source, channel=channel, **part)
            yield KnownUtterance(entry.key, waveform, entry.text, known[entry.key])


def main() -> None:
    args = parse_args()
    import torch

    from recipe.model import ctc, network
    from recipe.train import known_times

    recognizer = network.load(args.model_dir, device=network.best_device())
    encoder = recognizer.model.config.audio_config
    branch = ctc.load(args.model_dir, encoder.hidden_size) or ctc.begin(encoder, recognizer.tokenizer, args.seed)
    branch.to(recognizer.model.device)
    data = (one for folder in args.data_dir for one in utterances(folder))
    targets = known_times.prepared(recognizer, branch, data)
    logger.info("%d utterances, %d frames", len(targets), sum(len(one.encoded) for one in targets))
    known_times.fit(branch, targets, known_times.FitSettings(args.epochs, args.learning_rate, args.seed))
    branch.to(getattr(torch, args.dtype)).float()  # as it will be read
    measures = measured(args, recognizer, branch) if args.valid_dir else {}
    write(args, branch.cpu().to(getattr(torch, args.dtype)), measures)


def measured(args: argparse.Namespace, recognizer, branch) -> dict:
    """How far the times of the branch are from the known ones of --valid-dir, for recipe.json."""
    from recipe.train import known_times

    found = known_times.deviation(recognizer, branch, utterances(args.valid_dir))
    median, most = round(1000 * found.median), round(1000 * found.most)
    logger.info("%s: %d borders, median error %d ms, 95 %% within %d ms", args.valid_dir, found.borders, median, most)
    return {"borders": found.borders, "median_ms": median, "within_95_ms": most}


def write(args: argparse.Namespace, branch, measures: dict) -> None:
    """Write the model directory: all but the branch and recipe.json as it was."""
    from recipe.model import ctc
    from recipe.model.directory import RECIPE_FILE

    source, target = Path(args.model_dir), Path(args.output_dir)
    if target.exists():
        raise RecipeError(f"--output-dir: {target} is there already; give another folder")
    shutil.copytree(source, target, ignore=lambda folder, names: {ctc.FOLDER} & set(names))
    ctc.write(branch, target)
    facts = read_json(source / RECIPE_FILE)
    data = {
        f"{folder}/{name}": sha256(os.path.join(folder, name)) for folder in args.data_dir for name in ("text", "ctm")
    }
    fitted = {"data": data, "epochs": args.epochs, "learning_rate": args.learning_rate, "seed": args.seed, **measures}
    write_json(target / RECIPE_FILE, {**facts, "ctc": {"trained": True, "stale": False, "fitted": fitted}})


if __name__ == "__main__":
    run(main)
