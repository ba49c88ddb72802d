"""Subtitles: timed texts as SubRip (.srt) and WebVTT (.vtt) files."""

import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from recipe.files import RecipeError, make_folder, write_lines

MARGIN = 0.2  # seconds that a subtitle stands before and after the speech


class Cue(NamedTuple):
    """One subtitle: seconds and text."""

    start: float
    end: float
    text: str


def cue(start: float, end: float, text: str, speech: tuple[float, float] | None = None) -> Cue:
    """The subtitle of a piece: as long as its speech and a margin, where it is known where that is."""
    if speech is None:
        return Cue(start, end, text)
    return Cue(max(start, speech[0] - MARGIN), min(end, speech[1] + MARGIN), text)


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"


def srt(cues: Sequence[Cue]) -> list[str]:
    """Lines of a SubRip file; subtitles without text are left out."""
    lines = []
    for number, (start, end, text) in enumerate((c for c in cues if c.text), 1):
        lines += [str(number), f"{_time(start, ',')} --> {_time(end, ',')}", text, ""]
    return lines


def vtt(cues: Sequence[Cue]) -> list[str]:
    """Lines of a WebVTT file (W3C), its special characters escaped; subtitles without text are left out."""
    lines = ["WEBVTT", ""]
    for start, end, text in (c for c in cues if c.text):
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        lines += [f"{_time(start, '.')} --> {_time(end, '.')}", escaped, ""]
    return lines


def _file_name(key: str) -> str:
    """A key as the name of a file: characters that do not belong there become `_`."""
    return re.sub(r"[/\\\0]", "_", key)


def check_keys(keys: Callable[[], Iterable[str]]) -> None:
    """RecipeError if two different keys would have the same files. `keys` is called again where that may be, so that
    all but always a few bytes a key are kept."""
    if _different(keys()) == _different(map(_file_name, keys())):
        return
    taken: dict[str, str] = {}
    for key in keys():
        if (other := taken.setdefault(_file_name(key), key)) != key:
            raise RecipeError(f"subtitles of {other} and {key} would be the same file; rename one of the two")


def _different(words: Iterable[str]) -> int:
    """How many different ones there are, by their hashes."""
    return len(np.unique(np.asarray(array("q", map(hash, words)))))


def write(folder: str | os.PathLike, key: str, cues: Sequence[Cue]) -> None:
    """Write KEY.srt and KEY.vtt, with `_` for characters of the key that do not belong in a file name."""
    name = _file_name(key)
    write_lines(Path(folder) / f"{name}.srt", srt(cues))
    write_lines(Path(folder) / f"{name}.vtt", vtt(cues))


class Said(Protocol):
    """What subtitles are made of: a hypothesis."""

    key: str
    recording: str | None  # of a segment

    def cues(self) -> list[Cue]:
        """Its subtitles."""


def write_all(folder: str | os.PathLike, hypotheses: Iterable[Said]) -> None:
    """Write a pair of files for each recording; those of its segments, which may follow each other in any order, are in
    one. `hypotheses` are gone through several times, and only the cues of recordings begun are kept."""
    make_folder(folder)
    missing = Counter(one.recording for one in hypotheses if one.recording is not None)
    missing.update(one.key for one in hypotheses if missing and one.recording is None and one.key in missing)
    begun: dict[str, list[Cue]] = {}
    for one in hypotheses:
        name = one.key if one.recording is None else one.recording
        begun.setdefault(name, []).extend(one.cues())
        missing[name] -= 1
        if missing[name] <= 0:
            del missing[name]
            write(folder, name, sorted(begun.pop(name)))
