"""What the readers of formats hand over: utterances, recordings that lie inside of other files, and what is unfit."""

import collections
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from recipe.data.checked import Rejected

# Bytes of one recording inside of another file, and of one text: a damaged or hostile file may state any size.
MAX_RECORDING = 1 << 30
MAX_TEXT = 1 << 20
MAX_SECONDS = 1e7  # four months: what is later is no time in a recording
MAX_LABELS = 64 << 20  # of a file of labels, which is read whole

_BREAKS = re.compile("[ \xa0]*[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+[ \xa0]*")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class NotImportable(Exception):
    """An entry that cannot be imported: `reason` by its short name, `detail` for a reader."""

    def __init__(self, reason: str, detail: str, key: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail, self.key = reason, detail, key


@dataclass(frozen=True, slots=True)
class Embedded:
    """A recording inside of another file: `place` is its own alone, `name` the file name it had (or none)."""

    place: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Verbatim:
    """An entry of a wav.scp as it stands there: a command that ends in `|`, or `file.ark:offset`. Only what is from a
    wav.scp, or says that it is a command, becomes one: a path of any other format is a path."""

    source: str


@dataclass(frozen=True, slots=True)
class Imported:
    """An utterance as its corpus knows it. Times are seconds into the recording; the key is a wish, made valid and
    unique when it is written, and so is that of the recording (of a part of one)."""

    key: str
    audio: str | Verbatim | Embedded  # a path or an http(s) URL, if text
    text: str | None
    start: float = 0.0
    end: float | None = None
    recording: str = ""
    speaker: str | None = None
    language: str | None = None
    group: str | None = None
    channel: int | None = None
    prompt: str | None = None
    hotwords: str | None = None

    @property
    def is_part(self) -> bool:
        """Whether it is a part of its recording."""
        return self.start != 0 or self.end is not None


Found = Imported | Rejected


@dataclass
class Notes:
    """What is told of an import besides its rejects: how often each thing was met."""

    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    languages: collections.Counter[str] = field(default_factory=collections.Counter)  # that are not known, as written

    def add(self, what: str, number: int = 1) -> None:
        self.counts[what] += number


def guarded(key: str, where: str, make: Callable[[], Found | Iterable[Found]]) -> Iterator[Found]:
    """What `make` returns, or the reject of an entry of which it says that it is not importable."""
    try:
        found = make()
        yield from [found] if isinstance(found, Imported | Rejected) else found
    except NotImportable as error:
        yield Rejected(error.key or key, error.reason, f"{where}: {error.detail}")


# --- Values of any type ----------------------------------------------------------------------------------------------


def joined(text: str) -> str:
    """A text in one line: tabs and line ends, with spaces around them, are one space."""
    return _BREAKS.sub(" ", text).strip(" ")


def one_value(value: Any) -> str | None:
    """A value for a table (speaker, language and the like) as text of one line: whole numbers without a fraction, lists
    joined by commas; None of what is empty. NotImportable for anything else."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, list | tuple):
        return ",".join(filter(None, map(one_value, value))) or None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NotImportable("field-invalid", f"{value!r:.80}, expected text")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return joined(_CONTROLS.sub(" ", str(value))) or None


def listed(value: Any) -> list:
    """A value that should be a list, or none of it."""
    return value if isinstance(value, list) else []


def text_of(value: Any, name: str = "text") -> str | None:
    """A transcript; None if there is none. NotImportable if it is no text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise NotImportable("field-invalid", f"{name} is {value!r:.80}, expected text")
    return value


def path_of(value: Any, name: str) -> str:
    """A path or URL; NotImportable if it is missing or no text."""
    if value is None or value == "":
        raise NotImportable("audio-missing", f"no {name}")
    if not isinstance(value, str):
        kind = "several recordings" if isinstance(value, list) else f"{value!r:.80}"
        raise NotImportable("audio-invalid", f"{name} is {kind}, expected one path")
    return value


def seconds_of(value: Any, name: str) -> float | None:
    """A time in seconds, a number or its text; None if there is none. NotImportable for others, negative ones too."""
    if value is None or value == "":
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds <= MAX_SECONDS:
        raise NotImportable("segment-invalid", f"{name} is {value!r:.80}, expected seconds")
    return seconds


def channel_of(value: Any) -> int | None:
    """The index of a channel, a number or its text; None if there is none. NotImportable for others."""
    if value is None or value == "":
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise NotImportable("channel-invalid", f"channel is {value!r:.80}, expected an index from 0")
    return int(text)


def part_key(name: str, start: float, end: float | None) -> str:
    """The key of a part of a recording as Kaldi's tools name them: with begin and end in hundredths of a second."""
    return f"{name}-{round(start * 100):07d}-{round((end or 0) * 100):07d}"
