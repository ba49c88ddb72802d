"""Writing what was imported: the tables of a Kaldi data directory, sorted, with rejects.tsv and import.json.

All is written beside the place and moved there at the end, so that a directory that exists is whole.
"""

import os
import shutil
import tempfile
from collections import Counter
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import IO

from recipe.audio import headers
from recipe.audio.address import is_command, is_url
from recipe.audio.info import AudioError
from recipe.data import checks, recordings
from recipe.data.checked import REJECTS_HEADER, Rejected, one_line
from recipe.data.sorting import Sorter
from recipe.files import RecipeError, write_json
from recipe.imports import keys
from recipe.imports.items import (
    MAX_RECORDING,
    Embedded,
    Found,
    Imported,
    Notes,
    NotImportable,
    Verbatim,
    joined,
    one_value,
)
from recipe.imports.sources import ARK_OFFSET
from recipe.text import languages

STAGE = "import"
_LABELS = ("utt2spk", "utt2lang", "utt2group", "utt2channel", "utt2prompt", "utt2hotwords")
_OURS = {"wav.scp", "text", "segments", *_LABELS, "rejects.tsv", "import.json", "wav"}
_MAGIC = (
    (0, b"RIFF", ".wav"), (0, b"RF64", ".wav"), (0, b"fLaC", ".flac"), (0, b"OggS", ".ogg"), (0, b"ID3", ".mp3"),
    (0, b"\xff\xfb", ".mp3"), (0, b"\xff\xf3", ".mp3"), (0, b"\xff\xf2", ".mp3"), (0, b"NIST_1A", ".sph"),
    (0, b"FORM", ".aiff"), (0, b".snd", ".au"), (4, b"ftyp", ".m4a"), (0, b"\x1a\x45\xdf\xa3", ".webm"),
    (0, b"#!AMR", ".amr"),
)  # fmt: skip
_UNENCODABLE = "\ud800"


