"""Decode recordings with a model directory, in batches.

In:  a model directory, and one of: wav.scp (key, recording), with segments, utt2prompt, utt2hotwords and utt2lang (for
     --language utt2lang) where they lie beside it, each plain or with gzip; JSONL in the published format, whose
     prompts are used as they are; a folder of recordings.
Out: --output-file with `key<TAB>text` in the order of the input, and beside it OUTPUT_FILE.jsonl with the details:
     number of tokens, duration, how each hypothesis ended (eos, length, error), flags (looping, text_on_silence,
     no_speech, decoded_again, incomplete_recording), words with times and confidences, and the pieces of what is over
     --max-seconds with their times;
     --rejects-file with key or path, stage, reason and detail of all that was not decoded or could not be read (without
     the flag OUTPUT_FILE.rejects.tsv, if there is any); with --subtitles-dir, a .srt and a .vtt a recording (with
     times of words also a .TextGrid and a .ctm). What a
     killed call had found lies in OUTPUT_FILE.jsonl.unfinished, and the same call goes on behind it.
Exit status: 0; 2 if input or settings are wrong, and nothing is written; 3 if part of the input could not be read: such
a key has empty text and its error in the JSONL (with --strict it is 2), or if nothing of it is a recording; 4 if memory
ran out. Any other is a defect.
"""

import argparse
import contextlib
import dataclasses
import itertools
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from recipe.audio import fetch
from recipe.cli import run, shard
from recipe.data import recordings
from recipe.data.checked import Rejected
from recipe.data.join import Entry
from recipe.data.sorting import Spool
from recipe.decode import listed
from recipe.decode.listed import RecordingList
from recipe.files import RecipeError, json_line, make_folder, refuse_overwriting, sha256, write_lines
from recipe.settings import flags
from recipe.settings.data import DataSettings, PromptSettings
from recipe.settings.decode import FUNASR, TRANSFORMERS, DecodeSettings, check_installed
from recipe.settings.section import AUTO
from recipe.text import prompt
from recipe.workflow.code import code_hash

logger = logging.getLogger("decode")

# Settings of the two sections that are flags here; the workflow alone knows what its jobs are.
DECODE = [field.name for field in dataclasses.fields(DecodeSettings) if field.name not in ("shards", "calibrate")]
DATA = ("prompt", "channel", "fetch", "allow_commands")
PARTLY_UNREADABLE, OUT_OF_MEMORY = 3, 4  # exit statuses
# Flags with which another call would find the same.
INDIFFERENT = {"output_file", "rejects_file", "subtitles_dir", "check_subtitles", "threads", "workers", "strict"}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory, as train.py and convert.py write")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scp-file", help="wav.scp; relative paths count from its folder")
    what.add_argument("--input-jsonl", help="JSONL in the published format, key optional")
    what.add_argument("--audio-dir", help="folder of recordings; their paths in it are their keys")
    parser.add_argument("--output-file", required=True, help="hypotheses to write: key<TAB>text")
    parser.add_argument("--calibration", help="JSON of calibrate.py, whose temperature confidences are made with")
    parser.add_argument(
        "--noise-db",
        type=flags.at_least(0, float),
        metavar="DB",
        help="decode with white noise in the recordings, so many dB below the speech: a second opinion of one model",
    )
    parser.add_argument("--rejects-file", help="what was not decoded or could not be read (TSV)")
    parser.add_argument("--subtitles-dir", help="folder for subtitles of each recording")
    parser.add_argument(
        "--check-subtitles", action="store_true", help="see that subtitles can be made later, by write_subtitles.py"
    )
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
    settings, data = flags.section(args, DecodeSettings, DECODE), flags.section(args, DataSettings, DATA)
    if problem := settings.contradiction(data.prompt):
        raise RecipeError(problem)
    if settings.engine != TRANSFORMERS:
        check_installed(settings.engine)
    return settings, data


