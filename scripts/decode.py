"""Decode recordings with a model directory, in batches.

In:  a model directory, and one of: wav.scp (key, recording), with segments, utt2prompt, utt2hotwords and utt2lang (for
     --language utt2lang) where they lie beside it, each plain or with gzip; JSONL in the published format, whose
     prompts are used as they are; a folder of recordings.
Out: --output-file with `key<TAB>text` in the order of the input, and beside it OUTPUT_FILE.jsonl with the details:
     number of tokens, duration, how each hypothesis ended (eos, length, error), flags (looping, text_on_silence), and
     the pieces of what is over --max-seconds with their times; with --subtitles-dir, a .srt and a .vtt a recording.
Of what cannot be read, the key has empty text and the error is in the JSONL, and the exit status is 1 (with --strict:
2, and nothing is written).
"""

import argparse
import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from recipe.audio import fetch
from recipe.cli import run, shard
from recipe.data import datadir, join, recordings
from recipe.data.join import Entry
from recipe.files import RecipeError, json_line, write_lines
from recipe.settings import flags
from recipe.settings.data import DataSettings, PromptSettings
from recipe.settings.decode import DecodeSettings
from recipe.settings.section import AUTO
from recipe.text import prompt
from recipe.text.prompt import EACH

logger = logging.getLogger("decode")

# Settings of the two sections that are flags here; the workflow alone knows what its jobs are.
DECODE = [field.name for field in dataclasses.fields(DecodeSettings) if field.name != "shards"]
DATA = ("prompt", "channel", "fetch", "allow_commands")
TABLES = ["segments", "utt2prompt", "utt2hotwords"]  # beside wav.scp


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory, as train.py and convert.py write")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scp-file", help="wav.scp; relative paths count from its folder")
    what.add_argument("--input-jsonl", help="JSONL in the published format, key optional")
    what.add_argument("--audio-dir", help="folder of recordings; their paths in it are their keys")
    parser.add_argument("--output-file", required=True, help="hypotheses to write: key<TAB>text")
    parser.add_argument("--subtitles-dir", help="folder for subtitles of each recording")
    parser.add_argument(
        "--shard", type=shard, default=(1, 1), metavar="I/N", help="decode the I-th of N parts of the list"
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="auto: bfloat16 on a GPU"
    )
    machine.add_argument(
        "--threads", type=flags.at_least(0), default=0, help="CPU threads (0: as many as torch chooses)"
    )
    flags.add(parser.add_argument_group("settings, as in the section `decode` of config.yaml"), DecodeSettings, DECODE)
    flags.add(parser.add_argument_group("prompt and reading, as in the section `data`"), DataSettings, DATA)
    return parser.parse_args()


def sections(args: argparse.Namespace) -> tuple[DecodeSettings, DataSettings]:
    """The settings that the flags give, of the two sections that decoding goes by."""
    return flags.section(args, DecodeSettings, DECODE), flags.section(args, DataSettings, DATA)


