"""Ask a model what it thinks of transcripts: their loss, beside that of its own hypotheses.

In:  a model directory; --input-jsonl, a manifest; --details-file, what decode.py found in it with that model
     (OUTPUT_FILE.jsonl), line by line.
Out: --output-file, a line of JSON an utterance, in the order of the manifest (see recipe/suspects/judge.py).
"""

import argparse
import logging
from collections.abc import Iterator

from recipe.audio import fetch
from recipe.cli import run
from recipe.files import json_line, read_json_lines, write_lines
from recipe.settings import flags
from recipe.settings.data import DataSettings

READING = ("fetch", "allow_commands")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory that has decoded the manifest")
    parser.add_argument("--input-jsonl", required=True, help="manifest")
    parser.add_argument("--details-file", required=True, help="text.jsonl that decode.py wrote")
    parser.add_argument("--output-file", required=True, help="losses to write (JSONL)")
    parser.add_argument("--threads", type=flags.at_least(0), default=0, help="CPU threads (0: torch chooses)")
    flags.add(parser.add_argument_group("recordings that are no local files, as in `data`"), DataSettings, READING)
    return parser.parse_args()


def with_hypotheses(manifest_file: str, details_file: str) -> Iterator[tuple]:
    """The utterances of a manifest, each with its hypothesis; None where it could not be decoded."""
    from recipe.data import manifest
    from recipe.decode.endings import ERROR
    from recipe.suspects.by_line import ByLine

    details = ByLine(details_file, manifest_file)
    for utterance in manifest.read(manifest_file):
        found = details.of(utterance.key)
        yield utterance, None if found["ended"] == ERROR else found["text"]
    details.end()


def main() -> None:
    args = parse_args()
    reading = flags.section(args, DataSettings, READING)
    import torch

    from recipe.model import network
    from recipe.suspects import judge

    if args.threads:
        torch.set_num_threads(args.threads)
    device = network.best_device()
    total = sum(1 for _ in read_json_lines(args.input_jsonl))
    recognizer = network.load(args.model_dir, device=device)
    policy = fetch.policy_of(reading.fetch, reading.allow_commands)
    logging.info("judging %d utterances on %s", total, network.device_name(device))
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        judged = judge.judge(recognizer, with_hypotheses(args.input_jsonl, args.details_file), total, policy)
        write_lines(args.output_file, (json_line(one.to_json()) for one in judged))


if __name__ == "__main__":
    run(main)
