#!/usr/bin/env python3
"""What recordings without transcripts are worth: the bundled corpus, with the transcripts of half of its training
speakers hidden.

    python benchmarks/bench_pseudo.py FOLDER [--seeds 3] [--longer] [--noise-db 30] [--min-confidence 0.9]

In FOLDER: `half` is trained on the speakers whose transcripts are known, `student` on them and on what is kept of the
transcripts that `half` (of the first seed) writes for the others, `all` on all transcripts, which no student can be
expected to pass; with --longer, `longer` like `half` for twice its epochs, since a student takes more steps, too.
Printed: error rates with 95 % intervals, every two runs against each other by the paired test of compare_runs.py, and
what the transcripts are like at other thresholds (their errors against the hidden truth).
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.data.join import Entry  # noqa: E402
from recipe.decode.hypotheses import Hypothesis  # noqa: E402
from recipe.files import read_json, read_json_lines, write_lines  # noqa: E402
from recipe.pseudo.choice import Requirements, judge, normalized  # noqa: E402
from recipe.pseudo.parts import of_hypothesis  # noqa: E402
from recipe.score.align import edits  # noqa: E402
from recipe.text import tables  # noqa: E402

SETS = {"home": ("train", 1.0), "replay": ("train_general", 1.5)}  # of the bundled configuration, with their weights
TESTS = {"home": "test", "general": "test_general"}
THRESHOLDS = [(0.0, 9.0), (0.8, 0.2), (0.9, 0.2), (0.9, 0.1), (0.9, 0.0), (0.95, 0.1), (0.95, 0.0), (0.98, 0.0)]


def halves(folder: Path) -> None:
    """Data directories NAME_known and NAME_hidden of every second speaker; the latter with transcripts as well, for
    `all` and the truth, which the workflow is not shown where it transcribes."""
    for name, (data, _) in SETS.items():
        source = ROOT / "data" / data
        of = tables.read_map(source / "utt2spk")
        known = set(sorted(set(of.values()))[::2])
        for part, wanted in (("known", True), ("hidden", False)):
            keys = [key for key in of if (of[key] in known) == wanted]
            scp, text = (tables.read_map(source / table) for table in ("wav.scp", "text"))
            write_lines(folder / f"{name}_{part}/wav.scp", [f"{key} {source / scp[key]}" for key in keys])
            write_lines(folder / f"{name}_{part}/text", [f"{key} {text[key]}" for key in keys])
            write_lines(folder / f"{name}_{part}/utt2spk", [f"{key} {of[key]}" for key in keys])


def configuration(folder: Path, args: argparse.Namespace) -> dict:
    """The bundled configuration with the runs of the comparison."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    known = {f"{name}_known": weight for name, (_, weight) in SETS.items()}
    hidden = {f"{name}_hidden": weight for name, (_, weight) in SETS.items()}
    heard = {f"{name}_heard": weight for name, (_, weight) in SETS.items()}
    nothing = dict.fromkeys(hidden, 0)
    config |= {"experiment": "pseudo", "model": {"base": str(ROOT / "models/tiny")}}
    config["data"] |= {
        "train": {name: {"dir": str(folder / name), "weight": w} for name, w in (known | hidden).items()},
        "valid": {"home": str(ROOT / "data/valid")},
        "test": {name: str(ROOT / "data" / data) for name, data in TESTS.items()},
    }
    config["score"] |= {"modes": ["faithful"]}
    entry = {"model": "half", "noise_db": args.noise_db}
    entry |= {"min_confidence": args.min_confidence, "max_disagreement": args.max_disagreement}
    config["pseudo"] = {f"{name}_heard": entry | {"audio": str(folder / f"{name}_hidden/wav.scp")} for name in SETS}
    epochs = config["train"]["epochs"]
    runs = {
        "half": {"weights": nothing},
        "student": {"weights": nothing | heard},
        "all": {},
    }
    if args.longer:
        runs["longer"] = {"weights": nothing, "epochs": 2 * epochs}
    seeds = {"": 1} | {f"-{seed}": seed for seed in range(2, args.seeds + 1)}
    rate = {"learning_rate": config["runs"]["mixed"]["learning_rate"]}
    config["runs"] = {
        f"{name}{mark}": run | rate | {"seed": seed} for mark, seed in seeds.items() for name, run in runs.items()
    }
    return config


def parts(folder: Path, name: str) -> Iterator[tuple]:
    """(part, second opinion, truth) of a set that was transcribed."""
    truth = tables.read_map(folder / f"{name}_hidden/text")
    place = folder / f"exp/pseudo/pseudo/{name}_heard"
    first, second = (read_json_lines(place / kind / "half/1/text.jsonl") for kind in ("clean", "noisy"))
    for (_, one), (_, other) in zip(first, second, strict=True):
        [part] = of_hypothesis(Entry(1, one["key"], ""), Hypothesis.from_json(one))
        yield part, other["text"], truth[one["key"]]


def tell_thresholds(folder: Path) -> None:
    """What is kept, and how wrong it is, at several thresholds."""
    found = [one for name in SETS for one in parts(folder, name)]
    print("| confidence from | disagreement to | kept | seconds | errors of their tokens | without an error |")
    print("|---|---|---|---|---|---|")
    for sure, apart in THRESHOLDS:
        kept = [(p, t) for p, other, t in found if judge(p, other, Requirements(sure, apart)).reason is None]
        wrong = [(len(edits(normalized(t), normalized(p.text))), len(normalized(t))) for p, t in kept]
        rate = 100 * sum(w for w, _ in wrong) / max(1, sum(n for _, n in wrong))
        clean = 100 * sum(not w for w, _ in wrong) / max(1, len(wrong))
        seconds = sum(p.seconds for p, _ in kept)
        print(f"| {sure:g} | {apart:g} | {len(kept)} of {len(found)} | {seconds:.0f} | {rate:.1f} % | {clean:.0f} % |")


def tell_rates(folder: Path, models: list[str]) -> None:
    """Error rates of all models, and the comparisons of students."""
    for test in TESTS:
        print(f"\n{test}:")
        for model in models:
            mer = read_json(folder / f"exp/pseudo/score/faithful/hyp/{model}/{test}/score.json")["mer"]
            print(f"  {model:10} {100 * mer['rate']:6.2f} [{100 * mer['ci'][0]:.2f}, {100 * mer['ci'][1]:.2f}]")
        compared = read_json(folder / f"exp/pseudo/score/faithful/compare/{test}.json")
        for pair in [*compared["pairs"], *compared.get("seeds", {}).get("pairs", [])]:
            print(f"  {pair}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--longer", action="store_true")
    parser.add_argument("--noise-db", type=float, default=30.0)
    parser.add_argument("--min-confidence", type=float, default=0.9)
    parser.add_argument("--max-disagreement", type=float, default=0.1)
    parser.add_argument("--cores", default="all")
    args = parser.parse_args()
    folder = args.folder.resolve()
    halves(folder)
    config = configuration(folder, args)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", args.cores, "eval"]
    subprocess.run([*snakemake, "--configfile", "config.yaml"], cwd=folder, check=True)
    tell_thresholds(folder)
    tell_rates(folder, ["base", *config["runs"]])


if __name__ == "__main__":
    main()
