"""Statistics of a manifest: utterances, hours, durations, tokens, speech rates, levels, and fbank mean and variance.

In:  a manifest (JSONL of scp2jsonl.py).
Out: OUTPUT_DIR/stats.json, and OUTPUT_DIR/cmvn.ark, a Kaldi CMVN matrix (kaldiio and copy-matrix read it).
"""

import argparse
import logging
import os
from pathlib import Path

import kaldiio

from recipe import manifest, stats
from recipe.cli import run
from recipe.files import RecipeError, open_atomic, write_json

logger = logging.getLogger("fbank_stats")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jsonl-file", required=True, help="manifest")
    parser.add_argument("--output-dir", required=True, help="folder to write to")
    parser.add_argument("--sample", type=int, default=2000, help="utterances whose audio is read; 0: all")
    parser.add_argument("--workers", type=int, default=1, help="processes; the output is the same for any number")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    utterances = list(manifest.read(args.jsonl_file))
    if not utterances:
        raise RecipeError(f"{args.jsonl_file}: no utterances")
    measured, cmvn = stats.fbank_statistics(utterances, args.sample, args.workers)
    found = stats.describe(utterances) | {"audio": measured}
    output = Path(args.output_dir)
    with open_atomic(output / "cmvn.ark", "wb") as file:
        kaldiio.save_ark(file, {"global": cmvn.astype("float32")})
    write_json(output / "stats.json", found)
    logger.info("%d utterances, %.2f h, fbank over %d frames", found["utterances"], found["hours"], measured["frames"])


if __name__ == "__main__":
    # fbank is computed frame by frame: more threads per process only compete.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run(main)
