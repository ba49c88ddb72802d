"""Two systems on the same references: their rates, the difference and whether it is significant."""

from typing import Any

from recipe.score.align import edits
from recipe.score.counts import RATES, Counts, count, counts_by_rate
from recipe.score.matched_pairs import MatchedPairs
from recipe.score.policy import ScoringPolicy
from recipe.score.significance import difference
from recipe.score.tallies import RateTally
from recipe.score.tokens import tokenize
from recipe.score.transcripts import HypothesisTexts
from recipe.score.units import Units
from recipe.score.utterance import ScoredUtterance


class Comparison:
    """Another system on the same references. Differences are ours minus the other's: negative where ours is better."""

    def __init__(self, path: str, policy: ScoringPolicy):
        self.hyps = HypothesisTexts(path, policy)
        self._policy = policy
        self._tallies = {name: RateTally() for name in RATES}
        self._pairs = {name: Units() for name in RATES}
        self._test = MatchedPairs()
        self._utterances = {"better": 0, "equal": 0, "worse": 0}

    def add(self, ours: ScoredUtterance, counts: dict[str, Counts], speaker: str | None) -> None:
        """Add our utterance, whose counts for each of RATES are given, and the other system's of the same key."""
        hyp = tokenize(self.hyps.take(ours.key) or "", self._policy)
        found = edits(ours.ref.mixed, hyp.mixed)
        others = counts_by_rate(ours.ref, hyp, count(len(ours.ref.mixed), len(hyp.mixed), found))
        for name in RATES:
            self._tallies[name].add(speaker, others[name])
            self._pairs[name].add(speaker, (counts[name].n, counts[name].errors, others[name].errors))
        self._test.add(ours.found, found)
        gain = len(found) - len(ours.found)
        self._utterances["better" if gain > 0 else "worse" if gain < 0 else "equal"] += 1

    def result(self) -> dict[str, Any]:
        """The part "compare" of score.json (docs/scoring.md has its keys)."""
        samples, seed = self._policy.bootstrap, self._policy.seed
        return {
            "other": {name: tally.rate(self._policy).as_dict() for name, tally in self._tallies.items()},
            "difference": {name: difference(pairs, samples, seed) for name, pairs in self._pairs.items()},
            "matched_pairs": self._test.result(),
            "utterances": self._utterances | {"missing": self.hyps.missing, "extra": self.hyps.extra},
        }
