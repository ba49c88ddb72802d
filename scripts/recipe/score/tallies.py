"""Error rates with intervals, over all utterances and by group."""

from typing import Any

from recipe.score.annotations import UNKNOWN
from recipe.score.counts import Counts
from recipe.score.policy import Settings
from recipe.score.significance import Units, rate_interval


class Tally:
    """Counts summed over utterances and by unit of resampling."""

    def __init__(self):
        self.utterances = 0
        self._units = Units()

    def add(self, speaker: str | None, counts: Counts) -> None:
        self.utterances += 1
        self._units.add(speaker, counts)

    def result(self, settings: Settings) -> dict[str, Any]:
        total = Counts(*self._units.sums(4))
        return total.as_dict() | {"ci": rate_interval(self._units, settings.bootstrap, settings.seed)}


class Groups:
    """Tallies by one property of utterances (speaker, language, ...); without a table of it, none."""

    def __init__(self, names: dict[str, str] | None, order: tuple[str, ...] = ()):
        self.names = names or {}
        self._given = names is not None
        self._order = order
        self._tallies: dict[str, Tally] = {}

    def add(self, key: str, counts: Counts, speaker: str | None) -> None:
        if self._given:
            name = self.names.get(key, UNKNOWN)
            if name not in self._tallies:
                self._tallies[name] = Tally()
            self._tallies[name].add(speaker, counts)

    def result(self, settings: Settings) -> dict[str, Any]:
        order = [name for name in self._order if name in self._tallies] or sorted(self._tallies)
        return {
            name: self._tallies[name].result(settings) | {"utterances": self._tallies[name].utterances}
            for name in order
        }
