"""From what the models of all folds said to a ranking of transcripts.

Folds are read as streams, a line of each of their files at a time. Of every utterance the features and the score are
kept in memory (some 100 bytes); texts lie on disk.
"""

import logging
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from recipe.data import manifest
from recipe.data.checked import one_line
from recipe.data.sorting import Sorter, Spool
from recipe.files import RecipeError, open_atomic, read_json_lines
from recipe.normalize import normalizer
from recipe.suspects import classifier, evidence, kinds, share
from recipe.suspects.folds import split_key
from recipe.suspects.judge import Judgement
from recipe.suspects.lookup import Asked
from recipe.suspects.twins import twins

logger = logging.getLogger(__name__)

HEADER = ("key", "score", "kind", "set", "reference", "hypothesis", "detail")
NOT_JUDGED = "not-judged"  # in the place of a kind: the recording could not be decoded, or is too long for the encoder
FINE = "-"  # in the place of a kind: no suspect
MOST_SUSPECTS = 100_000
MOST_SHOWN = 2000  # on the page
LEAST_MADE = 10  # transcripts that are wrong by construction, for scores to be made
_NO_SPEECH = {"no_speech", "text_on_silence"}


@dataclass(frozen=True)
class FoldFiles:
    """What is known of a fold: its held-out manifest, what was decoded of it (text.jsonl), and the judgements."""

    manifest: str
    details: str
    judgements: str


class Suspect(NamedTuple):
    """A suspect as the page shows it; the part of `source` is in seconds, to its end where `end` is None."""

    key: str
    set: str
    score: float
    kind: str
    detail: str
    reference: str
    hypothesis: str
    source: str
    start: float
    end: float | None


class JudgedUtterance(NamedTuple):
    """An utterance as it is ranked. `text` and `heard` are transcript and hypothesis, normalized and without spaces."""

    set: str
    key: str
    place: int
    speaker: str | None
    reference: str
    hypothesis: str
    text: str
    heard: str
    speech: bool
    source: str
    start: float
    end: float | None


@dataclass(frozen=True)
class Found:
    """What a ranking comes to: utterances, judged ones, suspects (by kind and by set), and the estimated share."""

    utterances: int
    judged: int
    suspects: int
    by_kind: dict[str, int]
    by_set: dict[str, dict[str, int]]
    share: share.WrongShare
    shown: list[Suspect]  # the first of the suspects

    def to_json(self) -> dict[str, Any]:
        """As suspects.json has it."""
        own = self.share
        return {
            "utterances": self.utterances,
            "judged": self.judged,
            "suspects": self.suspects,
            "share_wrong": {name: round(getattr(own, name), 5) for name in ("share", "low", "high")},
            "by_kind": self.by_kind,
            "by_set": self.by_set,
        }


def rank(folds: Sequence[FoldFiles], suspects_file: str, ranking_file: str) -> Found:
    """Write all utterances to `ranking_file`, the most suspicious first, and the suspects to `suspects_file`: as many
    of the first as there may be wrong transcripts, by the upper end of the estimated share. RecipeError if files do not
    belong together, or hold too little to tell right from wrong."""
    table = _JudgedTable(folds)
    scores, made = table.scores()
    order = np.lexsort((np.arange(len(scores)), -scores))
    estimated = share.wrong_share(scores[~np.isnan(scores)], made)
    judged = int(np.count_nonzero(~np.isnan(scores)))
    count = min(MOST_SUSPECTS, judged, math.ceil(estimated.high * judged))
    twin = twins(table)
    suspects = {int(row): place for place, row in enumerate(order[:count])}
    told = _kinds(table, suspects, twin)
    _write(ranking_file, _ordered(table, order, scores, told))
    _write(suspects_file, _first(ranking_file, count))
    return _counted(table, suspects, scores, told, judged, estimated)


