#!/usr/bin/env python3
"""Speed and memory of compute_wer.py, as a whole process, beside the compute-wer package where it is installed.

python benchmarks/bench_wer.py                        # 20,000 utterances of 20 tokens, both tools, three rounds
python benchmarks/bench_wer.py --long                 # one pair of texts of 50,000 tokens
python benchmarks/bench_wer.py --utterances 1000000 --rounds 1 --ours-only
python benchmarks/bench_wer.py --utterances 1000000 --rounds 1 --tokens 12 --workflow
"""

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "compute_wer.py"
ENGLISH = [f"{a}{b}{c}" for a in ("ba", "ko", "li", "stra") for b in ("mo", "ne", "ri") for c in range(100)]
ENGLISH = ["".join(chr(97 + int(x)) if x.isdigit() else x for x in word) for word in ENGLISH]
CHINESE = [chr(0x4E00 + 7 * index) for index in range(2500)]


def corrupted(tokens: list[str], words: list[str], rate: float, draw: random.Random) -> list[str]:
    """The tokens with about `rate` errors each: half substitutions, a quarter deletions, a quarter insertions."""
    result = []
    for token in tokens:
        chance = draw.random()
        if chance < rate / 2:
            result.append(draw.choice(words))
        elif chance < rate * 3 / 4:
            continue
        else:
            result += [token, draw.choice(words)] if chance < rate else [token]
    return result


def write_texts(folder: Path, utterances: int, length: int, rate: float) -> tuple[Path, Path]:
    """Write references and hypotheses, half English and half Chinese (as normalized text: tokens between spaces)."""
    draw = random.Random(0)
    ref_path, hyp_path = folder / "ref.txt", folder / "hyp.txt"
    with open(ref_path, "w", encoding="utf-8") as ref, open(hyp_path, "w", encoding="utf-8") as hyp:
        for index in range(utterances):
            words = CHINESE if index % 2 else ENGLISH
            tokens = draw.choices(words, k=length)
            ref.write(f"utterance-{index:07d}\t{' '.join(tokens)}\n")
            hyp.write(f"utterance-{index:07d}\t{' '.join(corrupted(tokens, words, rate, draw))}\n")
    return ref_path, hyp_path


def write_tables(folder: Path, ref: Path, rate: float) -> None:
    """Write what the workflow has beside references and hypotheses: a manifest of 500 speakers and two languages, the
    decoder's details, rejects, levels and noise, and another system's hypotheses."""
    sys.path.insert(0, str(SCRIPT.parent))
    from recipe.data.manifest import Utterance, speech_length

    draw = random.Random(1)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(ref, encoding="utf-8"))
        manifest, details, sound, other = (
            stack.enter_context(open(folder / name, "w", encoding="utf-8"))
            for name in ("manifest.jsonl", "details.jsonl", "sound.tsv", "other.txt")
        )
        sound.write("key\tlevel_db\tspeech_over_noise_db\n")
        for index, line in enumerate(file):
            key, text = line.rstrip("\n").split("\t")
            words, language = (CHINESE, "zh") if index % 2 else (ENGLISH, "en")
            tokens, seconds = text.split(), round(draw.uniform(1, 12), 2)
            one = Utterance(
                key, f"/corpus/{key}.wav", "", text, speech_length(seconds), len(tokens), seconds,
                speaker=f"speaker-{index % 500}", language=language,
            )  # fmt: skip
            manifest.write(str(len(tokens)).join(one.fragments()) + "\n")
            details.write(json.dumps({"key": key, "duration": seconds, "ended": "eos", "flags": []}) + "\n")
            sound.write(f"{key}\t{draw.uniform(-40, -15):.1f}\t{draw.uniform(5, 45):.1f}\n")
            other.write(f"{key}\t{' '.join(corrupted(tokens, words, rate, draw))}\n")
    (folder / "rejects.tsv").write_text("key\tstage\treason\tdetail\n")


class Cost(NamedTuple):
    """Of one process: seconds by the clock, seconds of processor, peak memory in MiB."""

    clock: float
    processor: float
    memory: float


def as_in_workflow(folder: Path, ref: Path, hyp: Path) -> dict[str, list[str]]:
    """The command lines of rules compute_wer and group_errors."""
    manifest, details, rows = (str(folder / name) for name in ("manifest.jsonl", "details.jsonl", "rows.jsonl"))
    return {
        "compute_wer": [
            sys.executable, str(SCRIPT), str(ref), str(hyp), str(folder / "cer.txt"), "--mode", "faithful",
            *("--json", str(folder / "score.json"), "--utterances", rows, "--rejects", str(folder / "rejects.tsv")),
            *("--utt2spk", manifest, "--utt2lang", manifest, "--utt2group", manifest),
            *("--hyp-jsonl", details, "--durations", details, "--compare", str(folder / "other.txt")),
        ],
        "group_errors": [
            sys.executable, str(SCRIPT.with_name("group_errors.py")), rows, str(folder / "errors.tsv"),
            *("--manifest", manifest, "--sound", str(folder / "sound.tsv")),
        ],
    }  # fmt: skip


def measure(command: list[str]) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"exit status {process.returncode} of {' '.join(command)}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=20_000)
    parser.add_argument("--tokens", type=int, default=20, help="reference tokens of an utterance")
    parser.add_argument("--rate", type=float, default=0.1, help="errors per reference token")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="one utterance of 50,000 tokens instead")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--workflow", action="store_true", help="as the workflow calls it, with all its tables")
    args = parser.parse_args()
    if args.long:
        args.utterances, args.tokens = 1, 50_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ref, hyp = map(str, write_texts(folder, args.utterances, args.tokens, args.rate))
        ours = [sys.executable, str(SCRIPT), ref, hyp, str(folder / "ours.txt")]
        sides = {
            "compute_wer.py": ours,
            "compute_wer.py --json": [*ours, "--json", str(folder / "score.json")],
            "compute_wer.py --json --utterances": [
                *ours,
                *("--json", str(folder / "score.json"), "--utterances", str(folder / "rows.jsonl")),
            ],
        }
        if args.workflow:
            write_tables(folder, Path(ref), args.rate)
            sides = as_in_workflow(folder, ref, hyp)
        package = shutil.which("compute-wer", path=str(Path(sys.executable).parent)) or shutil.which("compute-wer")
        if package and not (args.ours_only or args.workflow):
            sides["compute-wer"] = [package, ref, hyp, str(folder / "theirs.txt")]
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
        print(f"{args.utterances} utterances of {args.tokens} tokens, {args.rate:.0%} errors")
        runs: dict[str, list[Cost]] = {side: [] for side in sides}
        for _ in range(args.rounds):  # sides take turns, so that a busy machine is busy for all
            for side, command in sides.items():
                runs[side].append(measure(command))
        best = {side: Cost(*map(min, zip(*costs, strict=True))) for side, costs in runs.items()}
        print(f"{'best of ' + str(args.rounds):36}   clock  processor     memory")
        for side, cost in best.items():
            print(f"{side:36}{cost.clock:6.2f} s   {cost.processor:6.2f} s {cost.memory:6.0f} MiB", end="")
            if "compute-wer" in best:
                theirs = best["compute-wer"]
                print(
                    f"  {theirs.clock / cost.clock:5.1f}x clock {theirs.processor / cost.processor:5.1f}x processor",
                    end="",
                )
            print()


if __name__ == "__main__":
    main()
