#!/usr/bin/env python3
"""Random mistakes in data, configuration and command lines, put through the whole workflow and judged from outside.

Every mistake must end in a result whose counts add up (each entry of a set in the manifest or, with a reason, in the
rejects; each reference and hypothesis in the score), or in one clear line that names what was touched, before a
training or decoding was begun. Everything else is a fault: tracebacks, lost lines, what is refused late, or without a
name.

Mistakes in single lines share projects; what such a run does not tell about is run again without the rest. The same
seed and count make the same mistakes. Folders of faults are kept, with settings, logs, output.txt and mistakes.json.

python benchmarks/mistakes.py                              # 500 mistakes, about half an hour on two cores
python benchmarks/mistakes.py --count 40 --seed 7
python benchmarks/mistakes.py --count 5 --only odd-key     # kinds whose name has this in it; --kinds lists them
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

import preloaded  # noqa: E402 (beside the tests)
from mistakes import campaign as mistakes  # noqa: E402
from mistakes import running  # noqa: E402
from mistakes.kinds import KINDS  # noqa: E402


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="mistakes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="KIND", help="only kinds whose name has this in it")
    parser.add_argument(
        "--job", type=int, nargs="+", help="only these jobs of the plan (the first part of a folder's name)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="workflows at a time")
    parser.add_argument("--timeout", type=float, default=240.0, help="seconds after which a run counts as hanging")
    parser.add_argument("--keep", type=Path, help="folder for what went wrong (default: a new one)")
    parser.add_argument("--kinds", action="store_true", help="list the kinds and stop")
    return parser.parse_args()


def tell(outcome: mistakes.Outcome) -> None:
    """One outcome, as it is known."""
    print(f"{outcome.job:3d} {outcome.end:8s} {outcome.kind} {outcome.about}", flush=True)
    if outcome.end == mistakes.FAULT:
        print(f"    {outcome.words}\n    {outcome.folder}", flush=True)


def main() -> int:
    args = parse_args()
    if args.kinds:
        print("\n".join(sorted(KINDS)))
        return 0
    keep = (args.keep or Path(tempfile.mkdtemp(prefix="mistakes-"))).resolve()
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        sys.exit(f"mistakes.py: error: --keep {keep}: is not empty; name a new folder")
    os.environ.update(running.ENVIRON)
    with preloaded.server() as sys.executable:
        return run(args, keep)


def run(args: argparse.Namespace, keep: Path) -> int:
    """Make the mistakes and tell how they ended; what goes wrong is kept in a folder. The exit status."""
    started = time.monotonic()
    campaign = mistakes.Campaign(args.seed, keep, args.timeout)
    if faults := campaign.start().faults:
        sys.exit(
            f"mistakes.py: without any mistake: {'; '.join(fault for fault, _ in faults)}; see {campaign.finished}"
        )
    jobs = [job for job in mistakes.plan(args.count, args.seed, args.only) if not args.job or job.number in args.job]
    outcomes = mistakes.run_all(campaign, jobs, args.jobs, tell)
    lines = mistakes.table(outcomes)
    (keep / "mistakes.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines), f"faults: {mistakes.sorts(outcomes)}", sep="\n")
    print(f"{mistakes.summary(outcomes, campaign.runs.total(), started)}\n{keep}")
    return int(any(outcome.end == mistakes.FAULT for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