class _JudgedTable:
    """All utterances of the folds: their features in memory, the rest on disk."""

    def __init__(self, folds: Sequence[FoldFiles]):
        self.rows = Spool()
        self._features, self._made = array("d"), array("d")
        self._known, self._seconds = array("b"), array("d")
        self._ends, self._made_ends = array("d"), array("d")  # levels at the ends of recordings
        for fold in folds:
            self._read(fold)
        if not len(self.rows):
            raise RecipeError(f"{folds[0].manifest}: no utterances")

    def __iter__(self) -> Iterator[JudgedUtterance]:
        return map(JudgedUtterance._make, self.rows.rows(0, len(self.rows)))

    @property
    def seconds(self) -> np.ndarray:
        """Length of each utterance [utterances]."""
        return np.frombuffer(self._seconds)

    def _read(self, fold: FoldFiles) -> None:
        details, judgements = (read_json_lines(file) for file in (fold.details, fold.judgements))
        for number, record in read_json_lines(fold.manifest):
            found, judged = (_next(rows, record["key"], fold) for rows in (details, judgements))
            self._add(
                manifest.parse(record, f"{fold.manifest}:{number}"), record["place"], found, Judgement.from_json(judged)
            )
        for rows, file in ((details, fold.details), (judgements, fold.judgements)):
            if extra := next(rows, None):
                raise RecipeError(f"{file}:{extra[0]}: {extra[1].get('key')} is not in {fold.manifest}; make it again")

    def _add(self, one: manifest.Utterance, place: int, found: dict, judged: Judgement) -> None:
        squeezed = _squeezer(one.language)
        text, heard = squeezed(one.text), squeezed(found["text"])
        name, key = split_key(one.key)
        speech = not _NO_SPEECH.intersection(found.get("flags", ()))
        row = (
            name,
            key,
            place,
            one.speaker,
            one.text,
            found["text"],
            text,
            heard,
            speech,
            one.source,
            one.start,
            one.end,
        )
        self.rows.add(row)
        self._seconds.append(one.duration)
        known = None not in (judged.reference, judged.hypothesis, judged.ends_at)
        self._known.append(known)
        if not known:
            return
        self._features.extend(evidence.features(text, heard, judged.reference, judged.hypothesis))
        self._ends.append(judged.ends_at)
        if judged.wrong is not None:
            wrong = squeezed(judged.wrong_text)
            self._made.extend(evidence.features(wrong, heard, judged.wrong, judged.hypothesis))
            self._made_ends.append(judged.ends_at)

    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of all utterances, NaN of those that were not judged; and of the made wrong transcripts."""
        width = len(evidence.FEATURES)
        features, made = (np.frombuffer(values).reshape(-1, width) for values in (self._features, self._made))
        known = np.frombuffer(self._known, dtype=np.int8).astype(bool)
        if len(made) < LEAST_MADE:
            raise RecipeError(
                f"{int(known.sum())} utterances could be judged; at least {LEAST_MADE} with different transcripts are "
                "needed to tell right from wrong"
            )
        found = np.full(len(known), np.nan)
        found[known], of_made = classifier.scores(features, made)
        ends, made_ends = np.frombuffer(self._ends), np.frombuffer(self._made_ends)
        usual = evidence.loudest_usual_end(ends)
        found[known] += evidence.BY_DECIBEL * np.maximum(0, ends - usual)
        self.cut = np.zeros(len(known), bool)
        self.cut[known] = ends > usual
        return found, of_made + evidence.BY_DECIBEL * np.maximum(0, made_ends - usual)


def _next(rows: Iterator[tuple[int, dict]], key: str, fold: FoldFiles) -> dict:
    """The next record, of the utterance with this key."""
    number, record = next(rows, (0, {}))
    if record.get("key") != key:
        raise RecipeError(
            f"{fold.details}, {fold.judgements}: line {number or 'behind the last'} is not of {key}, as "
            f"{fold.manifest} has it; make them again"
        )
    return record


@cache
def _squeezer(language: str | None):
    """What makes a text comparable, in a language."""
    work = normalizer("faithful", language=language)
    return lambda text: evidence.squeezed(work(" ".join(text.split())))


def _kinds(table: _JudgedTable, suspects: dict[int, int], twin: dict[int, str]) -> dict[int, tuple[str, str]]:
    """Kind and detail of the suspects, by row."""
    asking, rows = [], []
    for row, one in enumerate(table):
        if row in suspects:
            rows.append(row)
            asking.append(
                kinds.Heard(
                    one.key,
                    one.set,
                    one.place,
                    one.speaker,
                    one.text,
                    one.heard,
                    one.speech,
                    twin.get(row),
                    bool(table.cut[row]),
                )
            )
    asked = Asked(asking)
    for one in table:
        asked.see(kinds.Other(one.key, one.set, one.place, one.speaker, one.text))
    return {row: kinds.kind(*found) for row, found in zip(rows, asked.candidates(), strict=True)}


def _ordered(
    table: _JudgedTable, order: np.ndarray, scores: np.ndarray, told: dict[int, tuple[str, str]]
) -> Iterator[tuple[str, ...]]:
    """The lines of the ranking."""
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    sorter = Sorter(lambda row: row[0])
    for row, one in enumerate(table):
        judged = not math.isnan(scores[row])
        kind, detail = told.get(row, (FINE if judged else NOT_JUDGED, ""))
        shown = f"{scores[row]:.4f}" if judged else ""
        sorter.add(
            (
                int(places[row]),
                one.key,
                shown,
                kind,
                one.set,
                one_line(one.reference),
                one_line(one.hypothesis),
                one_line(detail),
            )
        )
    return (row[1:] for row in sorter)


def _write(path: str, rows: Iterable[Sequence[str]]) -> None:
    with open_atomic(path) as file:
        for row in chain([HEADER], rows):
            file.write("\t".join(row) + "\n")


def _first(path: str, count: int) -> Iterator[list[str]]:
    """The first rows of a ranking."""
    with open(path, encoding="utf-8", newline="\n") as file:
        next(file)
        for _, line in zip(range(count), file, strict=False):
            yield line.removesuffix("\n").split("\t")


def _counted(
    table: _JudgedTable,
    suspects: dict[int, int],
    scores: np.ndarray,
    told: dict[int, tuple[str, str]],
    judged: int,
    estimated: share.WrongShare,
) -> Found:
    shown: dict[int, Suspect] = {}
    by_kind = dict.fromkeys(kinds.KINDS, 0)
    by_set: dict[str, dict[str, int]] = {}
    for row, one in enumerate(table):
        own = by_set.setdefault(one.set, {"utterances": 0, "suspects": 0})
        own["utterances"] += 1
        if row in suspects:
            own["suspects"] += 1
            by_kind[told[row][0]] += 1
            if suspects[row] < MOST_SHOWN:
                shown[suspects[row]] = _shown(one, float(scores[row]), *told[row])
    first = [shown[place] for place in sorted(shown)]
    return Found(len(table.rows), judged, len(suspects), by_kind, by_set, estimated, first)


def _shown(one: JudgedUtterance, score: float, kind: str, detail: str) -> Suspect:
    return Suspect(
        one.key, one.set, score, kind, detail, one_line(one.reference), one_line(one.hypothesis), one.source, one.start,
        one.end,
    )  # fmt: skip
