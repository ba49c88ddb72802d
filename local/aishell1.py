"""Prepare AISHELL-1: 178 hours of Mandarin, read by 400 people.

In:  the unpacked corpus (https://www.openslr.org/33): DIR/data_aishell/transcript/aishell_transcript_v0.8.txt and
     DIR/data_aishell/wav/{train,dev,test}/SPEAKER/*.wav, the archives of the speakers unpacked.
Out: Kaldi data directories OUT_DIR/train, OUT_DIR/valid (the corpus's dev) and OUT_DIR/test with absolute paths.
     Transcripts lose the spaces between words, which Chinese is not written with; recordings without a transcript stay
     in wav.scp, so that the data stage lists them.
"""

import argparse
import logging
from pathlib import Path

import _recipe  # noqa: F401
from datadirs import Entry, write_tables

from recipe.cli import run
from recipe.files import RecipeError
from recipe.text import tables

logger = logging.getLogger("aishell1")

SETS = {"train": "train", "dev": "valid", "test": "test"}
_TRANSCRIPTS = "transcript/aishell_transcript_v0.8.txt"


def find_corpus(folder: Path) -> Path:
    """The folder data_aishell, wherever the archive was unpacked; RecipeError if it is not whole."""
    for place in (folder / "data_aishell", folder):
        if (place / _TRANSCRIPTS).is_file() and (place / "wav").is_dir():
            return place
    raise RecipeError(f"{folder}: no data_aishell with {_TRANSCRIPTS} and wav/; give the folder it was unpacked into")


def entries(wavs: Path, transcripts: dict[str, str]) -> list[Entry]:
    """The utterances below wav/SET; the folder of a recording is its speaker."""
    return [
        Entry(path.stem, str(path.resolve()), "".join(transcripts.get(path.stem, "").split()), path.parent.name, "zh")
        for path in sorted(wavs.glob("*/*.wav"))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("aishell_dir", type=Path, help="the folder that the corpus was unpacked into")
    parser.add_argument("out_dir", type=Path, help="where train, valid and test go")
    args = parser.parse_args()
    corpus = find_corpus(args.aishell_dir)
    transcripts = tables.read_map(corpus / _TRANSCRIPTS)
    for source, name in SETS.items():
        found = entries(corpus / "wav" / source, transcripts)
        if not found:
            raise RecipeError(
                f"{corpus / 'wav' / source}: no SPEAKER/*.wav; unpack the archives of the speakers: "
                f"for a in {corpus}/wav/*.tar.gz; do tar -xzf $a -C {corpus}/wav; done"
            )
        write_tables(args.out_dir / name, found)
        logger.info("%s: %d utterances", args.out_dir / name, len(found))


if __name__ == "__main__":
    run(main)
