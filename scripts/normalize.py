"""Normalize a file of transcripts for scoring.

In:  lines `key text` (space or tab between them), UTF-8; or the transcripts of a *.jsonl (*.jsonl.gz) in the published
     format.
Out: lines `key<TAB>text` in the same order, tokens separated by single spaces.

`compatible` agrees with the published normalizer; `faithful` makes two spellings of the same content equal and never
two contents; `raw` leaves the content alone. docs/normalization.md specifies them.
"""

import argparse
import logging
import os
from pathlib import Path

from recipe.cli import run
from recipe.files import refuse_overwriting
from recipe.normalize import VERSIONS, normalize_file
from recipe.settings import flags


def _processors() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", required=True, choices=list(VERSIONS))
    parser.add_argument("--kana", action="store_true", help="Japanese as its reading in katakana (compatible mode)")
    parser.add_argument(
        "--lists",
        action="store_true",
        help="texts are lists of words separated by commas (utt2hotwords): each word is normalized by itself",
    )
    parser.add_argument(
        "--utt2lang",
        type=Path,
        metavar="F",
        help="languages of the lines, `key language`, or *.jsonl: whose rules act (faithful mode); without it, "
        "or where it names none, a line shows that itself",
    )
    parser.add_argument(
        "--workers",
        type=flags.at_least(1),
        default=_processors(),
        metavar="N",
        help="processes; the output does not depend on it (default: one per processor)",
    )
    parser.add_argument("input", type=Path, metavar="IN")
    parser.add_argument("output", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    refuse_overwriting([arguments.output], [arguments.input, arguments.utt2lang])
    count = normalize_file(
        arguments.input,
        arguments.output,
        arguments.mode,
        kana=arguments.kana,
        lists=arguments.lists,
        utt2lang=arguments.utt2lang,
        workers=arguments.workers,
    )
    logging.info("%s %s: %d lines normalized", arguments.mode, VERSIONS[arguments.mode], count)


if __name__ == "__main__":
    run(main)
