#!/usr/bin/env python3
"""Record what the results of an experiment are made of.

In:  standard input, the settings as JSON; --inputs, the files that the experiment starts from (tables, base model);
     --records, what jobs said of themselves when they ran: stage, commit, packages, machine.
Out: OUT, JSON: SHA-256 of the inputs, the settings, and the jobs by what they ran with.
"""

import argparse
import json
import sys

from recipe.cli import run
from recipe.files import RecipeError, write_json
from recipe.workflow import provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="OUT")
    parser.add_argument("--inputs", metavar="FILE", nargs="*", default=[])
    parser.add_argument("--records", metavar="FILE", nargs="*", default=[])
    args = parser.parse_args()
    try:
        settings = json.load(sys.stdin)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"standard input: not valid JSON ({error}); the settings are read there") from None
    write_json(args.output, provenance.collect(args.inputs, args.records, settings))


if __name__ == "__main__":
    run(main)
