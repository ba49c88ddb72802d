"""Folds: every utterance is judged by a model that was trained without it.

An utterance of whatever set belongs to one of so many folds. The model of a fold is trained on utterances of the
training sets that belong to the others, and judges those of its own, of all sets.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recipe.data.leaks import digest
from recipe.files import RecipeError, json_line, make_folder, open_atomic, read_json_lines
from recipe.suspects.sampling import drawn

TRAIN, VALID, HELD_OUT = "train", "valid", "held_out"
WATCHED = 200  # utterances whose loss is looked at while a fold's model is trained; nothing is chosen by it
_COMMON = 20  # a length is common if more than one in so many utterances of a fold has it


@dataclass(frozen=True)
class FoldedSet:
    """A set: its role, its name, its manifest, and whether its transcripts are judged (models of folds may be trained
    on it without that)."""

    role: str
    name: str
    path: str
    judged: bool = True

    @property
    def label(self) -> str:
        """What the set is called in tables: role/name."""
        return f"{self.role}/{self.name}"


def manifest_file(folder: str | Path, kind: str, fold: int) -> Path:
    """The manifest of a fold, from 1: what its model is trained on (TRAIN), watched by (VALID) or judges (HELD_OUT)."""
    return Path(folder) / f"{kind}.{fold}.jsonl"


def split_key(key: str) -> tuple[str, str]:
    """(set as role/name, key in it) of a key of a held-out manifest. Keys are told apart there by their set, since two
    sets may have the same ones."""
    role, name, own = key.split("/", 2)
    return f"{role}/{name}", own


def write(sets: Sequence[FoldedSet], count: int, most: int, seed: int, folder: str | Path) -> dict[str, int]:
    """Write the manifests of `count` folds to `folder` and return how many utterances each holds, by file name; of no
    folds (0) one manifest of all, for the base model.

    Of more than `most` utterances that a fold's model could be trained on it is given about as many, chosen by a hash
    of their keys. Lines of the same audio go to one fold (see `_Groups`). The manifests are read three times as
    streams. RecipeError if a fold would have nothing to be trained on, or nothing to judge.
    """
    groups = _Groups(sets, max(1, count), seed)
    folder = make_folder(folder)
    trained_on = Counter(fold for one, _, record in _lines(sets) if one.role == TRAIN for fold in groups.others(record))
    watched = any(one.role == VALID for one in sets)
    written: Counter[str] = Counter()
    with ExitStack() as stack:
        files = {
            (kind, fold): stack.enter_context(open_atomic(manifest_file(folder, kind, fold)))
            for kind in ((TRAIN, VALID, HELD_OUT) if count else (HELD_OUT,))
            for fold in groups.numbers
        }

        def put(kind: str, fold: int, record: dict) -> None:
            files[kind, fold].write(f"{json_line(record)}\n")
            written[manifest_file("", kind, fold).name] += 1

        for one, place, record in _lines(sets):
            named = {**record, "place": place, "key": f"{one.label}/{record['key']}"}
            if one.judged:
                put(HELD_OUT, groups.of(record), named)
            for fold in groups.others(record):
                if one.role == TRAIN and drawn(f"{seed} {named['key']}", most, trained_on[fold]):
                    put(TRAIN, fold, named)
                if one.role == (VALID if watched else TRAIN) and written[manifest_file("", VALID, fold).name] < WATCHED:
                    put(VALID, fold, named)
        for kind, fold in files:
            if not written[manifest_file("", kind, fold).name]:
                raise RecipeError(
                    f"suspects.folds is {count}, but fold {fold} would have no utterances ({kind.replace('_', ' ')}); "
                    "lower it, or set 0 to let the base model judge"
                )
    return dict(written)


def _lines(sets: Iterable[FoldedSet]) -> Iterator[tuple[FoldedSet, int, dict]]:
    """The lines of all manifests, each with its set and its place in it, from 0."""
    for one in sets:
        for place, (_, record) in enumerate(read_json_lines(one.path)):
            yield one, place, record


class _Groups:
    """Which fold an utterance belongs to: a hash of its length to a tenth of a millisecond, because copies of a
    recording are equally long, whatever they are called. Where many utterances are equally long, as in corpora of clips
    of one second, it is a hash of the place of the recording."""

    def __init__(self, sets: Sequence[FoldedSet], count: int, seed: int):
        self.numbers = range(1, count + 1)
        self._seed = seed
        lengths = array("d", (_length(record) for _, _, record in _lines(sets)))
        values, times = np.unique(np.frombuffer(lengths) if lengths else np.empty(0), return_counts=True)
        self._common = set(values[times * _COMMON * count > len(lengths)].tolist()) if len(lengths) > _COMMON else set()

    def of(self, record: dict) -> int:
        """The fold of a manifest's line, from 1."""
        length = _length(record)
        same = record["messages"][1]["content"] if length in self._common else repr(length)
        return 1 + digest(str(self._seed), same) % len(self.numbers)

    def others(self, record: dict) -> list[int]:
        """The folds that a line does not belong to."""
        own = self.of(record)
        return [fold for fold in self.numbers if fold != own]


def _length(record: dict) -> float:
    return round(record.get("duration", record["speech_length"] / 100), 4)
