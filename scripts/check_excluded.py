"""Say which keys of data.exclude no set has. Nothing is changed, and it is no error.

In:  --exclude-file, the table; --rejects, the rejects of all sets, each called ROLE/NAME=FILE.
Out: --text-file with a line, or none if every key was found.
"""

import argparse
import logging
from itertools import islice

from recipe.cli import named_file, run
from recipe.data import excluded
from recipe.files import write_lines

EXAMPLES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exclude-file", required=True, help="table of what is left out")
    parser.add_argument(
        "--rejects", required=True, nargs="+", type=named_file, metavar="SET=FILE", help="rejects of a set"
    )
    parser.add_argument("--text-file", required=True, help="what is to be said")
    args = parser.parse_args()
    lines = excluded.unknown(args.exclude_file, args.rejects)
    examples = list(islice(lines, EXAMPLES))
    count = len(examples) + sum(1 for _ in lines)
    shown = ", ".join(f"{one.key} (line {one.number})" for one in examples) + ", ..." * (count > EXAMPLES)
    told = f"{args.exclude_file}: no set has an utterance for {count} of its lines: {shown}"
    write_lines(args.text_file, [f"WARNING: {told}"] if count else [])
    logging.info("%s", told if count else f"{args.exclude_file}: every line has its utterance")


if __name__ == "__main__":
    run(main)
