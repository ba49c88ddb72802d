"""Say in a line what keeps a configuration from being read, or what in it is wrong.

In:  CONFIG, one or several YAML files as snakemake's --configfile takes them. Out: nothing but a line; exit status 2 if
     something is wrong. Snakemake reads these files itself, before the workflow can say anything about them: a file in
     another encoding than UTF-8 ends there in a traceback.
"""

import argparse

from recipe.cli import run
from recipe.workflow import config
from recipe.workflow.origins import Origins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="CONFIG", nargs="+", help="later ones over earlier ones")
    args = parser.parse_args()
    values = config.read_files(args.files)
    origins = Origins(args.files, {})
    config.runs(config.check(values, origins.place), origins.place)
    print(f"{', '.join(args.files)}: settings are right; the workflow looks at data and model")


if __name__ == "__main__":
    run(main)
