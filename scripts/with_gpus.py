"""Run a command with N GPUs of its own: wait until they are free, then run it with CUDA_VISIBLE_DEVICES set.

In:  the number of GPUs and a command. A CUDA_VISIBLE_DEVICES that is set already names those to choose from.
Out: what the command does; it takes this process's place, so signals and its exit status are its own. The GPUs are free
     again when the command and its children have ended, by kill -9 too. With 0 the command sees no GPU.

Numbers are those of nvidia-smi. `scripts/with_gpus.py 2 -- python scripts/train.py ...`
"""

import argparse
import logging
import os

from recipe.cli import run
from recipe.files import RecipeError
from recipe.settings import flags
from recipe.workflow import devices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=flags.at_least(0), metavar="N", help="number of GPUs")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    args = parser.parse_args()
    names = devices.visible(os.environ)
    if names or args.count:
        taken = devices.take(args.count, names, devices.lock_folder(os.environ)) if args.count else []
        os.environ[devices.VISIBLE] = ",".join(taken)
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as nvidia-smi counts
        logging.info("GPUs: %s (of %s)", ", ".join(taken) or "none", ", ".join(names))
    try:
        os.execvp(args.command[0], args.command)
    except OSError as error:
        raise RecipeError(f"{args.command[0]}: {error.strerror}") from None


if __name__ == "__main__":
    run(main)
