"""The sets of a run: what it is trained and validated on, without what does not fit."""

import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.reading import MIN_SAMPLES, SAMPLING_RATE
from recipe.data import manifest
from recipe.data.checked import REJECTS_HEADER
from recipe.data.manifest import Utterance
from recipe.files import RecipeError, sha256, write_lines
from recipe.model.features import FRAME_SECONDS, FrontEnd
from recipe.model.generate import Limits
from recipe.model.network import Recognizer
from recipe.settings.train import TrainSettings
from recipe.train import preflight
from recipe.train.augment import Augment
from recipe.train.dataset import ENCODER_FRAMES, Utterances, most_frames
from recipe.train.hotwords import HotwordSampler
from recipe.train.left_out import Reject, reject_line
from recipe.train.processes import rank

logger = logging.getLogger(__name__)


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
    """Training and validation set, without what does not fit: that is listed in `rejects_file`."""
    weights = list(inputs.weights) or [1.0] * len(inputs.train)
    if len(weights) != len(inputs.train):
        raise RecipeError(f"{len(weights)} weights for {len(inputs.train)} training manifests")
    if min(weights) < 0 or not any(weights):
        raise RecipeError(f"weights of the training manifests are {weights}, expected 0 or more, and not all 0")
    augment = Augment(settings.augment, settings.seed, inputs.fetch_policy)
    limit = min(ENCODER_FRAMES, preflight.frames_of(settings) or ENCODER_FRAMES)
    rejects: list[Reject] = []
    utterances, repeats = [], []
    for path, weight in zip(inputs.train, weights, strict=True):
        found = _fitting(path, limit, augment.slowest, augment.fastest, rejects)
        utterances += found
        repeats += [weight] * len(found)
    valid = [utterance for path in inputs.valid for utterance in _fitting(path, ENCODER_FRAMES, 1.0, 1.0, rejects)]
    _tell(rejects, rejects_file)
    for found, paths in ((utterances, inputs.train), (valid, inputs.valid)):
        if not found:
            raise RecipeError(f"{', '.join(map(str, paths))}: no utterances{' that are short enough' * bool(rejects)}")
    front_end, fetch_policy, listed = FrontEnd(recognizer), inputs.fetch_policy, settings.augment.hotwords
    hotwords = HotwordSampler(listed, settings.seed, (u.text for u in utterances)) if listed.share else None
    train_set = Utterances(utterances, front_end, augment, hotwords, repeats, settings.seed, fetch_policy)
    valid_set = Utterances(valid, front_end, fetch_policy=fetch_policy)
    long: list[Reject] = []
    train_set = _within_positions(train_set, recognizer, None, long)
    valid_set = _within_positions(valid_set, recognizer, Limits(), long)
    if long:
        _tell(long, rejects_file, rejects)
    return train_set, valid_set


def _fitting(
    path: str | os.PathLike, limit: int, slowest: float, fastest: float, rejects: list[Reject]
) -> list[Utterance]:
    """Utterances of a manifest with at most `limit` stacked frames at the slowest speed, and one at the fastest; others
    are added to `rejects`."""
    kept = []
    for utterance in manifest.read(path):
        frames = most_frames(utterance, slowest)
        if frames > limit:
            seconds = f"{frames * FRAME_SECONDS:.1f} s, at most {limit * FRAME_SECONDS:.1f} s fit"
            rejects.append(Reject(key=utterance.key, reason="audio-too-long", detail=seconds))
        elif fastest > 1 and utterance.duration * SAMPLING_RATE / fastest < MIN_SAMPLES + 1:
            seconds = f"{utterance.duration:.3f} s, played {fastest:g} times as fast less than a frame"
            rejects.append(Reject(key=utterance.key, reason="audio-too-short", detail=seconds))
        else:
            kept.append(utterance)
    return kept


def _within_positions(
    found: Utterances, recognizer: Recognizer, limits: Limits | None, rejects: list[Reject]
) -> Utterances:
    """Utterances whose prompt, audio and text (with `limits` as much as decoding may write) fit into the positions of
    the language model; others are added to `rejects`. RecipeError if none does."""
    positions = recognizer.model.config.get_text_config().max_position_embeddings
    tokens = found.most_tokens(recognizer.audio_tokens, limits)
    long = {index: count for index, count in enumerate(tokens) if count > positions}
    if len(long) == len(found):
        found.refuse_hotwords(recognizer.audio_tokens, positions)
        raise RecipeError(
            f"no utterance fits into the language model's {positions} positions: the shortest has {min(tokens)} tokens "
            "of prompt, audio and text; shorten the prompts or their lists of hotwords"
        )
    detail = "{} tokens of prompt, audio and text, the language model has {} positions"
    rejects += [
        Reject(key=found.utterances[index].key, reason="prompt-too-long", detail=detail.format(count, positions))
        for index, count in long.items()
    ]
    return found.without(long) if long else found


# What is said of utterances that were rejected for a reason, and what can be done.
_ADVICE = {
    "audio-too-long": f"are too long and left out, listed in {{}}; raise batch_seconds (up to "
    f"{ENCODER_FRAMES * FRAME_SECONDS:.0f}), cut them into segments, or lower data.max_seconds",
    "audio-too-short": "are too short for augment.speeds and left out, listed in {}; raise data.min_seconds",
    "prompt-too-long": "have more tokens than the language model has positions and are left out, listed in {}; shorten "
    "their prompts or lists of hotwords",
}


def _tell(rejects: Sequence[Reject], rejects_file: Path, before: Sequence[Reject] = ()) -> None:
    """List what was rejected after those `before`, and say how many for which reason."""
    if rank() == 0:
        write_lines(rejects_file, [REJECTS_HEADER, *map(reject_line, (*before, *rejects))])
    for reason, count in Counter(reject.reason for reject in rejects).items():
        logger.warning("%d utterances %s", count, _ADVICE[reason].format(rejects_file))
