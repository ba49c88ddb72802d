"""Look whether transcripts stand at the recordings that they belong to, by their lengths. Nothing is changed, and a
finding is no error.

In:  --train, --valid, --test: manifests as scp2jsonl.py writes, each called NAME=FILE.
Out: --text-file with a line for each part of a set that looks shifted, none if nothing does.
"""

import argparse
import logging

from recipe.cli import ROLES, named_file, run
from recipe.data import manifest, order
from recipe.files import write_lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for role in ROLES:
        parser.add_argument(
            f"--{role}", nargs="*", type=named_file, default=[], metavar="NAME=FILE", help=f"{role} sets"
        )
    parser.add_argument("--text-file", required=True, help="what is to be said, a line each")
    args = parser.parse_args()
    found = [
        f"{role} set {name}: {part.words()}"
        for role in ROLES
        for name, file in getattr(args, role)
        for part in order.shifted((one.duration, len(one.text.encode())) for one in manifest.read(file))
    ]
    for sentence in found:
        logging.warning("%s", sentence)
    write_lines(args.text_file, (f"WARNING: {sentence}" for sentence in found))
    logging.info("%s: %d findings", args.text_file, len(found))


if __name__ == "__main__":
    run(main)
