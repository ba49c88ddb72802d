"""Lhotse's manifests: recordings with supervisions, cuts, and Shar folders of cuts with their recordings in tar files.

They are JSON lines, and read as such: lhotse itself is not needed, and what it could run for a manifest (commands,
transforms, stored arrays) is not run. What of a cut is a plain part of a recording is imported; mixed cuts and
recordings that are to be transformed are not in any file, and are rejected.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from recipe.data import datadir
from recipe.data.checked import Rejected
from recipe.files import RecipeError
from recipe.imports import records, sources, tars
from recipe.imports.items import (
    Embedded,
    Found,
    Imported,
    Notes,
    NotImportable,
    Verbatim,
    listed,
    one_value,
    path_of,
    seconds_of,
    text_of,
)
from recipe.imports.options import ImportOptions

_NAME = re.compile(r".*\.jsonl(\.gz)?\Z")
_SHARD = re.compile(r"cuts\.(\d+)\.jsonl(\.gz)?\Z")
_SLACK = 0.02  # seconds by which a supervision may leave its cut: times are rounded


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The supervisions of a manifest, or of the manifests in a folder. RecipeError if there is none, or several."""
    if source.is_dir():
        if any(_SHARD.match(path.name) for path in source.iterdir()):
            return _shar(source)
        source = _main(source)
    first = records.first_objects(source, 1)[0]
    if "supervisions" in first or "tracks" in first or first.get("type", "").endswith("Cut"):
        root = options.root or source.parent
        return records.read(source, lambda record, where, key: _of_cut(record, where, root, {}))
    if "recording_id" in first:
        return _with_recordings(source, options)
    if "sources" in first:
        raise RecipeError(f"{source}: recordings without transcripts; name the supervisions, or the folder of both")
    raise RecipeError(f"{source}: neither cuts nor supervisions of lhotse; fields are {', '.join(sorted(first)[:20])}")


def _main(folder: Path) -> Path:
    """The one manifest of a folder that has transcripts."""
    there = sorted(path for path in folder.iterdir() if _NAME.match(path.name))
    for word in ("cuts", "supervisions"):
        found = [path for path in there if word in path.name]
        if len(found) > 1:
            raise RecipeError(f"{folder}: several manifests ({', '.join(path.name for path in found)}); name one")
        if found:
            return found[0]
    raise RecipeError(f"{folder}: no cuts*.jsonl(.gz), no supervisions*.jsonl(.gz) in it")


def _with_recordings(source: Path, options: ImportOptions) -> Iterator[Found]:
    """Supervisions, with the recordings of the manifest that is called likewise."""
    name = source.name.replace("supervisions", "recordings")
    candidates = [
        source.with_name(name),
        *(source.with_name(f"{name.removesuffix('.gz')}{end}") for end in ("", ".gz")),
    ]
    path = next((path for path in candidates if path != source and path.is_file()), None)
    if path is None:
        raise RecipeError(f"{candidates[0]}: no such file; supervisions need their recordings beside them")
    recordings: dict[str, dict | NotImportable] = {}
    for number, raw in datadir.raw_lines(path):
        try:
            record = records.parse(raw)
            recordings[str(record.get("id"))] = record
        except NotImportable as error:
            yield Rejected(f"{records.stem(path)}-{number:08d}", error.reason, f"{path}:{number}: {error.detail}")
    root = options.root or path.parent

    def make(record: dict, where: str, key: str) -> Imported:
        recording = recordings.get(str(record.get("recording_id")))
        if recording is None:
            raise NotImportable(
                "audio-missing", f"recording {record.get('recording_id')!r:.80} is not in {path}", _id(record) or key
            )
        return _supervision(record, recording, 0.0, None, root)

    yield from records.read(source, make)


def _id(record: dict) -> str:
    value = record.get("id")
    return value if isinstance(value, str) else str(value or "")


# --- Cuts -----------------------------------------------------------------------------------------------------------


