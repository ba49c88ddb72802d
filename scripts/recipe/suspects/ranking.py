"""From what the models of all folds said to a ranking of transcripts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recipe.data.checked import one_line
from recipe.suspects import share, writing
from recipe.suspects.kinds import KINDS, Heard, Other, kinds
from recipe.suspects.lookup import Asked
from recipe.suspects.table import FoldFiles, JudgedTable, JudgedUtterance, Scores
from recipe.suspects.twins import twins
from recipe.suspects.vocabulary import Vocabulary

MOST_SUSPECTS = 100_000
MOST_SHOWN = 2000  # on the page


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
    table = JudgedTable(folds)
    found = table.scores()
    scores = found.all
    order = np.lexsort((np.arange(len(scores)), -scores))
    estimated = share.wrong_share(scores[~np.isnan(scores)], found.made)
    judged = int(np.count_nonzero(~np.isnan(scores)))
    count = min(MOST_SUSPECTS, judged, math.ceil(estimated.high * judged))
    suspects = {int(row): place for place, row in enumerate(order[:count])}
    told = _kinds(table, suspects, found)
    writing.write(ranking_file, table, order, scores, told)
    writing.write_first(suspects_file, ranking_file, count)
    return _counted(table, suspects, scores, told, judged, estimated)


def _kinds(table: JudgedTable, suspects: dict[int, int], scores: Scores) -> dict[int, tuple[str, str]]:
    """Kind and detail of the suspects, by row."""
    twin, vocabulary = twins(table, suspects), Vocabulary()
    for one in table:
        vocabulary.add(one.language, one.reference)
    asking = {
        row: Heard(
            one.key,
            one.set,
            one.place,
            one.speaker,
            one.text,
            one.heard,
            one.speech,
            twin.get(row),
            bool(scores.cut[row]),
            float(scores.deviations[row]),
            float(scores.clipped[row]),
            vocabulary.unknown(one.language, one.reference),
        )
        for row, one in enumerate(table)
        if row in suspects
    }
    asked = Asked(asking.values())
    for one in table:
        asked.count(one.text)
    for one in table:
        asked.see(Other(one.key, one.set, one.place, one.speaker, one.text))
    return dict(zip(asking, kinds(asked.candidates()), strict=True))


def _counted(
    table: JudgedTable,
    suspects: dict[int, int],
    scores: np.ndarray,
    told: dict[int, tuple[str, str]],
    judged: int,
    estimated: share.WrongShare,
) -> Found:
    shown: dict[int, Suspect] = {}
    by_kind = dict.fromkeys(KINDS, 0)
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
    return Found(len(table), judged, len(suspects), by_kind, by_set, estimated, first)


def _shown(one: JudgedUtterance, score: float, kind: str, detail: str) -> Suspect:
    return Suspect(
        one.key, one.set, score, kind, detail, one_line(one.reference), one_line(one.hypothesis), one.source, one.start,
        one.end,
    )  # fmt: skip
