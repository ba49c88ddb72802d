"""The trainings of an experiment: its runs, each with as many seeds as it asks for, and those of a learning curve."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from recipe.files import RecipeError
from recipe.settings.config import Config
from recipe.settings.curve import MIN_POINTS
from recipe.settings.train import RunSettings
from recipe.workflow import sets


@dataclass(frozen=True)
class CurvePart:
    """A training of a run on a fraction of the sets `cut`, chosen by the seed of `settings`."""

    run: str
    fraction: float
    settings: RunSettings
    cut: tuple[str, ...]


def with_seeds(runs: Mapping[str, RunSettings]) -> dict[str, RunSettings]:
    """Every training of the runs by its name: the first of a run has the run's own, the others their seed in it. Each
    has one seed. RecipeError if a run has the name of another one's seed, or there is no such seed."""
    made: dict[str, RunSettings] = {}
    for name, run in runs.items():
        for number in range(run.seeds):
            own = seed_name(name, run.seed, number)
            if number and own in runs:
                raise RecipeError(f"runs.{own}: this name is taken by a seed of runs.{name}; choose another")
            made[own] = _seeded(run, number, f"runs.{name}")
    return made


def seed_name(name: str, seed: int, number: int) -> str:
    """Name of a training whose seed is `number` after the first one's, `seed`."""
    return f"{name}-seed{seed + number}" if number else name


def _seeded(run: RunSettings, number: int, where: str) -> RunSettings:
    """The run with one of its seeds; the first is its own."""
    most = 2**32 - 1
    if run.seed + number > most:
        raise RecipeError(
            f"{where}.seeds: {run.seeds} from seed {run.seed} on pass {most}, the largest; set another seed"
        )
    return dataclasses.replace(run, seed=run.seed + number, seeds=1)


def enough_seeds(config: Config, runs: Mapping[str, RunSettings]) -> dict[str, RunSettings]:
    """The runs; those that have a learning curve with the curve's number of seeds, if they have fewer."""
    least = config.curve_settings.seeds
    chosen = curve_runs(config, runs)
    return {
        name: dataclasses.replace(run, seeds=max(run.seeds, least)) if name in chosen else run
        for name, run in runs.items()
    }


def curve_runs(config: Config, runs: Collection[str]) -> list[str]:
    """Names of the runs that have a learning curve. RecipeError if there is no such run, or no such training set."""
    curve = config.curve_settings
    if not curve.fractions:
        return []
    if len(curve.parts) + 1 < MIN_POINTS:
        raise RecipeError(
            f"curve: {[*curve.parts, 1]} are fewer than {MIN_POINTS} points, through which any law goes; name "
            "more fractions, e.g. [0.1, 0.3, 1]"
        )
    for kind, names, known in (("run", curve.runs, list(runs)), ("training set", curve.sets, list(config.data.train))):
        for name in names:
            if name not in known:
                raise RecipeError(
                    f"curve.{kind.split()[-1]}s: no {kind} is called {name}; there are: {', '.join(known)}"
                )
    if not runs:
        raise RecipeError("curve: there are no runs to make a curve of; name one, or take curve out")
    return list(dict.fromkeys(curve.runs or list(runs)[:1]))


def curve_parts(config: Config, trainings: Mapping[str, RunSettings]) -> dict[str, CurvePart]:
    """The trainings on fractions that a learning curve needs besides `trainings`, those of `with_seeds`, by name.
    RecipeError if a run has such a name, or sees none of the sets that fractions are to be taken of."""
    made: dict[str, CurvePart] = {}
    for run in curve_runs(config, config.runs):
        cut = _cut(config, run, trainings[run])
        for fraction in config.curve_settings.parts:
            for number, name in enumerate(seeds_of(config, run, trainings)):
                own = seed_name(f"{run}-{fraction:.12g}", trainings[run].seed, number)
                if own in trainings or own in made:
                    raise RecipeError(f"runs.{own}: this name is taken by a fraction of runs.{run}; choose another")
                made[own] = CurvePart(run, fraction, trainings[name], cut)
    return made


def seeds_of(config: Config, run: str, trainings: Mapping[str, RunSettings]) -> list[str]:
    """Names of the trainings that are seeds of a run with a learning curve, as many as the curve has."""
    seed = trainings[run].seed
    return [seed_name(run, seed, number) for number in range(config.curve_settings.seeds)]


def _cut(config: Config, name: str, run: RunSettings) -> tuple[str, ...]:
    """Training sets of a run of which fractions are taken."""
    seen = sets.weights(config, run, f"runs.{name}")
    wanted = config.curve_settings.sets or [one for one in seen if one in config.data.test] or seen
    cut = tuple(one for one in seen if one in wanted)
    if not cut:
        raise RecipeError(f"curve.sets: runs.{name} sees none of {', '.join(wanted)}; name one of {', '.join(seen)}")
    return cut


def refuse_no_curve(config: Config) -> None:
    """RecipeError if a learning curve is asked for, and the configuration has none."""
    if not config.curve_settings.parts:
        raise RecipeError("curve names no fractions; set `curve: [0.1, 0.3, 1]` (docs/curve.md)")
