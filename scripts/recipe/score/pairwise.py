"""Any two of several models on the same references: which of them is better, and whether that is more than chance.

Their counts are read side by side from utterances.jsonl. Every two models are compared as a model is with the base: in
the same resamples of the same speakers. With ten models that is 45 comparisons, of which two or three would be found
"significant" by chance; so the p-values are corrected by Holm's step-down procedure (Scandinavian Journal of Statistics
6, 1979).

A difference of two models says nothing of another training: with another seed it would be another one. Where several
models differ in nothing but their seed, they are compared as one setting, and how they differ is in the interval and
the p-value, beside the chance of the test set. That of a setting with one seed is not known.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from recipe.files import RecipeError, sha256
from recipe.score import side_by_side
from recipe.score.policy import ScoringPolicy
from recipe.score.significance import VERSION, caution, certainty, of_seeds
from recipe.score.spread import of_trainings
from recipe.score.units import Cells

FORMAT = 1
LEVEL = 0.05  # of the corrected p from which on a difference is significant


@dataclass(frozen=True)
class Setting:
    """What is compared: a model, or models that differ in the seed of their training alone. `places` are theirs among
    all models."""

    name: str
    places: tuple[int, ...]


def compare(files: Mapping[str, str], policy: ScoringPolicy, seeds: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """Compare every two models by their utterances.jsonl, of the same references in the same order; docs/scoring.md has
    the keys of the result. Models in a group of `seeds` are seeds of one setting and compared as one, by their mean.
    Memory holds a whole number per utterance and model. RecipeError names the line that is of another utterance, or of
    none, and what of `seeds` is no such group."""
    settings = _settings(list(files), seeds)
    counts, speakers = side_by_side.read(files)
    units = side_by_side.units(counts, speakers)
    names = len(set(speakers[speakers >= 0].tolist()))
    few = caution(names or None, len(counts)) if policy.bootstrap else None
    pairs = [_pair(files, counts, units, two, policy) for two in combinations(settings, 2)]
    for pair, corrected in zip(pairs, holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_corrected"] = corrected
        pair["better"] = None if few else _better(pair)
    return {
        "format": FORMAT,
        "models": list(files),
        "utterances": len(counts),
        "seeds": [_mean(files, counts, units, setting, policy) for setting in settings if len(setting.places) > 1],
        "pairs": pairs,
        "caution": few,
        "settings": {
            "bootstrap": policy.bootstrap,
            "seed": policy.seed,
            "unit": "speaker" if names > 1 else "utterance",
            "correction": "holm",
            "comparisons": sum(pair["p"] is not None for pair in pairs),
            "level": LEVEL,
        },
        "versions": {"intervals": VERSION},
        "inputs": {name: {"file": Path(path).name, "sha256": sha256(path)} for name, path in files.items()},
    }


def _settings(models: Sequence[str], seeds: Sequence[Sequence[str]]) -> list[Setting]:
    """What is compared, in the order of the models; a setting of several seeds stands where its first is."""
    if len(models) < 2:
        raise RecipeError(f"{', '.join(models) or 'no model'}: at least two models are compared")
    grouped = Counter(name for group in seeds for name in group)
    for group in seeds:
        if len(group) < 2 or not set(group) <= set(models) or any(grouped[name] > 1 for name in group):
            raise RecipeError(f"seeds {' '.join(group)}: expected two models or more of {', '.join(models)}, each once")
    groups = [*seeds, *([name] for name in models if name not in grouped)]
    if len(groups) < 2:
        raise RecipeError(f"seeds {' '.join(groups[0])}: are all models; there is nothing to compare them with")
    places = sorted(tuple(models.index(name) for name in group) for group in groups)
    return [Setting(models[p[0]] + (f" ({len(p)} seeds)" if len(p) > 1 else ""), p) for p in places]


def _mean(
    files: Mapping[str, str], counts: np.ndarray, units: np.ndarray, setting: Setting, policy: ScoringPolicy
) -> dict[str, Any]:
    """A setting of several seeds: its models, and what `of_seeds` tells of them."""
    tokens = int(counts[:, 0].sum(dtype=np.int64))
    drawn = (side_by_side.cells(array[:, 0], _summed(array, setting)) for array in (units, counts))
    return {
        "name": setting.name,
        "runs": [list(files)[place] for place in setting.places],
        **of_seeds(_errors(counts, setting), tokens, *drawn, policy.bootstrap, policy.seed),
    }


def _pair(
    files: Mapping[str, str],
    counts: np.ndarray,
    units: np.ndarray,
    two: tuple[Setting, Setting],
    policy: ScoringPolicy,
) -> dict[str, Any]:
    """Two settings: their rates, and the first one's minus the second one's."""
    tokens = int(counts[:, 0].sum(dtype=np.int64))
    sums = [_errors(counts, setting) for setting in two]
    rates = [fmean(errors) / tokens if tokens else None for errors in sums]
    found = certainty(
        *(_cells(array, two) for array in (units, counts)),
        policy.bootstrap,
        policy.seed,
        scale=math.prod(len(setting.places) for setting in two),
        trainings=tuple(of_trainings(errors, tokens) for errors in sums if tokens and len(errors) > 1),
    )
    gains = _differences(counts, two)
    return {
        "models": [setting.name for setting in two],
        "runs": [[list(files)[place] for place in setting.places] for setting in two],
        "rates": rates,
        "difference": rates[0] - rates[1] if tokens else None,
        "ci": found["ci"],
        "p": found["p"],
        "utterances": {
            "better": int((gains < 0).sum()),
            "equal": int((gains == 0).sum()),
            "worse": int((gains > 0).sum()),
        },
    }


def _differences(counts: np.ndarray, two: tuple[Setting, Setting]) -> np.ndarray:
    """The first one's errors minus the second one's [rows], int64, times the number of seeds of both, which keeps them
    whole."""
    ours, others = (_summed(counts, setting) for setting in two)
    return ours * len(two[1].places) - others * len(two[0].places)


def _cells(counts: np.ndarray, two: tuple[Setting, Setting]) -> Cells:
    """How many rows have the same reference tokens and difference."""
    return side_by_side.cells(counts[:, 0], _differences(counts, two))


def _errors(counts: np.ndarray, setting: Setting) -> list[int]:
    """The errors of each of a setting's models."""
    return [int(counts[:, 1 + place].sum(dtype=np.int64)) for place in setting.places]


def _summed(counts: np.ndarray, setting: Setting) -> np.ndarray:
    """The errors of a setting's models, summed [rows], int64."""
    return counts[:, [1 + place for place in setting.places]].sum(axis=1, dtype=np.int64)


def _better(pair: Mapping[str, Any]) -> str | None:
    """The model that is significantly better; None where neither is."""
    if pair["p_corrected"] is None or pair["p_corrected"] >= LEVEL or not pair["difference"]:
        return None
    return pair["models"][pair["difference"] > 0]


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's corrected p-values, in the order of `values`; None stays and is no comparison."""
    order = sorted((value, place) for place, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    least = 0.0
    for rank, (value, place) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * value))
        corrected[place] = least
    return corrected
