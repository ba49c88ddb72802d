"""Turn wav.scp and transcripts, or an existing JSONL, into a training manifest, joined by key.

In:  wav.scp (key, recording) and transcripts (key, text), with segments, utt2spk, utt2lang, utt2group, utt2prompt and
     utt2hotwords where they lie beside wav.scp, each plain or with gzip; or --input-jsonl in the published format.
     A recording is a path, an http(s) URL, ark:offset, or a command that ends in `|` (only with --allow-commands).
Out: --jsonl-file, one accepted utterance a line in the published ChatML format with key, duration and what is known;
     --rejects-file, every other entry with key, stage, reason and detail. Accepted + rejected = entries.

Large corpora: --shard 0/8 ... 7/8 with --checked-file each, on as many machines, then --merge with these files.
"""

import argparse
import dataclasses
import logging
import shutil
from pathlib import Path

from recipe.audio import fetch
from recipe.cli import run
from recipe.data import datadir, join, prepare
from recipe.data.checks import Checks
from recipe.files import RecipeError
from recipe.text import prompt
from recipe.text.prompt import EACH

logger = logging.getLogger("scp2jsonl")


def shard(value: str) -> tuple[int, int]:
    part, _, parts = value.partition("/")
    if not (part.isdigit() and parts.isdigit() and int(part) < int(parts)):
        raise argparse.ArgumentTypeError(f"{value!r}: expected I/N with I from 0 to N - 1")
    return int(part), int(parts)


def limit(value: str) -> float | None:
    return None if value == "auto" else float(value)


def channel(value: str) -> int | str:
    return value if value == "average" else int(value)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    files = parser.add_argument_group("files")
    files.add_argument("--scp-file", help="wav.scp; relative paths count from its folder")
    files.add_argument("--transcript-file", help="transcripts: key, text")
    files.add_argument("--input-jsonl", help="instead of the two: JSONL in the published format, key optional")
    files.add_argument("--jsonl-file", help="manifest to write")
    files.add_argument("--rejects-file", help="rejected entries to write (TSV)")
    files.add_argument("--tokenizer", help="directory with the model's tokenizer.json")
    files.add_argument("--shard", type=shard, default=(0, 1), metavar="I/N", help="check this part of the lines only")
    files.add_argument("--checked-file", help="a shard's result to write")
    files.add_argument("--merge", nargs="+", metavar="CHECKED", help="make the outputs of all shards' results")
    words = parser.add_argument_group("prompt")
    words.add_argument("--wording", choices=("zh", "en"), default="zh", help="language of the instruction")
    words.add_argument("--language", help=f"language to write in, e.g. zh; {EACH}: of each (default: not said)")
    words.add_argument("--no-itn", action="store_true", help="transcripts are spoken words, not written numbers")
    words.add_argument("--hotwords", default="", help="hotwords where utt2hotwords has none, separated by commas")
    add_limits(parser.add_argument_group("limits"), Checks())
    parser.add_argument("--max-reject-ratio", type=float, default=1.0, help="stop if more than this share is rejected")
    parser.add_argument("--workers", type=int, default=1, help="processes; the output is the same for any number")
    fetch.add_arguments(parser)
    return parser.parse_args()


def add_limits(group, defaults: Checks) -> None:
    group.add_argument("--min-seconds", type=float, default=defaults.min_seconds)
    group.add_argument("--max-seconds", type=float, default=defaults.max_seconds)
    group.add_argument(
        "--min-tokens-per-second", type=limit, default=defaults.min_tokens_per_second, help="auto: learned from the set"
    )
    group.add_argument(
        "--max-tokens-per-second", type=limit, default=defaults.max_tokens_per_second, help="auto: learned from the set"
    )
    group.add_argument(
        "--verify",
        choices=("header", "full"),
        default=defaults.verify,
        help="full decodes everything (default: header)",
    )
    group.add_argument("--silence-db", type=float, default=defaults.silence_db, help="least level, with --verify full")
    group.add_argument("--max-clipped", type=float, default=defaults.max_clipped, help="share, with --verify full")
    group.add_argument("--non-nfc", choices=("reject", "convert"), default=defaults.non_nfc)
    group.add_argument("--channel", type=channel, default=defaults.channel, help="average, or an index from 0")


def checks_of(args: argparse.Namespace) -> Checks:
    names = {field.name for field in dataclasses.fields(Checks)} - {"fetch_policy"}
    return Checks(**{name: getattr(args, name) for name in names}, fetch_policy=fetch.from_arguments(args))


def entries_of(args: argparse.Namespace):
    """The entries of the shard that was asked for."""
    if args.input_jsonl:
        return join.from_jsonl(args.input_jsonl, args.shard)
    tables = datadir.tables(args.scp_file)
    if args.language == EACH and "utt2lang" not in tables:
        raise RecipeError(f"{args.scp_file}: there is no utt2lang beside it, which --language {EACH} needs")
    make_prompt = prompt.prompt_maker(args.wording, args.language, not args.no_itn, args.hotwords)
    return join.join(args.scp_file, args.transcript_file, tables, make_prompt, args.shard)


def require(args: argparse.Namespace, *names: str) -> None:
    missing = [f"--{name.replace('_', '-')}" for name in names if not getattr(args, name)]
    if missing:
        raise RecipeError(f"missing: {', '.join(missing)}; see --help")


def finish(counts: prepare.Counts, args: argparse.Namespace) -> None:
    """Say what was found, and stop if it is too little."""
    logger.info("%s", counts.summary())
    if counts.entries == 0:
        raise RecipeError(f"{args.input_jsonl or args.scp_file or ' '.join(args.merge)}: no entries")
    # A workflow removes the outputs of a failed stage; this copy stays to be looked at.
    kept = Path(f"{args.rejects_file.removesuffix('.tsv')}.failed.tsv")
    kept.unlink(missing_ok=True)
    if counts.rejected.total() > args.max_reject_ratio * counts.entries:
        shutil.copyfile(args.rejects_file, kept)
        commonest = [reason for reason, _ in counts.rejected.most_common(5)]
        examples = "; ".join(f"{reason}: {', '.join(counts.examples[reason])}" for reason in commonest)
        raise RecipeError(
            f"{counts.summary()}: more than max_reject_ratio {args.max_reject_ratio:g}. For example {examples}. "
            f"Look into {kept}, mend the data or raise the limit"
        )


def main() -> None:
    args = parse_args()
    checks = checks_of(args)
    if args.merge:
        require(args, "jsonl_file", "rejects_file")
        finish(prepare.merge(args.merge, checks, args.jsonl_file, args.rejects_file), args)
        return
    require(args, "tokenizer", *(() if args.input_jsonl else ("scp_file", "transcript_file")))
    source = (entries_of(args), args.tokenizer, checks)
    # Paths of a JSONL are as its maker wrote them; those of wav.scp count from its folder.
    options = {"scp_file": None if args.input_jsonl else args.scp_file, "workers": args.workers}
    if args.checked_file:
        prepare.prepare_shard(*source, args.checked_file, **options)
        return
    require(args, "jsonl_file", "rejects_file")
    finish(prepare.prepare(*source, args.jsonl_file, args.rejects_file, **options), args)


if __name__ == "__main__":
    run(main)
