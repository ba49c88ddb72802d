"""Turn wav.scp and transcripts into a training manifest, joined by key.

In:  wav.scp (key, recording), transcripts (key, text), and where they lie beside wav.scp utt2spk, utt2lang, utt2group.
Out: --jsonl-file, one accepted utterance a line in the published ChatML format with key, duration and what is known;
     --rejects-file, every other entry with key, stage, reason and detail. Accepted + rejected = entries.
"""

import argparse
import logging
from collections import Counter
from pathlib import Path

from recipe import prepare, prompt
from recipe.cli import run
from recipe.files import RecipeError, read_map

logger = logging.getLogger("scp2jsonl")

# Optional tables of a data directory, and the field of the manifest that they fill.
TABLES = {"utt2spk": "speaker", "utt2lang": "language", "utt2group": "group"}


def parse_args() -> argparse.Namespace:
    defaults = prepare.Checks()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scp-file", required=True, help="wav.scp; relative paths count from its folder")
    parser.add_argument("--transcript-file", required=True, help="transcripts: key, text")
    parser.add_argument("--jsonl-file", required=True, help="manifest to write")
    parser.add_argument("--rejects-file", required=True, help="rejected entries to write (TSV)")
    parser.add_argument("--tokenizer", required=True, help="directory with the model's tokenizer.json")
    parser.add_argument("--wording", choices=("zh", "en"), default="zh", help="language of the instruction")
    parser.add_argument("--language", help="language to write in, e.g. zh (default: not said)")
    parser.add_argument("--no-itn", action="store_true", help="transcripts are spoken words, not written numbers")
    parser.add_argument("--min-seconds", type=float, default=defaults.min_seconds)
    parser.add_argument("--max-seconds", type=float, default=defaults.max_seconds)
    parser.add_argument("--max-tokens-per-second", type=float, default=defaults.max_tokens_per_second)
    parser.add_argument("--max-reject-ratio", type=float, default=1.0, help="stop if more than this share is rejected")
    parser.add_argument("--allow-commands", action="store_true", help="run commands that wav.scp holds")
    parser.add_argument("--workers", type=int, default=1, help="processes; the output is the same for any number")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    folder = Path(args.scp_file).parent
    tables = {name: read_map(folder / file) for file, name in TABLES.items() if (folder / file).is_file()}
    words = prompt.transcription_prompt(args.wording, args.language, not args.no_itn)
    checks = prepare.Checks(args.min_seconds, args.max_seconds, args.max_tokens_per_second, args.allow_commands)
    entries = prepare.join(args.scp_file, args.transcript_file, words, tables)
    counts = prepare.prepare(entries, args.tokenizer, checks, args.jsonl_file, args.rejects_file, args.workers)
    logger.info("%s", counts.summary())
    if counts.entries == 0:
        raise RecipeError(f"{args.scp_file}: no entries")
    rejected: Counter = counts.rejected
    if sum(rejected.values()) > args.max_reject_ratio * counts.entries:
        raise RecipeError(
            f"{counts.summary()}: more than max_reject_ratio {args.max_reject_ratio:g}. "
            f"Look into {args.rejects_file}, mend the data or raise the limit"
        )


if __name__ == "__main__":
    run(main)
