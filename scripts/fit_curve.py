#!/usr/bin/env python3
"""Fit a power law to the error rates of models that were trained on fractions of the data, and say what twice the data
would likely give.

In:  FRACTION=FILE for each model, FILE being what compute_wer.py --utterances wrote on one test set; at every fraction
     as many seeds, in the same order. --facts, what subset.py wrote of each fraction, seed and training set.
Out: OUT.json (docs/curve.md has its keys).
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
    parser.add_argument("models", metavar="FRACTION=FILE", nargs="+", help="a share of the data, and utterances.jsonl")
    parser.add_argument("--facts", nargs="+", required=True, help="how much data the fractions are (JSON of subset.py)")
    flags.add(parser, ScoreSettings, ["bootstrap"])
    args = parser.parse_args()
    from recipe.score.learning_curve import curve, points
    from recipe.score.policy import ScoringPolicy

    policy = ScoringPolicy(bootstrap=flags.section(args, ScoreSettings, ["bootstrap"]).bootstrap)
    found = curve(points([_model(word) for word in args.models], args.facts), policy)
    write_json(args.out, found)
    prediction = found["prediction"]
    rate = f"{100 * prediction['rate']:.2f} %" if prediction["rate"] else f"no prediction: {found['refused']}"
    logging.info("%s: %d points; at %.3g h %s", args.out, len(found["points"]), prediction["hours"], rate)


def _model(word: str) -> tuple[float, str]:
    """The fraction and the file of a model."""
    fraction, equals, file = word.partition("=")
    try:
        share = float(fraction)
    except ValueError:
        share = 0.0
    if not (equals and file and 0 < share <= 1):
        raise RecipeError(f"{word}: expected FRACTION=FILE, e.g. 0.1=utterances.jsonl")
    return share, file


if __name__ == "__main__":
    run(main)
