"""Every reason for a rejection has a remedy."""

import ast

from conftest import ROOT
from stages import scp2jsonl

from recipe.data.remedies import REMEDIES, remedy

# What raises a reason, in its first argument.
RAISING = ("AudioError", "_Unfit")
# Modules that say reasons as pairs (reason, detail), and what in them looks like a reason and is none.
PAIRS = ("data/join.py", "data/prepare.py", "data/rates.py")
REMARKS = {"segment-trimmed", "incomplete-recording"}


def texts(node):
    """All texts that an expression may be."""
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def reasons():
    found = set()
    for folder in ("data", "audio"):
        for file in sorted((ROOT / "scripts/recipe" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISING and node.args:
                    found |= texts(node.args[0])
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and f"{folder}/{file.name}" in PAIRS:
                    words = node.value.split("-")
                    found |= {node.value} if len(words) > 1 and all(word.isalpha() for word in words) else set()
    return found - REMARKS


def test_every_reason_in_the_code_has_a_remedy():
    found = reasons()
    assert {"audio-missing", "audio-truncated", "transcript-empty", "duplicate-key", "decoder-crashed"} <= found
    without = {reason for reason in found if "-" in reason and not reason.endswith("-") and reason not in REMEDIES}
    assert not {one for one in without if not one.startswith("recipe-")}, "say in recipe.data.remedies what to do"


def test_every_reason_of_the_documentation_has_a_remedy():
    page = (ROOT / "docs/data.md").read_text().partition("| reasons | found by |")[2].partition("\n\n")[0]
    rows = [row.split(" | ")[0] for row in page.splitlines() if row.startswith("| `")]
    named = {word for row in rows for word in row.split("`")[1::2]}
    named = {one for one in named if "-" in one or one in ("markup", "invisible")}
    assert len(named) > 35
    for reason in named:
        assert reason in REMEDIES or reason.startswith("conflicting-"), reason


def test_a_table_in_conflict_is_named():
    assert remedy("conflicting-utt2spk") == "leave one line a key in utt2spk"


def test_a_run_that_stops_says_what_to_do_about_the_commonest(data_dir, full_model):
    lines = (data_dir / "wav.scp").read_text().splitlines()
    (data_dir / "wav.scp").write_text("\n".join(line.replace("wav/", "nowhere/") for line in lines) + "\n")
    _, _, done = scp2jsonl(data_dir, full_model, "--max-reject-ratio", "0.1", check=False)
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if "error:" in line]
    assert "audio-missing: spk0-utt0 (no such file:" in line and "nowhere/spk0-utt0.wav" in line
    assert "put the recordings where wav.scp says" in line
