"""Fit the temperature of a model's confidences: decode a validation set, and see which words are right.

In:  a model directory; --input-jsonl, manifests with transcripts, of which the first --utterances are decoded greedily.
Out: --output-file (JSON): temperature, and words, share of right ones and expected calibration error without and with
     it. decode.py --calibration takes the file.
"""

import argparse
import itertools
import logging

from recipe.audio import fetch
from recipe.cli import run
from recipe.data import join, manifest
from recipe.files import RecipeError, write_json
from recipe.settings import flags
from recipe.settings.data import DataSettings
from recipe.settings.decode import DecodeSettings

logger = logging.getLogger("calibrate")

READING = ("channel", "fetch", "allow_commands")
DECODE = ("batch_seconds", "max_tokens_per_second", "max_seconds", "marks", "cuda_graph")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory")
    parser.add_argument("--input-jsonl", required=True, nargs="+", help="manifests of scp2jsonl.py")
    parser.add_argument("--output-file", required=True, help="JSON to write")
    parser.add_argument("--utterances", type=flags.at_least(1), default=1000, help="decoded at most (default: 1000)")
    parser.add_argument("--threads", type=flags.at_least(0), default=0, help="CPU threads (0: torch chooses)")
    flags.add(parser.add_argument_group("as in the section `decode`"), DecodeSettings, DECODE)
    flags.add(parser.add_argument_group("as in the section `data`"), DataSettings, READING)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    data, settings = flags.section(args, DataSettings, READING), flags.section(args, DecodeSettings, DECODE)
    import torch

    from recipe.decode import confidence, engines, requests
    from recipe.decode import run as decode
    from recipe.model import network
    from recipe.model.generate import Limits
    from recipe.score.reliability import reliability, right_words
    from recipe.settings.section import AUTO

    if args.threads:
        torch.set_num_threads(args.threads)
    auto = settings.batch_seconds == AUTO
    policy = fetch.policy_of(data.fetch, data.allow_commands)
    options = decode.DecodingOptions(
        batch_seconds=decode.batch_seconds_for(network.best_device()) if auto else settings.batch_seconds,
        max_seconds=settings.max_seconds,
        limits=Limits(per_second=settings.max_tokens_per_second),
        channel=data.channel,
        fetch_policy=policy,
        marks=settings.marks,
    )
    entries = list(itertools.islice(itertools.chain(*map(join.from_jsonl, args.input_jsonl)), args.utterances))
    texts = {one.key: one.text for file in args.input_jsonl for one in manifest.read(file)}
    engine = engines.load("transformers", args.model_dir, cuda_graph=settings.cuda_graph, word_times=False)
    found = decode.decode(engine, requests.probe(entries, policy), options)
    words = [
        (word.log_prob, right)
        for one in found
        for word, right in zip(one.words, right_words([word.word for word in one.words], texts[one.key]), strict=True)
    ]
    if not words:
        raise RecipeError(f"{', '.join(args.input_jsonl)}: no words were decoded")
    temperature = confidence.fit(*zip(*words, strict=True))
    before, after = (
        reliability((confidence.calibrated(log_prob, by), right) for log_prob, right in words).error
        for by in (confidence.NO_TEMPERATURE, temperature)
    )
    share = sum(right for _, right in words) / len(words)
    facts = {"temperature": round(temperature, 3), "utterances": len(found), "words": len(words)}
    errors = {"right": round(share, 4), "error_before": round(before, 4), "error_after": round(after, 4)}
    logger.info("temperature %.3f: expected calibration error %.3f, without it %.3f", temperature, after, before)
    write_json(args.output_file, facts | errors)


if __name__ == "__main__":
    run(main)
