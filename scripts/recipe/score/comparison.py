"""Two systems on the same references: their rates, the difference and whether it is significant."""

from typing import Any

from recipe.score.align import edits
from recipe.score.counts import RATES, Counts, count, counts_by_rate
from recipe.score.policy import Settings
from recipe.score.significance import MatchedPairs, Units, difference
from recipe.score.tallies import Tally
from recipe.score.tokens import tokenize
from recipe.score.transcripts import Hypotheses
from recipe.score.utterance import Utterance


class Comparison:
    """Another system on the same references. Differences are ours minus the other's: negative where ours is better."""

    def __init__(self, path: str, settings: Settings):
        self.hyps = Hypotheses(path, settings)
        self._settings = settings
        self._tallies = {name: Tally() for name in RATES}
        self._pairs = {name: Units() for name in RATES}
        self._test = MatchedPairs()
        self._utterances = {"better": 0, "equal": 0, "worse": 0}

    def add(self, ours: Utterance, counts: dict[str, Counts], speaker: str | None) -> None:
        hyp = tokenize(self.hyps.take(ours.key) or "", self._settings.remove_tags)
        found = edits(ours.ref.mixed, hyp.mixed)
        others = counts_by_rate(ours.ref, hyp, count(len(ours.ref.mixed), len(hyp.mixed), found))
        for name in RATES:
            self._tallies[name].add(speaker, others[name])
            self._pairs[name].add(speaker, (counts[name].n, counts[name].errors, others[name].errors))
        self._test.add(ours.found, found)
        gain = len(found) - len(ours.found)
        self._utterances["better" if gain > 0 else "worse" if gain < 0 else "equal"] += 1

    def result(self) -> dict[str, Any]:
        samples, seed = self._settings.bootstrap, self._settings.seed
        return {
            "other": {name: tally.result(self._settings) for name, tally in self._tallies.items()},
            "difference": {name: difference(pairs, samples, seed) for name, pairs in self._pairs.items()},
            "matched_pairs": self._test.result(),
            "utterances": self._utterances | {"missing": self.hyps.missing, "extra": self.hyps.extra},
        }
