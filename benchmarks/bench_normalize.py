"""How fast the normalizers are: lines per second of the whole process, and seconds for one long line.

The lines are the golden inputs of the tests, drawn at random, every digit of theirs drawn anew. With
`--published SCRIPT` (the published whisper_mix_normalize.py, whose packages `--published-python` has) both sides run
in turn, best of each counts, and the ratio is printed.
"""

import argparse
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "normalizer" / "golden_dev.tsv"


def write_lines(path: Path, count: int) -> None:
    texts = [line.split("\t")[1] for line in GOLDEN.read_text(encoding="utf-8").splitlines()[1:]]
    draw = random.Random(0)

    def digit(_: re.Match) -> str:
        return draw.choice("0123456789")

    lines = (f"u{n:07d} {re.sub('[0-9]', digit, draw.choice(texts))}\n" for n in range(count))
    path.write_text("".join(lines), encoding="utf-8")


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--published", type=Path, metavar="SCRIPT")
    parser.add_argument("--published-python", default=sys.executable, metavar="PYTHON")
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}")

    with tempfile.TemporaryDirectory() as folder:
        source, long_line = Path(folder, "lines"), Path(folder, "long")
        write_lines(source, arguments.lines)
        words = source.read_text(encoding="utf-8").replace("\n", " ")[:100_000]
        long_line.write_text(f"key {words}\n", encoding="utf-8")
        ours = [sys.executable, str(ROOT / "scripts" / "normalize.py"), "--workers", str(arguments.workers), "--mode"]
        commands = {mode: [*ours, mode, str(source), f"{source}.{mode}"] for mode in ("compatible", "faithful")}
        if arguments.published:
            script = [arguments.published_python, str(arguments.published)]
            commands["published"] = [*script, str(source), f"{source}.published"]
        best = dict.fromkeys(commands, float("inf"))
        for _ in range(arguments.runs):
            for name, command in commands.items():
                best[name] = min(best[name], seconds(command))
        for name, command in commands.items():
            ratio = f", {best['published'] / best[name]:.1f} x published" if arguments.published else ""
            print(
                f"{name}: {best[name]:.2f} s, {arguments.lines / best[name]:.0f} lines/s{ratio}\n  {' '.join(command)}"
            )
        for mode in ("compatible", "faithful"):
            duration = seconds([*ours, mode, str(long_line), f"{long_line}.out"])
            print(f"{mode}: one line of 100,000 characters, {duration:.2f} s")


if __name__ == "__main__":
    main()
