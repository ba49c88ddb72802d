"""Turn wav.scp and transcripts, or an existing JSONL, into a training manifest, joined by key.

In:  wav.scp (key, recording) and transcripts (key, text), with segments, utt2spk, utt2lang, utt2group, utt2prompt,
     utt2hotwords and utt2channel where they lie beside wav.scp, each plain or with gzip; or --input-jsonl in the
     published format.
     A recording is a path, an http(s) URL, ark:offset, or a command that ends in `|` (only with --allow-commands).
Out: --jsonl-file, one accepted utterance a line in the published ChatML format with key, duration and what is known;
     --rejects-file, every other entry with key, stage, reason and detail. Accepted + rejected = entries.
     --remarks-file, in the same columns what is odd about accepted ones.
With --purpose scoring (test sets) only what cannot be read is rejected: limits that protect training do not hold.

Large corpora: --slices-dir DIR --slices 8 joins the tables once, --slice-file DIR/1 ... DIR/8 with --checked-file each
checks them, on as many machines, and --slices-dir DIR --merge with these files makes the outputs. A slice that stays as
it was is not written again, so that only those which changed need to be checked again. Or, without slices:
--shard 1/8 ... 8/8 with --checked-file each, then --merge.
"""

import argparse
import dataclasses
import logging
import shutil
from pathlib import Path

from recipe.audio import fetch
from recipe.cli import run, shard
from recipe.data import datadir, join, prepare, remedies, slices, verification
from recipe.data.checks import IS_THE_SPEAKER, CheckPolicy
from recipe.data.excluded import Excluded
from recipe.data.prepare import DataOutputs
from recipe.files import RecipeError, refuse_overwriting
from recipe.settings import flags
from recipe.settings.data import Checks, DataSettings, PromptSettings
from recipe.text import prompt
from recipe.text.markup import Content, special_tokens
from recipe.text.prompt import EACH

logger = logging.getLogger("scp2jsonl")

# Of the section `data`; the sets are named by the flags above.
SETTINGS = [field.name for field in dataclasses.fields(Checks)]
SETTINGS += ["prompt", "fetch", "allow_commands", "max_reject_ratio", "workers"]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    files = parser.add_argument_group("files")
    files.add_argument("--scp-file", help="wav.scp; relative paths count from its folder")
    files.add_argument("--transcript-file", help="transcripts: key, text")
    files.add_argument("--input-jsonl", help="instead of the two: JSONL in the published format, key optional")
    files.add_argument("--jsonl-file", help="manifest to write")
    files.add_argument("--rejects-file", help="rejected entries to write (TSV)")
    files.add_argument("--remarks-file", help="remarks on accepted entries to write (TSV)")
    files.add_argument(
        "--purpose", choices=("training", "scoring"), default="training", help="what the set is for (default: training)"
    )
    files.add_argument("--tokenizer", help="directory with the model's tokenizer.json")
    files.add_argument(
        "--shard", type=shard, default=(1, 1), metavar="I/N", help="check the I-th of N parts of the lines"
    )
    files.add_argument("--checked-file", help="a shard's result to write")
    files.add_argument("--slices-dir", help="folder of the slices of a set")
    files.add_argument("--slices", type=flags.at_least(1), metavar="N", help="split the set into N slices")
    files.add_argument("--slice-file", help="check the entries of a slice")
    files.add_argument("--merge", nargs="+", metavar="CHECKED", help="make the outputs of all shards' results")
    files.add_argument("--exclude-file", help="table of utterances to leave out, its first column the key (TSV)")
    files.add_argument("--set-name", default="", help="what the set is called in that table, as ROLE/NAME")
    files.add_argument("--hotwords", default="", help="hotwords where utt2hotwords has none, separated by commas")
    flags.add(parser.add_argument_group("settings, as in the section `data` of config.yaml"), DataSettings, SETTINGS)
    return parser.parse_args()


def section(args: argparse.Namespace) -> DataSettings:
    """The settings that the flags give."""
    return flags.section(args, DataSettings, SETTINGS)


def entries_of(args: argparse.Namespace, asked: PromptSettings):
    """The entries of the shard that was asked for."""
    part = args.shard[0] - 1, args.shard[1]
    left_out = Excluded(args.exclude_file, args.set_name) if args.exclude_file else None
    if args.input_jsonl:
        return join.from_jsonl(args.input_jsonl, part, left_out)
    tables = datadir.tables(args.scp_file)
    if asked.language == EACH and "utt2lang" not in tables:
        raise RecipeError(f"{args.scp_file}: there is no utt2lang beside it, which --language {EACH} needs")
    make_prompt = prompt.prompt_maker(asked.wording, asked.language, asked.itn, args.hotwords)
    return join.join(args.scp_file, args.transcript_file, tables, make_prompt, part, left_out)


