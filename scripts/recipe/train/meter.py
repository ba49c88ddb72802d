"""Throughput of a training run, and its share of what the device can do."""

import time

import torch

from recipe.model.features import FRAME_SECONDS
from recipe.model.network import Recognizer
from recipe.settings.train import PARTS, TrainSettings
from recipe.text.prompt import IGNORED
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

    def count(self, inputs: dict[str, torch.Tensor]) -> None:
        """Add a batch (of tensors that may still be on the CPU)."""
        frames = inputs["input_features_mask"].sum(1).tolist()
        tokens = inputs["attention_mask"].sum(1).tolist()
        targets = (inputs["labels"] != IGNORED).sum(1).tolist()
        self._frames += sum(frames)
        self._padded += inputs["input_features_mask"].numel()
        self._tokens += sum(tokens)
        if self._peak:
            for utterance in zip(frames, tokens, targets, strict=True):
                self._operations += flops.training(flops.forward(self._config, *utterance), self._trained, self._cached)

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
