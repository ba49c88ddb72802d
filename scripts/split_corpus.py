#!/usr/bin/env python3
"""Part a corpus that is one data directory into a training, a validation and a test set, by speakers.

In:  DATA, a Kaldi data directory (wav.scp, text), as import_corpus.py writes it.
Out: OUT/train, OUT/valid and OUT/test, such directories, with all tables that are used here. No speaker is in two sets
     where ten or more are known (utt2spk), otherwise no recording is; the same seed makes the same sets.
"""

import argparse
import logging

from recipe.cli import run
from recipe.files import RecipeError
from recipe.settings import flags

logger = logging.getLogger("split_corpus")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", help="data directory")
    parser.add_argument("folder", metavar="OUT", help="folder for train, valid and test")
    at_least = flags.at_least(0, float)
    parser.add_argument("--valid", type=at_least, default=0.05, help="share of the validation set (default: 0.05)")
    parser.add_argument("--test", type=at_least, default=0.1, help="share of the test set (default: 0.1)")
    parser.add_argument("--seed", type=flags.at_least(0), default=1, help="of the choice (default: 1)")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not (args.valid > 0 and args.test > 0 and args.valid + args.test < 1):
        raise RecipeError(f"--valid {args.valid:g}, --test {args.test:g}: expected shares over 0, together under 1")
    from recipe.data.split import split

    made = split(args.data, args.folder, {"valid": args.valid, "test": args.test}, args.seed)
    counts = ", ".join(f"{name} {number}" for name, number in made.utterances.items())
    logger.info("%s: %s utterances, of %d %ss", args.folder, counts, made.units, made.unit)


if __name__ == "__main__":
    run(main)
