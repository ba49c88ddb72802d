#!/usr/bin/env python3
"""Compare every two of several models on one test set: difference of the error rate, its 95 % interval, and a p-value
that is corrected for the number of comparisons.

In:  NAME=FILE for each model, FILE being what compute_wer.py --utterances wrote; all of the same references. Models
     named after --seeds are trained with the same settings but for the seed: they are compared as one, by their mean,
     and how they differ is in the interval and the p-value.
Out: OUT.json (docs/scoring.md has its keys).
"""

import argparse
import logging

from recipe.cli import run
from recipe.files import RecipeError, write_json
from recipe.settings import flags
from recipe.settings.score import ScoreSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT.json", help="where to write to")
    parser.add_argument("models", metavar="NAME=FILE", nargs="+", help="a model's name and its utterances.jsonl")
    parser.add_argument(
        "--seeds", metavar="NAME", nargs="+", action="append", default=[], help="models that are seeds of one setting"
    )
    flags.add(parser, ScoreSettings, ["bootstrap"])
    args = parser.parse_args()
    from recipe.score.pairwise import compare
    from recipe.score.policy import ScoringPolicy

    pairs = [value.partition("=") for value in args.models]
    if wrong := [name for name, equals, file in pairs if not (name and equals and file)]:
        raise RecipeError(f"{wrong[0]}: expected NAME=FILE, e.g. base=utterances.jsonl")
    files = {name: file for name, _, file in pairs}
    if len(files) < len(pairs):
        raise RecipeError(f"{' '.join(args.models)}: a name stands twice; give each model its own")
    policy = ScoringPolicy(bootstrap=flags.section(args, ScoreSettings, ["bootstrap"]).bootstrap)
    found = compare(files, policy, args.seeds)
    write_json(args.out, found)
    better = [pair for pair in found["pairs"] if pair["better"]]
    logging.info("%s: %d comparisons, %d significant", args.out, len(found["pairs"]), len(better))


if __name__ == "__main__":
    run(main)
