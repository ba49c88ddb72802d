"""Augmentation of training audio: speed, noise, room impulse responses, and masks on the features (SpecAugment).

Every choice follows from the seed, the epoch and the utterance's key, so that it is the same after a resume and for
any number of workers. Validation and decoding never pass here.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr
import torch

from recipe.audio import reading as audio
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data import datadir
from recipe.files import RecipeError
from recipe.settings.train import AugmentSettings
from recipe.text import tables
from recipe.train import draws

BINS = 80  # mel bins in each of the frames that are stacked into one


@dataclass(frozen=True)
class Recordings:
    """Noises or impulse responses of data directories, read when they are needed."""

    sources: tuple[str, ...]
    seconds: tuple[float, ...]  # of each
    fetch_policy: FetchPolicy

    @classmethod
    def of(cls, directories: Sequence[str], fetch_policy: FetchPolicy) -> "Recordings":
        """All entries of the directories' wav.scp. RecipeError where a header says that one cannot be used: better now
        than in the middle of a training."""
        sources, seconds = [], []
        for directory in directories:
            scp = f"{directory}/wav.scp"
            for key, entry in tables.read_map(scp).items():
                sources.append(datadir.resolve(entry, scp))
                try:
                    seconds.append(audio.probe(sources[-1], fetch_policy).seconds)
                except AudioError as error:
                    raise RecipeError(f"augment: {scp}: {key}: {error}; mend it or take it out") from None
        if directories and not sources:
            raise RecipeError(f"{', '.join(directories)}: no recordings")
        return cls(tuple(sources), tuple(seconds), fetch_policy)

    def draw(self, random: np.random.Generator, seconds: float = np.inf) -> np.ndarray:
        """One of them as a 16 kHz waveform, or of one that is longer than `seconds` as much from a random place."""
        chosen = random.integers(len(self.sources))
        start, end = 0.0, None
        if (spare := self.seconds[chosen] - seconds) > 0:
            start = random.uniform(0, spare)
            end = start + seconds
        try:
            waveform = audio.read(self.sources[chosen], start=start, end=end, fetch_policy=self.fetch_policy)
            if not np.isfinite(waveform).all():
                raise AudioError("audio-not-finite", f"{self.sources[chosen]}: NaN or infinite samples")
        except AudioError as error:
            raise RecipeError(f"augment: {error}; mend it or take it out of its wav.scp") from None
        return waveform


class Augment:
    """Applies the settings to utterances."""

    def __init__(self, settings: AugmentSettings, seed: int, fetch_policy: FetchPolicy = DEFAULT):
        self._settings = settings
        self._seed = seed
        self._noises = Recordings.of(settings.noise, fetch_policy)
        self._rooms = Recordings.of(settings.reverb, fetch_policy)

    @property
    def versions(self) -> int:
        """How many waveforms an utterance has over all epochs; 0 if they are without number."""
        return 0 if self._noises.sources or self._rooms.sources else len(set(self._settings.speeds))

    @property
    def changes_speed(self) -> bool:
        return self._settings.speeds != (1.0,)

    @property
    def slowest(self) -> float:
        """The least factor of speed."""
        return min(self._settings.speeds)

    @property
    def fastest(self) -> float:
        """The largest factor of speed."""
        return max(self._settings.speeds)

    def _random(self, epoch: int, key: str, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, epoch, zlib.crc32(key.encode()), purpose])

    def speeds(self, epoch: int, keys: np.ndarray) -> np.ndarray:
        """How much faster each utterance is played in this epoch [n], of the CRC-32 of their keys [n]."""
        speeds = np.array(self._settings.speeds)
        return speeds[(draws.uniform(keys, self._seed, epoch, 0) * len(speeds)).astype(np.int64)]

    def speed(self, epoch: int, key: str) -> float:
        """How much faster the utterance is played in this epoch."""
        if not self.changes_speed:
            return 1.0
        return float(self.speeds(epoch, np.array([zlib.crc32(key.encode())]))[0])

    def waveform(self, waveform: np.ndarray, epoch: int, key: str) -> np.ndarray:
        """The waveform with this epoch's speed, room and noise."""
        random = self._random(epoch, key, 1)
        if (speed := self.speed(epoch, key)) != 1.0:
            waveform = soxr.resample(waveform, round(audio.SAMPLING_RATE * speed), audio.SAMPLING_RATE)
        if self._rooms.sources and random.random() < self._settings.reverb_share:
            waveform = reverberate(waveform, self._rooms.draw(random))
        if self._noises.sources and random.random() < self._settings.noise_share:
            low, high = self._settings.snr_db
            noise = self._noises.draw(random, len(waveform) / audio.SAMPLING_RATE)
            waveform = add_noise(waveform, noise, random.uniform(low, high), random)
        return waveform.astype(np.float32)

    def features(self, features: torch.Tensor, epoch: int, key: str) -> torch.Tensor:
        """The stacked frames [frames, 560] with this epoch's masks, filled with each column's mean."""
        settings = self._settings
        if not settings.frequency_masks and not settings.time_masks:
            return features
        random = self._random(epoch, key, 2)
        mean = features.mean(dim=0)
        masked = features.clone()
        stacked = torch.arange(features.shape[1]) % BINS
        for _ in range(settings.frequency_masks):
            width = int(random.integers(settings.frequency_width + 1))
            start = int(random.integers(BINS - width + 1))
            columns = (stacked >= start) & (stacked < start + width)
            masked[:, columns] = mean[columns]
        longest = int(settings.time_share * len(features))
        for _ in range(settings.time_masks):
            width = int(random.integers(longest + 1))
            start = int(random.integers(len(features) - width + 1))
            masked[start : start + width] = mean
        return masked


def add_noise(speech: np.ndarray, noise: np.ndarray, snr_db: float, random: np.random.Generator) -> np.ndarray:
    """`speech` with `noise` at a signal-to-noise ratio in dB; noise is repeated where it is shorter, and taken from a
    random place where it is longer."""
    if not noise.any():
        return speech
    noise = np.tile(noise, -(-len(speech) // len(noise)))
    start = random.integers(len(noise) - len(speech) + 1)
    noise = noise[start : start + len(speech)]
    power = float(np.mean(noise**2))
    if not power:
        return speech
    gain = np.sqrt(float(np.mean(speech**2)) / power / 10 ** (snr_db / 10))
    return speech + gain * noise


def reverberate(speech: np.ndarray, response: np.ndarray) -> np.ndarray:
    """`speech` in a room, from the direct sound on and at the same power, as long as before."""
    response = response[int(np.abs(response).argmax()) :]
    size = 1 << (len(speech) + len(response) - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(speech, size) * np.fft.rfft(response, size), size)[: len(speech)]
    power = float(np.mean(wet**2))
    return wet * np.sqrt(float(np.mean(speech**2)) / power) if power else speech
