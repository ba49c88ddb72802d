"""A fraction of a manifest, by hours, so that smaller fractions lie within larger ones.

Units are drawn whole: speakers, where there are enough of them, else utterances. Each has a place from 0 to 1 by a
hash of its name and a seed, and a fraction is what comes first, up to the place where its share of the hours is
reached. So nothing has to be sorted: hours are summed in narrow bins of places, a second pass writes, and memory grows
with the speakers that are taken alone.
"""

import hashlib
import logging
import os
from dataclasses import dataclass

import numpy as np

from recipe.data import manifest
from recipe.data.manifest import Utterance
from recipe.files import RecipeError, json_object, open_atomic, read_lines

# Speakers are drawn whole from so many on: a tenth of the hours are five of them then.
MIN_SPEAKERS = 50
SPEAKERS, UTTERANCES = "speaker", "utterance"
_BINS = 1 << 20
_HASH = 1 << 64
_PROGRESS = 1_000_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subset:
    """What was taken of a manifest: `unit` is what was drawn, `units` how many of them, hours those of the audio."""

    fraction: float
    seed: int
    unit: str
    units: int
    utterances: int
    hours: float
    of_utterances: int
    of_hours: float


def write_subset(source: str | os.PathLike, target: str | os.PathLike, fraction: float, seed: int) -> Subset:
    """Write the lines of a manifest that belong to a fraction (0 to 1) of its hours, as they are and in their order.

    Speakers are drawn whole where all utterances have one, and these are at least MIN_SPEAKERS equal ones by Kish's
    effective number, (sum h)^2 / sum h^2 of their hours h. RecipeError names a line that is none of a manifest, and a
    manifest of which such a fraction is nothing, or all."""
    by_speaker, by_utterance, total, known = _seconds(source, seed)
    speakers = known == total and _effective(by_speaker) >= MIN_SPEAKERS
    seconds = by_speaker if speakers else by_utterance
    last = _last_bin(seconds, fraction)
    unit, taken, hours = SPEAKERS if speakers else UTTERANCES, set(), 0.0
    utterances = 0
    with open_atomic(target) as file:
        for line, one in _utterances(source):
            name = _unit(one, unit)
            place = _bin(name, seed)
            if place <= last:
                file.write(line + "\n")
                utterances += 1
                hours += one.duration / 3600
                if speakers:
                    taken.add(name)
        if not 0 < utterances < total:
            some = "none" if not utterances else f"all {total}"
            raise RecipeError(
                f"{source}: a fraction of {fraction:g} of it is {some} of its utterances; choose another one"
            )
    units = len(taken) if speakers else utterances
    return Subset(
        fraction, seed, unit, units, utterances, round(hours, 6), total, round(float(seconds.sum()) / 3600, 6)
    )


def _seconds(source: str | os.PathLike, seed: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Seconds of audio by bin of speakers' places, and by bin of utterances' places, float64 [bins]; how many
    utterances there are, and how many have a speaker."""
    by_speaker, by_utterance = np.zeros(_BINS), np.zeros(_BINS)
    total = known = 0
    for _, one in _utterances(source):
        total += 1
        by_utterance[_bin(one.key, seed)] += one.duration
        if one.speaker is not None:
            known += 1
            by_speaker[_bin(one.speaker, seed)] += one.duration
    return by_speaker, by_utterance, total, known


def _utterances(source: str | os.PathLike):
    """(line, utterance) of each line that is not blank."""
    for number, line in read_lines(source):
        if line.strip():
            where = f"{source}:{number}"
            yield line, manifest.parse(json_object(line, where), where)
        if number % _PROGRESS == 0:
            logger.info("%s: %d lines are read", source, number)


def _unit(one: Utterance, unit: str) -> str:
    return one.speaker if unit == SPEAKERS else one.key


def _bin(name: str, seed: int) -> int:
    """The bin of a unit's place."""
    digest = hashlib.blake2b(name.encode("utf-8"), digest_size=8, salt=seed.to_bytes(16, "little")).digest()
    return int.from_bytes(digest, "little") * _BINS // _HASH


def _effective(seconds: np.ndarray) -> float:
    """As how many equal units those with these seconds count (Kish); 0 of none."""
    squares = float((seconds**2).sum())
    return float(seconds.sum()) ** 2 / squares if squares else 0.0


def _last_bin(seconds: np.ndarray, fraction: float) -> int:
    """The bin up to which units are taken, so that their share of the hours is nearest to `fraction`; the first bin
    with a unit at least."""
    sums = np.cumsum(seconds)
    wanted = fraction * sums[-1]
    over = int(np.searchsorted(sums, wanted))
    below = sums[over - 1] if over else 0.0
    return over - 1 if below and wanted - below < sums[over] - wanted else over
