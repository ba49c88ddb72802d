#!/usr/bin/env python3
"""Group the errors of a score by what they are errors of, and say what a fix of each group would bring.

In:  UTTERANCES, which compute_wer.py --utterances wrote; --manifest of the test set; --sound, sound.tsv of
     fbank_stats.py (levels and noise of the utterances that were read); --hotwords, normalized.
Out: OUT.tsv, a line a group, the dearest first; docs/errors.md explains its columns.
"""

import argparse
import logging

from recipe.cli import run
from recipe.files import refuse_overwriting
from recipe.score.grouped import GroupingFiles, group_errors, write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("utterances", metavar="UTTERANCES", help="utterances.jsonl of compute_wer.py")
    parser.add_argument("out", metavar="OUT.tsv", help="where to write to")
    parser.add_argument("--manifest", required=True, help="manifest of the test set")
    parser.add_argument("--sound", metavar="TSV", help="sound.tsv of fbank_stats.py")
    parser.add_argument("--hotwords", metavar="F", help="utt2hotwords: a key (* for those not listed), then words")
    args = parser.parse_args()
    refuse_overwriting([args.out], [args.utterances, args.manifest, args.sound, args.hotwords])
    found = group_errors(GroupingFiles(args.utterances, args.manifest, args.sound, args.hotwords))
    write_table(args.out, found)
    dearest = [f"{one.kind} {one.name} {one.excess:.2f}" for one in found[:3] if one.excess and one.excess > 0]
    logging.getLogger("group_errors").info("%d groups; dearest in points: %s", len(found), ", ".join(dearest) or "none")


if __name__ == "__main__":
    run(main)
