"""Statistics of a manifest: utterances, hours, durations, tokens, speech rates, levels, and fbank mean and variance.

In:  a manifest (JSONL of scp2jsonl.py).
Out: OUTPUT_DIR/stats.json; OUTPUT_DIR/cmvn.ark, a Kaldi CMVN matrix (kaldiio and copy-matrix read it); plots as SVG;
     OUTPUT_DIR/sound.tsv, level and noise of each utterance whose audio was read.
"""

import argparse
import logging
import os
from functools import partial
from pathlib import Path

import kaldiio

from recipe.audio import fetch
from recipe.cli import run
from recipe.data import datadir, manifest, stats, stats_plots
from recipe.files import RecipeError, open_atomic, write_json
from recipe.settings import flags
from recipe.settings.data import DataSettings, StatsSettings

logger = logging.getLogger("fbank_stats")

STATS = ("sample", "workers")
READING = ("fetch", "allow_commands")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jsonl-file", required=True, help="manifest")
    parser.add_argument("--output-dir", required=True, help="folder to write to")
    flags.add(parser.add_argument_group("settings, as in the section `stats` of config.yaml"), StatsSettings, STATS)
    flags.add(parser.add_argument_group("recordings that are no local files, as in `data`"), DataSettings, READING)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    settings, reading = flags.section(args, StatsSettings, STATS), flags.section(args, DataSettings, READING)
    total = sum(1 for _ in datadir.raw_lines(args.jsonl_file))
    if not total:
        raise RecipeError(f"{args.jsonl_file}: no utterances")
    found = stats.describe(manifest.read(args.jsonl_file))
    sample = stats.evenly(manifest.read(args.jsonl_file), total, settings.sample)
    output = Path(args.output_dir)
    policy = fetch.policy_of(reading.fetch, reading.allow_commands)
    with open_atomic(output / "sound.tsv") as file:
        print(stats.SOUND_HEADER, file=file)
        tell = partial(print, file=file)
        found["audio"], cmvn = stats.fbank_statistics(sample, settings.workers, policy, tell)
    for name, svg in stats_plots.plots(found).items():
        with open_atomic(output / f"{name}.svg") as file:
            file.write(svg)
    with open_atomic(output / "cmvn.ark", "wb") as file:
        kaldiio.save_ark(file, {"global": cmvn})
    write_json(output / "stats.json", found)
    frames, unreadable = found["audio"]["frames"], len(found["audio"]["unreadable"])
    logger.info("%d utterances, %.2f h, fbank over %d frames", found["utterances"], found["hours"], frames)
    if unreadable:
        logger.warning("%d utterances of the sample could not be read: see audio.unreadable", unreadable)
    logger.info("advice by hours: train %s (%s)", " and ".join(found["advice"]["train"]), found["advice"]["why"])


if __name__ == "__main__":
    # fbank is computed frame by frame: more threads per process only compete.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run(main)
