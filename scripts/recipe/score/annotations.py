"""What other files, and the texts themselves, say about utterances: decoding, durations, labels, loops."""

import math
from collections import Counter
from typing import Any, NamedTuple

from recipe.files import RecipeError, read_json_lines, read_lines
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


def read_details(path: str) -> dict[str, DecoderDetails]:
    """What the decoder says of hypotheses, by key, from JSON lines with `key`, and where they differ from these,
    `ended` ("eos"; or "length", "error", which become flags), `flags` (none) and `duration` (seconds, unknown).
    RecipeError names the line that is otherwise, or whose key appeared before."""
    details = {}
    for number, value in read_json_lines(path):
        where = f"{path}:{number}"
        key = value.get("key")
        if not isinstance(key, str) or key in details:
            raise RecipeError(f"{where}: expected a key that is new, found {key!r}")
        ended = value.get("ended", "eos")
        if ended not in ENDINGS:
            raise RecipeError(f"{where}: ended is {ended!r}, expected one of {', '.join(ENDINGS)}")
        flags = value.get("flags", [])
        if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
            raise RecipeError(f"{where}: flags is {flags!r}, expected a list of names")
        details[key] = DecoderDetails((*flags, *filter(None, [ENDINGS[ended]])), _seconds(value, where))
    return details


def read_durations(path: str) -> dict[str, float]:
    """Seconds by key, from JSON lines with `key` and `duration` (seconds) or a manifest's `speech_length` (10 ms).
    RecipeError names the line of a duration that is no finite number from 0 on."""
    durations = {}
    for number, value in read_json_lines(path):
        seconds = _seconds(value, f"{path}:{number}")
        if seconds is not None and isinstance(value.get("key"), str):
            durations[value["key"]] = seconds
    return durations


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
