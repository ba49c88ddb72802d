"""Subtitles and timed words as files: SubRip (.srt), WebVTT (.vtt), Praat's TextGrid and NIST's CTM."""

import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from recipe.decode.heard import HeardWord
from recipe.files import RecipeError, make_folder, write_lines

MARGIN = 0.2  # seconds that a subtitle of a piece stands before and after the speech
CHANNEL = "1"  # of a CTM: what is decoded is one channel of a recording


class Cue(NamedTuple):
    """One subtitle: seconds and text, whose lines are parted by line feeds."""

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
        lines += [str(number), f"{_time(start, ',')} --> {_time(end, ',')}", *text.split("\n"), ""]
    return lines


def vtt(cues: Sequence[Cue]) -> list[str]:
    """Lines of a WebVTT file (W3C), its special characters escaped; subtitles without text are left out."""
    lines = ["WEBVTT", ""]
    for start, end, text in (c for c in cues if c.text):
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        lines += [f"{_time(start, '.')} --> {_time(end, '.')}", *escaped.split("\n"), ""]
    return lines


def textgrid(words: Sequence[HeardWord], seconds: float) -> list[str]:
    """Lines of a TextGrid (Praat's long text format) with one tier of words, of a recording that is `seconds` long at
    least. Its intervals tile the time: what no word fills has no text, and a word ends where the next one begins."""
    intervals = list(_tiled(words, seconds))
    end = intervals[-1][1] if intervals else seconds
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.3f}"]
    lines += ["tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"']
    lines += ['        name = "words"', "        xmin = 0", f"        xmax = {end:.3f}"]
    lines += [f"        intervals: size = {len(intervals)}"]
    for number, (start, end, text) in enumerate(intervals, 1):
        quoted = text.replace('"', '""')
        lines += [f"        intervals [{number}]:", f"            xmin = {start:.3f}", f"            xmax = {end:.3f}"]
        lines += [f'            text = "{quoted}"']
    return lines


def _tiled(words: Sequence[HeardWord], seconds: float) -> Iterator[tuple[float, float, str]]:
    place = 0.0
    for number, word in enumerate(words):
        start = max(place, word.start)
        end = max(start, word.end) if number + 1 == len(words) else max(start, min(word.end, words[number + 1].start))
        if start > place:
            yield place, start, ""
        if end > start:
            yield start, end, word.word
            place = end
    if seconds > place:
        yield place, seconds, ""


def ctm(name: str, words: Sequence[HeardWord]) -> list[str]:
    """Lines of a CTM (NIST): recording, channel, begin and length in seconds, word, and its confidence if it is known.
    White space in a name or a word, which would be another column, becomes `_`."""
    lines = []
    for word in words:
        sure = [] if word.confidence is None else [f"{word.confidence:.2f}"]
        columns = [re.sub(r"\s", "_", name), CHANNEL, f"{word.start:.2f}", f"{word.end - word.start:.2f}"]
        lines.append(" ".join([*columns, re.sub(r"\s", "_", word.word), *sure]))
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


def write_words(folder: str | os.PathLike, key: str, words: Sequence[HeardWord], seconds: float) -> None:
    """Write KEY.TextGrid and KEY.ctm of words that have times, of a recording that is `seconds` long at least."""
    name = _file_name(key)
    write_lines(Path(folder) / f"{name}.TextGrid", textgrid(words, seconds))
    write_lines(Path(folder) / f"{name}.ctm", ctm(key, words))


class Said(Protocol):
    """What subtitles are made of: a hypothesis."""

    key: str
    recording: str | None  # of a segment
    words: tuple[HeardWord, ...]
    stop: float  # seconds from the start of the recording

    def cues(self) -> list[Cue]:
        """Its subtitles."""


class _Begun:
    """What is known of a recording so far."""

    def __init__(self):
        self.cues: list[Cue] = []
        self.words: list[HeardWord] = []
        self.seconds = 0.0

    def add(self, one: Said) -> None:
        self.cues += one.cues()
        self.words += [word for word in one.words if word.timed]
        self.seconds = max(self.seconds, one.stop)

    def write(self, folder: str | os.PathLike, name: str) -> None:
        write(folder, name, sorted(self.cues))
        if self.words:
            write_words(folder, name, sorted(self.words, key=lambda word: (word.start, word.end)), self.seconds)


def write_all(folder: str | os.PathLike, hypotheses: Iterable[Said]) -> None:
    """Write the files of each recording; those of its segments, which may follow each other in any order, are in one.
    `hypotheses` are gone through several times, and only what belongs to recordings begun is kept."""
    make_folder(folder)
    missing = Counter(one.recording for one in hypotheses if one.recording is not None)
    missing.update(one.key for one in hypotheses if missing and one.recording is None and one.key in missing)
    begun: dict[str, _Begun] = {}
    for one in hypotheses:
        name = one.key if one.recording is None else one.recording
        begun.setdefault(name, _Begun()).add(one)
        missing[name] -= 1
        if missing[name] <= 0:
            del missing[name]
            begun.pop(name).write(folder, name)
