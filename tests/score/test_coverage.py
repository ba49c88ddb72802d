"""Whether intervals and verdicts keep what they promise, by simulation: errors of known processes, alike within a
speaker, in an utterance and between two systems.

The table of docs/scoring.md is that of `python tests/score/test_coverage.py`, which takes some minutes.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts"))

from recipe.score.matched_pairs import MatchedPairs  # noqa: E402
from recipe.score.significance import caution, certainty, difference, rate_interval  # noqa: E402
from recipe.score.spread import Spread  # noqa: E402
from recipe.score.units import Units  # noqa: E402

SAMPLES = 300  # resamples: enough for a standard deviation


@dataclass(frozen=True)
class Process:
    """How errors come about: the error probability of a token is `rate` on average, times factors that are log-normal,
    with these standard deviations of their logarithm: of a speaker, of an utterance (both common to two systems), and
    of a speaker with one system. Speakers have as many utterances as log-normal weights of `uneven` say."""

    rate: float
    speaker: float
    utterance: float
    system: float
    uneven: float


PROCESSES = {
    "usual": Process(0.1, speaker=0.35, utterance=0.7, system=0.2, uneven=0.3),
    "low rate": Process(0.04, speaker=0.4, utterance=0.8, system=0.2, uneven=0.3),
    "high rate": Process(0.3, speaker=0.3, utterance=0.4, system=0.15, uneven=0.3),
    "unlike speakers": Process(0.1, speaker=0.5, utterance=0.5, system=0.3, uneven=0.5),
    "speakers alike": Process(0.1, speaker=0.0, utterance=0.7, system=0.0, uneven=0.3),
}
SPEAKERS = (2, 4, 10, 50)
UTTERANCES = (30, 200, 2000)


class Simulation:
    """Test sets of a process, each with two systems that are equally good."""

    def __init__(self, process: Process, seed: int):
        self.process = process
        self.draw = np.random.RandomState(seed)
        self._variance = process.speaker**2 + process.utterance**2 + process.system**2
        factors = np.exp(self.draw.normal(-self._variance / 2, self._variance**0.5, 1_000_000))
        self.truth = float(np.minimum(process.rate * factors, 0.95).mean())  # the rate of all speakers there could be

    def speakers(self, count: int, utterances: int) -> np.ndarray:
        """The speaker of each utterance: everyone has one, if there are as many."""
        weights = self.draw.lognormal(0, self.process.uneven, count)
        drawn = self.draw.choice(count, utterances, p=weights / weights.sum())
        drawn[: min(count, utterances)] = self.draw.permutation(count)[:utterances]
        return drawn

    def errors(self, speakers: np.ndarray, tokens: np.ndarray, systems: int = 2) -> list[np.ndarray]:
        """Wrong tokens in each utterance, by system."""
        process, count = self.process, speakers.max() + 1
        common = self.draw.normal(0, process.speaker, count)[speakers]
        common = common + self.draw.normal(-self._variance / 2, process.utterance, len(speakers))
        made = []
        for _ in range(systems):
            own = self.draw.normal(0, process.system, count)[speakers]
            made.append(self.draw.binomial(tokens, np.minimum(process.rate * np.exp(common + own), 0.95)))
        return made

    def tokens(self, utterances: int) -> np.ndarray:
        """Reference tokens of each utterance."""
        return 1 + self.draw.poisson(8, utterances)


def gathered(speakers: np.ndarray | None, *columns: np.ndarray) -> Units:
    """Counts by utterance, of speakers where they are known."""
    units = Units()
    names = [None] * len(columns[0]) if speakers is None else map(str, speakers.tolist())
    for name, *values in zip(names, *(column.tolist() for column in columns), strict=True):
        units.add(name, tuple(values))
    return units


def significant(p: float | None) -> bool:
    """Whether a difference is found; none of what has no deviation to go by."""
    return p is not None and p < 0.05


def matched_p(ours: np.ndarray, others: np.ndarray) -> float | None:
    """p of the matched-pairs test, an utterance with errors being a segment."""
    pairs, gains = MatchedPairs(), ours - others
    pairs.segments = int(((ours > 0) | (others > 0)).sum())
    pairs.total, pairs.squares = int(gains.sum()), int((gains * gains).sum())
    return pairs.result()["p"]


def trial(process: Process, count: int | None, utterances: int, times: int, seed: int) -> dict[str, float]:
    """Shares of `times` test sets: `covered`, whose interval holds the true rate; `wrong`, in which one of two equally
    good systems is found better (p < 0.05); `matched`, in which the matched-pairs test finds so."""
    simulation = Simulation(process, seed)
    found = Counter()
    for _ in range(times):
        tokens = simulation.tokens(utterances)
        # Without names of speakers, everyone says one thing.
        speakers = np.arange(utterances) if count is None else simulation.speakers(count, utterances)
        ours, others = simulation.errors(speakers, tokens)
        named = None if count is None else speakers
        zeros = np.zeros_like(tokens)
        low, high = rate_interval(gathered(named, tokens - ours, ours, zeros, zeros), SAMPLES, 0)
        found["covered"] += low <= simulation.truth <= high
        found["wrong"] += significant(difference(gathered(named, tokens, ours, others), SAMPLES, 0)["p"])
        found["matched"] += significant(matched_p(ours, others))
    return {name: found[name] / times for name in ("covered", "wrong", "matched")}


def seeds_trial(seeds: int, times: int, seed: int) -> dict[str, float]:
    """Shares of `times` comparisons of two equal settings in which one is found better: `both`, of some seeds of each,
    and `one`, of one seed of each, whose difference is real but one of these two trainings alone."""
    simulation = Simulation(PROCESSES["usual"], seed)
    found = Counter()
    for _ in range(times):
        speakers, tokens = simulation.speakers(20, 500), simulation.tokens(500)
        luck = np.exp(simulation.draw.normal(0, 0.1, 2 * seeds))  # of a training: a tenth more or fewer errors
        errors = [
            simulation.draw.binomial(made, min(1.0, factor / 1.4))
            for made, factor in zip(simulation.errors(speakers, tokens, 2 * seeds), luck, strict=True)
        ]
        ours, others = errors[:seeds], errors[seeds:]
        trainings = tuple(
            Spread(float(np.std([made.sum() for made in group], ddof=1)) / tokens.sum() / seeds**0.5, seeds - 1)
            for group in (ours, others)
        )
        units = gathered(speakers, tokens, seeds * sum(ours) - seeds * sum(others))
        both = certainty(units.cells(), units.utterances(), SAMPLES, 0, scale=seeds**2, trainings=trainings)
        found["both"] += significant(both["p"])
        found["one"] += significant(difference(gathered(speakers, tokens, ours[0], others[0]), SAMPLES, 0)["p"])
    return {name: found[name] / times for name in ("both", "one")}


@pytest.mark.parametrize("count", [10, 50, None])
def test_a_few_test_sets_of_the_usual_kind(count):
    """Bounds that so few test sets keep: three standard errors around what the long test asks for."""
    found = trial(PROCESSES["usual"], count, 60, times=150, seed=1)
    assert found["covered"] >= 0.89 and found["wrong"] <= 0.12


def test_two_speakers_are_as_sure_as_they_can_be():
    """Percentiles of resampled speakers hold the true rate in half of all cases."""
    assert trial(PROCESSES["usual"], 2, 60, times=150, seed=2)["covered"] >= 0.9
    assert caution(2, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("count", [*SPEAKERS, None])
def test_intervals_hold_the_true_rate_and_equal_systems_are_seldom_found_to_differ(name, count):
    """93 to 97 % and at most 6 %, of all numbers of utterances together; chance moves these by half a point."""
    results = [trial(PROCESSES[name], count, utterances, times=700, seed=utterances) for utterances in UTTERANCES]
    covered, wrong = (round(float(np.mean([found[key] for found in results])), 4) for key in ("covered", "wrong"))
    if caution(count, min(UTTERANCES)):  # no verdict is given, and the interval is said to be untrustworthy
        assert covered >= 0.9
    else:
        assert 0.93 <= covered <= 0.97 and wrong <= 0.06


@pytest.mark.slow
def test_settings_of_several_seeds_are_seldom_found_to_differ():
    assert seeds_trial(3, times=700, seed=1)["both"] <= 0.06


def table(times: int) -> Iterator[str]:
    """What docs/scoring.md shows, line by line."""
    sizes = " / ".join(map(str, UTTERANCES))
    yield f"| process ({sizes}) | speakers | interval holds the rate, % | false alarms, % | of matched pairs, % |"
    yield "|---|---|---|---|---|"
    for name, process in PROCESSES.items():
        for count in (*SPEAKERS, None):
            found = [trial(process, count, utterances, times, seed=utterances) for utterances in UTTERANCES]
            shares = [" / ".join(f"{100 * one[key]:.1f}" for one in found) for key in ("covered", "wrong", "matched")]
            yield f"| {name} | {count or 'not known'} | {' | '.join(shares)} |"


if __name__ == "__main__":
    for line in table(int(sys.argv[1]) if len(sys.argv) > 1 else 600):
        print(line, flush=True)
    for seeds in (2, 3, 6):
        print(seeds, "seeds:", seeds_trial(seeds, 1000, 1), flush=True)
