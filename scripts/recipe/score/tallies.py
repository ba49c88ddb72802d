"""Error rates with intervals, over all utterances and by group."""

from dataclasses import dataclass
from typing import Any

from recipe.score.annotations import UNKNOWN
from recipe.score.counts import RATES, Counts, counts_by_rate
from recipe.score.policy import ScoringPolicy
from recipe.score.significance import rate_interval
from recipe.score.units import Units
from recipe.score.utterance import ScoredUtterance


@dataclass(frozen=True)
class ErrorRate:
    """An error rate and what it is made of.

    `rate` is errors per reference token, a fraction that may pass 1 (None without reference tokens). `n` counts
    reference tokens: recognized (`cor`), substituted (`sub`) or deleted (`dels`); `ins` counts inserted tokens of the
    hypotheses. `ci` is the 95 % interval of `rate` (see `significance.rate_interval`), None where there is none.
    """

    rate: float | None
    n: int
    cor: int
    sub: int
    dels: int
    ins: int
    ci: tuple[float, float] | None

    def as_dict(self) -> dict[str, Any]:
        """As score.json has it, where `dels` is called "del"."""
        return Counts(self.cor, self.sub, self.dels, self.ins).as_dict() | {"ci": self.ci}


class RateTally:
    """Counts summed over utterances and by unit of resampling, for one error rate."""

    def __init__(self):
        self.utterances = 0
        self._units = Units()

    def add(self, speaker: str | None, counts: Counts) -> None:
        """Add an utterance; without a speaker it is a unit of resampling by itself."""
        self.utterances += 1
        self._units.add(speaker, counts)

    def rate(self, policy: ScoringPolicy) -> ErrorRate:
        """The rate of all that was added, its interval by the policy's samples and seed."""
        total = Counts(*self._units.sums(4))
        interval = rate_interval(self._units, policy.bootstrap, policy.seed)
        return ErrorRate(total.rate, total.n, *total, tuple(interval) if interval else None)


class RateTallies:
    """A RateTally for each of RATES. `by_speaker`: whole speakers are resampled, else utterances, because one speaker
    cannot be."""

    def __init__(self, by_speaker: bool):
        self.by_speaker = by_speaker
        self._tallies = {name: RateTally() for name in RATES}

    def add(self, scored: ScoredUtterance, speaker: str | None) -> dict[str, Counts]:
        """Add an utterance and return its counts for each of RATES."""
        counts = counts_by_rate(scored.ref, scored.hyp, scored.counts)
        for name, tally in self._tallies.items():
            tally.add(speaker if self.by_speaker else None, counts[name])
        return counts

    @property
    def utterances(self) -> int:
        """How many were added."""
        return self._tallies[RATES[0]].utterances

    def rates(self, policy: ScoringPolicy) -> dict[str, ErrorRate]:
        """The error rates by name, in the order of RATES."""
        return {name: tally.rate(policy) for name, tally in self._tallies.items()}


class GroupTallies:
    """Tallies of the mixed tokens by one property of utterances (speaker, language, ...). `given`: there is a table of
    it; otherwise there are no groups. `order` is that of the result."""

    def __init__(self, given: bool, order: tuple[str, ...] = ()):
        self._given = given
        self._order = order
        self._tallies: dict[str, RateTally] = {}

    def add(self, name: str | None, counts: Counts, speaker: str | None) -> None:
        """Add an utterance to the group `name`; one that the table lacks belongs to UNKNOWN."""
        if self._given:
            name = UNKNOWN if name is None else name
            if name not in self._tallies:
                self._tallies[name] = RateTally()
            self._tallies[name].add(speaker, counts)

    def known(self) -> int:
        """Number of groups with a name."""
        return len(self._tallies.keys() - {UNKNOWN})

    def result(self, policy: ScoringPolicy) -> dict[str, Any]:
        """Rate and number of utterances by group, as score.json has them."""
        order = [name for name in self._order if name in self._tallies] or sorted(self._tallies)
        return {
            name: self._tallies[name].rate(policy).as_dict() | {"utterances": self._tallies[name].utterances}
            for name in order
        }
