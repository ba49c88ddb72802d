"""Normalize a file of transcripts for scoring.

In:  lines `key text` (space or tab between them), UTF-8; or the transcripts of a *.jsonl (*.jsonl.gz) in the published
     format.
Out: lines `key<TAB>text` in the same order, tokens separated by single spaces.

`compatible` agrees with the published normalizer; `faithful` makes two spellings of the same content equal and never
two contents; `raw` leaves the content alone. A user's own rules may come after the first two. docs/normalization.md
specifies them.
"""

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from recipe.cli import run
from recipe.files import open_atomic, refuse_overwriting
from recipe.normalize import VERSIONS, normalize_file
from recipe.normalize.explain import HEADER, Explanation, Readable, as_rows
from recipe.record import usable_processors
from recipe.settings import flags
from recipe.settings.score import OWN_RULES, ScoreSettings


@contextlib.contextmanager
def explanation(place: str | None) -> Iterator[Explanation | None]:
    """What takes the changes: a table at `place`, or as readable text standard output (-)."""
    if place is None:
        yield None
    elif place == "-":
        readable = Readable()
        yield lambda changes: sys.stdout.writelines(readable.lines(changes))
    else:
        with open_atomic(place) as file:
            file.write(HEADER)
            yield lambda changes: file.writelines(as_rows(changes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", required=True, choices=list(VERSIONS))
    parser.add_argument("--kana", action="store_true", help="Japanese as its reading in katakana (compatible mode)")
    parser.add_argument(
        "--lists",
        action="store_true",
        help="texts are lists of words separated by commas (utt2hotwords): each word is normalized by itself",
    )
    flags.add(parser, ScoreSettings, OWN_RULES)
    parser.add_argument(
        "--explain",
        metavar="FILE",
        help="write what each step changed, a table (key, stage, before, after); - prints it to be read",
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
        default=usable_processors(),
        metavar="N",
        help="processes; the output does not depend on it (default: one per processor)",
    )
    parser.add_argument("input", type=Path, metavar="IN")
    parser.add_argument("output", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    rules = flags.section(arguments, ScoreSettings, OWN_RULES)
    explained = None if arguments.explain == "-" else arguments.explain
    refuse_overwriting([arguments.output, explained], [arguments.input, arguments.utt2lang, rules.equivalent])
    with explanation(arguments.explain) as explain:
        count = normalize_file(
            arguments.input,
            arguments.output,
            arguments.mode,
            kana=arguments.kana,
            lists=arguments.lists,
            utt2lang=arguments.utt2lang,
            equivalent=rules.equivalent,
            fillers=rules.fillers,
            explain=explain,
            workers=arguments.workers,
        )
    logging.info("%s %s: %d lines normalized", arguments.mode, VERSIONS[arguments.mode], count)


if __name__ == "__main__":
    run(main)
