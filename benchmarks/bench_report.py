"""The report of a large comparison: size of the page, time to make it and time until a browser shows it.

    python benchmarks/bench_report.py --sets 20 --models 21 --utterances 2000 --folder /tmp/report

Scores, alignments and texts are made up: each model errs on about a tenth of ten tokens, and there are 100 speakers.
"""

import argparse
import json
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from recipe.files import json_line, write_json, write_lines
from recipe.report import page
from recipe.report import spec as specs
from recipe.report.results import Results

WORDS = [f"word{i}" for i in range(500)]
SPEAKERS = 100
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def counts(n: int, errors: int) -> dict:
    facts = {"rate": errors / n, "n": n, "cor": n - errors, "sub": errors, "del": 0, "ins": 0}
    return facts | {"ci": [errors / n * 0.9, errors / n * 1.1], "utterances": n // 10}


def write_score(folder: Path, test: str, model: str, references: list[list[str]], draw: random.Random) -> dict:
    """Files of a model's score on a set; returns its entry of the specification."""
    stem = folder / f"{test}.{model}"
    rows, details = [], []
    for i, tokens in enumerate(references):
        said = [draw.choice(WORDS) if draw.random() < 0.1 else token for token in tokens]
        aligned = [["C" if a == b else "S", a, b] for a, b in zip(tokens, said, strict=True)]
        rows.append(json_line({"key": f"{test}-{i:06d}", "alignment": aligned, "speaker": f"s{i % SPEAKERS}"}))
        details.append(json_line({"key": f"{test}-{i:06d}", "text": " ".join(said), "duration": 4.0}))
    write_lines(f"{stem}.utterances", rows)
    write_lines(f"{stem}.details", details)
    tokens = 10 * len(references)
    speakers = {f"s{i}": counts(tokens // SPEAKERS, draw.randrange(1, tokens // SPEAKERS)) for i in range(SPEAKERS)}
    pairs = [[draw.choice(WORDS), draw.choice(WORDS), 3] for _ in range(50)]
    score = {"mer": counts(tokens, tokens // 10), "by_speaker": speakers, "confusions": pairs}
    write_json(f"{stem}.json", score)
    return {
        "model": model, "test": test, "mode": "faithful", "score": f"{stem}.json", "utterances": f"{stem}.utterances",
        "details": f"{stem}.details",
    }  # fmt: skip


def make(args: argparse.Namespace, folder: Path) -> Path:
    draw = random.Random(1)
    tests = [f"set{i}" for i in range(args.sets)]
    models = ["base", *(f"run{i}" for i in range(1, args.models))]
    scores = []
    for test in tests:
        references = [draw.choices(WORDS, k=10) for _ in range(args.utterances)]
        scores += [write_score(folder, test, model, references, draw) for model in models]
    made = {"experiment": "large", "models": models, "tests": tests, "modes": ["faithful"], "scores": scores}
    write_json(folder / "spec.json", made)
    return folder / "spec.json"


def opened(file: Path, picture: Path) -> float:
    """Seconds from the call until the page has drawn its list, in a headless browser."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        sys.exit(f"{file} is made, and not opened: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        started = time.monotonic()
        tab.goto(file.resolve().as_uri(), wait_until="load", timeout=600_000)
        tab.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")
        seconds = time.monotonic() - started
        tab.screenshot(path=picture)
        browser.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--models", type=int, default=21)
    parser.add_argument("--utterances", type=int, default=2000, help="of each set")
    parser.add_argument("--folder", type=Path, required=True, help="where files are made")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    given = specs.load(make(args, args.folder))
    started = time.monotonic()
    html = page.render(given, Results(given), args.folder)
    made = time.monotonic() - started
    (args.folder / "report.html").write_text(html, encoding="utf-8")
    seconds = opened(args.folder / "report.html", args.folder / "report.png")
    size = len(html.encode()) / 1e6
    print(json.dumps({"MB": round(size, 1), "made_seconds": round(made, 1), "opened_seconds": round(seconds, 2)}))


if __name__ == "__main__":
    main()