def part(entries: list, number: int, count: int) -> list:
    """The `number`-th, from 1, of `count` parts that follow each other."""
    return entries[len(entries) * (number - 1) // count : len(entries) * number // count]


def source(args: argparse.Namespace) -> str:
    return args.scp_file or args.input_jsonl or args.audio_dir


def all_entries(args: argparse.Namespace, asked: PromptSettings, hotwords: str) -> Iterable[Entry]:
    """The entries of the whole input."""
    if args.input_jsonl:
        return join.from_jsonl(args.input_jsonl)
    names = [*TABLES, EACH] if asked.language == EACH else TABLES
    tables = datadir.tables(args.scp_file, names) if args.scp_file else {}
    if asked.language == EACH and EACH not in tables:
        raise RecipeError(f"{source(args)}: there is no utt2lang beside it, which --language {EACH} needs")
    make_prompt = prompt.prompt_maker(asked.wording, asked.language, asked.itn, hotwords)
    if args.scp_file:
        logger.info("%s", " ".join([args.scp_file, *tables.values()]))
        return join.join(args.scp_file, None, tables, make_prompt)
    found = recordings.find(args.audio_dir)
    return [Entry(i, key, path, prompt=make_prompt(None, None)) for i, (key, path) in enumerate(found.items(), 1)]


def read_entries(args: argparse.Namespace, asked: PromptSettings, hotwords: str) -> list[Entry]:
    """The entries of this shard, one a key."""
    entries: dict[str, Entry] = {}
    left_out: Counter[str] = Counter()
    for entry in all_entries(args, asked, hotwords):
        reason = entry.problem[0] if entry.problem else ""
        if reason == join.NO_SEGMENTS or entry.key in entries:
            left_out[reason] += 1
        else:
            entries[entry.key] = entry
    if not entries:
        raise RecipeError(f"{source(args)}: no entries")
    if left_out:
        logger.warning("not decoded: %s", ", ".join(f"{number} {reason}" for reason, number in left_out.items()))
    return part(list(entries.values()), *args.shard)


def read_requests(args: argparse.Namespace, settings: DecodeSettings, data: DataSettings) -> list:
    from recipe.decode import run as decode
    from recipe.decode import subtitles

    requests = decode.probe(
        read_entries(args, data.prompt, ",".join(settings.hotwords)),
        fetch.policy_of(data.fetch, data.allow_commands),
        args.scp_file,
    )
    failed = [request for request in requests if request.error]
    if failed and settings.strict:
        raise RecipeError(f"{source(args)}: {failed[0].key}: {failed[0].error} ({len(failed)} such recordings)")
    if args.subtitles_dir:
        subtitles.check_keys(request.recording or request.key for request in requests)
    if args.subtitles_dir and args.shard[1] > 1 and any(request.recording for request in requests):
        raise RecipeError("--subtitles-dir: shards share recordings; decode segments without --shard")
    return requests


def write_subtitles(folder: str, hypotheses: list) -> None:
    """A pair of files for each recording; those of its segments are in one."""
    from recipe.decode import subtitles

    cues: dict[str, list] = {}
    for hypothesis in hypotheses:
        cues.setdefault(hypothesis.recording or hypothesis.key, []).extend(hypothesis.cues())
    Path(folder).mkdir(parents=True, exist_ok=True)
    for key, found in cues.items():
        subtitles.write(folder, key, sorted(found))


def main() -> int:
    args = parse_args()
    settings, data = sections(args)
    import torch

    from recipe.decode import engines
    from recipe.decode import run as decode
    from recipe.model import network as model
    from recipe.model.generate import Limits

    if args.threads:
        torch.set_num_threads(args.threads)
    requests = read_requests(args, settings, data)
    auto = settings.batch_seconds == AUTO
    batch_seconds = decode.batch_seconds_for(model.best_device()) if auto else settings.batch_seconds
    options = decode.DecodingOptions(
        batch_seconds=batch_seconds,
        max_seconds=settings.max_seconds,
        limits=Limits(per_second=settings.max_tokens_per_second),
        channel=data.channel,
        fetch_policy=fetch.policy_of(data.fetch, data.allow_commands),
        workers=settings.workers,
    )
    # The toolkit decodes in its own way.
    graphs = settings.cuda_graph and settings.engine == "transformers"
    engine = engines.load(settings.engine, args.model_dir, settings.beams, args.dtype, graphs)
    started = time.monotonic()
    hypotheses = decode.decode(engine, requests, options, progress=True)
    spent, seconds = time.monotonic() - started, sum(hypothesis.duration for hypothesis in hypotheses)
    logger.info("%s", decode.summary(hypotheses))
    logger.info("%.1f s of audio in %.1f s without loading: %.0f x real time", seconds, spent, seconds / spent)
    failed = [f"{h.key}: {h.error}" for h in hypotheses if h.ended == "error"]
    if failed and settings.strict:
        raise RecipeError(f"{failed[0]} ({len(failed)} such recordings)")
    if args.subtitles_dir:
        write_subtitles(args.subtitles_dir, hypotheses)
    write_lines(args.output_file + ".jsonl", (json_line(h.to_json()) for h in hypotheses))
    write_lines(args.output_file, (f"{h.key}\t{h.text}" for h in hypotheses))
    return 1 if failed else 0


if __name__ == "__main__":
    run(main)
