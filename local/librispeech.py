"""Prepare LibriSpeech: 960 hours of read English.

In:  the unpacked corpus (https://www.openslr.org/12): DIR/LibriSpeech/SUBSET/SPEAKER/CHAPTER/ with
     SPEAKER-CHAPTER.trans.txt and SPEAKER-CHAPTER-NNNN.flac.
Out: a Kaldi data directory OUT_DIR/SUBSET for every subset that is there (or those of --subsets), with absolute paths.
     Transcripts are the corpus's: capital letters, no punctuation (--lower makes small ones); with such transcripts
     ask the model for spoken words, `prompt: {itn: false}`.
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import _recipe  # noqa: F401
from datadirs import Entry, write_tables

from recipe.cli import run
from recipe.files import RecipeError
from recipe.text import tables

logger = logging.getLogger("librispeech")

SUBSETS = (
    "train-clean-100", "train-clean-360", "train-other-500", "dev-clean", "dev-other", "test-clean", "test-other",
)  # fmt: skip


def find_corpus(folder: Path) -> Path:
    """The folder that holds the subsets, wherever the archives were unpacked."""
    for place in (folder / "LibriSpeech", folder):
        if any((place / name).is_dir() for name in SUBSETS):
            return place
    raise RecipeError(f"{folder}: none of {', '.join(SUBSETS)}; give the folder that the archives were unpacked into")


def entries(subset: Path, lower: bool) -> Iterator[Entry]:
    """The utterances of a subset, chapter by chapter: what lies there as audio, and what only has a transcript."""
    for chapter in sorted(path for path in subset.glob("*/*") if path.is_dir()):
        speaker = chapter.parent.name
        transcripts = chapter / f"{speaker}-{chapter.name}.trans.txt"
        if not transcripts.is_file():
            raise RecipeError(f"{transcripts}: no such file; unpack the archive of {subset.name} again")
        texts = tables.read_map(transcripts)
        for key in sorted(texts.keys() | {path.stem for path in chapter.glob("*.flac")}):
            text = texts.get(key, "")
            path = str((chapter / f"{key}.flac").resolve())
            yield Entry(key, path, text.lower() if lower else text, speaker, "en")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("librispeech_dir", type=Path, help="the folder that the archives were unpacked into")
    parser.add_argument("out_dir", type=Path, help="where the data directories go")
    parser.add_argument("--subsets", nargs="+", choices=SUBSETS, help="default: those that are there")
    parser.add_argument("--lower", action="store_true", help="transcripts in small letters")
    args = parser.parse_args()
    corpus = find_corpus(args.librispeech_dir)
    for name in args.subsets or [name for name in SUBSETS if (corpus / name).is_dir()]:
        found = list(entries(corpus / name, args.lower))
        if not found:
            raise RecipeError(f"{corpus / name}: no SPEAKER/CHAPTER/*.flac; unpack the archive of {name}")
        write_tables(args.out_dir / name, found)
        logger.info("%s: %d utterances", args.out_dir / name, len(found))


if __name__ == "__main__":
    run(main)
