"""Rank transcripts by how much models that were trained without them disagree.

In:  of each fold --manifests (held_out.K.jsonl), --details (text.jsonl of decode.py) and --judgements (of
     suspects_judge.py), in the same order.
Out: --suspects-file with key, score, kind, set, reference, hypothesis and detail of those that are likely wrong;
     --ranking-file with all utterances, the most suspicious first; --json-file with the estimated share of wrong
     transcripts, its 95 % interval, and counts by kind and set; --page with the first suspects, to listen to.
"""

import argparse
import logging

from recipe.cli import run
from recipe.files import RecipeError, refuse_overwriting, write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifests", required=True, nargs="+", help="held-out manifests")
    parser.add_argument("--details", required=True, nargs="+", help="what was decoded of each")
    parser.add_argument("--judgements", required=True, nargs="+", help="losses of each")
    parser.add_argument("--suspects-file", required=True, help="what is likely wrong (TSV)")
    parser.add_argument("--ranking-file", required=True, help="all utterances (TSV)")
    parser.add_argument("--json-file", required=True, help="counts and the estimated share")
    parser.add_argument("--page", help="page with players to write (HTML)")
    args = parser.parse_args()
    inputs = [args.manifests, args.details, args.judgements]
    if len(set(map(len, inputs))) > 1:
        raise RecipeError(
            f"--manifests, --details and --judgements name {', '.join(str(len(one)) for one in inputs)} files; name "
            "as many of each"
        )
    outputs = [args.suspects_file, args.ranking_file, args.json_file, args.page]
    refuse_overwriting(outputs, [file for files in inputs for file in files])
    from recipe.suspects import ranking

    found = ranking.rank([ranking.FoldFiles(*files) for files in zip(*inputs, strict=True)], *outputs[:2])
    write_json(args.json_file, found.to_json())
    if args.page:
        from recipe.report import suspects

        suspects.write(found, args.page)
    own = found.share
    logging.info(
        "%d of %d utterances are judged, %d suspects; about %.1f %% [%.1f, %.1f] of the transcripts are wrong",
        found.judged, found.utterances, found.suspects, 100 * own.share, 100 * own.low, 100 * own.high,
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
