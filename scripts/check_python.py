"""Say whether a Python is new enough for the recipe, and whether the environment to be set up was begun by one that is.

In:  the folder of the environment, which need not be there. Out: nothing, or one line and exit status 2. Reads with any
     Python 3, so that `make` can tell.
"""

import argparse
import sys

from recipe.environment import wrong_python


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="VENV", help="environment, e.g. .venv")
    problem = wrong_python(sys.version_info[:2], parser.parse_args().folder)
    if problem:
        print("error: " + problem, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