def part(length: int, number: int, count: int) -> tuple[int, int]:
    """Where the `number`-th, from 1, of `count` parts that follow each other begins, and where it ends."""
    return length * (number - 1) // count, length * number // count


def recordings_of(args: argparse.Namespace) -> RecordingList:
    return RecordingList(args.scp_file, args.input_jsonl, args.audio_dir)


def read_entries(args: argparse.Namespace, asked: PromptSettings, hotwords: str) -> tuple[Spool, list[Rejected]]:
    """The entries of the whole input, one a key; and, with the last shard, what of the input is none of them."""
    entries = Spool()
    found, left_out = listed.entries(recordings_of(args), asked, hotwords)
    for entry in found:
        if listed.is_decoded(entry):
            entries.add(entry)
        else:
            left_out.append(Rejected(entry.key, *entry.problem))
    if not entries and not left_out:
        raise RecipeError(f"{recordings_of(args).path}: no entries")
    last = args.shard[0] == args.shard[1]
    return entries, left_out if last else []


def check_subtitles(args: argparse.Namespace, entries: Spool) -> None:
    """What stands in the way of subtitles is told before anything is decoded."""
    from recipe.decode import subtitles

    if args.subtitles_dir:
        make_folder(args.subtitles_dir)
    if args.subtitles_dir or args.check_subtitles:
        rows = lambda: map(Entry._make, entries.rows(0, len(entries)))  # noqa: E731
        subtitles.check_keys(lambda: (entry.recording or entry.key for entry in rows()))
        if args.subtitles_dir and args.shard[1] > 1 and any(entry.recording for entry in rows()):
            raise RecipeError("--subtitles-dir: shards share recordings; decode segments without --shard")


def causes(args: argparse.Namespace, batch_seconds: float) -> dict[str, str] | None:
    """What the hypotheses depend on, by name; None if the input is no file that could be read once more."""
    import torch

    from recipe.model import network

    facts = {name: str(value) for name, value in vars(args).items() if name not in INDIFFERENT}
    device = network.device_name(network.best_device())
    facts |= {"batches": str(batch_seconds), "device": device, "torch": torch.__version__}
    facts["code"] = code_hash(__file__)
    if args.audio_dir:
        inputs = []
        facts["recordings"] = json_line(recordings.survey(args.audio_dir).recordings)
    else:
        inputs = [args.scp_file or args.input_jsonl, *recordings_of(args).tables().values()]
    inputs += [args.calibration] if args.calibration else []
    if not all(os.path.isfile(file) for file in inputs):
        return None
    facts |= {str(file): sha256(file) for file in inputs}
    for file in sorted(file for file in Path(args.model_dir).rglob("*") if file.is_file()):
        about = file.stat()
        facts[str(file)] = f"{about.st_size} bytes of {about.st_mtime_ns}"
    return facts


@contextlib.contextmanager
def memory_needed(advice: str) -> Iterator[None]:
    """Where memory runs out, say so in a line with `advice`, and exit with OUT_OF_MEMORY."""
    from recipe.model import memory

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not memory.ran_out(error):
            raise
        words = " ".join(str(error).split()) or type(error).__name__
        print(f"{Path(sys.argv[0]).name}: error: out of memory: {advice} ({words})", file=sys.stderr)
        sys.exit(OUT_OF_MEMORY)


def decode_all(
    args: argparse.Namespace, settings: DecodeSettings, engine, options, entries: Iterable[Entry], found
) -> None:
    """Decode entries block by block, and add what comes of it to `found`."""
    from recipe.decode import context, rejects, requests
    from recipe.decode import run as decode
    from recipe.decode.blocks import blocks

    room = context.Context(engine, options.max_seconds, options.limits)
    hotwords = prompt.split_hotwords(",".join(settings.hotwords))
    probed = requests.probed(entries, options.fetch_policy, args.scp_file)
    for block in blocks(probed, options.batch_seconds):
        if settings.strict:
            refuse_unread(args, [f"{one.key}: {one.error}" for one in block if one.error])
        context.refuse_settings(room, block, hotwords)
        decoded = decode.decode(engine, block, options, progress=True)
        if settings.strict:
            refuse_unread(args, [f"{row.key}: {row.reason}: {row.detail}" for row in rejects.unreadable(decoded)])
        found.add(decoded)
        logger.info("%d entries are decoded", len(found))


