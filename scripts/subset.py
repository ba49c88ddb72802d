#!/usr/bin/env python3
"""Take a fraction of a manifest, by hours: whole speakers where they are known and many, else utterances.

In:  a manifest (JSONL of scp2jsonl.py or pack.py).
Out: --subset-file, its lines in the same order; --facts-file, JSON with fraction, seed, what was drawn and how many
     (`unit`, `units`), utterances and hours, and those of the whole (`of_utterances`, `of_hours`).

With the same seed, smaller fractions lie within larger ones.
"""

import argparse
import dataclasses
import logging

from recipe.cli import run
from recipe.files import RecipeError, refuse_overwriting, write_json
from recipe.settings import flags

logger = logging.getLogger("subset")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jsonl-file", required=True, help="manifest")
    parser.add_argument("--fraction", type=flags.at_least(0, float), required=True, help="share of its hours, below 1")
    parser.add_argument("--seed", type=flags.at_least(0), default=1, help="of the choice (default: 1)")
    parser.add_argument("--subset-file", required=True, help="manifest to write")
    parser.add_argument("--facts-file", required=True, help="what was taken, to write (JSON)")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not 0 < args.fraction < 1:
        raise RecipeError(f"--fraction: {args.fraction:g}, expected a number over 0 and under 1")
    from recipe.data.subset import write_subset

    refuse_overwriting([args.subset_file, args.facts_file], [args.jsonl_file])
    found = write_subset(args.jsonl_file, args.subset_file, args.fraction, args.seed)
    write_json(args.facts_file, dataclasses.asdict(found))
    logger.info(
        "%s: %d of %d utterances, %.3f of %.3f h, by %s",
        *(args.subset_file, found.utterances, found.of_utterances, found.hours, found.of_hours, found.unit),
    )


if __name__ == "__main__":
    run(main)
