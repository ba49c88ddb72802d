#!/usr/bin/env python3
"""How far confidences of words are from right, without and with the temperature that was fitted on validation data.

    snakemake --cores all eval --config 'decode={calibrate: true}'
    python benchmarks/bench_calibration.py exp/bundled models/tiny

For every model with a calibration.json in the experiment (the base model's directory is the second argument) and every
test set: words, the share of right ones, expected calibration error without and with the temperature, and with the one
fitted on the test set itself, the best that one parameter could do.
"""

import argparse
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.audio import fetch  # noqa: E402
from recipe.data import join, manifest  # noqa: E402
from recipe.decode import confidence, engines, requests  # noqa: E402
from recipe.decode import run as decode  # noqa: E402
from recipe.score.reliability import reliability, right_words  # noqa: E402


def judged(engine, file: Path) -> list[tuple[float, bool]]:
    """Log-probability of each decoded word of a manifest, and whether it is right."""
    texts = {one.key: one.text for one in manifest.read(file)}
    found = decode.decode(
        engine, requests.probe(list(join.from_jsonl(str(file))), fetch.DEFAULT), decode.DecodingOptions()
    )
    return [
        (word.log_prob, right)
        for one in found
        for word, right in zip(one.words, right_words([word.word for word in one.words], texts[one.key]), strict=True)
    ]


def error(words: list[tuple[float, bool]], temperature: float) -> float:
    """Expected calibration error at a temperature."""
    return reliability((confidence.calibrated(log_prob, temperature), right) for log_prob, right in words).error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path, help="folder of an experiment that was run with decode.calibrate")
    parser.add_argument("base", help="directory of its base model")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | temperature | set | words | right | without | with | at best |\n|---|---|---|---|---|---|---|---|")
    for file in sorted(args.experiment.glob("decode/*/calibration.json")):
        model, temperature = file.parent.name, confidence.read_temperature(file)
        folder = args.base if model == "base" else args.experiment / "train" / model / "model"
        engine = engines.load("transformers", folder, word_times=False)
        for test in sorted(args.experiment.glob("data/test/*.jsonl")):
            words = judged(engine, test)
            best = confidence.fit(*zip(*words, strict=True))
            rates = " | ".join(f"{error(words, by):.3f}" for by in (confidence.NO_TEMPERATURE, temperature, best))
            right = sum(good for _, good in words) / len(words)
            print(f"| {model} | {temperature:.2f} | {test.stem} | {len(words)} | {100 * right:.0f} % | {rates} |")


if __name__ == "__main__":
    main()
