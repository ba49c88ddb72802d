"""Training sets that models transcribe: which models each needs, and that no model waits for itself."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from recipe.files import RecipeError
from recipe.settings.config import Config
from recipe.settings.pseudo import PseudoSettings
from recipe.settings.train import RunSettings
from recipe.workflow import sets
from recipe.workflow.config import BASELINE

CLEAN, NOISY = "clean", "noisy"  # how a model is given the recordings


def opinions(entry: PseudoSettings) -> list[tuple[str, str]]:
    """(CLEAN or NOISY, model) of the transcripts themselves, and of those that they are compared with."""
    second = (CLEAN, entry.agree) if entry.agree else (NOISY, entry.model)
    return [(CLEAN, entry.model), second]


def told(entry: PseudoSettings) -> list[str]:
    """Flags of select_pseudo.py that say what is kept."""
    return [f"--min-confidence={entry.min_confidence:.12g}", f"--max-disagreement={entry.max_disagreement:.12g}"]


def check(config: Config, runs: Mapping[str, RunSettings]) -> None:
    """RecipeError if an entry of `pseudo` has the name of another set, recordings that do not exist or a model that
    there is not, or if a run would learn from what only its own model, trained, could transcribe."""
    for name, entry in config.pseudo.items():
        if name in config.data.train:
            raise RecipeError(f"pseudo.{name}: data.train has a set of this name; choose another")
        sets.unlabelled(config, name)
        for field, model in (("model", entry.model), ("agree", entry.agree)):
            if model is not None and model not in (BASELINE, *runs):
                known = ", ".join([BASELINE, *runs])
                raise RecipeError(f"pseudo.{name}.{field}: {model} is no run, expected one of {known}")
    _refuse_circles(config, runs)


def _refuse_circles(config: Config, runs: Mapping[str, RunSettings]) -> None:
    """RecipeError for runs that wait for each other's transcripts, or for their own."""
    needs = {
        f"pseudo.{name}": {f"runs.{model}" for _, model in opinions(entry)} for name, entry in config.pseudo.items()
    }
    for run, settings in runs.items():
        seen = sets.weights(config, settings, f"runs.{run}")
        needs[f"runs.{run}"] = [f"pseudo.{name}" for name in seen if name in config.pseudo]
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " needs ".join(reversed(error.args[1]))
        raise RecipeError(
            f"{circle}: a model cannot be trained on its own transcripts before it is trained; name another model in "
            "pseudo, or give the set weight 0 in that run"
        ) from None
