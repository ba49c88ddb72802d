"""A data directory in three: training, validation and test set, of which none shares a speaker with another.

Where fewer than MIN_SPEAKERS are known, whole recordings are drawn. Units come in the order of a hash of their name and
a seed; the test set takes each that still fits into its share of the utterances (the smallest where none does), then
the validation set, and the rest trains: who speaks half of a corpus is not tested on.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recipe.data import datadir
from recipe.files import RecipeError, write_lines
from recipe.text import tables

SETS = ("test", "valid", "train")
MIN_SPEAKERS = 10
SPEAKERS, RECORDINGS = "speaker", "recording"


@dataclass(frozen=True)
class Split:
    """What was made: utterances by set, and what was drawn."""

    utterances: dict[str, int]
    unit: str
    units: int


def split(folder: str | os.PathLike, target: str | os.PathLike, shares: Mapping[str, float], seed: int) -> Split:
    """Write `target`/train, valid and test, with the lines of all tables of a data directory. `shares` are those of
    valid and test among the utterances. A line whose key is no utterance's goes to train, for the data stage to judge.
    RecipeError if there are too few to draw from, or something is at one of the places already."""
    found = {name: path for name in ("wav.scp", "text", *datadir.OPTIONAL) if (path := datadir.find(folder, name))}
    if lacking := [name for name in ("wav.scp", "text") if name not in found]:
        raise RecipeError(f"{folder}: without {' and '.join(lacking)}; expected a data directory")
    places = {name: Path(target) / name for name in SETS}
    if taken := [str(place) for place in places.values() if place.exists()]:
        raise RecipeError(f"{', '.join(taken)}: there already; name another folder")
    unit, unit_of, recording_of = _units(found)
    set_of = _drawn(Counter(unit_of.values()), shares, seed)
    sets = {key: set_of[one] for key, one in unit_of.items()}
    lines: dict[str, dict[str, list[str]]] = {name: {table: [] for table in found} for name in SETS}
    used: dict[str, set[str]] = {}  # the sets that a recording is needed in
    for key, recording in recording_of.items():
        used.setdefault(recording, set()).add(sets[key])
    for table, path in found.items():
        for _, key, value in tables.read(path):
            if table == "wav.scp":
                value = datadir.resolve(value, os.path.abspath(path))
                goes_to = used.get(key, {"train"})
            else:
                goes_to = {sets.get(key, "train")}
            for name in goes_to:
                lines[name][table].append(f"{key} {value}".rstrip(" "))
    for name, place in places.items():
        for table, rows in lines[name].items():
            if rows:
                write_lines(place / table, rows)
    counted = Counter(sets.values())
    return Split({name: counted[name] for name in reversed(SETS)}, unit, len(set_of))


def _units(found: Mapping[str, str]) -> tuple[str, dict[str, str], dict[str, str]]:
    """What is drawn; and of each utterance its unit, and its recording."""
    if "segments" in found:
        recording_of = {key: value.split()[0] for _, key, value in tables.read(found["segments"]) if value}
    else:
        recording_of = {key: key for _, key, _ in tables.read(found["wav.scp"])}
    speakers = {key: one for _, key, one in tables.read(found["utt2spk"])} if "utt2spk" in found else {}
    if all(speakers.get(key) for key in recording_of) and len(set(speakers.values())) >= MIN_SPEAKERS:
        return SPEAKERS, {key: speakers[key] for key in recording_of}, recording_of
    return RECORDINGS, recording_of, recording_of


def _drawn(sizes: Mapping[str, int], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """The set of each unit; every set has one at least."""
    if len(sizes) < len(SETS):
        raise RecipeError(f"only {len(sizes)} speakers or recordings, expected {len(SETS)} or more to make three sets")
    order = sorted(sizes, key=lambda unit: hashlib.sha256(f"{seed} {unit}".encode()).digest())
    total, drawn = sum(sizes.values()), {}
    for number, name in enumerate(SETS[:-1]):
        left = len(SETS) - 1 - number  # sets that come behind, each of which needs a unit
        lacking, fitting = round(shares[name] * total), []
        for unit in order:
            if sizes[unit] <= lacking:
                fitting.append(unit)
                lacking -= sizes[unit]
        fitting = fitting[: len(order) - left] or [min(order, key=lambda unit: sizes[unit])]
        drawn |= dict.fromkeys(fitting, name)
        order = [unit for unit in order if unit not in drawn]
    return drawn | dict.fromkeys(order, SETS[-1])
