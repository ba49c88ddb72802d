"""Prepare the Free Spoken Digit Dataset: people saying one English digit, 8 kHz.

In:  the dataset's folder with recordings/{digit}_{speaker}_{take}.wav (or the same files in train/ and test/);
     https://github.com/Jakobovski/free-spoken-digit-dataset
Out: Kaldi data directories OUT_DIR/train, OUT_DIR/valid and OUT_DIR/test with absolute paths to the recordings. The
     official split: takes 0 to 4 of every speaker and digit are test. Takes 5 to 7 become valid, the rest is train.
"""

import argparse
import logging
import re
from collections import defaultdict
from pathlib import Path

import _recipe  # noqa: F401
from datadirs import Entry, write_tables

from recipe.cli import run
from recipe.files import RecipeError

logger = logging.getLogger("fsdd")

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_NAME = re.compile(r"([0-9])_([A-Za-z]+)_([0-9]+)\.wav")
_TEST_TAKES = range(0, 5)
_VALID_TAKES = range(5, 8)


def find_recordings(folder: Path) -> list[Path]:
    """The dataset's WAV files; RecipeError if there are none."""
    folders = [folder / "recordings"] if (folder / "recordings").is_dir() else [folder / "train", folder / "test"]
    paths = [path for place in folders for path in sorted(place.glob("*.wav"))]
    if not paths:
        raise RecipeError(
            f"{folder}: no recordings/*.wav (nor train/*.wav); give the folder of the dataset's repository"
        )
    return paths


def set_of(take: int) -> str:
    """The set that a take belongs to."""
    if take in _TEST_TAKES:
        return "test"
    return "valid" if take in _VALID_TAKES else "train"


def split(paths: list[Path]) -> dict[str, list[Entry]]:
    """Sort the recordings into sets; RecipeError names a file whose name is not digit_speaker_take.wav, or that says
    the same digit, speaker and take as another."""
    sets = defaultdict(list)
    seen: dict[str, Path] = {}
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if not match:
            raise RecipeError(f"{path}: the name is not digit_speaker_take.wav; move it out of the dataset's folder")
        digit, speaker, take = match[1], match[2], int(match[3])
        key = f"{speaker}-{digit}-{take:02d}"
        if key in seen:
            raise RecipeError(f"{path}: the same recording as {seen[key]}; keep one of them")
        seen[key] = path
        sets[set_of(take)].append(Entry(key, str(path.resolve()), WORDS[int(digit)], speaker, "en"))
    return dict(sets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fsdd_dir", type=Path, help="the dataset's folder")
    parser.add_argument("out_dir", type=Path, help="where train, valid and test go")
    args = parser.parse_args()
    sets = split(find_recordings(args.fsdd_dir))
    for name in ("train", "valid", "test"):
        if name not in sets:
            raise RecipeError(f"{args.fsdd_dir}: no recordings for {name}; is the dataset whole (takes 0 to 49)?")
        write_tables(args.out_dir / name, sets[name])
        logger.info("%s: %d utterances", args.out_dir / name, len(sets[name]))


if __name__ == "__main__":
    run(main)
