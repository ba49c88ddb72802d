"""Error rates of all models on all test sets, and how they differ from the baseline's."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from recipe.files import RecipeError, read_json
from recipe.report.spec import Spec

logger = logging.getLogger(__name__)

RATE = "mer"  # the rate that the report is about; cer and wer stand beside it
COUNTS = ("n", "cor", "sub", "del", "ins")


@dataclass(frozen=True)
class Result:
    """The score of one model on one test set in one mode. `score` and `baseline` are contents of score.json;
    `baseline` is None for the baseline itself."""

    model: str
    test: str
    mode: str
    score: dict
    baseline: dict | None
    spread = None  # of seeds

    @property
    def models(self) -> tuple[str, ...]:
        """The models behind it: itself."""
        return (self.model,)

    @property
    def rate(self) -> float | None:
        """Errors per reference token; None without reference tokens."""
        return self.score[RATE]["rate"]

    @property
    def interval(self) -> list[float] | None:
        """95 % interval of the rate."""
        return self.score[RATE].get("ci")

    @property
    def tokens(self) -> int:
        return self.score[RATE]["n"]

    @property
    def errors(self) -> int:
        return sum(self.score[RATE][name] for name in ("sub", "del", "ins"))

    @property
    def utterances(self) -> int:
        return self.score.get("utterances", {}).get("scored", 0)

    @property
    def unit(self) -> str | None:
        """What was resampled for the interval: speakers or utterances; None if there is no interval."""
        return self.score.get("settings", {}).get("unit") if self.interval else None

    @property
    def caution(self) -> str | None:
        """Why the interval cannot be trusted, if it cannot."""
        return self.score.get("caution") if self.interval else None

    @property
    def change(self) -> float | None:
        """Relative change of the rate against the baseline: -0.5 is half the errors."""
        return _change(self.rate, self.baseline)

    @cached_property
    def comparison(self) -> dict[str, Any] | None:
        """The paired comparison with the baseline, if scoring made one."""
        found = self.score.get("compare")
        if not found or not self.baseline:
            return None
        ours, other = self.baseline[RATE], found["other"][RATE]
        if any(ours[name] != other[name] for name in COUNTS):
            logger.warning("%s on %s (%s) is compared with another system than the baseline; comparison left out",
                           self.model, self.test, self.mode)  # fmt: skip
            return None
        return found

    @property
    def difference(self) -> dict[str, Any]:
        """Difference of the rates: value, relative, ci, probability_of_improvement; empty if not compared."""
        return self.comparison["difference"][RATE] if self.comparison else {}

    @property
    def p(self) -> float | None:
        """Two-sided p of the difference, by the same chance as its interval."""
        return self.difference.get("p")

    @property
    def verdict(self) -> str | None:
        """ "better" or "worse" if the difference to the baseline is significant, "unclear" if not; None if that is not
        known: without an interval of the paired difference, or with too few speakers or utterances to trust it.

        It is a verdict about other speakers and utterances, for these two models; another training would give others.
        """
        return _verdict(self.difference, self.score.get("caution"))

    @property
    def own_rules(self) -> str | None:
        """A user's own rules that the texts were normalized by, in words; None if there are none."""
        file = self.score.get("inputs", {}).get("equivalent")
        fillers = self.score.get("settings", {}).get("fillers")
        parts = [
            f"equivalent spellings of {file['file']}, SHA-256 {file['sha256'][:12]}" if file else None,
            f"left out: {', '.join(fillers)}" if fillers else None,
        ]
        return "; ".join(filter(None, parts)) or None

    @property
    def extra(self) -> int:
        """How many hypotheses had no reference and were left out."""
        return self.score.get("utterances", {}).get("extra", 0)

    @property
    def hotwords(self) -> dict[str, Any]:
        """Recall, precision and counts of hotwords; empty where none were scored."""
        return self.score.get("hotwords") or {}

    def flagged(self, name: str) -> int:
        """How many hypotheses have a flag."""
        return self.score.get("flags", {}).get(name, {}).get("count", 0)


@dataclass(frozen=True)
class SeedMean:
    """The mean of a run's seeds on one test set in one mode, with what tables show of a Result. `seeds` are their
    results; `found` and `pair` what compare_runs.py says of them and of the baseline against them."""

    model: str
    test: str
    mode: str
    seeds: tuple[Result, ...]
    found: Mapping[str, Any]
    pair: Mapping[str, Any] | None

    @property
    def models(self) -> tuple[str, ...]:
        """The models behind it, the first seed's first."""
        return tuple(result.model for result in self.seeds)

    @property
    def rate(self) -> float | None:
        """Mean of the seeds' errors per reference token; None without reference tokens."""
        return self.found["rate"]

    @property
    def spread(self) -> float | None:
        """Sample standard deviation of the seeds' rates."""
        return self.found["sd"]

    @property
    def interval(self) -> list[float] | None:
        """95 % interval of the mean, with other test sets and other seeds."""
        return self.found["ci"]

    @property
    def tokens(self) -> int:
        return self.seeds[0].tokens

    @property
    def errors(self) -> float:
        """Mean of the seeds' errors."""
        return fmean(result.errors for result in self.seeds)

    @property
    def utterances(self) -> int:
        return self.seeds[0].utterances

    @property
    def unit(self) -> str | None:
        return self.seeds[0].unit

    @property
    def caution(self) -> str | None:
        return self.seeds[0].caution

    @property
    def own_rules(self) -> str | None:
        return self.seeds[0].own_rules

    @property
    def change(self) -> float | None:
        """Relative change of the mean against the baseline."""
        return _change(self.rate, self.seeds[0].baseline)

    @property
    def difference(self) -> dict[str, Any]:
        """Difference of the mean to the baseline: value and ci; empty if not compared."""
        if not self.pair or self.pair["difference"] is None:
            return {}
        ends = self.pair["ci"]
        return {"value": -self.pair["difference"], "ci": [-ends[1], -ends[0]] if ends else None}

    @property
    def p(self) -> float | None:
        """Two-sided p of that difference."""
        return self.pair["p"] if self.pair else None

    @property
    def verdict(self) -> str | None:
        """As of a Result, but a verdict about other seeds as well."""
        return _verdict(self.difference, self.seeds[0].score.get("caution"))

    def mean_of(self, name: str) -> float | None:
        """Mean of another rate of the seeds, such as "cer"."""
        rates = [result.score.get(name, {}).get("rate") for result in self.seeds]
        return None if None in rates else fmean(rates)


