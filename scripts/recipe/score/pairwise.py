"""Any two of several models on the same references: which of them is better, and whether that is more than chance.

Their counts are read side by side from utterances.jsonl. Every two models are compared as a model is with the base: in
the same resamples of the same speakers. With ten models that is 45 comparisons, of which two or three would be found
"significant" by chance; so the p-values are corrected by Holm's step-down procedure (Scandinavian Journal of Statistics
6, 1979).

A difference of two models says nothing of another training: with another seed it would be another one. Where several
models differ in nothing but their seed, they are compared as one setting, and how they differ is in the interval and
the p-value, beside the chance of the test set. That of a setting with one seed is not known.
"""

import json
import logging
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from recipe.files import RecipeError, read_lines, sha256
from recipe.score.policy import ScoringPolicy
from recipe.score.significance import VERSION, caution, certainty
from recipe.score.spread import Spread
from recipe.score.units import Cells

FORMAT = 1
LEVEL = 0.05  # of the corrected p from which on a difference is significant
_COUNTS = ("n", "sub", "del", "ins")
_REST = ', "alignment": ['  # ends what is looked at of a line: inside a JSON text the quotes have backslashes
_PROGRESS = 100_000
logger = logging.getLogger(__name__)


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
    counts, speakers = _read(files)
    units = _units(counts, speakers)
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


def _pair(
    files: Mapping[str, str],
    counts: np.ndarray,
    units: np.ndarray,
    two: tuple[Setting, Setting],
    policy: ScoringPolicy,
) -> dict[str, Any]:
    """Two settings: their rates, and the first one's minus the second one's."""
    tokens = int(counts[:, 0].sum(dtype=np.int64))
    sums = [[int(counts[:, 1 + place].sum(dtype=np.int64)) for place in setting.places] for setting in two]
    rates = [fmean(errors) / tokens if tokens else None for errors in sums]
    found = certainty(
        *(_cells(array, two) for array in (units, counts)),
        policy.bootstrap,
        policy.seed,
        scale=math.prod(len(setting.places) for setting in two),
        trainings=tuple(_training(errors, tokens) for errors in sums if tokens and len(errors) > 1),
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
    ours, others = (counts[:, [1 + place for place in setting.places]].sum(axis=1, dtype=np.int64) for setting in two)
    return ours * len(two[1].places) - others * len(two[0].places)


def _cells(counts: np.ndarray, two: tuple[Setting, Setting]) -> Cells:
    """How many rows have the same reference tokens and difference."""
    rows = np.stack([counts[:, 0].astype(np.int64), _differences(counts, two)], axis=1)
    kinds, times = np.unique(rows, axis=0, return_counts=True)
    return Counter(dict(zip(map(tuple, kinds.tolist()), times.tolist(), strict=True)))


def _training(errors: Sequence[int], tokens: int) -> Spread:
    """How far the mean rate of some seeds would move with other seeds, from the errors of each."""
    return Spread(stdev(errors) / tokens / math.sqrt(len(errors)), len(errors) - 1)


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


def _read(files: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """(reference tokens and each model's errors, int32 [utterances, 1 + models]; numbers of speakers, int32
    [utterances], -1 where none is known)."""
    found, numbers, known = array("i"), array("i"), {}
    readers = [_rows(path) for path in files.values()]
    for done, rows in enumerate(zip_longest(*readers), 1):
        _check(rows, files)
        _, tokens, _, speaker, _ = rows[0]
        found.append(tokens)
        found.extend(row[2] for row in rows)
        numbers.append(-1 if speaker is None else known.setdefault(speaker, len(known)))
        if done % _PROGRESS == 0:
            logger.info("%d utterances of %d models are read", done, len(files))
    counts = np.frombuffer(found, np.int32) if found else np.zeros(0, np.int32)
    return counts.reshape(-1, 1 + len(files)), np.array(numbers, np.int32)


def _check(rows: Sequence[tuple | None], files: Mapping[str, str]) -> None:
    """RecipeError unless all models have a line here, of the same utterance with as many reference tokens."""
    paths = list(files.values())
    first = next(row for row in rows if row is not None)
    for path, row in zip(paths, rows, strict=True):
        if row is None:
            raise RecipeError(
                f"{path}: ends before {first[4]}, key {first[0]!r}; score all models on the same references"
            )
        if row[:2] != first[:2]:
            raise RecipeError(
                f"{row[4]}: key {row[0]!r} with {row[1]} reference tokens, but {first[4]} has {first[0]!r} with "
                f"{first[1]}; score all models on the same references"
            )


def _rows(path: str) -> Iterator[tuple[str, int, int, str | None, str]]:
    """(key, reference tokens, errors, speaker, file:line) of each line."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        head, rest, _ = line.partition(_REST)
        where = f"{path}:{number}"
        try:
            row = json.loads(head + "}" if rest else line)
            tokens, *errors = (row[name] for name in _COUNTS)
            if not all(type(count) is int and count >= 0 for count in (tokens, *errors)):
                raise ValueError(f"counts are {[tokens, *errors]}")
            yield row["key"], tokens, sum(errors), row.get("speaker"), where
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RecipeError(f"{where}: no line of compute_wer.py --utterances: {error}") from None


def _units(counts: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Counts by unit of resampling: of each speaker, where there are two and more, and of each other utterance."""
    if speakers.max(initial=-1) < 1:
        return counts.astype(np.int64)
    known = speakers >= 0
    sums = np.zeros((int(speakers.max()) + 1, counts.shape[1]), np.int64)
    np.add.at(sums, speakers[known], counts[known])
    return np.concatenate([sums, counts[~known]])
