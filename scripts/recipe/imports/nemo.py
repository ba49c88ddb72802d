"""NeMo's manifests: JSON lines with audio_filepath, duration, text and, for a part of a recording, offset."""

import os
from collections.abc import Iterator
from pathlib import Path

from recipe.audio import headers
from recipe.audio.address import is_url
from recipe.audio.info import AudioError
from recipe.files import RecipeError
from recipe.imports import keys, records, sources
from recipe.imports.items import (
    MAX_TEXT,
    Found,
    Imported,
    Notes,
    NotImportable,
    channel_of,
    one_value,
    part_key,
    path_of,
    seconds_of,
    text_of,
)
from recipe.imports.options import ImportOptions

# NeMo takes these names for the recording.
_AUDIO = ("audio_filepath", "audio_filename", "audio_file")
_WHOLE = 0.1  # seconds by which a duration may be rounded and still be that of the whole recording
_TRANSCRIPTION = {"asr", "transcribe", "pnc", "itn"}


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The utterances of a manifest. RecipeError if no line has a recording under one of NeMo's names.

    NeMo reads `duration` seconds from `offset` on, so a line is a part of its recording unless it begins at 0 and its
    duration is that of the recording. Translations are no transcripts, and are rejected.
    """
    first = records.first_objects(source)
    if not any(set(_AUDIO) & record.keys() for record in first):
        raise RecipeError(f"{source}: no line has {' or '.join(_AUDIO)}; there are {', '.join(sorted(first[0]))}")
    root = options.root or source.parent

    def make(record: dict, where: str, key: str) -> Imported:
        audio = _audio(record, root)
        start, end = _span(record, audio)
        name = keys.of_path(audio, root)
        own = one_value(record.get("utt_id") or record.get("utterance_id") or record.get("id"))
        return Imported(
            own or (part_key(name, start, end) if start or end else name), audio, _text(record, root), start, end, name,
            speaker=one_value(record.get("speaker")), language=_language(record),
            channel=_channel(record), group=one_value(record.get("group")),
        )  # fmt: skip

    return records.read(source, make)


def _audio(record: dict, root: str | Path) -> str:
    name = next((name for name in _AUDIO if name in record), _AUDIO[0])
    audio = sources.absolute(path_of(record.get(name), name), root)
    if "shard_id" in record and not os.path.exists(audio):
        raise NotImportable("audio-missing", f"{audio} lies in a tar file (shard_id); unpack it beside the manifest")
    return audio


def _text(record: dict, root: str | Path) -> str | None:
    """The transcript; NeMo also takes it from a file of its own."""
    task = str(record.get("taskname") or record.get("task") or "asr").lower()
    source, target = record.get("source_lang"), record.get("target_lang")
    if task not in _TRANSCRIPTION or (source and target and source != target):
        raise NotImportable("not-a-transcript", f"taskname {task}, from {source} to {target}")
    if "text" in record or "text_filepath" not in record:
        return text_of(record.get("text", record.get("normalized_text")))
    path = sources.absolute(path_of(record["text_filepath"], "text_filepath"), root)
    try:
        with open(path, "rb") as file:
            return file.read(MAX_TEXT).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NotImportable("transcript-missing", f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _language(record: dict) -> str | None:
    for name in ("lang", "language", "target_lang", "source_lang"):
        if value := one_value(record.get(name)):
            return value
    return None


def _channel(record: dict) -> int | None:
    """NeMo's channel_selector: an index, or the average of all."""
    value = record.get("channel_selector", record.get("channel"))
    return None if value == "average" else channel_of(value)


def _span(record: dict, audio: str) -> tuple[float, float | None]:
    """Seconds into the recording of an utterance's begin and end; 0 and None: all of it."""
    start = seconds_of(record.get("offset"), "offset") or 0.0
    duration = None if record.get("duration") in (0, -1) else seconds_of(record.get("duration"), "duration")
    if duration is None:  # manifests for inference say 0, -1 or nothing
        return start, None
    if start == 0:
        whole = _length(audio)
        if whole is None or duration > whole - _WHOLE:
            return 0.0, None
    return start, round(start + duration, 6)


def _length(audio: str) -> float | None:
    """Seconds of a recording by its header, if that can be read here."""
    if is_url(audio):
        return None
    try:
        return headers.probe_file(audio).seconds
    except AudioError:
        return None