def _change(rate: float | None, baseline: Mapping[str, Any] | None) -> float | None:
    before = baseline[RATE]["rate"] if baseline else None
    return rate / before - 1 if before and rate is not None else None


def _verdict(difference: Mapping[str, Any], caution: str | None) -> str | None:
    value, interval = difference.get("value"), difference.get("ci")
    if value is None or interval is None or caution:
        return None
    return ("better" if value < 0 else "worse") if interval[0] * interval[1] > 0 else "unclear"


class Results:
    """The results that a specification names, by model, test set and mode."""

    def __init__(self, spec: Spec):
        self._spec = spec
        scores = {(entry.model, entry.test, entry.mode): _read(entry.score) for entry in spec.scores}
        self._results = {}
        for (model, test, mode), score in scores.items():
            baseline = None if model == spec.baseline else scores.get((spec.baseline, test, mode))
            self._results[model, test, mode] = Result(model, test, mode, score, baseline)

        self._compared = {(entry.test, entry.mode): read_json(entry.file) for entry in spec.compared}
        self._means = {(mean.model, mean.test, mean.mode): mean for mean in self._seed_means()}

    def _seed_means(self) -> Iterator[SeedMean]:
        """The means of the runs with several seeds, wherever all of their models are scored."""
        for (test, mode), compared in self._compared.items():
            pairs = {tuple(pair["models"]): pair for pair in compared["pairs"]}
            for found in compared.get("seeds", []):
                seeds = tuple(self._results.get((run, test, mode)) for run in found["runs"])
                if None not in seeds:
                    pair = pairs.get((self._spec.baseline, found["name"]))
                    yield SeedMean(found["name"], test, mode, seeds, found, pair)

    @cached_property
    def rows(self) -> list[str]:
        """What tables have a row of, in the order of the models: each model, but one for all seeds of a run."""
        group = {model: mean.model for mean in self._means.values() for model in mean.models}
        return list(dict.fromkeys(group.get(model, model) for model in self._spec.models))

    @cached_property
    def later_seeds(self) -> set[str]:
        """Models that are seeds of a run, but for its first one."""
        return {model for mean in self._means.values() for model in mean.models[1:]}

    def means(self, test: str, mode: str) -> list[SeedMean]:
        """The means of runs with several seeds on a test set."""
        found = (self._means.get((row, test, mode)) for row in self.rows)
        return [mean for mean in found if mean]

    def compared(self, test: str, mode: str) -> list[dict[str, Any]]:
        """Every two models against each other, as compare_runs.py has them; none for a single run."""
        return self._compared.get((test, mode), {}).get("pairs", [])

    def caution(self, test: str, mode: str) -> str | None:
        """Why the intervals of a test set cannot be trusted, if they cannot."""
        found = (self.get(model, test, mode) for model in self._spec.models)
        return next((result.caution for result in found if result and result.caution), None)

    def own_rules(self, mode: str) -> str | None:
        """A user's own rules that figures of a mode are by, in words; of scores that differ in them, all."""
        found = {result.own_rules: None for result in self if result.mode == mode and result.own_rules}
        return " / ".join(found) or None

    def get(self, model: str, test: str, mode: str) -> Result | SeedMean | None:
        """The result of a model or of a row; None where it was not scored."""
        place = (model, test, mode)
        return self._results.get(place) or self._means.get(place)

    def of_rows(self) -> Iterator[Result | SeedMean]:
        """The results of rows, by mode, test set and row."""
        spec = self._spec
        found = (self.get(row, test, mode) for mode in spec.modes for test in spec.tests for row in self.rows)
        return (result for result in found if result)

    def __iter__(self):
        """All results, by mode, test set and model."""
        spec = self._spec
        places = ((model, test, mode) for mode in spec.modes for test in spec.tests for model in spec.models)
        return (self._results[place] for place in places if place in self._results)

    def best(self, test: str, mode: str) -> Result | SeedMean | None:
        """The result of the best row that is not the baseline; of several seeds their mean counts, not the luckiest."""
        found = (self.get(row, test, mode) for row in self.rows[1:])
        return min((r for r in found if r and r.rate is not None), key=lambda result: result.rate, default=None)


def _read(path: str) -> dict:
    score = read_json(path)
    counts = score.get(RATE) if isinstance(score, dict) else None
    if not isinstance(counts, dict) or not all(name in counts for name in ("rate", *COUNTS)):
        raise RecipeError(f"{path}: not a score of compute_wer.py --json: it has no counts of {RATE!r}")
    return score
