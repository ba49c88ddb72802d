"""Label Studio's exports: JSON (tasks with annotations of regions), JSON-MIN and CSV (a row an annotation)."""

import csv
import json
import os
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recipe.audio.address import is_url
from recipe.data.checked import Rejected
from recipe.files import RecipeError, read_json, read_lines
from recipe.imports import sources
from recipe.imports.items import (
    Embedded,
    Found,
    Imported,
    Notes,
    NotImportable,
    Verbatim,
    channel_of,
    guarded,
    listed,
    one_value,
    part_key,
    seconds_of,
)
from recipe.imports.options import ImportOptions

_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")  # a name as it is kept after an upload
_OTHERS = "annotations beside the one that counts (the ground truth, or the first that was not cancelled)"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_AUDIO = ("audio", "audio_url", "url", "sound", "speech", "recording", "file")


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The regions of an export as parts of recordings; a text without a region is that of the whole recording.

    Recordings are found by name in the folder of --audio, or beside the export: an upload has eight digits before it.
    """
    if source.is_dir():
        raise RecipeError(f"{source}: is a folder; name the exported file, JSON or CSV")
    tasks = _table(source) if source.suffix.lower() in _DELIMITERS else read_json(source)
    if isinstance(tasks, dict):
        tasks = [tasks]
    if not isinstance(tasks, list) or not any(isinstance(task, dict) for task in tasks):
        raise RecipeError(f"{source}: no list of tasks, as Label Studio exports it (JSON, JSON-MIN or CSV)")
    return _tasks(tasks, source, _Recordings(options, source), notes, options)


def _tasks(
    tasks: list, source: Path, recordings: "_Recordings", notes: Notes, options: ImportOptions
) -> Iterator[Found]:
    for number, task in enumerate(tasks, 1):
        where = f"{source}, task {number}"
        if not isinstance(task, dict):
            yield Rejected(f"task-{number}", "jsonl-invalid", f"{where}: expected an object")
            continue
        name = task.get("id") if isinstance(task.get("id"), int | str) else number
        key = f"task-{name}"
        one = _full if "annotations" in task or "completions" in task else _minimal
        yield from guarded(key, where, lambda task=task, key=key, where=where, one=one: one(
            task, key, where, recordings, notes, options
        ))  # fmt: skip


def _table(source: Path) -> list[dict]:
    """The rows of a CSV or TSV as those of a JSON-MIN: lists and objects stand in its cells as JSON."""
    lines = (f"{line}\n" for _, line in read_lines(source))
    rows = csv.DictReader(lines, delimiter=_DELIMITERS[source.suffix.lower()], strict=True)
    try:
        return [{name: _cell(cell) for name, cell in row.items() if name and cell} for row in rows]
    except csv.Error as error:
        raise RecipeError(f"{source}:{rows.reader.line_num}: {error}; export it again, or as JSON") from None


def _cell(cell: str) -> Any:
    try:
        return json.loads(cell) if cell.startswith(("[", "{")) else cell
    except (ValueError, RecursionError):
        return cell


class _Recordings:
    """Where the recordings of tasks are."""

    def __init__(self, options: ImportOptions, source: Path):
        self._shelf = sources.Shelf(options.audio or source.parent)
        self._root = options.root or source.parent

    def find(self, named: Any) -> tuple[str | Verbatim | Embedded, str]:
        """(place, stem) of what a task calls its recording."""
        if not isinstance(named, str) or not named:
            raise NotImportable("audio-missing", f"the recording is {named!r:.80}, expected a path or URL")
        parts = urllib.parse.urlsplit(named)
        query = urllib.parse.parse_qs(parts.query)
        path = query["d"][0] if "local-files" in parts.path and "d" in query else urllib.parse.unquote(parts.path)
        stem = os.path.splitext(os.path.basename(path))[0]
        if is_url(named) and not self._shelf.knows(stem):
            return named, stem
        for local in (os.path.abspath(os.path.join(self._root, path)), path):
            if os.path.isabs(local) and os.path.isfile(local):
                return local, stem
        uploaded = _UPLOADED.fullmatch(stem)
        if not self._shelf.knows(stem) and uploaded:
            stem = uploaded[1]
        return self._shelf.find(stem), stem


# --- JSON -------------------------------------------------------------------------------------------------------------


def _full(task: dict, key: str, where: str, recordings: _Recordings, notes: Notes, options: ImportOptions):
    found = listed(task.get("annotations", task.get("completions")))
    annotations = [one for one in found if isinstance(one, dict)]
    valid = [one for one in annotations if not one.get("was_cancelled")]
    if not valid:
        raise NotImportable("transcript-missing", "the task has no annotation (skipped?)", key)
    chosen = next((one for one in valid if one.get("ground_truth")), valid[0])
    notes.add(_OTHERS, len(annotations) - 1)
    results = [result for result in listed(chosen.get("result")) if isinstance(result, dict)]
    data = task.get("data") if isinstance(task.get("data"), dict) else {}
    audio, stem = recordings.find(_named(data, results))
    yield from _regions(_by_region(results), audio, stem, key, where)


def _named(data: dict, results: list[dict]) -> Any:
    """What a task calls its recording: the field that regions refer to, or that has a usual name."""
    targets = {str(result.get("to_name")) for result in results}
    for name in (*sorted(targets & data.keys()), *_AUDIO):
        if isinstance(data.get(name), str):
            return data[name]
    texts = [value for value in data.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else None


def _by_region(results: list[dict]) -> dict[str, dict]:
    """What is said of each region, by its id: times, texts and labels come as results of their own."""
    regions: dict[str, dict] = {}
    for number, result in enumerate(results):
        value = result.get("value")
        if not isinstance(value, dict):
            continue
        region = regions.setdefault(str(result.get("id") or f"#{number}"), {"text": [], "labels": []})
        for field in ("start", "end", "channel"):
            if value.get(field) is not None:
                region[field] = value[field]
        if isinstance(value.get("text"), list | str):
            region["text"] += value["text"] if isinstance(value["text"], list) else [value["text"]]
        if isinstance(value.get("labels"), list):
            region["labels"] += value["labels"]
    return regions


def _regions(regions: dict[str, dict], audio, stem: str, key: str, where: str) -> Iterator[Found]:
    """Regions as utterances. Label Studio says channel 0 of every region, so channels count where others are."""
    if not any(region["text"] for region in regions.values()):
        raise NotImportable("transcript-missing", "no text in its annotation", key)
    has_channels = any(region.get("channel") not in (None, 0) for region in regions.values())
    for name, region in regions.items():
        wanted = part_key(stem, *_times(region)) if "start" in region else stem
        yield from guarded(wanted, f"{where}, region {name}", lambda region=region, wanted=wanted: _one(
            region, audio, stem, wanted, has_channels
        ))  # fmt: skip


def _times(region: dict) -> tuple[float, float]:
    values = [region.get("start"), region.get("end")]
    return tuple(value if isinstance(value, int | float) and abs(value) < 1e9 else 0.0 for value in values)


def _one(region: dict, audio, stem: str, key: str, has_channels: bool) -> Imported:
    texts = region["text"]
    if not all(isinstance(text, str) for text in texts):
        raise NotImportable("field-invalid", f"text is {texts!r:.80}")
    return Imported(
        key, audio, "\n".join(texts) if texts else None, seconds_of(region.get("start"), "start") or 0.0,
        seconds_of(region.get("end"), "end"), stem, group=one_value(region["labels"]),
        channel=channel_of(region.get("channel")) if has_channels else None,
    )  # fmt: skip


# --- JSON-MIN ---------------------------------------------------------------------------------------------------------


def _minimal(row: dict, key: str, where: str, recordings: _Recordings, notes: Notes, options: ImportOptions):
    """A row of JSON-MIN or CSV: fields of the task, and of each control what it gave. Regions are a list of spans, and
    their texts another one in the same order."""
    if row.get("was_cancelled") in (True, "True"):
        raise NotImportable("transcript-missing", "the annotation was cancelled (skipped)", key)
    with_spans = [name for name, value in row.items() if _is_spans(value)]
    spans_field = next((name for name in with_spans if "labels" in row[name][0]), (with_spans or [None])[0])
    named = options.columns.get("audio") or next((name for name in _AUDIO if isinstance(row.get(name), str)), None)
    audio, stem = recordings.find(row.get(named) if named else None)
    texts = _texts(row, options.columns.get("text"))
    spans = row[spans_field] if spans_field else []
    if not spans:
        regions = {"1": {"text": texts, "labels": []}}
    elif len(spans) != len(texts):
        detail = f"{len(spans)} regions and {len(texts)} texts, which are not told apart; export as JSON instead"
        raise NotImportable("transcript-ambiguous", detail, key)
    else:
        regions = {
            str(i): {"labels": [], **span, "text": [text]} for i, (span, text) in enumerate(zip(spans, texts), 1)
        }
    yield from _regions(regions, audio, stem, key, where)


def _is_spans(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "start" in one for one in value)


def _texts(row: dict, field: str | None) -> list[str]:
    """The texts of a row: one of all, or one a region, which may have several lines."""
    names = [field] if field else [name for name in ("transcription", "transcript", "text") if name in row]
    value = row.get(names[0]) if names else None
    if isinstance(value, str):
        return [value]
    texts = []
    for one in value if isinstance(value, list) else ():
        lines = one.get("text") if isinstance(one, dict) else one
        lines = [lines] if isinstance(lines, str) else lines
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise NotImportable("field-invalid", f"text is {one!r:.80}")
        texts.append("\n".join(lines))
    return texts
