"""docs/notebook.md: its blocks of Python run one after the other, and print what the page shows; docs/experiment.ipynb
runs on what a small run left."""

import ast
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import nbformat
from conftest import ROOT

PAGE = (ROOT / "docs/notebook.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "=== end of a block ==="


def shown():
    """(code, what the page shows below it or "") of each block of Python."""
    blocks = BLOCK.findall(PAGE)
    pairs = zip(blocks, [*blocks[1:], ("", "")], strict=True)
    return [
        (code, below if kind == "text" else "") for (language, code), (kind, below) in pairs if language == "python"
    ]


def test_the_page_prints_what_it_shows():
    blocks = shown()
    program = "".join(f"{code}\nprint({END!r})\n" for code, _ in blocks)
    done = subprocess.run([sys.executable, "-"], input=program, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(f"{END}\n")[:-1] == [output for _, output in blocks]


def test_the_page_shows_each_of_the_calls():
    assert len(shown()) >= 4
    assert sum(bool(output) for _, output in shown()) >= 4
    for name in ("score", "normalize", "load", "transcribe"):
        assert re.search(rf"^from recipe\..* import {name}$", PAGE, re.MULTILINE)


def experiment_cells():
    """The code of each cell of docs/experiment.ipynb."""
    notebook = json.loads((ROOT / "docs/experiment.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_of_an_experiment_draws_what_a_run_left(finished):
    parts = []
    for code in experiment_cells():
        code = code.replace('Path("exp/bundled")', f"Path({str(finished / 'exp/e')!r})")
        *before, last = ast.parse(code).body
        if isinstance(last, ast.Expr):  # what a notebook shows of a cell
            last = ast.parse(f"shown = {ast.unparse(last)}\nprint(shown._repr_svg_() if shown else '')")
        parts += [*before, last]
    program = "\n".join(map(ast.unparse, parts))
    done = subprocess.run([sys.executable, "-"], input=program, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    drawn = re.findall(r"^<svg .*?^</svg>$", done.stdout, re.MULTILINE | re.DOTALL)
    assert [ElementTree.fromstring(chart).tag for chart in drawn] == ["{http://www.w3.org/2000/svg}svg"] * 3
    assert "s tuned: " in done.stdout and "only 4 utterances (fewer than 30)" in done.stdout
    assert "  heard: " in done.stdout and "no values" not in done.stdout


def test_the_notebook_of_an_experiment_holds_no_results():
    notebook = json.loads((ROOT / "docs/experiment.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    nbformat.validate(notebook)
