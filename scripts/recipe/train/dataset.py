"""The training set: utterances of manifests as items, augmented, by epoch."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recipe.audio import reading as audio
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data.manifest import Utterance
from recipe.model.ctc_tokens import CtcTokens
from recipe.model.features import FRAME_WIDTH, FrontEnd, Item, stacked_frames
from recipe.text.prompt import HOTWORD_HEADER, with_hotwords
from recipe.train.augment import Augment
from recipe.train.frozen import FrozenOutputs
from recipe.train.hotwords import HotwordSampler
from recipe.train.left_out import Unread
from recipe.train.table import UtteranceTable

ENCODER_FRAMES = 2048  # stacked frames that the encoder takes, 122.9 s


@dataclass(frozen=True)
class FrozenItem(Item):
    """An utterance whose `features` are what frozen parts of the model made of its `frames` stacked frames; `name` says
    which."""

    frames: int
    name: str


@dataclass(frozen=True)
class Unreadable:
    """In place of an item: what could not be read, and a frame of silence for a batch in which nothing can."""

    what: Unread
    stand_in: Item


def most_frames(frames: np.ndarray, slowest: float = 1.0) -> np.ndarray:
    """Stacked frames of utterances of so many 10 ms `frames`, played at the factor of speed `slowest` or faster."""
    return at_speed(np.maximum(1, stacked_frames(frames.astype(np.int64))), min(slowest, 1.0))


def at_speed(frames: np.ndarray, speed: float | np.ndarray) -> np.ndarray:
    """Stacked frames, at most, of utterances of `frames` stacked ones that are played so much faster."""
    return np.where(speed == 1.0, frames, np.rint(frames / speed).astype(np.int64) + 1)


def listed(prompt: str, words: Sequence[str]) -> str:
    """A prompt with hotwords, unless the data has given it some."""
    return prompt if HOTWORD_HEADER in prompt else with_hotwords(prompt, words)


class Utterances(torch.utils.data.Dataset):
    """Items of utterances by (epoch, index). Features of small sets are kept in memory once made, at each speed.

    `weights` says for each manifest of the table how often its utterances come in an epoch on average: with 0.5 every
    second epoch or so, with 2 twice in each. With `frozen` outputs of the model no audio is read.
    """

    CACHE_FRAMES = 200_000  # stacked frames, 2.2 kB each

    def __init__(
        self,
        utterances: UtteranceTable,
        front_end: FrontEnd,
        augment: Augment | None = None,
        hotwords: HotwordSampler | None = None,
        weights: Sequence[float] | None = None,
        seed: int = 0,
        fetch_policy: FetchPolicy = DEFAULT,
    ):
        self.utterances = utterances
        self.frozen: FrozenOutputs | None = None
        self.ctc_tokens: CtcTokens | None = None  # of a CTC branch that is trained
        self._front_end = front_end
        self._augment = augment
        self._hotwords = hotwords
        self._weights = None if weights is None or set(weights) == {1.0} else np.asarray(weights)
        self._seed = seed
        self._fetch_policy = fetch_policy
        self.total_frames = sum(int(rows["frames"].sum()) for _, rows in utterances.blocks())
        versions = augment.versions if augment else 1
        keep = 0 < self.total_frames * versions <= self.CACHE_FRAMES
        self._cache: dict[tuple[int, float], torch.Tensor] | None = {} if keep else None

    @functools.cached_property
    def _longest_hotwords(self) -> list[str]:
        return self._hotwords.longest(self._front_end.context_tokens) if self._hotwords else []

    def unread(self) -> list[Unread]:
        """Those for which there are no outputs of frozen parts, because their audio could not be read."""
        found = sorted(self.frozen.unreadable.items()) if self.frozen else []
        return [
            Unread(index=index, key=self.utterances[index].key, reason=why.reason, detail=why.detail)
            for index, why in found
        ]

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def frames(self) -> np.ndarray:
        """Stacked frames of each utterance, at its own speed."""
        return self.utterances.rows()["frames"]

    def indices(self, epoch: int) -> np.ndarray:
        """Indices (int32) of an epoch's utterances, of some perhaps none or several; one at least."""
        if self._weights is None:
            return np.arange(len(self), dtype=np.int32)
        random, found = np.random.default_rng([self._seed, epoch, 1]), []
        for start, rows in self.utterances.blocks():
            weights = self._weights[rows["manifest"]]
            whole = np.floor(weights)
            times = (whole + (random.random(len(rows)) < weights - whole)).astype(np.int64)
            found.append(np.repeat(np.arange(start, start + len(rows), dtype=np.int32), times))
        drawn = np.concatenate(found)
        if not len(drawn):  # which small weights can come to
            rows = self.utterances.rows()
            possible = np.flatnonzero(self._weights[rows["manifest"]])
            drawn = random.choice(possible, 1).astype(np.int32)
        return drawn

    def lengths(self, epoch: int) -> Callable[[np.ndarray], np.ndarray]:
        """What says of indices [n] how long each utterance is in an epoch [n]: its stacked frames or its tokens of
        text, whichever are more, so that a batch within a budget of lengths is within it in both."""
        sizes = self.sizes(epoch)
        return lambda indices: np.maximum(*sizes(indices))

    def sizes(self, epoch: int) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """What says of indices [n] the most stacked frames [n] and tokens of text [n] of utterances in an epoch."""
        rows, augment = self.utterances.rows(), self._augment

        def of(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            chosen = rows[indices]
            frames = chosen["frames"].astype(np.int64)
            if augment and augment.changes_speed:
                frames = np.rint(frames / augment.speeds(epoch, chosen["key"])).astype(np.int64) + 1
            return frames, chosen["text"].astype(np.int64)

        return of

    def most_text(self) -> int:
        """The most tokens of text that any utterance has."""
        return max(int(rows["text"].max()) for _, rows in self.utterances.blocks())

    def _slowest(self, frames: np.ndarray) -> np.ndarray:
        """The most stacked frames in any epoch of utterances of so many."""
        return at_speed(frames.astype(np.int64), min(1.0, self._augment.slowest) if self._augment else 1.0)

    def longest(self) -> int:
        """The largest length that any utterance has in any epoch."""
        return max(int(self._longest(rows).max()) for _, rows in self.utterances.blocks())

    def _longest(self, rows: np.ndarray) -> np.ndarray:
        return np.maximum(self._slowest(rows["frames"]), rows["text"])

    def extremes(self) -> dict[int, int]:
        """Of the longest utterance, and of those with the most audio and the most tokens of text for their length:
        index, and largest length in any epoch."""
        best: dict[int, tuple[float, int, int]] = {}
        for start, rows in self.utterances.blocks():
            lengths = self._longest(rows)
            shares = lengths, rows["frames"] / lengths, (rows["text"] + self.utterances.common_tokens) / lengths
            for kind, share in enumerate(shares):
                equal = np.flatnonzero(share == share.max())
                at = int(equal[lengths[equal].argmax()])
                found = float(share[at]), int(lengths[at]), -(start + at)
                best[kind] = max(best.get(kind, found), found)
        return {-place: length for _, length, place in best.values()}

    def stand_in(self, index: int) -> Item:
        """An item of silence as large as the utterance's largest."""
        frames = int(self._slowest(self.utterances.row(index)["frames"]))
        utterance = self.utterances[index]
        prompt = listed(utterance.prompt, self._longest_hotwords)
        rows = (self.frozen.rows(index) if self.frozen else 0) or frames
        return self._silence(utterance, rows, frames, prompt)

    def _silence(self, utterance: Utterance, rows: int, frames: int, prompt: str) -> Item:
        width = self.frozen.width if self.frozen else FRAME_WIDTH
        return self._item(utterance, torch.zeros(rows, width), frames, prompt)

    def _item(self, utterance: Utterance, features: torch.Tensor, frames: int, prompt: str) -> Item:
        """An utterance of so many stacked frames; `features` are these, or what frozen parts made of them."""
        example = self._front_end.example(frames, prompt, utterance.text, utterance.after)
        sounds = tuple(self.ctc_tokens.encode(utterance.text)) if self.ctc_tokens else None
        if self.frozen:
            return FrozenItem(utterance.key, features, example, frames, self.frozen.name, ctc_tokens=sounds)
        return Item(utterance.key, features, example, ctc_tokens=sounds)

    def __getitem__(self, position: tuple[int, int]) -> Item | Unreadable:
        epoch, index = position
        utterance = self.utterances[index]
        try:
            features, frames = self.frozen[index] if self.frozen else self._augmented(epoch, index, utterance)
        except AudioError as error:
            what = Unread(index=index, key=utterance.key, reason=error.reason, detail=error.detail)
            return Unreadable(what, self._silence(utterance, 1, 1, utterance.prompt))
        prompt = utterance.prompt
        if self._hotwords:
            prompt = listed(prompt, self._hotwords.draw(epoch, utterance.key, utterance.text))
        return self._item(utterance, features, frames, prompt)

    def _augmented(self, epoch: int, index: int, utterance: Utterance) -> tuple[torch.Tensor, int]:
        """Stacked frames of an utterance with this epoch's masks, and their number."""
        features = self._features(epoch, index, utterance)
        if self._augment:
            features = self._augment.features(features, epoch, utterance.key)
        return features, len(features)

    def _features(self, epoch: int, index: int, utterance: Utterance) -> torch.Tensor:
        version = index, self._augment.speed(epoch, utterance.key) if self._augment else 1.0
        if self._cache is not None and version in self._cache:
            return self._cache[version]
        waveform = self._waveform(utterance)
        if self._augment is not None:
            waveform = self._augment.waveform(waveform, epoch, utterance.key)
        features = self._front_end.features(waveform)
        _check(features, utterance.source)
        if self._cache is not None:
            self._cache[version] = features
        return features

    def _waveform(self, utterance: Utterance) -> np.ndarray:
        """The utterance's samples. AudioError if they cannot be read, are too few for a frame, or not finite."""
        waveform = audio.read(
            utterance.source,
            start=utterance.start,
            end=utterance.end,
            channel="average" if utterance.channel is None else utterance.channel,
            fetch_policy=self._fetch_policy,
        )
        if len(waveform) < audio.MIN_SAMPLES:
            raise AudioError("audio-too-short", f"{utterance.source}: {len(waveform)} samples at 16 kHz")
        if not np.isfinite(waveform).all():
            raise AudioError("audio-not-finite", f"{utterance.source}: NaN or infinite samples")
        return waveform


def _check(features: torch.Tensor, source: str) -> None:
    """AudioError where stacked frames are not such as the model can take."""
    if len(features) > ENCODER_FRAMES:
        raise AudioError("audio-too-long", f"{source}: {len(features)} frames, the encoder takes {ENCODER_FRAMES}")
    if not torch.isfinite(features).all():
        raise AudioError("audio-not-finite", f"{source}: samples too large for features")