def refuse_unread(args: argparse.Namespace, errors: Sequence[str]) -> None:
    """RecipeError if there are any."""
    if errors:
        raise RecipeError(f"{recordings_of(args).path}: {errors[0]} ({len(errors)} such recordings)")


def main() -> int:
    args = parse_args()
    settings, data = sections(args)
    if not recordings_of(args).path:
        raise RecipeError("--scp-file, --input-jsonl and --audio-dir want the name of a file or folder, found none")
    details = f"{args.output_file}.jsonl"
    written = [args.output_file, details, args.rejects_file]
    refuse_overwriting(written, [args.scp_file, args.input_jsonl, *recordings_of(args).tables().values()])
    import torch

    from recipe.decode import confidence, engines, hypotheses, rejects, subtitles
    from recipe.decode import run as decode
    from recipe.decode.unfinished import Unfinished
    from recipe.model import network as model
    from recipe.model.generate import Limits

    if args.threads:
        torch.set_num_threads(args.threads)
    entries, left_out = read_entries(args, data.prompt, ",".join(settings.hotwords))
    check_subtitles(args, entries)
    first, last = part(len(entries), *args.shard)
    auto = settings.batch_seconds == AUTO
    batch_seconds = decode.batch_seconds_for(model.best_device()) if auto else settings.batch_seconds
    options = decode.DecodingOptions(
        batch_seconds=batch_seconds,
        max_seconds=settings.max_seconds,
        limits=Limits(per_second=settings.max_tokens_per_second),
        channel=data.channel,
        fetch_policy=fetch.policy_of(data.fetch, data.allow_commands),
        workers=settings.workers,
        marks=settings.marks,
        skip_silence=settings.skip_silence,
        retry_penalty=settings.retry_penalty,
        temperature=confidence.read_temperature(args.calibration) if args.calibration else confidence.NO_TEMPERATURE,
        noise_db=args.noise_db,
    )
    found = Unfinished(details, causes(args, batch_seconds))
    if len(found):
        logger.info("going on behind %d of %d entries, which are decoded", len(found), last - first)
    # The toolkit decodes in its own way.
    graphs = settings.cuda_graph and settings.engine != FUNASR
    with memory_needed("the model itself does not fit; free some, or decode elsewhere"):
        engine = engines.load(settings.engine, args.model_dir, settings.beams, args.dtype, graphs, settings.word_times)
    logger.info("decoding %d entries on %s", last - first - len(found), model.device_name(model.best_device()))
    started, before = time.monotonic(), sum(hypothesis.duration for hypothesis in found)
    lower = f"lower batch_seconds (--batch-seconds, decode.batch_seconds; it is {batch_seconds:g}), beams or workers"
    with memory_needed(lower):
        decode_all(args, settings, engine, options, map(Entry._make, entries.rows(first + len(found), last)), found)
    spent, seconds = time.monotonic() - started, sum(hypothesis.duration for hypothesis in found) - before
    logger.info("%.1f s of audio in %.1f s without loading: %.0f x real time", seconds, spent, seconds / spent)
    logger.info("%s", hypotheses.summary(found))
    logger.info("%s", rejects.ledger(len(found), rejects.unreadable(found), left_out))
    if args.subtitles_dir:
        subtitles.write_all(args.subtitles_dir, found)
    rejects.write(args.rejects_file, args.output_file, itertools.chain(rejects.unreadable(found), left_out))
    write_lines(args.output_file, (f"{h.key}\t{h.text}" for h in found))
    unread = any(True for _ in rejects.unreadable(found))
    found.finish()
    return PARTLY_UNREADABLE if unread or rejects.lost(left_out) or not entries else 0


if __name__ == "__main__":
    run(main)
