"""Decode recordings with a model directory, in batches.

In:  a model directory, and wav.scp (key, recording) or a folder of recordings.
Out: --output-file with `key<TAB>text` in the order of wav.scp, and beside it OUTPUT_FILE.jsonl with the details: number
     of tokens, duration, how each hypothesis ended (eos, length, error), flags (looping, text_on_silence), and the
     pieces of recordings over --max-seconds with their times; with --subtitles-dir, KEY.srt and KEY.vtt.
A recording that cannot be read has its key with empty text and the error in the JSONL, and the exit status is 1 (with
--strict: 2, and nothing is written).
"""

import argparse
import logging
import time
from collections.abc import Callable
from pathlib import Path

from recipe.cli import run
from recipe.files import RecipeError, json_line, read_map, write_lines

logger = logging.getLogger("decode")

MAX_SECONDS = 120.0  # the encoder has positions for 122.9 s


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory, as train.py and convert.py write")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scp-file", help="wav.scp; relative paths count from its folder")
    what.add_argument("--audio-dir", help="folder of recordings; their paths in it are their keys")
    parser.add_argument("--output-file", required=True, help="hypotheses to write: key<TAB>text")
    parser.add_argument("--subtitles-dir", help="folder for a .srt and a .vtt file of each recording")
    parser.add_argument("--max-seconds", type=float, default=30.0, help="longer recordings are cut at silences")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="decode the I-th of N parts of the list")
    parser.add_argument("--strict", action="store_true", help="stop at a recording that cannot be read")
    asked = parser.add_argument_group("what the model is asked for")
    asked.add_argument("--wording", choices=("zh", "en"), default="zh", help="language of the instruction")
    asked.add_argument("--language", help="language to write in, e.g. zh; utt2lang: of each (default: not said)")
    asked.add_argument("--no-itn", action="store_true", help="ask for spoken words instead of written numbers")
    asked.add_argument("--hotwords", default="", help="words to expect, separated by commas")
    asked.add_argument("--utt2hotwords", help="table key, words: instead of --hotwords for these keys")
    search = parser.add_argument_group("search and speed")
    search.add_argument("--beams", type=int, default=1, help="beams; 1 is greedy")
    search.add_argument(
        "--max-tokens-per-second", type=float, default=12.0, help="a hypothesis is stopped at 16 + this x duration"
    )
    search.add_argument("--batch-seconds", type=float, default=240.0, help="padded audio a batch, in seconds")
    search.add_argument("--engine", default="transformers", help="transformers, vllm or funasr")
    search.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="auto: bfloat16 on a GPU"
    )
    search.add_argument("--cuda-graph", action="store_true", help="on a GPU: replay steps as CUDA graphs")
    search.add_argument("--workers", type=int, default=0, help="processes that read audio (0: a thread)")
    search.add_argument("--threads", type=int, default=0, help="CPU threads (0: as many as torch chooses)")
    reading = parser.add_argument_group("reading")
    reading.add_argument("--channel", default="average", help="average, or the index of one channel")
    reading.add_argument("--allow-commands", action="store_true", help="run commands that wav.scp holds")
    return parser.parse_args()


def shard(entries: list, text: str) -> list:
    """The I-th of N parts that follow each other, for `text` I/N."""
    try:
        number, count = map(int, text.split("/"))
    except ValueError:
        raise RecipeError(f"--shard {text}: expected I/N, e.g. 2/4") from None
    if not 1 <= number <= count:
        raise RecipeError(f"--shard {text}: expected 1 <= I <= N")
    return entries[len(entries) * (number - 1) // count : len(entries) * number // count]


def words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def read_entries(args: argparse.Namespace) -> list[tuple[str, str]]:
    """(key, source) of the recordings of this shard."""
    from recipe import datadir, recordings

    if args.audio_dir:
        entries = list(recordings.find(args.audio_dir).items())
    else:
        table = read_map(args.scp_file)
        entries = [(key, datadir.resolve(source, args.scp_file)) for key, source in table.items()]
    return shard(entries, args.shard)


def read_languages(args: argparse.Namespace) -> Callable[[str], str | None]:
    """The language to ask for by key: one for all, or with `--language utt2lang` that of each recording."""
    if args.language != "utt2lang":
        return lambda key: args.language
    table = Path(args.scp_file).parent / "utt2lang" if args.scp_file else None
    if table is None or not table.is_file():
        raise RecipeError(f"--language utt2lang: there is no utt2lang beside {args.scp_file or args.audio_dir}")
    return read_map(table).get


def read_requests(args: argparse.Namespace) -> list:
    from recipe import decode
    from recipe.engines import Instruction

    own = {key: words(text) for key, text in read_map(args.utt2hotwords).items()} if args.utt2hotwords else {}
    general = words(args.hotwords)
    languages = read_languages(args)
    requests = decode.probe(
        read_entries(args),
        lambda key: Instruction(args.wording, languages(key), not args.no_itn, own.get(key, general)),
        args.allow_commands,
    )
    failed = [request for request in requests if request.error]
    if failed and args.strict:
        where = args.scp_file or args.audio_dir
        raise RecipeError(f"{where}: {failed[0].key}: {failed[0].error} ({len(failed)} such recordings)")
    return requests


def main() -> int:
    args = parse_args()
    import torch

    from recipe import decode, engines, subtitles

    if args.engine not in engines.ENGINES:
        raise RecipeError(f"--engine {args.engine}: expected one of {', '.join(engines.ENGINES)}")
    if not 2 <= args.max_seconds <= MAX_SECONDS:
        raise RecipeError(f"--max-seconds {args.max_seconds:g}: expected 2 to {MAX_SECONDS:g}, what the model can take")
    if args.threads:
        torch.set_num_threads(args.threads)
    requests = read_requests(args)
    options = decode.Options(
        batch_seconds=args.batch_seconds,
        max_seconds=args.max_seconds,
        limits=decode.Limits(per_second=args.max_tokens_per_second),
        channel=args.channel if args.channel == "average" else int(args.channel),
        allow_commands=args.allow_commands,
        workers=args.workers,
    )
    engine = engines.load(args.engine, args.model_dir, args.beams, args.dtype, args.cuda_graph)
    started = time.monotonic()
    hypotheses = decode.decode(engine, requests, options, progress=True)
    spent, seconds = time.monotonic() - started, sum(hypothesis.duration for hypothesis in hypotheses)
    logger.info("%s", decode.summary(hypotheses))
    logger.info("%.1f s of audio in %.1f s without loading: %.0f x real time", seconds, spent, seconds / spent)
    failed = [f"{h.key}: {h.error}" for h in hypotheses if h.ended == "error"]
    if failed and args.strict:
        raise RecipeError(f"{failed[0]} ({len(failed)} such recordings)")
    if args.subtitles_dir:
        Path(args.subtitles_dir).mkdir(parents=True, exist_ok=True)
        for hypothesis in hypotheses:
            subtitles.write(args.subtitles_dir, hypothesis.key, hypothesis.cues())
    write_lines(args.output_file + ".jsonl", (json_line(h.to_json()) for h in hypotheses))
    write_lines(args.output_file, (f"{h.key}\t{h.text}" for h in hypotheses))
    return 1 if failed else 0


if __name__ == "__main__":
    run(main)
