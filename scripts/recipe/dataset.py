"""The training set: utterances of manifests as items, augmented, by epoch."""

from collections.abc import Sequence

import numpy as np
import torch

from recipe import audio
from recipe.audio import AudioError
from recipe.augment import Augment
from recipe.features import FrontEnd, Item
from recipe.files import RecipeError
from recipe.manifest import Utterance


class Utterances(torch.utils.data.Dataset):
    """Items of utterances by (epoch, index). Features of small sets are kept in memory once made.

    `weights` says how often each utterance comes in an epoch on average: with 0.5 every second epoch or so, with 2
    twice in each.
    """

    CACHE_FRAMES = 200_000  # stacked frames, 2.2 kB each

    def __init__(
        self,
        utterances: Sequence[Utterance],
        front_end: FrontEnd,
        augment: Augment | None = None,
        weights: Sequence[float] | None = None,
        seed: int = 0,
        allow_commands: bool = False,
    ):
        self.utterances = utterances
        self._front_end = front_end
        self._augment = augment
        self._weights = None if weights is None or set(weights) == {1.0} else np.asarray(weights)
        self._seed = seed
        self._allow_commands = allow_commands
        self.frames = [max(1, (u.speech_length + 5) // 6) for u in utterances]
        keep = sum(self.frames) <= self.CACHE_FRAMES and not (augment and augment.changes_audio)
        self._cache: dict[int, Item] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.utterances)

    def plan(self, epoch: int) -> tuple[list[int], list[int]]:
        """Indices of an epoch's utterances, and the frames that each has in it."""
        indices = self._indices(epoch)
        if self._augment is None or not self._augment.changes_speed:
            return indices, [self.frames[i] for i in indices]
        speeds = (self._augment.speed(epoch, self.utterances[i].key) for i in indices)
        return indices, [round(self.frames[i] / speed) + 1 for i, speed in zip(indices, speeds, strict=True)]

    def _indices(self, epoch: int) -> list[int]:
        if self._weights is None:
            return list(range(len(self.utterances)))
        whole = np.floor(self._weights)
        drawn = np.random.default_rng([self._seed, epoch, 1]).random(len(self._weights)) < self._weights - whole
        return np.repeat(np.arange(len(self._weights)), (whole + drawn).astype(int)).tolist()

    def __getitem__(self, position: tuple[int, int]) -> Item:
        epoch, index = position
        item = self._item(epoch, index)
        if self._augment is None:
            return item
        return Item(item.key, self._augment.features(item.features, epoch, item.key), item.example)

    def _item(self, epoch: int, index: int) -> Item:
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        utterance = self.utterances[index]
        try:
            waveform = audio.read(
                utterance.source,
                start=utterance.start,
                end=utterance.end,
                channel="average" if utterance.channel is None else utterance.channel,
                allow_commands=self._allow_commands,
            )
        except AudioError as error:
            # The data stage checked this file: if it is gone now, going on would train on other data than was said.
            raise RecipeError(f"utterance {utterance.key}: {error}; run the data stage again") from None
        if self._augment is not None:
            waveform = self._augment.waveform(waveform, epoch, utterance.key)
        item = self._front_end.item(utterance.key, waveform, utterance.prompt, utterance.text, utterance.after)
        if self._cache is not None:
            self._cache[index] = item
        return item
