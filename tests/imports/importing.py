"""Imports as a user runs them, here in the process of the tests, and the data stage behind them."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import soundfile
from conftest import ROOT, tone

import import_corpus as script
import scp2jsonl
from recipe import cli

RATE = 16000


def call(monkeypatch, main, name, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    return main()


class Result:
    """What an import wrote to a folder."""

    def __init__(self, folder):
        self.folder = folder

    def table(self, name):
        """{key: value} of a table; empty if it is not there. Its rows are sorted by byte, and its keys unique."""
        path = self.folder / name
        if not path.exists():
            return {}
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert lines == sorted(lines, key=lambda line: line.split(b" ")[0])
        rows = [line.decode().partition(" ") for line in lines]
        assert len({key for key, _, _ in rows}) == len(rows)
        return {key: value for key, _, value in rows}

    def rejects(self):
        """(key, reason) of each reject, in the order of the source."""
        with open(self.folder / "rejects.tsv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        assert all(row["stage"] == "import" and row["detail"] and None not in row for row in rows)
        return [(row["key"], row["reason"]) for row in rows]

    @property
    def counts(self):
        return json.loads((self.folder / "import.json").read_text(encoding="utf-8"))


def run(monkeypatch, kind, source, out, *flags):
    """Import; the counts add up."""
    call(monkeypatch, script.main, "import_corpus.py", kind, source, out, *flags)
    result = Result(Path(out))
    counts = result.counts
    assert counts["entries"] == counts["imported"] + sum(counts["rejected"].values())
    assert len(result.table("text")) == counts["imported"]
    assert len(result.rejects()) == sum(counts["rejected"].values())
    return result


def refused(monkeypatch, capsys, kind, source, out, *flags):
    """The one line that an import ends with, exit status 2."""
    monkeypatch.setattr(sys, "argv", ["import_corpus.py", kind, str(source), str(out), *map(str, flags)])
    try:
        cli.run(script.main)
    except SystemExit as ended:
        assert ended.code == 2
    else:
        raise AssertionError("the import was not refused")
    last = [line for line in capsys.readouterr().err.splitlines() if ": error: " in line]
    assert len(last) == 1
    return last[0]


def manifest(monkeypatch, result, *flags):
    """{key: line} of the manifest that the data stage makes of an import; it rejects nothing."""
    folder = result.folder
    out = folder.parent / f"{folder.name}-manifest"
    call(
        monkeypatch, scp2jsonl.main, "scp2jsonl.py", "--scp-file", folder / "wav.scp", "--transcript-file",
        folder / "text", "--jsonl-file", out / "set.jsonl", "--rejects-file", out / "set.tsv", "--tokenizer",
        ROOT / "models/tiny", *flags,
    )  # fmt: skip
    records = [json.loads(line) for line in (out / "set.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (out / "set.tsv").read_text(encoding="utf-8").count("\n") == 1
    assert [record["key"] for record in records] == list(result.table("text"))
    return {record["key"]: record for record in records}


def said(record):
    """(text, seconds, speaker) of a manifest's line."""
    return record["messages"][2]["content"], record["duration"], record.get("speaker")


def write_wav(path, seconds, channels=1, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = tone(seconds, seed, RATE)
    soundfile.write(path, np.stack([wave] * channels, 1) if channels > 1 else wave, RATE, format=None)
    return path


def write_jsonl(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
