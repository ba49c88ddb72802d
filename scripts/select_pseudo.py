#!/usr/bin/env python3
"""Choose what is good enough to train on of what a model wrote for recordings without transcripts.

In:  the recordings as decode.py was given them (--scp-file, --input-jsonl or --audio-dir, with the same prompt); what
     decode.py wrote of them, twice: OUTPUT_FILE.jsonl of the model (--first) and of another one, or of the same with
     --noise-db (--second), several files in the order of their shards; the rejects of the first.
Out: --jsonl-file, a manifest in the published format (scp2jsonl.py checks it as any other); --kept-file (TSV), a line
     for each of its own: where in which recording it lies, confidence, how far the second opinion differs, both models
     and the SHA-256 of their weights; --rejects-file (TSV) with key, stage, reason and detail of all the rest;
     --counts-file (JSON).
"""

import argparse

from recipe.cli import run
from recipe.decode import listed
from recipe.decode.listed import RecordingList
from recipe.files import refuse_overwriting
from recipe.settings import flags
from recipe.settings.data import DataSettings
from recipe.settings.pseudo import SelectionSettings

REQUIREMENTS = ("min_confidence", "max_disagreement")
ASKED = ("prompt",)
LABELS = ("utt2spk", "utt2lang", "utt2group")  # beside wav.scp, for the manifest


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scp-file", help="wav.scp; relative paths count from its folder")
    what.add_argument("--input-jsonl", help="JSONL in the published format, key optional")
    what.add_argument("--audio-dir", help="folder of recordings; their paths in it are their keys")
    for place in ("first", "second"):
        parser.add_argument(f"--{place}", required=True, nargs="+", metavar="JSONL", help=f"details of the {place}")
        parser.add_argument(f"--{place}-name", required=True, help="its name in --kept-file")
        parser.add_argument(f"--{place}-model", required=True, help="its model directory")
    parser.add_argument("--decode-rejects", nargs="*", default=[], metavar="TSV", help="rejects of the first")
    parser.add_argument("--jsonl-file", required=True, help="manifest to write")
    parser.add_argument("--kept-file", required=True, help="where each line comes from (TSV)")
    parser.add_argument("--rejects-file", required=True, help="what is left out (TSV)")
    parser.add_argument("--counts-file", required=True, help="counts (JSON)")
    flags.add(parser.add_argument_group("settings, as in an entry of `pseudo`"), SelectionSettings, REQUIREMENTS)
    flags.add(parser.add_argument_group("prompt, as in the section `data`"), DataSettings, ASKED)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    settings = flags.section(args, SelectionSettings, REQUIREMENTS)
    asked = flags.section(args, DataSettings, ASKED).prompt
    recordings = RecordingList(args.scp_file, args.input_jsonl, args.audio_dir)
    outputs = (args.jsonl_file, args.kept_file, args.rejects_file, args.counts_file)
    inputs = (args.scp_file, args.input_jsonl, *recordings.tables().values(), *args.first, *args.second)
    refuse_overwriting(outputs, [*inputs, *args.decode_rejects])
    from recipe.pseudo.choice import Requirements
    from recipe.pseudo.run import Opinion, SelectionFiles, select, weights_hash

    found, _ = listed.entries(recordings, asked, "", LABELS)
    select(
        filter(listed.is_decoded, found),
        recordings,
        Opinion(args.first_name, weights_hash(args.first_model), args.first),
        Opinion(args.second_name, weights_hash(args.second_model), args.second),
        args.decode_rejects,
        Requirements(settings.min_confidence, settings.max_disagreement),
        SelectionFiles(*outputs),
    )


if __name__ == "__main__":
    run(main)
