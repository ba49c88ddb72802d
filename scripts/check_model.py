"""Look at a model directory before anything long begins: all that training and decoding need of it is loaded once.

In:  --model, a model directory. Nothing is written; what is wrong with it is one line, and exit status 2.
"""

import argparse
import logging

from recipe.cli import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="model directory, as train.py and convert.py write")
    args = parser.parse_args()
    # Loaded here: --help should not take seconds.
    from recipe.model.features import FrontEnd
    from recipe.model.network import load

    recognizer = load(args.model)
    FrontEnd(recognizer)
    logging.info("%s: %.1f M parameters", args.model, recognizer.model.num_parameters() / 1e6)


if __name__ == "__main__":
    run(main)