def _of_cut(record: dict, where: str, root: str | Path, inside: dict[str, Embedded]) -> Iterator[Found]:
    """The supervisions of a cut; each that cannot be imported is a reject of its own. `inside` has the recordings of a
    Shar by the ids of their cuts."""
    cut = _plain(record)
    supervisions = cut.get("supervisions") or []
    if not isinstance(supervisions, list):
        raise NotImportable("jsonl-invalid", "supervisions are no list", _id(record))
    if not supervisions:
        raise NotImportable("transcript-missing", "the cut has no supervision", _id(record))
    recording = cut.get("recording")
    for supervision in supervisions:
        try:
            if not isinstance(supervision, dict):
                raise NotImportable("jsonl-invalid", "a supervision is no object")
            if not isinstance(recording, dict):
                raise NotImportable("audio-missing", "the cut has no recording (features alone?)")
            start = seconds_of(cut.get("start", 0), "start of the cut") or 0.0
            yield _supervision(supervision, recording, start, inside.get(_id(record)), root)
        except NotImportable as error:
            name = _id(supervision) if isinstance(supervision, dict) else ""
            yield Rejected(error.key or name or _id(record), error.reason, f"{where}: {error.detail}")


def _plain(record: dict) -> dict:
    """The cut that a mixed one is, if all but one of its tracks are padding at its end."""
    if "tracks" not in record:
        return record
    tracks = record["tracks"] if isinstance(record["tracks"], list) else []
    if not tracks or not all(isinstance(track, dict) for track in tracks):
        raise NotImportable("jsonl-invalid", "tracks are no list of objects", _id(record))
    cuts = [track for track in tracks if track.get("type") != "PaddingCut"]
    if len(cuts) != 1 or cuts[0].get("snr") is not None or record.get("transforms"):
        raise NotImportable("audio-mixed", f"a mix of {len(cuts)} recordings, which is in no file", _id(record))
    inner = cuts[0].get("cut")
    if not isinstance(inner, dict):
        raise NotImportable("jsonl-invalid", "a track without a cut", _id(record))
    return inner


def _supervision(
    record: dict, recording: dict, cut_start: float, embedded: Embedded | None, root: str | Path
) -> Imported:
    """A supervision, whose times count from the start of its cut, as a part of its recording."""
    channel, audio = _source(recording, record.get("channel"), embedded, root, record)
    offset, duration = _signed(record.get("start", 0)), seconds_of(record.get("duration"), "duration")
    start = round(cut_start + offset, 6)
    end = None if duration is None else round(start + duration, 6)
    if start < -_SLACK:
        raise NotImportable("segment-invalid", f"begins {-start:g} s before its recording", _id(record))
    start = max(0.0, start)
    whole = seconds_of(recording.get("duration"), "duration of the recording")
    if end is not None and whole is not None and start == 0 and abs(end - whole) <= _SLACK:
        end = None
    elif end is not None and whole is not None and embedded and end > whole + _SLACK:
        raise NotImportable("segment-beyond-end", f"ends at {end:g} s of {whole:g} s", _id(record))
    return Imported(
        _id(record), audio, text_of(record.get("text")), start, end, _id(recording), one_value(record.get("speaker")),
        one_value(record.get("language")), channel=channel,
    )  # fmt: skip


def _signed(value: Any) -> float:
    """Seconds, which may be before a cut."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return -(seconds_of(-value, "start") or 0.0) if value < 0 else seconds_of(value, "start") or 0.0
    raise NotImportable("segment-invalid", f"start is {value!r:.80}, expected seconds")


def _source(
    recording: dict, wanted: Any, embedded: Embedded | None, root: str | Path, record: dict
) -> tuple[int | None, str | Verbatim | Embedded]:
    """(index of the channel, None for all; place) of a recording's audio."""
    key = _id(record)
    if recording.get("transforms"):
        raise NotImportable("audio-transformed", "the recording is to be transformed, which is in no file", key)
    found = [source for source in listed(recording.get("sources")) if isinstance(source, dict)]
    channels = [wanted] if isinstance(wanted, int) else listed(wanted)
    if not all(isinstance(channel, int) for source in found for channel in (*channels, *_channels(source))):
        raise NotImportable("channel-invalid", f"channels {wanted!r:.80} are no indices", key)
    if len(found) > 1 and channels:
        found = [source for source in found if set(channels) & set(_channels(source))]
    if len(found) != 1:
        raise NotImportable("audio-ambiguous", f"{len(found)} files for channels {wanted}, expected one", key)
    index = _index(channels, _channels(found[0]), key)
    if embedded:
        return index, embedded
    return index, _place(found[0], root, key, _id(recording))


