"""WeNet's data.list: JSON lines with key, wav and txt (raw), or a tar file a line (shard) with KEY.wav and KEY.txt.

Tar files of WebDataset are such shards; in many the text is in KEY.json.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from recipe.data import datadir, recordings
from recipe.data.checked import Rejected
from recipe.files import RecipeError
from recipe.imports import columns, keys, records, sources, tars
from recipe.imports.items import (
    MAX_TEXT,
    Embedded,
    Found,
    Imported,
    Notes,
    NotImportable,
    guarded,
    one_value,
    path_of,
    seconds_of,
    text_of,
)
from recipe.imports.options import ImportOptions

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The utterances of a data.list of either kind, of a tar file, or of a folder with data.list or tar files."""
    if source.is_dir():
        if (source / "data.list").is_file():
            source = source / "data.list"
        else:
            shards = sorted(path for path in source.iterdir() if path.name.endswith(_TARS))
            if not shards:
                raise RecipeError(f"{source}: neither data.list nor tar files in it")
            return _shards(map(str, shards), source)
    if source.name.endswith(_TARS):
        return _shards([str(source)], source.parent)
    if next((raw for _, raw in datadir.raw_lines(source)), b"").lstrip().startswith(b"{"):
        root = options.root or source.parent
        return records.read(source, lambda record, where, key: _raw(record, key, root))
    lines = (raw.decode("utf-8", "backslashreplace").strip() for _, raw in datadir.raw_lines(source))
    return _shards(lines, options.root or source.parent)


def _raw(record: dict, fallback: str, root: str | Path) -> Imported:
    key = one_value(record.get("key")) or fallback
    try:
        audio = sources.absolute(path_of(record.get("wav"), "wav"), root, above=True)
        start, end = seconds_of(record.get("start"), "start") or 0.0, seconds_of(record.get("end"), "end")
        text = text_of(record.get("txt"), "txt")
        speaker, language = one_value(record.get("speaker", record.get("spk"))), one_value(record.get("lang"))
    except NotImportable as error:
        raise NotImportable(error.reason, error.detail, key) from None
    return Imported(key, audio, text, start, end, keys.of_path(audio, root), speaker, language)


def _shards(paths, root: str | Path) -> Iterator[Found]:
    for line in paths:
        try:
            path = sources.absolute(line, root, above=True)
            if not os.path.isfile(path):
                raise NotImportable("shard-missing", f"no such file: {path} (shards elsewhere are to be copied here)")
        except NotImportable as error:
            yield Rejected(line, error.reason, error.detail)
            continue
        for group in tars.groups(Path(path)):
            where = f"{path}, {group.place}"
            yield from guarded(group.stem, where, lambda group=group, where=where: _member(group, where))


def _member(group: tars.Group, where: str) -> Imported:
    if group.problem:
        raise NotImportable(*group.problem)
    files = {name[len(group.stem) :].lower(): (name, data) for name, data in group.files.items()}
    audio = [found for suffix, found in files.items() if suffix in recordings.SUFFIXES]
    if len(audio) != 1:
        what = "no recording" if not audio else "several recordings"
        raise NotImportable("audio-missing", f"{what} among {', '.join(group.files)}")
    text = files.get(".txt", (None, None))[1]
    if text is not None and len(text) > MAX_TEXT:
        raise NotImportable("transcript-too-long", f"{len(text)} bytes")
    try:
        transcript = None if text is None else text.decode()
    except UnicodeDecodeError as error:
        raise NotImportable("bad-utf8", f"{group.stem}.txt: {error}") from None
    fields = _fields(files.get(".json", (None, b"{}"))[1], transcript is None)
    name, data = audio[0]
    others = {
        suffix: data.decode("utf-8", "replace") for suffix, (_, data) in files.items() if suffix in (".spk", ".lang")
    }
    return Imported(
        group.stem, Embedded(where, name, data), transcript if text is not None else text_of(fields.get("text")),
        speaker=one_value(others.get(".spk", fields.get("speaker"))),
        language=one_value(others.get(".lang", fields.get("language"))),
    )  # fmt: skip


def _fields(described: bytes, is_needed: bool) -> dict:
    """Text, speaker and language of a recording's JSON, whatever their usual names. It may be about anything: unless
    the text `is_needed`, one that is no object is passed over, and so are a speaker and language that are no text."""
    try:
        if len(described) > MAX_TEXT:
            raise NotImportable("transcript-too-long", f"{len(described)} bytes of JSON")
        record = records.parse(described)
    except NotImportable:
        if is_needed:
            raise
        return {}
    plain = {name: value for name, value in record.items() if type(value) in (str, int, float)}
    return {
        role: next((where[name] for name in columns.GUESSES[role] if name in where), None)
        for role, where in {"text": record, "speaker": plain, "language": plain}.items()
    }
