"""The training set: utterances of manifests as items, augmented, by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recipe.audio import reading as audio
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data.manifest import Utterance
from recipe.files import RecipeError
from recipe.model.features import FRAME_WIDTH, FrontEnd, Item, stacked_frames
from recipe.text.prompt import HOTWORD_HEADER, with_hotwords
from recipe.train.augment import Augment
from recipe.train.frozen import FrozenOutputs
from recipe.train.hotwords import HotwordSampler


@dataclass(frozen=True)
class FrozenItem(Item):
    """An utterance whose `features` are what frozen parts of the model made of its `frames` stacked frames; `name` says
    which."""

    frames: int
    name: str


def most_frames(utterance: Utterance, slowest: float = 1.0) -> int:
    """Stacked frames of an utterance that is played at the factor of speed `slowest` or faster."""
    frames = max(1, stacked_frames(utterance.speech_length))
    return frames if slowest >= 1 else round(frames / slowest) + 1


class Utterances(torch.utils.data.Dataset):
    """Items of utterances by (epoch, index). Features of small sets are kept in memory once made, at each speed.

    `weights` says how often each utterance comes in an epoch on average: with 0.5 every second epoch or so, with 2
    twice in each. With `frozen` outputs of the model no audio is read.
    """

    CACHE_FRAMES = 200_000  # stacked frames, 2.2 kB each

    def __init__(
        self,
        utterances: Sequence[Utterance],
        front_end: FrontEnd,
        augment: Augment | None = None,
        hotwords: HotwordSampler | None = None,
        weights: Sequence[float] | None = None,
        seed: int = 0,
        fetch_policy: FetchPolicy = DEFAULT,
    ):
        self.utterances = utterances
        self.frozen: FrozenOutputs | None = None
        self._front_end = front_end
        self._augment = augment
        self._hotwords = hotwords
        self._weights = None if weights is None or set(weights) == {1.0} else np.asarray(weights)
        self._seed = seed
        self._fetch_policy = fetch_policy
        self.frames = [most_frames(utterance) for utterance in utterances]
        self.text_tokens = self._count_text_tokens()
        versions = augment.versions if augment else 1
        keep = 0 < sum(self.frames) * versions <= self.CACHE_FRAMES
        self._cache: dict[tuple[int, float], torch.Tensor] | None = {} if keep else None

    def _count_text_tokens(self) -> list[int]:
        """Tokens of each utterance's transcript and, where its prompt is longer than the shortest, of what makes it so:
        the longest hotwords that it may get, above all. What all have in common is `common_tokens`."""
        self._longest_hotwords = self._hotwords.longest(self._front_end.context_tokens) if self._hotwords else []
        contexts: dict[tuple[str, str], int] = {}
        for prompt, after in {(u.prompt, u.after) for u in self.utterances}:
            listed = self._with_hotwords(prompt, self._longest_hotwords)
            contexts[prompt, after] = self._front_end.context_tokens(listed, after)
        shortest = min((self._front_end.context_tokens(prompt, after) for prompt, after in contexts), default=0)
        self.common_tokens = shortest + 1  # and the token that ends a transcript
        return [u.text_length + contexts[u.prompt, u.after] - shortest for u in self.utterances]

    @staticmethod
    def _with_hotwords(prompt: str, words: Sequence[str]) -> str:
        """A prompt with hotwords, unless the data has given it some."""
        return prompt if HOTWORD_HEADER in prompt else with_hotwords(prompt, words)

    def __len__(self) -> int:
        return len(self.utterances)

    def plan(self, epoch: int) -> tuple[list[int], list[int]]:
        """Indices of an epoch's utterances, and the length of each in it: its stacked frames or its tokens of text,
        whichever are more, so that a batch within a budget of lengths is within it in both."""
        indices = self._indices(epoch)
        if self._augment is None or not self._augment.changes_speed:
            return indices, [max(self.frames[i], self.text_tokens[i]) for i in indices]
        speeds = (self._augment.speed(epoch, self.utterances[i].key) for i in indices)
        frames = (round(self.frames[i] / speed) + 1 for i, speed in zip(indices, speeds, strict=True))
        return indices, [max(count, self.text_tokens[i]) for i, count in zip(indices, frames, strict=True)]

    def longest(self) -> list[int]:
        """The largest length that each utterance has in any epoch."""
        frames = map(self._most_frames, range(len(self)))
        return [max(count, text) for count, text in zip(frames, self.text_tokens, strict=True)]

    def _most_frames(self, index: int) -> int:
        return most_frames(self.utterances[index], self._augment.slowest if self._augment else 1.0)

    def stand_in(self, index: int) -> Item:
        """An item of silence as large as the utterance's largest."""
        utterance, frames = self.utterances[index], self._most_frames(index)
        prompt = self._with_hotwords(utterance.prompt, self._longest_hotwords)
        example = self._front_end.example(frames, prompt, utterance.text, utterance.after)
        if self.frozen:
            features = torch.zeros(self.frozen.rows(index), self.frozen.width)
            return FrozenItem(utterance.key, features, example, frames, self.frozen.name)
        return Item(utterance.key, torch.zeros(frames, FRAME_WIDTH), example)

    def _indices(self, epoch: int) -> list[int]:
        if self._weights is None:
            return list(range(len(self.utterances)))
        whole = np.floor(self._weights)
        drawn = np.random.default_rng([self._seed, epoch, 1]).random(len(self._weights)) < self._weights - whole
        return np.repeat(np.arange(len(self._weights)), (whole + drawn).astype(int)).tolist()

    def __getitem__(self, position: tuple[int, int]) -> Item:
        epoch, index = position
        utterance = self.utterances[index]
        prompt = utterance.prompt
        if self._hotwords:
            prompt = self._with_hotwords(prompt, self._hotwords.draw(epoch, utterance.key, utterance.text))
        if self.frozen:
            features, frames = self.frozen[index]
        else:
            features = self._features(epoch, index)
            if self._augment:
                features = self._augment.features(features, epoch, utterance.key)
            frames = len(features)
        example = self._front_end.example(frames, prompt, utterance.text, utterance.after)
        if self.frozen:
            return FrozenItem(utterance.key, features, example, frames, self.frozen.name)
        return Item(utterance.key, features, example)

    def _features(self, epoch: int, index: int) -> torch.Tensor:
        utterance = self.utterances[index]
        version = index, self._augment.speed(epoch, utterance.key) if self._augment else 1.0
        if self._cache is not None and version in self._cache:
            return self._cache[version]
        try:
            waveform = audio.read(
                utterance.source,
                start=utterance.start,
                end=utterance.end,
                channel="average" if utterance.channel is None else utterance.channel,
                fetch_policy=self._fetch_policy,
            )
        except AudioError as error:
            # The data stage checked this file: if it is gone now, going on would train on other data than was said.
            raise RecipeError(f"utterance {utterance.key}: {error}; run the data stage again") from None
        if self._augment is not None:
            waveform = self._augment.waveform(waveform, epoch, utterance.key)
        features = self._front_end.features(waveform)
        if self._cache is not None:
            self._cache[version] = features
        return features
