"""What other files, and the texts themselves, say about utterances: decoding, durations, labels, loops."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from recipe.data import datadir
from recipe.data.labels import label_rows
from recipe.files import RecipeError, read_json_lines, read_lines
from recipe.score.in_step import InStep
from recipe.text import tables
from recipe.text.loops import loops

UNKNOWN = "unknown"
# Upper ends of the duration groups, in seconds.
DURATIONS = (2.0, 5.0, 10.0, 20.0, 30.0)
DURATION_NAMES = ("0-2 s", "2-5 s", "5-10 s", "10-20 s", "20-30 s", "30 s and more", UNKNOWN)
# How the decoder says that a hypothesis ended, and the flag that this gives.
ENDINGS = {"eos": None, "length": "truncated", "error": "error"}
FLAGS = (
    "missing", "empty_hypothesis", "text_without_reference", "text_on_silence", "no_speech", "truncated", "looping",
    "decoded_again", "incomplete_recording", "error",
)  # fmt: skip
FLAGGED_KEYS = 50


class DecoderDetails(NamedTuple):
    """What the decoder says of one hypothesis: names of flags, and the seconds of audio where it says so."""

    flags: tuple[str, ...]
    duration: float | None


def detail_rows(path: str) -> Iterator[tuple[str, DecoderDetails]]:
    """What the decoder says of hypotheses, by key, from JSON lines with `key`, and where they differ from these,
    `ended` ("eos"; or "length", "error", which become flags), `flags` (none) and `duration` (seconds, unknown).
    RecipeError names the line that is otherwise."""
    for number, value in read_json_lines(path):
        where = f"{path}:{number}"
        key = value.get("key")
        if not isinstance(key, str):
            raise RecipeError(f"{where}: expected a key that is new, found {key!r}")
        ended = value.get("ended", "eos")
        if ended not in ENDINGS:
            raise RecipeError(f"{where}: ended is {ended!r}, expected one of {', '.join(ENDINGS)}")
        flags = value.get("flags", [])
        if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
            raise RecipeError(f"{where}: flags is {flags!r}, expected a list of names")
        yield key, DecoderDetails((*flags, *filter(None, [ENDINGS[ended]])), _seconds(value, where))


def _refuse_repeated_details(path: str) -> None:
    """RecipeError names the line of a key that appeared before."""
    seen = set()
    for number, value in read_json_lines(path):
        if value["key"] in seen:
            raise RecipeError(f"{path}:{number}: expected a key that is new, found {value['key']!r}")
        seen.add(value["key"])


def duration_rows(path: str) -> Iterator[tuple[str, float | None]]:
    """Seconds by key (None: not known), from JSON lines with `key` and `duration` (seconds) or a manifest's
    `speech_length` (10 ms). RecipeError names the line of a duration that is no finite number from 0 on."""
    for number, value in read_json_lines(path):
        seconds = _seconds(value, f"{path}:{number}")
        if isinstance(value.get("key"), str):
            yield value["key"], seconds


def read_rejects(path: str) -> Counter[str]:
    """How many lines of a set the data stage rejected for which reason, from its table (key, stage, reason, detail,
    with a header). RecipeError names a line of another form."""
    reasons: Counter[str] = Counter()
    for number, line in read_lines(path):
        columns = line.split("\t")
        if len(columns) != 4:
            raise RecipeError(f"{path}:{number}: expected 4 columns (key, stage, reason, detail), found {len(columns)}")
        if number > 1:
            reasons[columns[2]] += 1
    return reasons


class Labels:
    """A property of utterances, asked for in the order of the references; `path` None: nothing is known of any. It is
    `given` if there is a table of it, or a value in JSONL, and there are `several` if two values differ."""

    def __init__(self, path: str | None, field: str):
        self.given = self.several = False
        self._rows: InStep[str | None] = InStep(())
        if path is None:
            return
        values = (value for _, value in label_rows(path, field) if value is not None)
        first = next(values, None)
        self.given = first is not None or not datadir.is_jsonl(path)
        self.several = any(value != first for value in values)
        twice = None if datadir.is_jsonl(path) else lambda: tables.read_map(path)
        self._rows = InStep(label_rows(path, field), twice)

    def take(self, key: str) -> str | None:
        """The value of an utterance; None: not known."""
        return self._rows.take(key)

    def finish(self) -> None:
        """RecipeError for what is wrong in the rest of the table, or for a key that is there twice."""
        self._rows.finish()


class Decoded:
    """What the decoder says of hypotheses, and how long utterances are by it and by `durations`, asked for in the order
    of the references. `given`: there are details; `timed`: some duration is known."""

    def __init__(self, details: str | None, durations: str | None):
        self.given = self.timed = False
        self._details: InStep[DecoderDetails] = InStep(())
        self._durations: InStep[float | None] = InStep(())
        if details is not None:
            self.given = any(True for _ in detail_rows(details))
            self.timed = any(value.duration is not None for _, value in detail_rows(details))
            self._details = InStep(detail_rows(details), lambda: _refuse_repeated_details(details))
        if durations is not None:
            self.timed = self.timed or any(seconds is not None for _, seconds in duration_rows(durations))
            self._durations = InStep(duration_rows(durations))

    def take(self, key: str) -> tuple[DecoderDetails | None, float | None]:
        """What the decoder says of a hypothesis (None: nothing), and the seconds of the utterance (None: not known)."""
        decoded, seconds = self._details.take(key), self._durations.take(key)
        return decoded, decoded.duration if seconds is None and decoded else seconds

    def finish(self) -> None:
        """RecipeError for what is wrong in the rest of the files, or for a key that has details twice."""
        self._details.finish()
        self._durations.finish()


def _seconds(value: dict, where: str) -> float | None:
    frames = value.get("speech_length")
    seconds = value.get("duration", frames / 100 if isinstance(frames, int) else None)
    if seconds is not None and (not isinstance(seconds, int | float) or not 0 <= seconds < math.inf):
        raise RecipeError(f"{where}: duration is {seconds!r}, expected seconds")
    return seconds


def duration_name(seconds: float) -> str:
    """The group of a duration; a group starts with its lower end."""
    return DURATION_NAMES[sum(seconds >= end for end in DURATIONS)]


def flags_of(ref: list[str], hyp: list[str], missing: bool, decoded: DecoderDetails | None) -> list[str]:
    """The names of what is remarkable about one hypothesis, from the tokens of both texts (numbers whole: a billion
    is no loop of zeros), whether it is missing and what the decoder says: those of FLAGS in their order, then the
    decoder's own by name. docs/scoring.md explains them."""
    names = set(decoded.flags) if decoded else set()
    if missing:
        names.add("missing")
    elif ref and not hyp:
        names.add("empty_hypothesis")
    elif hyp and not ref:
        names.add("text_without_reference")
    if loops(hyp) and not loops(ref):
        names.add("looping")
    return [*(name for name in FLAGS if name in names), *sorted(names.difference(FLAGS))] if names else []


class FlagCounts:
    """How many utterances have each flag, and the first keys of them."""

    def __init__(self):
        self._counts = dict.fromkeys(FLAGS, 0)
        self._keys: dict[str, list[str]] = {name: [] for name in FLAGS}

    def add(self, key: str, names: list[str]) -> None:
        """Add the flags of one utterance."""
        for name in names:
            self._counts[name] = self._counts.get(name, 0) + 1
            keys = self._keys.setdefault(name, [])
            if len(keys) < FLAGGED_KEYS:
                keys.append(key)

    def result(self) -> dict[str, Any]:
        """By flag, also those of FLAGS that no utterance has: `count`, and `keys` of the first FLAGGED_KEYS."""
        return {name: {"count": self._counts[name], "keys": self._keys[name]} for name in self._counts}
