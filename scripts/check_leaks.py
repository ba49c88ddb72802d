"""Look for what the sets of an experiment share: utterances, audio, recordings, speakers and transcripts on which a
model would be measured after it was trained or chosen by them; and for tables of transcripts that are shifted against
their recordings. Nothing is changed, and a finding is no error.

In:  --train, --valid, --test: manifests as scp2jsonl.py writes, each called NAME=FILE.
Out: --json-file with counts and examples for every two sets of different roles (docs/data.md has its keys), and
     --text-file with a line for each finding, none if nothing is shared or shifted.
"""

import argparse
import logging

from recipe.cli import add_set_flags, named_sets, run
from recipe.files import write_json, write_lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_set_flags(parser)
    parser.add_argument("--max-compared", type=int, help="recordings of two sets whose content is compared")
    parser.add_argument("--json-file", required=True, help="counts and examples")
    parser.add_argument("--text-file", required=True, help="what is to be said, a line each")
    args = parser.parse_args()
    from recipe.data import leaks, order

    sets = [leaks.CheckedSet(*one) for one in named_sets(args)]
    found = leaks.compare(sets, leaks.MAX_COMPARED if args.max_compared is None else args.max_compared)
    found["shifted"] = [part for one in sets for part in order.in_set(one)]
    found["findings"] += [part["finding"] for part in found["shifted"]]
    for sentence in found["findings"]:
        logging.warning("%s", sentence)
    write_lines(args.text_file, (f"WARNING: {sentence}" for sentence in found["findings"]))
    write_json(args.json_file, found)
    logging.info("%s: %d sets, %d findings", args.json_file, len(sets), len(found["findings"]))


if __name__ == "__main__":
    run(main)
