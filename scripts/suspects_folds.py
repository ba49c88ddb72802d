"""Divide the utterances of an experiment into folds, each to be judged by a model that was trained on the others.

In:  --train, --valid, --test: manifests as scp2jsonl.py writes, each called NAME=FILE.
Out: in --output-dir for each fold held_out.K.jsonl, what its model judges (keys as ROLE/NAME/KEY, and each line's place
     in its set), train.K.jsonl, what it is trained on, and valid.K.jsonl, what is watched meanwhile. With --folds 0
     held_out.1.jsonl alone, for the base model.
"""

import argparse
import logging

from recipe.cli import add_set_flags, named_sets, run
from recipe.files import RecipeError
from recipe.settings import flags
from recipe.settings.suspects import SuspectsSettings

SETTINGS = ("folds", "utterances", "seed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_set_flags(parser)
    parser.add_argument("--judged", nargs="+", metavar="ROLE/NAME", help="sets that are judged (default: all)")
    parser.add_argument("--output-dir", required=True, help="folder for the manifests of the folds")
    flags.add(parser.add_argument_group("settings, as in the section `suspects`"), SuspectsSettings, SETTINGS)
    args = parser.parse_args()
    settings = flags.section(args, SuspectsSettings, SETTINGS)
    from recipe.suspects import folds

    sets = [
        folds.FoldedSet(role, name, file, args.judged is None or f"{role}/{name}" in args.judged)
        for role, name, file in named_sets(args)
    ]
    if not sets:
        raise RecipeError("no manifests; name some by --train, --valid or --test NAME=FILE")
    written = folds.write(sets, settings.folds, settings.utterances, settings.seed, args.output_dir)
    for name, count in sorted(written.items()):
        logging.info("%s/%s: %d utterances", args.output_dir, name, count)


if __name__ == "__main__":
    run(main)
