#!/usr/bin/env python3
"""Score hypotheses against references: aligned text and error rates.

REF and HYP are Kaldi `text` files (a key, white space, the text), both normalized in the same way. OUT is laid out as
the compute-wer package does (`tail -n8 OUT` shows the rates), in the order of REF. --json writes everything else.
"""

import argparse

from recipe.cli import run
from recipe.score.policy import ScoringPolicy
from recipe.score.run import ScoreInputs, score_files
from recipe.settings import flags
from recipe.settings.score import OWN_RULES, ScoreSettings


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ref", metavar="REF", help="references")
    parser.add_argument("hyp", metavar="HYP", help="hypotheses")
    parser.add_argument("out", metavar="OUT", help="aligned utterances and rates, as text")
    parser.add_argument("--json", metavar="OUT.json", help="write rates, intervals, groups, confusions, flags, ...")
    parser.add_argument("--utterances", metavar="OUT.jsonl", help="write counts and alignment of every utterance")
    policies = parser.add_argument_group("policies")
    policies.add_argument(
        "--missing",
        choices=("deletions", "error"),
        default="deletions",
        help="a reference without hypothesis counts as all deletions (default), or is an error",
    )
    policies.add_argument(
        "--extra",
        choices=("error", "ignore"),
        default="error",
        help="a hypothesis without reference is an error (default), or is left out",
    )
    policies.add_argument("--remove-tags", action="store_true", help="drop <...> from both texts")
    details = parser.add_argument_group("details for --json and --utterances")
    details.add_argument("--utt2spk", metavar="F", help="speakers: groups, and the unit of resampling; or *.jsonl")
    details.add_argument("--utt2lang", metavar="F", help="languages: groups; or *.jsonl")
    details.add_argument("--utt2group", metavar="F", help="groups of any kind (domain, device, ...); or *.jsonl")
    details.add_argument("--durations", metavar="F", help="JSON lines with key and duration (or a manifest): groups")
    details.add_argument("--hyp-jsonl", metavar="F", help="the decoder's details: how each hypothesis ended")
    details.add_argument("--rejects", metavar="F", help="what the data stage rejected of the set, to be counted")
    details.add_argument("--hotwords", metavar="F", help="utt2hotwords: a key (* for those not listed), then words")
    details.add_argument("--compare", metavar="HYP2", help="hypotheses of another system, to compare with")
    flags.add(details, ScoreSettings, ["bootstrap"])
    recorded = parser.add_argument_group(
        "normalization that both texts went through, to be recorded",
        "(the flags of normalize.py; nothing is normalized here)",
    )
    recorded.add_argument("--mode", metavar="NAME", help="its name; of faithful, digits count singly")
    flags.add(recorded, ScoreSettings, OWN_RULES)
    return parser.parse_args()


def main() -> None:
    args = parse()
    settings = flags.section(args, ScoreSettings, ["bootstrap", *OWN_RULES])
    inputs = ScoreInputs(
        ref=args.ref,
        hyp=args.hyp,
        compare=args.compare,
        utt2spk=args.utt2spk,
        utt2lang=args.utt2lang,
        utt2group=args.utt2group,
        durations=args.durations,
        hyp_jsonl=args.hyp_jsonl,
        hotwords=args.hotwords,
        rejects=args.rejects,
        equivalent=settings.equivalent,
    )
    policy = ScoringPolicy(
        missing=args.missing,
        extra=args.extra,
        bootstrap=settings.bootstrap,
        mode=args.mode,
        fillers=settings.fillers,
        remove_tags=args.remove_tags,
    )
    score_files(inputs, policy, args.out, args.json, args.utterances)


if __name__ == "__main__":
    run(main)
