"""Make the report: a small table, and one HTML page with everything that belongs to an experiment.

In:  --spec, a JSON file that names models, test sets, scores, histories, statistics and settings (its keys are those
     of recipe/report/spec.py; paths count from the working directory).
Out: --output-dir with report.html (one file, nothing is loaded from elsewhere but audio that was too large to be
     embedded), summary.tsv and summary.md.
"""

import argparse
import logging
from pathlib import Path

from recipe.cli import run
from recipe.files import open_atomic, write_lines

logger = logging.getLogger("report")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", required=True, help="what to report on (JSON)")
    parser.add_argument("--output-dir", required=True, help="folder to write to")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from recipe.report import page, spec, summary
    from recipe.report.results import Results

    given = spec.load(args.spec)
    results = Results(given)
    output = Path(args.output_dir)
    html = page.render(given, results, output)
    write_lines(output / "summary.tsv", summary.tsv_lines(results))
    write_lines(output / "summary.md", summary.markdown_lines(given, results))
    with open_atomic(output / "report.html") as file:
        file.write(html)
    logger.info("%s: %.1f MB", output / "report.html", len(html.encode()) / 1e6)


if __name__ == "__main__":
    run(main)