class DataDirWriter:
    """Takes what a reader finds and writes DIR; use it as a context, and `finish` it. With `write` False nothing is
    written, and all is counted.

    Every entry that is added is in the tables or in rejects.tsv: `entries` = `imported` + the sum of `rejected`.
    """

    def __init__(self, folder: str, notes: Notes, *, copy: bool, keep_empty: bool, language: str | None, write: bool):
        self.notes = notes
        self.entries = self.imported = 0
        self.rejected: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self._folder = Path(os.path.abspath(folder))
        self._copy, self._keep_empty, self._language, self._write = copy, keep_empty, language, write
        self._keys = keys.Keys()
        self._tables = {name: Sorter(itemgetter(0)) for name in ("wav.scp", "text", "segments", *_LABELS)}
        self._filled: set[str] = set()
        self._recordings: dict[str, str] = {}  # key by place, of those that have parts
        self._last = ("", "")  # place and key of the recording before
        self._has_parts = False
        check_replaceable(self._folder)

    def __enter__(self) -> "DataDirWriter":
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._place = Path(tempfile.mkdtemp(prefix=f".{self._folder.name}.", suffix=".tmp", dir=self._folder.parent))
        self._rejects: IO[str] = open(self._place / "rejects.tsv", "w", encoding="utf-8", newline="\n")
        self._rejects.write(REJECTS_HEADER + "\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._rejects.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def add(self, found: Found) -> None:
        """Take an utterance or a reject; an utterance that cannot be imported becomes a reject."""
        self.entries += 1
        if isinstance(found, Rejected):
            self._reject(found)
            return
        try:
            self._add(found)
        except NotImportable as error:
            self._reject(Rejected(found.key, error.reason, error.detail))

    def _reject(self, found: Rejected) -> None:
        self.rejected[found.reason] += 1
        detail = one_line(found.detail)
        self.examples.setdefault(found.reason, detail)
        self._rejects.write(f"{one_line(found.key)}\t{STAGE}\t{found.reason}\t{detail}\n")

    # --- An utterance -----------------------------------------------------------------------------------------------

    def _add(self, found: Imported) -> None:
        text = self._text(found.text)
        labels = self._labels(found)
        _check_span(found.start, found.end)
        _check_audio(found, self._copy)
        key, recording = self._place_recording(found)
        self._put("text", key, text)
        for name, value in labels.items():
            self._put(name, key, value)
        end = "-1" if found.end is None else _seconds(found.end)
        self._put("segments", key, f"{recording} {_seconds(found.start)} {end}")
        self._has_parts |= found.is_part or recording != key
        self.imported += 1

    def _text(self, text: str | None) -> str:
        if text is None:
            raise NotImportable("transcript-missing", "there is no text")
        line = joined(text)
        if any(_UNENCODABLE <= char <= "\udfff" for char in line) if not line.isascii() else False:
            raise NotImportable("bad-utf8", f"the text has half a character or bytes that are not UTF-8: {line!r:.80}")
        if not line and not self._keep_empty:
            raise NotImportable("transcript-empty", "the text is empty")
        if line != text.strip(" "):
            self.notes.add("texts of several lines or with tabs, joined by spaces")
        return line

    def _labels(self, found: Imported) -> dict[str, str]:
        """The values of the tables beside text that the utterance has."""
        language = one_value(found.language) or self._language
        values = {
            "utt2spk": one_value(found.speaker),
            "utt2lang": language and self._known(language),
            "utt2group": one_value(found.group),
            "utt2channel": None if found.channel is None else str(found.channel),
            "utt2prompt": one_value(found.prompt),
            "utt2hotwords": one_value(found.hotwords),
        }
        for name, value in values.items():
            if value and any(_UNENCODABLE <= char <= "\udfff" for char in value):
                raise NotImportable("bad-utf8", f"{name}: bytes that are not UTF-8 in {value!r:.80}")
        return {name: value for name, value in values.items() if value}

    def _known(self, language: str) -> str:
        """The recipe's code of a language; one that it does not know stays as it is, and is told."""
        try:
            return languages.canonical(language)
        except languages.UnknownLanguage:
            self.notes.languages[language] += 1
            return language

    def _put(self, table: str, key: str, value: str) -> None:
        self._tables[table].add((key, value))
        self._filled.add(table)

    # --- Its recording ----------------------------------------------------------------------------------------------

    def _place_recording(self, found: Imported) -> tuple[str, str]:
        """Give the utterance and its recording their keys, and the recording its place."""
        place = found.audio.place if isinstance(found.audio, Embedded) else _source_text(found.audio)
        if isinstance(found.audio, Embedded) and place == self._last[0]:  # its bytes are written already
            return self._keys.take(found.key, keys.UTTERANCE), self._last[1]
        if not found.is_part:
            key = self._keys.take(found.key, keys.UTTERANCE | keys.RECORDING)
            self._put("wav.scp", key, self._source(found.audio, key))
            self._last = place, key
            return key, key
        recording = self._recordings.get(place)
        if recording is None:
            recording = self._keys.take(found.recording or keys.of_path(place, "/"), keys.RECORDING)
            self._put("wav.scp", recording, self._source(found.audio, recording))
            self._recordings[place] = recording
        self._last = place, recording
        return self._keys.take(found.key, keys.UTTERANCE), recording

    def _source(self, audio: str | Verbatim | Embedded, key: str) -> str:
        """What wav.scp says of a recording; its bytes are written where they are not a file yet, or are to be
        copied."""
        if isinstance(audio, Verbatim):
            self.notes.add("commands and entries of arks, left as they are")
            return audio.source
        if isinstance(audio, Embedded):
            name = keys.file_name(key, _suffix(audio))
            if self._write:
                self._wav_folder().joinpath(name).write_bytes(audio.data)
            return f"wav/{name}"
        if not self._copy or is_url(audio):
            return audio
        name = keys.file_name(key, os.path.splitext(audio)[1].lower())
        if self._write:
            shutil.copyfile(audio, self._wav_folder() / name)
        return f"wav/{name}"

    def _wav_folder(self) -> Path:
        folder = self._place / "wav"
        folder.mkdir(exist_ok=True)
        return folder

    # --- The end ----------------------------------------------------------------------------------------------------

    def finish(self, facts: dict) -> None:
        """Write the tables and move all into its place. RecipeError if nothing was imported: then DIR has rejects.tsv
        alone."""
        self._rejects.close()
        if self._keys.mended:
            self.notes.add("keys made valid (white space and unprintable characters as _)", self._keys.mended)
        if self._keys.numbered:
            self.notes.add("keys that were taken, numbered (-2, -3 ...)", self._keys.numbered)
        if self.entries != self.imported + self.rejected.total():
            raise AssertionError(f"{self.entries} entries, {self.imported} imported, {self.rejected.total()} rejected")
        if not self._write:
            return
        write_json(self._place / "import.json", {**facts, **self.report()})
        if self.imported:
            self._write_tables()
        self._move()

    def report(self) -> dict:
        """The counts, as import.json has them."""
        return {
            "entries": self.entries,
            "imported": self.imported,
            "rejected": dict(sorted(self.rejected.items())),
            "notes": dict(sorted(self.notes.counts.items())),
            "unknown_languages": dict(sorted(self.notes.languages.items())),
        }

    def _write_tables(self) -> None:
        for name, rows in self._tables.items():
            if name not in self._filled or (name == "segments" and not self._has_parts):
                continue
            with open(self._place / name, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{key} {value}\n" if value else f"{key}\n" for key, value in rows)

    def _move(self) -> None:
        """Put the finished directory where it belongs; an earlier import gives way."""
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(self._place, 0o777 & ~umask)
        if self._folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{self._folder.name}.", suffix=".old", dir=self._folder.parent))
            os.rename(self._folder, old / "was")
            os.rename(self._place, self._folder)
            shutil.rmtree(old)
        else:
            os.rename(self._place, self._folder)


def check_replaceable(folder: Path) -> None:
    """RecipeError if something is where the directory is to be written that is no earlier import."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RecipeError(f"{folder}: is a file; name a folder to write to")
    there = {path.name for path in folder.iterdir()}
    if there and (not there <= _OURS or "import.json" not in there):
        foreign = sorted(there - _OURS) or sorted(there)
        raise RecipeError(
            f"{folder}: holds {', '.join(foreign[:3])} and is no import of before; name another folder, or empty it"
        )


def _check_span(start: float, end: float | None) -> None:
    if not (0 <= start < float("inf")) or (end is not None and not start < end < float("inf")):
        raise NotImportable("segment-invalid", f"from {start:g} to {end} s")


def _check_audio(found: Imported, copied: bool) -> None:
    """NotImportable unless the recording is there, has the part, and can be named in a wav.scp."""
    audio = found.audio
    if isinstance(audio, Embedded):
        if not audio.data:
            raise NotImportable("audio-empty", f"{audio.place}: no bytes")
        if len(audio.data) > MAX_RECORDING:
            raise NotImportable("audio-too-large", f"{audio.place}: {len(audio.data)} bytes")
        return
    if isinstance(audio, Verbatim):
        ark = ARK_OFFSET.fullmatch(audio.source)
        if ark and not is_url(ark[1]) and not os.path.isfile(ark[1]):
            raise NotImportable("audio-missing", f"no such file: {ark[1]}")
        return
    if is_url(audio):
        if audio != audio.strip() or any(char.isspace() for char in audio):
            raise NotImportable("audio-invalid", f"{audio!r:.120}: a URL has no spaces (%20)")
        return
    _check_file(audio)
    if not copied and _is_ambiguous(audio):
        detail = f"{audio!r}: a wav.scp would read this path otherwise; --copy writes it under another name"
        raise NotImportable("path-unfit", detail)
    if found.is_part and (seconds := _length(audio)) is not None:
        limit = seconds + checks.MAX_OVERSHOOT
        if found.start >= seconds or (found.end is not None and found.end > limit):
            detail = f"{found.start:g} to {found.end} s of a recording of {seconds:.3f} s ({audio})"
            raise NotImportable("segment-beyond-end", detail)


def _check_file(path: str) -> None:
    try:
        size = os.stat(path).st_size if os.path.isfile(path) else None
    except (OSError, ValueError):
        size = None
    if size is None:
        what = "is no file" if "\0" not in path and os.path.exists(path) else "no such file"
        raise NotImportable("audio-missing", f"{what}: {path}")
    if size == 0:
        raise NotImportable("audio-empty", f"{path}: 0 bytes")


def _is_ambiguous(path: str) -> bool:
    """Whether a path means something else as an entry of a wav.scp."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return True
    odd = path != path.strip() or any(ord(char) < 32 for char in path)
    return odd or is_command(path) or ARK_OFFSET.fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _length(path: str) -> float | None:
    """Seconds of a recording by its header; None if that does not say: the data stage has words for it."""
    try:
        return headers.probe_file(path).seconds
    except AudioError:
        return None


def _source_text(audio: str | Verbatim) -> str:
    return audio.source if isinstance(audio, Verbatim) else audio


def _suffix(audio: Embedded) -> str:
    """The suffix for a recording's file: that of its content, or of its name."""
    for place, magic, suffix in _MAGIC:
        if audio.data.startswith(magic, place):
            return suffix
    named = os.path.splitext(audio.name)[1].lower()
    return named if named in recordings.SUFFIXES else ".audio"


def _seconds(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
