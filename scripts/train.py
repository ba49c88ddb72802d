"""Fine-tune a Fun-ASR-Nano on manifests and write the chosen checkpoint as a complete model directory.

In:  a run's settings (YAML), training and validation manifests (JSONL of scp2jsonl.py), a model directory.
Out: --output-dir with the model (weights, processor, tokenizer), recipe.json (what it was made from) and history.json
     (loss, CER, learning rate, throughput by step); tensorboard/ beside --state-dir has the same. Checkpoints live in
     --state-dir until the run is finished: called again after an interruption, training goes on from there and ends
     with the same weights. rejects.tsv beside --state-dir lists utterances that do not fit, or could not be read.

Under torchrun all processes share the work; the first one writes and logs.
"""

import argparse
import dataclasses
import logging
import os
from pathlib import Path

from recipe.audio import fetch
from recipe.cli import name_lines, run
from recipe.files import RecipeError
from recipe.settings import flags
from recipe.settings.data import DataSettings
from recipe.settings.train import INDIFFERENT, TrainSettings, load

READING = ("fetch", "allow_commands")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="settings of the run (YAML); every setting has a default")
    parser.add_argument("--train-jsonl", required=True, nargs="+", help="training manifests")
    parser.add_argument(
        "--train-weights",
        type=flags.at_least(0, float),
        nargs="+",
        default=[],
        help="how often each is seen in an epoch",
    )
    parser.add_argument("--valid-jsonl", required=True, nargs="+", help="validation manifests")
    parser.add_argument("--model", required=True, help="model directory; convert.py makes one of a hub's or toolkit's")
    parser.add_argument("--output-dir", required=True, help="model directory to write")
    parser.add_argument("--state-dir", help="checkpoints of an unfinished run (default: OUTPUT_DIR.state)")
    flags.add(parser.add_argument_group("settings, instead of the config's"), TrainSettings, INDIFFERENT)
    parser.add_argument(
        "--threads", type=flags.at_least(0), default=0, help="CPU threads of all processes here (0: torch chooses)"
    )
    parser.add_argument("--name", help="what every line of the log begins with, where several trainings share a screen")
    flags.add(parser.add_argument_group("recordings that are no local files, as in `data`"), DataSettings, READING)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.name:
        name_lines(args.name)
    # torch takes seconds to import; --help should not.
    import torch

    from recipe.model import network as model
    from recipe.train import run as train
    from recipe.train.processes import local_processes
    from recipe.train.sets import TrainingInputs

    if args.threads:
        torch.set_num_threads(max(1, args.threads // local_processes()))
    if int(os.environ.get("RANK", 0)):
        logging.getLogger().setLevel(logging.ERROR)  # the first process says it all
    reading = flags.section(args, DataSettings, READING)
    policy = fetch.policy_of(reading.fetch, reading.allow_commands)
    given = flags.section(args, TrainSettings, INDIFFERENT)
    told = {name: getattr(given, name) for name in INDIFFERENT if getattr(args, name) is not None}
    chosen = dataclasses.replace(load(args.config), **told)
    if os.path.realpath(args.output_dir) == os.path.realpath(args.model):
        raise RecipeError(f"--output-dir: {args.output_dir} is the base model itself; write to another folder")
    recognizer = model.load(args.model, chosen.audio_tokens)
    state_dir = args.state_dir or str(Path(args.output_dir)) + ".state"
    inputs = TrainingInputs(args.train_jsonl, args.valid_jsonl, args.train_weights, policy)
    train.train(recognizer, chosen, inputs, args.output_dir, state_dir)


if __name__ == "__main__":
    run(main)
