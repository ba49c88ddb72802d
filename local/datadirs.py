"""Writing Kaldi data directories, for the scripts in this folder."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from recipe.files import write_lines

TABLES = ("wav.scp", "text", "utt2spk", "utt2lang")


@dataclass(frozen=True)
class Entry:
    """An utterance's line in each table; the key starts with the speaker, as Kaldi's sorting wants."""

    key: str
    path: str
    text: str
    speaker: str
    language: str


def write_tables(folder: str | os.PathLike, entries: Iterable[Entry]) -> None:
    """Write wav.scp, text, utt2spk and utt2lang, sorted by key; wav.scp last, so that where it is all are."""
    entries = sorted(entries, key=lambda entry: entry.key)
    folder = Path(folder)
    write_lines(folder / "text", (f"{e.key} {e.text}" for e in entries))
    write_lines(folder / "utt2spk", (f"{e.key} {e.speaker}" for e in entries))
    write_lines(folder / "utt2lang", (f"{e.key} {e.language}" for e in entries))
    write_lines(folder / "wav.scp", (f"{e.key} {e.path}" for e in entries))
