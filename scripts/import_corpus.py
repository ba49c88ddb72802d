"""Turn a corpus in one of many formats into a Kaldi data directory: wav.scp, text and what else is known.

In:  SOURCE, a file or folder in FORMAT (of hf also organization/name of the hub).
Out: DIR with wav.scp and text, and where known segments, utt2spk, utt2lang, utt2group, utt2channel, utt2prompt and
     utt2hotwords, sorted by key in the order of bytes; recordings that are files stay where they are, under their
     absolute paths (--copy: as files under DIR/wav); recordings inside of other files are written there, bytes as they
     are. rejects.tsv has every other entry with key, stage, reason and detail; import.json has the counts.
     Entries = imported + rejected.
Exit status: 0; 2 if the source is not what it should be, or nothing of it could be imported.
"""

import argparse
from dataclasses import fields

from recipe.cli import run
from recipe.files import RecipeError
from recipe.imports.options import ROLES, ImportOptions, parse_columns
from recipe.imports.run import ALIASES, FORMATS, import_corpus
from recipe.settings.flags import at_least


def formats() -> str:
    """The formats with their aliases, a line each."""
    lines = []
    for name, kind in FORMATS.items():
        also = [alias for alias, meant in ALIASES.items() if meant == name]
        lines.append(f"  {name:13} {kind.words}{f' (also: {chr(44).join(also)})' if also else ''}")
    return "formats:\n" + "\n".join(lines)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=formats(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("format", metavar="FORMAT", choices=[*FORMATS, *ALIASES], help="one of those below")
    parser.add_argument("source", metavar="SOURCE", help="file or folder to read")
    parser.add_argument("folder", metavar="DIR", help="data directory to write; an earlier import there is replaced")
    parser.add_argument("--language", metavar="LANG", help="language of utterances that say none, e.g. en")
    parser.add_argument("--copy", action="store_true", help="copy recordings into DIR/wav")
    parser.add_argument("--keep-empty", action="store_true", help="keep entries with empty text (silence to test on)")
    parser.add_argument("--limit", type=at_least(1), metavar="N", help="read the first N entries alone")
    parser.add_argument("--dry-run", action="store_true", help="read and count, write nothing")
    more = parser.add_argument_group("options of formats")
    more.add_argument("--columns", metavar="ROLE=COLUMN,...", help=f"which column is what: {', '.join(ROLES)}")
    more.add_argument("--root", metavar="FOLDER", help="where relative paths count from (default: beside SOURCE)")
    more.add_argument("--audio", metavar="PLACE", help="folder of recordings, or a wav.scp (default: beside SOURCE)")
    more.add_argument("--split", help="hf: split, or folder of the table; common-voice: table, e.g. train")
    more.add_argument("--config", help="hf: configuration of a data set of the hub, often a language")
    more.add_argument("--revision", help="hf: commit of a data set of the hub")
    more.add_argument("--delimiter", help="table: one character, or tab, comma, semicolon, pipe")
    more.add_argument("--no-header", dest="header", action="store_false", default=None, help="columns are numbers")
    more.add_argument("--tier", help="textgrid: name of the tier, or all (every tier a speaker)")
    more.add_argument("--segments", metavar="FILE", help="ctm: utterances by Kaldi's segments, or by a .stm")
    more.add_argument("--pause", type=at_least(0, float), help="ctm: seconds that end an utterance (default: 0.5)")
    more.add_argument("--max-seconds", type=at_least(0, float), help="ctm: longest utterance (default: 30)")
    more.add_argument(
        "--prompts", action="store_true", default=None, help="ms-swift, qwen3-asr: carry instructions as utt2prompt"
    )
    return parser.parse_args()


def options_of(args: argparse.Namespace) -> ImportOptions:
    """The options of the format. RecipeError for one that it does not heed."""
    given = {field.name: getattr(args, field.name) for field in fields(ImportOptions)}
    given = {name: value for name, value in given.items() if value is not None}
    name = ALIASES.get(args.format, args.format)
    for option in given:
        if option not in FORMATS[name].options:
            flag = "--no-header" if option == "header" else f"--{option.replace('_', '-')}"
            heeding = ", ".join(other for other, kind in FORMATS.items() if option in kind.options)
            raise RecipeError(f"{flag}: {name} has no use for it; it is for {heeding}")
    if "columns" in given:
        given["columns"] = parse_columns(given["columns"])
    return ImportOptions(**given)


def main() -> None:
    args = parse_args()
    import_corpus(
        args.format, args.source, args.folder, options_of(args), copy=args.copy, keep_empty=args.keep_empty,
        language=args.language, limit=args.limit, dry_run=args.dry_run,
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
