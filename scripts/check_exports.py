"""Look whether models can be written for what is to serve them, before they are trained.

In: --model, the model directory that runs start from; --run of each, with the kinds of directories that it is to be
    exported to and its audio token setting. Nothing is written; what is wrong is one line, and exit status 2.
"""

import argparse
import logging
from pathlib import Path

from recipe.cli import run
from recipe.files import RecipeError
from recipe.settings.section import AUTO


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="model directory, as train.py and convert.py write")
    parser.add_argument(
        "--run",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "KIND,KIND", "AUDIO_TOKENS"),
        help="auto: the model's audio tokens",
    )
    args = parser.parse_args()
    from recipe.convert.possible import check_export
    from recipe.model.directory import audio_tokens_of

    for name, kinds, audio_tokens in args.run:
        tokens = audio_tokens_of(args.model) if audio_tokens == AUTO else audio_tokens
        for kind in kinds.split(","):
            try:
                check_export(Path(args.model), kind, tokens)
            except RecipeError as error:
                raise RecipeError(f"export.to: run {name} cannot be written for {kind}: {error}") from None
            logging.info("run %s can be written for %s", name, kind)


if __name__ == "__main__":
    run(main)
