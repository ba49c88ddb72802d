"""Decode recordings with a model directory, in batches.

In:  a model directory, wav.scp (key, recording).
Out: --output-file with `key<TAB>text` in the order of wav.scp, and beside it OUTPUT_FILE.jsonl with the details: number
     of tokens, duration, how each hypothesis ended (eos, length, error). A recording that cannot be read has its key
     with empty text and the error in the JSONL, and the exit status is 1 (with --strict: nothing is written).
"""

import argparse
import logging
from collections import Counter

from recipe.cli import run
from recipe.files import RecipeError, json_line, read_map, write_lines

logger = logging.getLogger("decode")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory (as train.py writes, or a hub id)")
    parser.add_argument("--scp-file", required=True, help="wav.scp; relative paths count from its folder")
    parser.add_argument("--output-file", required=True, help="hypotheses to write: key<TAB>text")
    parser.add_argument("--batch-seconds", type=float, default=240.0, help="padded audio a batch, in seconds")
    parser.add_argument("--beams", type=int, default=1, help="beams; 1 is greedy")
    parser.add_argument(
        "--max-tokens-per-second", type=float, default=12.0, help="a hypothesis is stopped at 16 + this x duration"
    )
    parser.add_argument("--wording", choices=("zh", "en"), default="zh", help="language of the instruction")
    parser.add_argument("--language", help="language to write in, e.g. zh (default: not said)")
    parser.add_argument("--no-itn", action="store_true", help="ask for spoken words instead of written numbers")
    parser.add_argument("--hotwords", default="", help="words to expect, separated by commas")
    parser.add_argument("--channel", default="average", help="average, or the index of one channel")
    parser.add_argument("--allow-commands", action="store_true", help="run commands that wav.scp holds")
    parser.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="auto: bfloat16 on a GPU"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that read audio")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: as many as torch chooses)")
    parser.add_argument("--strict", action="store_true", help="stop at a recording that cannot be read")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    import torch

    from recipe import datadir, decode, model, prompt

    if args.threads:
        torch.set_num_threads(args.threads)
    device = model.best_device()
    dtype = {"auto": torch.bfloat16 if device.type == "cuda" else torch.float32}.get(args.dtype) or getattr(
        torch, args.dtype
    )
    hotwords = [word.strip() for word in args.hotwords.split(",") if word.strip()]
    words = prompt.transcription_prompt(args.wording, args.language, not args.no_itn, hotwords)
    entries = [(key, datadir.resolve(source, args.scp_file)) for key, source in read_map(args.scp_file).items()]
    requests = decode.probe(entries, lambda key: words, args.allow_commands)
    failed = [request for request in requests if request.error]
    if failed and args.strict:
        raise RecipeError(f"{args.scp_file}: {failed[0].key}: {failed[0].error} ({len(failed)} such recordings)")
    recognizer = model.load(args.model_dir, dtype=dtype, device=device)
    hypotheses = decode.decode(
        recognizer,
        requests,
        batch_seconds=args.batch_seconds,
        beams=args.beams,
        limits=decode.Limits(per_second=args.max_tokens_per_second),
        channel=args.channel if args.channel == "average" else int(args.channel),
        allow_commands=args.allow_commands,
        workers=args.workers,
        progress=True,
    )
    ended = Counter(hypothesis.ended for hypothesis in hypotheses)
    logger.info("decoded %d: %s", len(hypotheses), ", ".join(f"{n} ended by {how}" for how, n in sorted(ended.items())))
    if ended["error"] and args.strict:
        raise RecipeError(next(f"{h.key}: {h.error}" for h in hypotheses if h.ended == "error"))
    write_lines(args.output_file, (f"{h.key}\t{h.text}" for h in hypotheses))
    write_lines(args.output_file + ".jsonl", (json_line(h.to_json()) for h in hypotheses))
    return 1 if ended["error"] else 0


if __name__ == "__main__":
    run(main)
