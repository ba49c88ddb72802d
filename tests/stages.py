"""Stage scripts, run as a user runs them."""

import csv
import json
import subprocess
import sys

from conftest import ROOT


def scp2jsonl(folder, model, *flags, check=True):
    """Run the stage's script; returns (manifest records, rejects rows, completed process)."""
    jsonl, rejects_file = folder / "out" / "set.jsonl", folder / "out" / "set.tsv"
    files = {
        "--scp-file": folder / "wav.scp", "--transcript-file": folder / "text", "--jsonl-file": jsonl,
        "--rejects-file": rejects_file, "--tokenizer": model, "--max-reject-ratio": 1,
    }  # fmt: skip
    arguments = [str(part) for pair in files.items() for part in pair]
    command = [sys.executable, str(ROOT / "scripts/scp2jsonl.py"), *arguments, *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stderr
    if not jsonl.exists():
        return None, None, done
    records = [json.loads(line) for line in jsonl.read_text().splitlines()]
    with open(rejects_file, encoding="utf-8", newline="") as file:
        rejects = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return records, rejects, done