def require(args: argparse.Namespace, *names: str) -> None:
    missing = [f"--{name.replace('_', '-')}" for name in names if not getattr(args, name)]
    if missing:
        raise RecipeError(f"missing: {', '.join(missing)}; see --help")


def finish(counts: prepare.Ledger, args: argparse.Namespace, most: float) -> None:
    """Say what was found, and stop if it is too little."""
    logger.info("%s", counts.summary())
    source = args.input_jsonl or args.scp_file or " ".join(args.merge)
    if counts.entries == 0:
        raise RecipeError(f"{source}: no entries")
    # A workflow removes the outputs of a failed stage; this copy stays to be looked at.
    kept = Path(f"{args.rejects_file.removesuffix('.tsv')}.failed.tsv")
    kept.unlink(missing_ok=True)
    if counts.remarked[IS_THE_SPEAKER] == counts.accepted > 1:
        raise RecipeError(
            f"{args.transcript_file or source}: the transcripts of all {counts.accepted} utterances are the names of "
            "their speakers; was another table given for them?"
        )
    few = counts.rejected.total() - counts.orphans <= most * (counts.entries - counts.orphans)
    if few and counts.accepted:
        return
    shutil.copyfile(args.rejects_file, kept)
    commonest = [reason for reason, _ in counts.rejected.most_common(5)]
    examples = "; ".join(
        f"{reason}: {', '.join(counts.examples[reason])}: {remedies.remedy(reason)}" for reason in commonest
    )
    what = f"more than max_reject_ratio {most:g}" if counts.accepted else "nothing is left"
    raise RecipeError(
        f"{source}: {counts.summary()}: {what}. For example {examples}. Look into {kept}, mend the data"
        + (" or raise the limit" if counts.accepted else "")
    )


def policy_of(args: argparse.Namespace, settings: DataSettings) -> CheckPolicy:
    """How entries are checked."""
    return CheckPolicy(
        Checks(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(Checks)}),
        # Paths of a JSONL are as its maker wrote them; those of wav.scp count from its folder.
        None if args.input_jsonl else args.scp_file,
        fetch.policy_of(settings.fetch, settings.allow_commands),
        scoring=args.purpose == "scoring",
        content=Content(_special_tokens(args.tokenizer) if args.tokenizer else ()),
    )


def _special_tokens(tokenizer: str) -> tuple[str, ...]:
    file = f"{tokenizer}/tokenizer.json"
    try:
        return special_tokens(file)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RecipeError(f"{file}: cannot be loaded ({error}); name a model directory") from None


def table(args: argparse.Namespace) -> str:
    """The table that has a line an utterance."""
    return args.input_jsonl or datadir.tables(args.scp_file, ["segments"]).get("segments", args.scp_file)


def check_slice(args: argparse.Namespace, settings: DataSettings) -> None:
    """Check the entries of a slice, as was decided for all of the set."""
    verify, entries = slices.read(args.slice_file)
    policy = policy_of(args, settings)
    policy = dataclasses.replace(policy, checks=dataclasses.replace(policy.checks, verify=verify))
    prepare.prepare_shard(entries, args.tokenizer, policy, args.checked_file, settings.workers)


def main() -> None:
    args = parse_args()
    settings = section(args)
    written = [args.jsonl_file, args.rejects_file, args.remarks_file, args.checked_file]
    beside = datadir.tables(args.scp_file).values() if args.scp_file else []
    refuse_overwriting(
        written,
        [args.scp_file, args.transcript_file, args.input_jsonl, *beside, *(args.merge or []), args.exclude_file],
    )
    outputs = DataOutputs(args.jsonl_file, args.rejects_file, args.remarks_file)
    if args.merge:
        require(args, "jsonl_file", "rejects_file")
        counts = prepare.merge(args.merge, policy_of(args, settings), outputs, args.slices_dir)
        finish(counts, args, settings.max_reject_ratio)
        return
    if args.slice_file:
        require(args, "tokenizer", "checked_file")
        check_slice(args, settings)
        return
    require(
        args,
        *(() if args.slices_dir else ("tokenizer",)),
        *(() if args.input_jsonl else ("scp_file", "transcript_file")),
    )
    source = (
        entries_of(args, settings.prompt),
        args.tokenizer,
        verification.decided(policy_of(args, settings), table(args)),
    )
    if args.slices_dir:
        require(args, "slices")
        entries, _, policy = source
        slices.split(entries, args.slices, policy.checks.verify, args.slices_dir)
        return
    if args.checked_file:
        prepare.prepare_shard(*source, args.checked_file, settings.workers)
        return
    require(args, "jsonl_file", "rejects_file")
    finish(prepare.prepare(*source, outputs, settings.workers), args, settings.max_reject_ratio)


if __name__ == "__main__":
    run(main)
