"""Columns: which of a table is the recording, the transcript, the speaker and so on, and rows as utterances."""

import difflib
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from recipe.files import RecipeError
from recipe.imports import keys, sources
from recipe.imports.items import (
    Embedded,
    Imported,
    channel_of,
    one_value,
    part_key,
    path_of,
    seconds_of,
    text_of,
)

logger = logging.getLogger(__name__)

# Names that columns go by, the likeliest first. What a name may also mean (start, id of a sentence) is to be asked for.
GUESSES = {
    "audio": (
        "audio", "audio_filepath", "audio_path", "audio_file", "audio_file_name", "file_name", "filename", "path",
        "file", "file_path", "filepath", "wav", "wav_path", "wav_filename", "recording", "speech", "clip",
    ),
    "text": (
        "text", "sentence", "transcription", "transcript", "transcripts", "normalized_text", "raw_transcription", "txt",
        "utterance", "translation_text", "文本", "转写",
    ),
    "key": ("key", "utt_id", "utt", "uttid", "utterance_id", "segment_id"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "client_id", "user_id", "speaker_name"),
    "language": ("language", "lang", "locale", "language_code"),
    "hotwords": ("hotwords",),
}  # fmt: skip


def choose(there: Sequence[str], given: Mapping[str, str], where: str, audio: str | None = None) -> dict[str, str]:
    """The column of each role: as given, otherwise `audio` for the recording and what has a usual name. RecipeError if
    a column is not there, or recording or transcript cannot be told; it names those that are."""
    chosen: dict[str, str] = {}
    for role, column in given.items():
        chosen[role] = _named(column, there, role, where)
    if audio and "audio" not in chosen:
        chosen["audio"] = audio
    lower = {column.strip().casefold(): column for column in reversed(there)}
    for role, names in GUESSES.items():
        found = next((lower[name] for name in names if name in lower), None)
        if found and role not in chosen and found not in chosen.values():
            chosen[role] = found
    for role in ("audio", "text"):
        if role not in chosen:
            raise RecipeError(
                f"{where}: no column for the {'recording' if role == 'audio' else 'transcript'}; name it, as in "
                f"--columns {role}=COLUMN; there are {_listed(there)}"
            )
    logger.info("columns: %s", ", ".join(f"{role}={column}" for role, column in chosen.items()))
    return chosen


def _named(column: str, there: Sequence[str], role: str, where: str) -> str:
    same = [name for name in there if name.strip().casefold() == column.casefold()]
    if column in there or len(same) == 1:
        return column if column in there else same[0]
    near = difflib.get_close_matches(column.casefold(), [name.casefold() for name in there], 1, 0.5)
    meant = f" (is {next(name for name in there if name.casefold() == near[0])} meant?)" if near else ""
    raise RecipeError(f"{where}: no column {column!r} for {role}{meant}; there are {_listed(there)}")


def _listed(there: Collection[str]) -> str:
    shown = [name or "(no name)" for name in there]
    return ", ".join(shown[:40]) + (f" and {len(shown) - 40} more" if len(shown) > 40 else "")


def utterance(
    row: Mapping[str, Any], roles: Mapping[str, str], folders: Sequence[str | Path], fallback: str, place: str = ""
) -> Imported:
    """The utterance of a row. Relative paths count from the first of `folders` in which the file is; `fallback` is its
    key if neither a column nor a file name gives one, `place` names the row among all for a recording inside of it."""
    value = {role: row.get(column) for role, column in roles.items()}
    audio, named = _audio(value["audio"], folders, place or fallback)
    start = seconds_of(value.get("start"), "start") or 0.0
    end, duration = seconds_of(value.get("end"), "end"), seconds_of(value.get("duration"), "duration")
    if end is None and duration is not None:
        end = round(start + duration, 6)
    name = named or fallback
    key = one_value(value.get("key")) or (part_key(name, start, end) if start or end is not None else name)
    return Imported(
        key, audio, text_of(value["text"]), start, end, name,
        one_value(value.get("speaker")), one_value(value.get("language")), one_value(value.get("group")),
        channel_of(value.get("channel")), one_value(value.get("prompt")), one_value(value.get("hotwords")),
    )  # fmt: skip


def _audio(value: Any, folders: Sequence[str | Path], place: str) -> tuple[str | Embedded, str]:
    """The recording that a cell names or holds, and its name for a key."""
    if isinstance(value, Mapping):  # as data sets hold it: bytes, and the path that they had, or that they are at
        data, path = value.get("bytes"), value.get("path")
        if isinstance(data, bytes):
            named = os.path.basename(path) if isinstance(path, str) else ""
            return Embedded(place, named, data), keys.of_path(named, ".") if named else ""
        value = path
    if isinstance(value, bytes):
        return Embedded(place, "", value), ""
    path = path_of(value, "path of a recording")
    found = [sources.absolute(path, folder) for folder in folders]
    audio = next((one for one in found if os.path.exists(one)), found[0])
    return audio, keys.of_path(path if not os.path.isabs(path) else audio, folders[0])
