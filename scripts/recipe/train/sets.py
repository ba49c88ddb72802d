"""The sets of a run: what it is trained and validated on, without what is too long for it."""

import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.data import manifest
from recipe.data.manifest import Utterance
from recipe.files import RecipeError, sha256, write_lines
from recipe.model.features import FRAME_SECONDS, FrontEnd
from recipe.model.network import Recognizer
from recipe.settings.train import TrainSettings
from recipe.train import preflight
from recipe.train.augment import Augment
from recipe.train.dataset import Utterances, most_frames
from recipe.train.hotwords import HotwordSampler
from recipe.train.processes import rank

logger = logging.getLogger(__name__)

ENCODER_FRAMES = 2048  # stacked frames that the encoder takes, 122.9 s


@dataclasses.dataclass(frozen=True)
class TrainingInputs:
    """What a run is trained on; `weights` is how often each training manifest is seen in an epoch."""

    train: Sequence[str | os.PathLike]
    valid: Sequence[str | os.PathLike]
    weights: Sequence[float] = ()
    fetch_policy: FetchPolicy = DEFAULT

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each manifest, and the weights, by name."""
        found = {os.fspath(path): sha256(path) for path in [*self.train, *self.valid]}
        weights = {
            os.fspath(path): weight for path, weight in zip(self.train, self.weights, strict=False) if weight != 1
        }
        return found | {f"weight of {path}": f"{weight:g}" for path, weight in weights.items()}

    def describe(self) -> tuple[list[dict], str]:
        """Facts of each manifest, and the commonest prompt of the training ones."""
        weights = list(self.weights) or [1.0] * len(self.train)
        training = [manifest.describe_set("train", path, w) for path, w in zip(self.train, weights, strict=True)]
        validation = [manifest.describe_set("valid", path, 1.0) for path in self.valid]
        prompts = sum((found for _, found in training), Counter())
        return [facts for facts, _ in training + validation], prompts.most_common(1)[0][0]


def read_sets(
    recognizer: Recognizer, settings: TrainSettings, inputs: TrainingInputs, rejects_file: Path
) -> tuple[Utterances, Utterances]:
    """Training and validation set, without what is too long for them: that is listed in `rejects_file`."""
    weights = list(inputs.weights) or [1.0] * len(inputs.train)
    if len(weights) != len(inputs.train):
        raise RecipeError(f"{len(weights)} weights for {len(inputs.train)} training manifests")
    augment = Augment(settings.augment, settings.seed, inputs.fetch_policy)
    limit = min(ENCODER_FRAMES, preflight.frames_of(settings) or ENCODER_FRAMES)
    rejects: list[str] = []
    utterances, repeats = [], []
    for path, weight in zip(inputs.train, weights, strict=True):
        found = _fitting(path, limit, augment.slowest, rejects)
        utterances += found
        repeats += [weight] * len(found)
    valid = [utterance for path in inputs.valid for utterance in _fitting(path, ENCODER_FRAMES, 1.0, rejects)]
    if rank() == 0:
        write_lines(rejects_file, ["key\tstage\treason\tdetail", *rejects])
    if rejects:
        logger.warning(
            "%d utterances are too long and left out, listed in %s; raise batch_seconds (up to %.0f), cut them into "
            "segments, or lower data.max_seconds", len(rejects), rejects_file, ENCODER_FRAMES * FRAME_SECONDS,
        )  # fmt: skip
    for found, paths in ((utterances, inputs.train), (valid, inputs.valid)):
        if not found:
            raise RecipeError(f"{', '.join(map(str, paths))}: no utterances{' that are short enough' * bool(rejects)}")
    front_end, fetch_policy, listed = FrontEnd(recognizer), inputs.fetch_policy, settings.augment.hotwords
    hotwords = HotwordSampler(listed, settings.seed, (u.text for u in utterances)) if listed.share else None
    train_set = Utterances(utterances, front_end, augment, hotwords, repeats, settings.seed, fetch_policy)
    return train_set, Utterances(valid, front_end, fetch_policy=fetch_policy)


def _fitting(path: str | os.PathLike, limit: int, slowest: float, rejects: list[str]) -> list[Utterance]:
    """Utterances of a manifest with at most `limit` stacked frames at the slowest speed; others become lines of
    `rejects` (key, stage, reason, detail)."""
    kept = []
    for utterance in manifest.read(path):
        frames = most_frames(utterance, slowest)
        if frames <= limit:
            kept.append(utterance)
        else:
            seconds = f"{frames * FRAME_SECONDS:.1f} s, at most {limit * FRAME_SECONDS:.1f} s fit"
            rejects.append(f"{utterance.key}\ttrain\taudio-too-long\t{seconds}")
    return kept
