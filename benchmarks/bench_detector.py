#!/usr/bin/env python3
"""The detector of speech beside the package's own network: processor time a window of 32 ms, one thread, in turns.

The package's TorchScript hears a window of 32 streams a call; the recipe hears the spectra of many windows at once
(`recipe.decode.detector`). Both judge the same streams: those of the bundled test sets, of one recording alone, and of
an hour. What reading the same recordings and computing their features takes is told beside it.

python benchmarks/bench_detector.py [--rounds 5] [--hours 1]
"""

import argparse
import importlib.util
import platform
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.audio import fbank, reading  # noqa: E402
from recipe.decode import detector, segment  # noqa: E402


class Published:
    """The package's network, STREAMS streams side by side."""

    def __init__(self):
        package = importlib.util.find_spec("silero_vad").submodule_search_locations[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.network = torch.jit.load(str(Path(package) / "data/silero_vad.jit")).eval()

    @torch.inference_mode()
    def judge(self, streams):
        found, order = {}, sorted(range(len(streams)), key=lambda i: -len(streams[i]))
        for rows in (order[i : i + detector.STREAMS] for i in range(0, len(order), detector.STREAMS)):
            together = torch.zeros(len(streams[rows[0]]), detector.STREAMS, detector.WINDOW)
            for row, index in enumerate(rows):
                together[: len(streams[index]), row] = streams[index]
            self.network.reset_states()
            judged = torch.stack([self.network(step, reading.SAMPLING_RATE)[:, 0] for step in together])
            for row, index in enumerate(rows):
                found[index] = judged[: len(streams[index]), row].numpy()
        return [found[index] for index in range(len(streams))]


def streams(waves):
    """What is judged of recordings, as `segment.find_speech` has it."""
    return [s for wave in waves for s in segment._streams(np.concatenate([segment._lead_in(wave), wave]))]


def seconds(call) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hours", type=float, default=1.0, help="length of the long recording")
    args = parser.parse_args()
    print(f"python {' '.join(sys.argv)}")
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread, processor time")
    torch.set_num_threads(1)
    files = sorted(str(file) for name in ("test", "test_general") for file in (ROOT / "data" / name / "wav").iterdir())
    waves = [reading.read(file) for file in files]
    whole = np.concatenate(waves)
    long = np.resize(whole, int(args.hours * 3600 * reading.SAMPLING_RATE))
    published, sets = Published(), {f"{len(waves)} recordings": waves, "one alone": waves[:1], "long": [long]}
    for name, some in sets.items():
        asked, audio = streams(some), sum(map(len, some)) / reading.SAMPLING_RATE
        ways = {"published": published.judge, "recipe": detector.judge}
        spent = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, judge in ways.items():
                spent[way].append(seconds(lambda judge=judge, asked=asked: judge(asked)))
        theirs, ours = (statistics.median(spent[way]) for way in ways)
        off = max(np.abs(a - b).max() for a, b in zip(published.judge(asked), detector.judge(asked), strict=True))
        print(
            f"{name} ({audio:.0f} s): published {audio / theirs:.0f} x real time, recipe {audio / ours:.0f} x, ratio "
            f"{theirs / ours:.1f}; probabilities differ by {off:.0e} at most"
        )
    taken = statistics.median(
        seconds(lambda: [fbank.fbank(reading.read(file)) for file in files]) for _ in range(args.rounds)
    )
    print(f"reading and features: {len(whole) / reading.SAMPLING_RATE / taken:.0f} x real time")


if __name__ == "__main__":
    main()
