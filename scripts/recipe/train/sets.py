"""The sets of a run: what it is trained and validated on.

The first process reads indexes and makes tables of what fits (see `fitting`); the others open these.
"""

import dataclasses
import functools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.data import index, shards
from recipe.data.index import ManifestIndex
from recipe.files import RecipeError
from recipe.model.features import FrontEnd
from recipe.model.network import Recognizer
from recipe.settings.train import TrainSettings
from recipe.train import fitting
from recipe.train.augment import Augment
from recipe.train.dataset import Utterances
from recipe.train.hotwords import HotwordSampler
from recipe.train.processes import told_by_first


@dataclasses.dataclass(frozen=True)
class TrainingInputs:
    """What a run is trained on; `weights` is how often each training manifest is seen in an epoch."""

    train: Sequence[str | os.PathLike]
    valid: Sequence[str | os.PathLike]
    weights: Sequence[float] = ()
    fetch_policy: FetchPolicy = DEFAULT

    def all_weights(self) -> list[float]:
        """A weight for each training manifest. RecipeError if that cannot be."""
        weights = list(self.weights) or [1.0] * len(self.train)
        if len(weights) != len(self.train):
            raise RecipeError(f"{len(weights)} weights for {len(self.train)} training manifests")
        if min(weights) < 0 or not any(weights):
            raise RecipeError(f"weights of the training manifests are {weights}, expected 0 or more, and not all 0")
        return weights


@dataclasses.dataclass(frozen=True)
class Manifests:
    """The manifests of a run with their indexes."""

    train: list[ManifestIndex]
    valid: list[ManifestIndex]
    weights: list[float]

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each manifest, and the weights, by name."""
        found = {one.path: one.sha256 for one in [*self.train, *self.valid]}
        weights = zip(self.train, self.weights, strict=True)
        return found | {f"weight of {one.path}": f"{weight:g}" for one, weight in weights if weight != 1}

    def describe(self) -> tuple[list[dict], str]:
        """Facts of each manifest, and the commonest prompt of the training ones."""
        training = [_describe("train", *pair) for pair in zip(self.train, self.weights, strict=True)]
        prompts = sum((Counter(one.facts["prompts"]) for one in self.train), Counter())
        return training + [_describe("valid", one, 1.0) for one in self.valid], prompts.most_common(1)[0][0]


def _describe(role: str, one: ManifestIndex, weight: float) -> dict:
    """What a model's facts say of a manifest that it was trained or validated on."""
    return {
        "role": role,
        "name": Path(one.path).name.split(".jsonl")[0],
        "utterances": len(one),
        "hours": round(one.facts["seconds"] / 3600, 4),
        "weight": weight,
        "languages": one.facts["languages"],
    }


def open_manifests(inputs: TrainingInputs, folder: Path) -> Manifests:
    """The manifests and their indexes; those that the data stage did not make are made in `folder`. For the first
    process. RecipeError if a shard of packed recordings is missing or cut."""
    weights = inputs.all_weights()
    paths = dict.fromkeys(map(os.fspath, [*inputs.train, *inputs.valid]))
    for path in paths:
        shards.check(path)
    found = {path: index.find(path, folder / f"index-{number}") for number, path in enumerate(paths)}
    train, valid = ([found[os.fspath(path)] for path in part] for part in (inputs.train, inputs.valid))
    expected = sum(weight * len(one) for weight, one in zip(weights, train, strict=True))
    if expected < 1:
        told = ", ".join(
            f"{one.path} ({len(one)}, weight {weight:g})" for one, weight in zip(train, weights, strict=True)
        )
        raise RecipeError(f"an epoch has {expected:.2g} utterances, expected 1 at least: {told}; raise the weights")
    return Manifests(train, valid, weights)


def read_sets(
    recognizer: Recognizer,
    settings: TrainSettings,
    inputs: TrainingInputs,
    manifests: Manifests | None,
    rejects_file: Path,
    folder: Path,
) -> tuple[Utterances, Utterances]:
    """Training and validation set, without what does not fit: that is listed in `rejects_file`. `manifests` are the
    first process's."""
    augment = Augment(settings.augment, settings.seed, inputs.fetch_policy)  # in each process: it looks at the noises
    make = functools.partial(
        fitting.tables, recognizer, settings, manifests and (manifests.train, manifests.valid), rejects_file, folder
    )
    train, valid, words = told_by_first(make)
    front_end, fetch_policy = FrontEnd(recognizer), inputs.fetch_policy
    hotwords = HotwordSampler(settings.augment.hotwords, settings.seed, words) if words else None
    train_set = Utterances(train, front_end, augment, hotwords, inputs.all_weights(), settings.seed, fetch_policy)
    return train_set, Utterances(valid, front_end, fetch_policy=fetch_policy)
