#!/usr/bin/env python3
"""Record what the results of an experiment are made of.

In:  standard input, JSON with `settings` (any value) and `code` (hash of each stage's script and library modules);
     --inputs, the files that the experiment starts from (data tables, base model).
Out: OUT, JSON: these settings and hashes, SHA-256 of the inputs, git commit, versions of all packages, the machine.
"""

import argparse
import json
import sys
from pathlib import Path

from recipe.cli import run
from recipe.files import write_json
from recipe.workflow import provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="OUT")
    parser.add_argument("--inputs", metavar="FILE", nargs="*", default=[])
    args = parser.parse_args()
    given = json.load(sys.stdin)
    record = provenance.record(args.inputs, given["settings"], given["code"], Path(__file__).parent)
    write_json(args.output, record)


if __name__ == "__main__":
    run(main)
