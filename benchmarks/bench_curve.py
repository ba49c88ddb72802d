#!/usr/bin/env python3
"""Is a learning curve's prediction right? Of a finished experiment with `curve`, every point but the first three is
left out in turn, with all larger ones, predicted from the smaller ones, and compared with what was measured.

    snakemake --cores all curve --config curve='{fractions: [0.125, 0.25, 0.5, 1]}'
    python benchmarks/bench_curve.py exp/bundled --run naive
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from recipe.cli import run
from recipe.files import RecipeError, read_json
from recipe.score.learning_curve import MIN_POINTS, CurvePoint, curve, points
from recipe.score.policy import ScoringPolicy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path, help="folder of its results")
    parser.add_argument("--run", required=True, help="run with a learning curve")
    parser.add_argument("--mode", default="faithful", help="normalization (default: faithful)")
    args = parser.parse_args()
    folder = args.experiment / "score" / args.mode / "hyp"
    print("| test set | trained on, h | predicted at, h | predicted | interval | measured | interval | |")
    print("|---|---|---|---|---|---|---|---|")
    for test in sorted(path.name for path in (folder / args.run).glob("*") if path.is_dir()):
        given = curve_points(args.experiment, folder, args.run, test)
        for left_out in range(MIN_POINTS, len(given)):
            print(row(test, given[:left_out], given[left_out]))


def curve_points(experiment: Path, folder: Path, name: str, test: str) -> list[CurvePoint]:
    """The points of a run's curve, of what the workflow has left in an experiment's folder."""
    facts = sorted(map(str, experiment.glob("curve/*/seed*/*.json")))
    found = {(one["fraction"], one["seed"]) for one in map(read_json, facts)}
    if not found:
        raise RecipeError(f"{experiment}: has no learning curve; set `curve` and run snakemake --cores all curve")
    seeds = sorted({seed for _, seed in found})
    fractions = [*sorted({fraction for fraction, _ in found}), 1.0]
    files = []
    for fraction in fractions:
        part = "" if fraction == 1 else f"-{fraction:.12g}"
        for seed in seeds:
            own = "" if seed == seeds[0] else f"-seed{seed}"
            files.append((fraction, str(folder / f"{name}{part}{own}" / test / "utterances.jsonl")))
    return points(files, facts)


def row(test: str, given: list[CurvePoint], left_out: CurvePoint) -> str:
    """What the points say of the one that was left out, and what it is, as a line of a table."""
    found = curve(given, ScoringPolicy(), left_out.hours)
    [measured] = curve([left_out], ScoringPolicy())["points"]
    prediction = found["prediction"]
    if prediction["rate"] is None:
        told, verdict = f"– | {found['refused']}", "refused"
    else:
        low, high = prediction["ci"]
        told = f"{100 * prediction['rate']:.2f} % | [{100 * low:.2f}, {100 * high:.2f}]"
        verdict = "held" if low <= measured["rate"] <= high else "missed"
    trained = ", ".join(f"{point.hours:.3f}" for point in given)
    ends = ", ".join(f"{100 * end:.2f}" for end in measured["ci"])
    cells = [test, trained, f"{left_out.hours:.3f}", told, f"{100 * measured['rate']:.2f} %", f"[{ends}]", verdict]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run(main)