def _channels(source: dict) -> list:
    channels = source.get("channels")
    return channels if isinstance(channels, list) else [0]


def _index(wanted: Sequence, there: Sequence, key: str) -> int | None:
    """Which of a file's channels; None: all of them."""
    if not wanted or len(there) == 1 or set(wanted) == set(there):
        return None
    if len(wanted) > 1 or wanted[0] not in there:
        raise NotImportable("channel-invalid", f"channels {list(wanted)} of {list(there)}, expected one or all", key)
    return list(there).index(wanted[0])


def _place(source: dict, root: str | Path, key: str, recording: str) -> str | Verbatim | Embedded:
    kind, value = source.get("type"), source.get("source")
    if kind in ("file", "url"):
        return sources.absolute(path_of(value, "source"), root, above=True)
    if kind == "command":
        return Verbatim(f"{path_of(value, 'source').strip().removesuffix('|').strip()} |")
    if kind == "memory" and isinstance(value, str):
        try:
            return Embedded(f"{recording} of memory", "", base64.b64decode(value.encode("ascii"), validate=True))
        except (binascii.Error, UnicodeEncodeError):
            raise NotImportable("audio-invalid", "bytes in the manifest are not base64", key) from None
    raise NotImportable("audio-missing", f"a source of type {kind!r:.40}, which has no recording here", key)


# --- Shar -----------------------------------------------------------------------------------------------------------


def _shar(folder: Path) -> Iterator[Found]:
    """A folder as lhotse's Shar writes it: cuts.000000.jsonl.gz beside recording.000000.tar, in the same order."""
    for path in sorted(path for path in folder.iterdir() if _SHARD.match(path.name)):
        tar = folder / f"recording.{_SHARD.match(path.name)[1]}.tar"
        candidates = [tar, tar.with_name(f"{tar.name}.gz")]
        tar = next((one for one in candidates if one.is_file()), None)
        if tar is None:
            raise RecipeError(f"{candidates[0]}: no such file; {path.name} needs its recordings")
        yield from _shard(path, tar)


def _shard(path: Path, tar: Path) -> Iterator[Found]:
    groups = tars.groups(tar)

    def make(record: dict, where: str, key: str) -> Iterator[Found]:
        group = next(groups, None)
        cut = _id(record)
        if group is None:
            raise NotImportable("audio-missing", f"{tar} ends before it", cut)
        if group.problem:
            raise NotImportable(*group.problem, cut)
        audio, described = _pair(group, cut, tar)
        recording = described | {"sources": [{"type": "shar", "channels": described.get("channel_ids") or [0]}]}
        return _of_cut(record | {"recording": recording}, where, tar.parent, {cut: audio})

    yield from records.read(path, make)
    if (left := sum(1 for _ in groups)) > 0:
        for number in range(1, left + 1):
            yield Rejected(f"{tar.name}-{number:08d}", "recording-without-segments", f"{tar}: no cut in {path.name}")


def _pair(group: tars.Group, cut: str, tar: Path) -> tuple[Embedded, dict]:
    """The recording of a cut and what is said of it: a file of each in the tar."""
    audio = [(name, data) for name, data in group.files.items() if not name.endswith(".json")]
    described = next((data for name, data in group.files.items() if name.endswith(".json")), None)
    if len(audio) != 1 or described is None:
        raise NotImportable("audio-missing", f"{tar}: {', '.join(group.files)}, expected a recording and its JSON", cut)
    if os.path.basename(group.stem) != os.path.basename(cut) and group.stem != cut:
        raise NotImportable("audio-missing", f"{tar}: has {group.stem} where cut {cut} is expected", cut)
    name, data = audio[0]
    return Embedded(f"{tar}, {group.place}", name, data), records.parse(described)
