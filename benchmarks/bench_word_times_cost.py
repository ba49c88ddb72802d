#!/usr/bin/env python3
"""What confidences and times of words cost decoding: processor time on the bundled test sets, one thread, in turns.

python benchmarks/bench_word_times_cost.py [--model-dir models/tiny] [--rounds 3]
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.data import join  # noqa: E402
from recipe.decode import requests  # noqa: E402
from recipe.decode import run as decode  # noqa: E402
from recipe.decode.engines import TransformersEngine  # noqa: E402
from recipe.model import ctc, network  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", default=str(ROOT / "models/tiny"))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = network.load(args.model_dir)
    branch = ctc.load(args.model_dir, recognizer.model.config.audio_config.hidden_size)
    asked = []
    for name in ("test", "test_general"):
        scp = str(ROOT / "data" / name / "wav.scp")
        asked += requests.probe(join.join(scp, None, {}, lambda language, hotwords: "语音转写："), scp_file=scp)
    ways = {
        "neither": TransformersEngine(recognizer, scored=False),
        "confidences": TransformersEngine(recognizer),
        "confidences and times": TransformersEngine(recognizer, branch=branch),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    texts = []
    for _ in range(args.rounds):
        for name, engine in ways.items():
            begun = time.process_time()
            texts.append([one.text for one in decode.decode(engine, asked)])
            spent[name].append(time.process_time() - begun)
    assert all(found == texts[0] for found in texts)
    first = statistics.median(spent["neither"])
    for name, seconds in spent.items():
        middle = statistics.median(seconds)
        print(f"{name}: {middle:.1f} s of a core for {sum(one.duration for one in asked):.0f} s, {middle / first:.2f}")


if __name__ == "__main__":
    main()
