"""The training set: utterances of manifests as items, augmented, by epoch."""

import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recipe.audio import reading as audio
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data.manifest import Utterance
from recipe.files import RecipeError
from recipe.model.features import FRAME_SECONDS, FRAME_WIDTH, FrontEnd, Item, stacked_frames
from recipe.model.generate import Limits
from recipe.model.network import audio_token_count
from recipe.text.prompt import HOTWORD_HEADER, with_hotwords
from recipe.train.augment import Augment
from recipe.train.frozen import FrozenOutputs
from recipe.train.hotwords import HotwordSampler
from recipe.train.left_out import Unread

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

    def unread(self) -> list[Unread]:
        """Those for which there are no outputs of frozen parts, because their audio could not be read."""
        found = sorted(self.frozen.unreadable.items()) if self.frozen else []
        return [
            Unread(index=index, key=self.utterances[index].key, reason=why.reason, detail=why.detail)
            for index, why in found
        ]

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
        frames = self._most_frames(index)
        prompt = self._with_hotwords(self.utterances[index].prompt, self._longest_hotwords)
        rows = (self.frozen.rows(index) if self.frozen else 0) or frames
        return self._silence(index, rows, frames, prompt)

    def _silence(self, index: int, rows: int, frames: int, prompt: str) -> Item:
        width = self.frozen.width if self.frozen else FRAME_WIDTH
        return self._item(index, torch.zeros(rows, width), frames, prompt)

    def _item(self, index: int, features: torch.Tensor, frames: int, prompt: str) -> Item:
        """An utterance of so many stacked frames; `features` are these, or what frozen parts made of them."""
        utterance = self.utterances[index]
        example = self._front_end.example(frames, prompt, utterance.text, utterance.after)
        if self.frozen:
            return FrozenItem(utterance.key, features, example, frames, self.frozen.name)
        return Item(utterance.key, features, example)

    def most_tokens(self, audio_tokens: str, limits: Limits | None = None) -> list[int]:
        """Tokens of each utterance's prompt, audio and text, at most in any epoch; with `limits` of as much text as
        decoding may write. `audio_tokens` is the model's setting."""
        found = []
        for index, utterance in enumerate(self.utterances):
            frames, text = self._most_frames(index), utterance.text_length + 1  # and the token that ends it
            context = self.text_tokens[index] + self.common_tokens - text
            written = max(text, limits.tokens(frames * FRAME_SECONDS) if limits else 0)
            found.append(context + audio_token_count(frames, audio_tokens) + written)
        return found

    def without(self, left_out: Collection[int]) -> "Utterances":
        """The same set without some of its utterances."""
        kept = [index for index in range(len(self)) if index not in left_out]
        return Utterances(
            [self.utterances[index] for index in kept],
            self._front_end,
            self._augment,
            self._hotwords,
            None if self._weights is None else self._weights[kept],
            self._seed,
            self._fetch_policy,
        )

    def refuse_hotwords(self, audio_tokens: str, positions: int) -> None:
        """RecipeError if utterances would fit into so many positions, were it not for hotwords that they may get."""
        plain = Utterances(self.utterances, self._front_end, self._augment).most_tokens(audio_tokens)
        fitting = [index for index, tokens in enumerate(plain) if tokens <= positions]
        if not self._hotwords or not fitting:
            return
        ends = [choose(fitting, key=plain.__getitem__) for choose in (min, max)]
        shortest, longest = (self._words_within(index, positions - plain[index]) for index in ends)
        raise RecipeError(
            f"augment.hotwords: max_words is {self._hotwords.max_words}, and with the longest words no utterance fits "
            f"into the language model's {positions} positions; beside the shortest one {shortest} words fit, beside "
            f"the longest {longest}: lower max_words"
        )

    def _words_within(self, index: int, room: int) -> int:
        """How many of the longest hotwords add at most `room` tokens to an utterance's prompt."""
        utterance, words = self.utterances[index], self._longest_hotwords
        bare = self._front_end.context_tokens(utterance.prompt, utterance.after)

        def is_too_much(count: int) -> bool:
            listed = self._with_hotwords(utterance.prompt, words[len(words) - count :])
            return self._front_end.context_tokens(listed, utterance.after) - bare > room

        return bisect.bisect_left(range(1, len(words) + 1), True, key=is_too_much)

    def _indices(self, epoch: int) -> list[int]:
        if self._weights is None:
            return list(range(len(self.utterances)))
        whole = np.floor(self._weights)
        drawn = np.random.default_rng([self._seed, epoch, 1]).random(len(self._weights)) < self._weights - whole
        return np.repeat(np.arange(len(self._weights)), (whole + drawn).astype(int)).tolist()

    def __getitem__(self, position: tuple[int, int]) -> Item | Unreadable:
        epoch, index = position
        utterance = self.utterances[index]
        try:
            features, frames = self.frozen[index] if self.frozen else self._augmented_features(epoch, index)
        except AudioError as error:
            what = Unread(index=index, key=utterance.key, reason=error.reason, detail=error.detail)
            return Unreadable(what, self._silence(index, 1, 1, utterance.prompt))
        prompt = utterance.prompt
        if self._hotwords:
            prompt = self._with_hotwords(prompt, self._hotwords.draw(epoch, utterance.key, utterance.text))
        return self._item(index, features, frames, prompt)

    def _augmented_features(self, epoch: int, index: int) -> tuple[torch.Tensor, int]:
        """Stacked frames of an utterance with this epoch's masks, and their number."""
        features = self._features(epoch, index)
        if self._augment:
            features = self._augment.features(features, epoch, self.utterances[index].key)
        return features, len(features)

    def _features(self, epoch: int, index: int) -> torch.Tensor:
        utterance = self.utterances[index]
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
