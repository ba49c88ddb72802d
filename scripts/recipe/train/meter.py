"""Throughput of a training run, and its share of what the device can do."""

import time

import numpy as np

from recipe.model.features import FRAME_SECONDS
from recipe.model.network import Recognizer
from recipe.settings.train import PARTS, TrainSettings
from recipe.train import flops


class Meter:
    """Throughput between two log lines, of this process's batches times the number of processes."""

    def __init__(self, recognizer: Recognizer, settings: TrainSettings):
        self._config = recognizer.model.config
        frozen = set(settings.freeze) | ({"llm"} if settings.lora else set())
        self._trained = set(PARTS) - frozen
        self._cached = set(settings.freeze) - {"llm"} if settings.cache_frozen else set()
        self._peak = flops.peak_flops(recognizer.model.device)
        self._restart(0)

    def _restart(self, step: int) -> None:
        self._started, self._step = time.monotonic(), step
        self._frames = self._padded = self._tokens = 0
        self._operations = self._waited = 0.0

    def wait(self, seconds: float) -> None:
        """Add time that was spent on waiting for a batch."""
        self._waited += seconds

    def pause(self, seconds: float) -> None:
        """Leave out time that was not spent on training."""
        self._started += seconds

    def count(self, counts: np.ndarray, padded: int) -> None:
        """Add a batch: stacked frames, tokens and targets of its utterances [utterances, 3], and its frames with those
        that are padding."""
        frames, tokens, targets = counts.T
        self._frames += int(frames.sum())
        self._padded += padded
        self._tokens += int(tokens.sum())
        if self._peak:
            passes = flops.forward(self._config, frames, tokens, targets)
            self._operations += float(flops.training(passes, self._trained, self._cached).sum())

    def read(self, step: int, processes: int) -> dict[str, float]:
        """The figures since the last reading."""
        seconds, steps = time.monotonic() - self._started, step - self._step
        if not steps or not self._padded:
            return {}
        found = {
            "seconds_per_step": round(seconds / steps, 4),
            "audio_hours_per_hour": round(self._frames * FRAME_SECONDS / seconds * processes, 1),
            "tokens_per_second": round(self._tokens / seconds * processes, 1),
            "padding": round(1 - self._frames / self._padded, 4),
            "data_wait": round(self._waited / seconds, 4),
        }
        if self._peak:
            found["share_of_peak"] = round(self._operations / seconds / self._peak, 4)
        self._restart(step)
        return found
