"""Subtitles as labels: SubRip (.srt) and WebVTT (.vtt)."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from recipe.imports import labels
from recipe.imports.items import Found, Notes, NotImportable
from recipe.imports.labels import Labelled
from recipe.imports.options import ImportOptions

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
_ARROW = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]+)>")
_TAGS = re.compile(r"</?(?:[a-zA-Z][^<>]*|\d{2,}:[\d:.]+)>|\{\\[^{}]*\}")
# Words that appear one by one, as in generated captions, which show each line again in the cue that follows.
_WORD_TIME = re.compile(r"<\d{2}:\d{2}:\d{2}\.\d{3}><c>")
_BLOCKS = ("NOTE", "STYLE", "REGION")


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The cues of .srt and .vtt files. Tags are taken out of their texts; the voice of a cue is its speaker."""
    return labels.read(source, options, notes, (".srt", ".vtt"), _cues)


def _cues(text: str, path: Path, options: ImportOptions, notes: Notes) -> Iterator[Labelled]:
    is_vtt = text.startswith("WEBVTT")
    if path.suffix.lower() == ".vtt" and not is_vtt:
        raise NotImportable("labels-invalid", "does not begin with WEBVTT")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    arrows = [number for number, line in enumerate(lines) if "-->" in line]
    if not arrows:
        raise NotImportable("labels-invalid", "no line `begin --> end`")
    rolls_up = is_vtt and _WORD_TIME.search(text)
    shown: list[str] = []
    for number, following in zip(arrows, [*arrows[1:], len(lines)]):
        if is_vtt and _in_block(lines, number):
            continue
        body = _body(lines[number + 1 : following], not is_vtt, following < len(lines))
        if rolls_up:
            plain = [_TAGS.sub("", line).strip() for line in body]
            body, shown = body[_repeated(plain, shown) :], plain
            if plain and not any(line.strip() for line in body):
                notes.add("cues that only show again what was shown, as captions that roll up do, passed over")
                continue
        yield _cue(lines, number, body, is_vtt)


def _repeated(lines: list[str], shown: list[str]) -> int:
    """How many of the first lines are the last ones of the cue before."""
    longest = range(min(len(lines), len(shown)), 0, -1)
    return next((count for count in longest if lines[:count] == shown[-count:]), 0)


def _in_block(lines: list[str], number: int) -> bool:
    """Whether a line belongs to a comment: its block, from a blank line on, begins with NOTE or the like."""
    while number and lines[number - 1].strip():
        number -= 1
    return lines[number].split(" ")[0].strip() in _BLOCKS


def _body(lines: list[str], is_srt: bool, another: bool) -> list[str]:
    """The lines of a cue's text: up to a blank line. The number of the next cue belongs to that, and a text of SubRip
    may have blank lines in it."""
    if not is_srt:
        return [line for line in _up_to_blank(lines) if line.strip()]
    if another:
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        if lines and lines[-1].strip().isdigit():
            lines = lines[:-1]
    return [line for line in lines if line.strip()]


def _up_to_blank(lines: list[str]) -> list[str]:
    begin = next((i for i, line in enumerate(lines) if line.strip() or not line), 0)  # a line of spaces is a line
    end = next((i for i, line in enumerate(lines) if i >= begin and not line.strip()), len(lines))
    return lines[begin:end]


def _cue(lines: list[str], number: int, body: list[str], is_vtt: bool) -> Labelled:
    where = str(number + 1)
    match = _ARROW.fullmatch(lines[number])
    if not match:
        return Labelled(
            0.0, 0.0, None, where, problem=("row-invalid", f"{lines[number]!r:.80}, expected begin --> end")
        )
    text = "\n".join(body)
    voices = list(dict.fromkeys(voice.strip() for voice in _VOICE.findall(text))) if is_vtt else []
    text = _TAGS.sub("", text)
    text = html.unescape(text) if is_vtt else text
    groups = match.groups()
    return Labelled(_seconds(*groups[:4]), _seconds(*groups[4:]), text, where, voices[0] if len(voices) == 1 else None)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return round(whole + float(f"0.{fraction or 0}"), 3)
