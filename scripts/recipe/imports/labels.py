"""Labels of long recordings, a file a recording: pairs by stem, and what each format's lines say.

A module a format (`subtitles`, `textgrid`, `audacity` here) gives the spans of a file; what is the same for all is
here: finding the recording, spans as utterances, recordings that no file labels.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recipe.data.checked import Rejected
from recipe.files import RecipeError
from recipe.imports import sources
from recipe.imports.items import MAX_LABELS, Found, Imported, Notes, NotImportable, part_key
from recipe.imports.options import ImportOptions
from recipe.text import languages

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled part of a recording, in seconds; `where` is its line or number in the file."""

    start: float
    end: float | None  # None: of its recording
    text: str | None
    where: str
    speaker: str | None = None
    problem: tuple[str, str] | None = None  # (reason, detail) of one that is not importable by itself


LabelReader = Callable[[str, Path, ImportOptions, Notes], Iterator[Labelled]]


def read(
    source: Path, options: ImportOptions, notes: Notes, suffixes: tuple[str, ...], spans: LabelReader
) -> Iterator[Found]:
    """The spans of all label files in a folder (or of one file) as parts of the recordings of the same stem, which lie
    beside them or in the folder of --audio. A file that cannot be read is one reject, and so is each recording that
    has no labels."""
    folder = source if source.is_dir() else source.parent
    files = _files(source, suffixes)
    if not files:
        raise RecipeError(f"{source}: no {' or '.join(suffixes)} in it")
    shelf = sources.Shelf(options.audio or folder)
    for path in files:
        stem = os.path.relpath(path, folder).removesuffix(path.suffix)
        stem, language = _language(stem, shelf)
        yield from _utterances(path, stem, language, shelf, spans, options, notes)
    if source.is_dir():
        for stem, audio in shelf.unused():
            yield Rejected(stem, "recording-without-labels", f"{audio}: no {' or '.join(suffixes)} of its name")


def _files(source: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if source.is_file():
        return [source]
    return sorted(path for path in source.rglob("*") if path.suffix.lower() in suffixes and path.is_file())


def _language(stem: str, shelf: sources.Shelf) -> tuple[str, str | None]:
    """A stem, and the language that it ends with where that is no part of the recording's name: talk.en."""
    shorter, dot, last = stem.rpartition(".")
    if not dot or shelf.knows(stem) or not shelf.knows(shorter):
        return stem, None
    try:
        return shorter, languages.canonical(last)
    except languages.UnknownLanguage:
        return shorter, None


def _utterances(
    path: Path, stem: str, language: str | None, shelf: sources.Shelf, spans: LabelReader, options: ImportOptions,
    notes: Notes,
) -> Iterator[Found]:  # fmt: skip
    try:
        audio = shelf.find(stem)
    except NotImportable as error:
        audio = error
    try:
        found = list(spans(content(path), path, options, notes))
    except NotImportable as error:
        yield Rejected(stem, error.reason, f"{path}: {error.detail}")
        return
    if not found:
        yield Rejected(stem, "transcript-missing", f"{path}: no labels in it")
    for span in found:
        key = stem if span.end is None else part_key(stem, span.start, span.end)
        where = f"{path}:{span.where}"
        if span.problem or isinstance(audio, NotImportable):
            reason, detail = span.problem or (audio.reason, audio.detail)
            yield Rejected(key, reason, f"{where}: {detail}")
        else:
            yield Imported(key, audio, span.text, span.start, span.end, stem, span.speaker, language)


def content(path: Path) -> str:
    """The text of a label file: UTF-8, or UTF-16 by its mark. NotImportable for others, and for what is too large."""
    try:
        if path.stat().st_size > MAX_LABELS:
            raise NotImportable("labels-too-large", f"{path.stat().st_size} bytes, more than {MAX_LABELS}")
        raw = path.read_bytes()
    except OSError as error:
        raise NotImportable("labels-unreadable", error.strerror or str(error)) from None
    encoding = next((name for mark, name in _BOMS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotImportable("bad-utf8", f"{error}; convert it to UTF-8 (iconv)") from None


# --- Transcripts ------------------------------------------------------------------------------------------------------


def transcripts(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """Text files, each the transcript of all of the recording of its stem, beside it or in the folder of --audio."""
    return read(source, options, notes, (".txt", ".lab"), _whole)


def _whole(text: str, path: Path, options: ImportOptions, notes: Notes) -> Iterator[Labelled]:
    yield Labelled(0.0, None, text.strip(), "1")


# --- Audacity ---------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


def audacity(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """Audacity's label tracks as it exports them: begin, end and text, separated by tabs, in seconds."""
    return read(source, options, notes, (".txt",), _tracks)


def _tracks(text: str, path: Path, options: ImportOptions, notes: Notes) -> Iterator[Labelled]:
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if not any(_is_label(line) for line in lines):
        raise NotImportable("labels-invalid", "no line `begin<TAB>end<TAB>text`; is it a label track?")
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("\\\t"):  # a line of frequencies belongs to the label before it
            continue
        if not _is_label(line):
            problem = ("row-invalid", f"{line!r:.80}, expected begin, end and text, separated by tabs")
            yield Labelled(0.0, 0.0, None, str(number), problem=problem)
            continue
        start, end, *words = line.split("\t", 2)
        yield Labelled(_number(start), _number(end), words[0] if words else None, str(number))


def _is_label(line: str) -> bool:
    cells = line.split("\t", 2)
    return len(cells) >= 2 and all(_NUMBER.fullmatch(cell.strip()) for cell in cells[:2])


def _number(text: str) -> float:
    return float(text.strip().replace(",", "."))
