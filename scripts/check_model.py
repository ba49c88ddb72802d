"""Look at a model directory, and at the runs that are to train it, before anything long begins.

All that training and decoding need of the model, and its CTC branch, is loaded once, and what each run's settings say
of its layers and to transformers' Trainer is tried.

In:  --model, a model directory; --runs, the settings file of each run (as train.py --config), in folders named after
     them. Nothing is written; what is wrong is one line, and exit status 2.
"""

import argparse
import logging
from pathlib import Path

from recipe.cli import run
from recipe.files import RecipeError
from recipe.settings.train import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="model directory, as train.py and convert.py write")
    parser.add_argument("--runs", metavar="RUN/settings.yaml", nargs="*", default=[], help="settings of runs")
    args = parser.parse_args()
    # Loaded here: --help should not take seconds.
    from recipe.model import ctc, loading
    from recipe.model.features import FrontEnd
    from recipe.model.network import load as load_model
    from recipe.train.possible import check_run

    recognizer = load_model(args.model)
    FrontEnd(recognizer)
    branch = ctc.load(args.model, recognizer.model.config.audio_config.hidden_size)
    for module in filter(None, (recognizer.model, branch)):
        if broken := loading.not_finite(module):
            raise RecipeError(
                f"model {args.model}: {len(broken)} tensors hold values that are not finite, like {broken[0]}, and a "
                "model of them says nothing; get or train it again"
            )
    logging.info("%s: %.1f M parameters", args.model, recognizer.model.num_parameters() / 1e6)
    for file in args.runs:
        name, settings = Path(file).parent.name, load(file)
        try:
            check_run(recognizer.model, settings)
        except RecipeError as error:  # its first word is a setting
            raise RecipeError(f"runs.{name}.{error}") from None
        logging.info("run %s can be trained", name)


if __name__ == "__main__":
    run(main)
