"""docs/notebook.md: its blocks of Python run one after the other, and print what the page shows."""

import re
import subprocess
import sys

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
