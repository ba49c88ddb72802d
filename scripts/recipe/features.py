"""Features and batches: waveforms to stacked fbank frames, examples to padded tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recipe.fbank import WAVEFORM_SCALE
from recipe.model import Recognizer, audio_token_count
from recipe.prompt import IGNORED, Example


@dataclass(frozen=True)
class Item:
    """One utterance ready for batching."""

    key: str
    features: torch.Tensor  # [stacked frames, 560]
    example: Example


class FrontEnd:
    """Makes an `Item` of a waveform, with the front end, tokenizer and audio token setting of a model."""

    def __init__(self, recognizer: Recognizer):
        self._extractor = recognizer.processor.feature_extractor
        self._prompts = recognizer.prompts
        self._mode = recognizer.audio_tokens

    def features(self, waveform: np.ndarray) -> torch.Tensor:
        """Stacked log-mel frames [frames, 560] of a 16 kHz waveform in -1..1 (80-bin Kaldi fbank, no dither)."""
        scaled = waveform * np.float32(WAVEFORM_SCALE)
        return self._extractor(scaled, sampling_rate=self._extractor.sampling_rate)["input_features"][0]

    def item(self, key: str, waveform: np.ndarray, prompt: str, target: str | None = None, after: str = "") -> Item:
        """Features and tokens; without `target` the tokens end where the model is to write."""
        features = self.features(waveform)
        return Item(key, features, self.example(len(features), prompt, target, after))

    def example(self, frames: int, prompt: str, target: str | None = None, after: str = "") -> Example:
        """The tokens of an utterance of so many stacked frames."""
        return self._prompts.encode(prompt, audio_token_count(frames, self._mode), target, after)

    def context_tokens(self, prompt: str, after: str = "") -> int:
        """Number of tokens before the target, without those of the audio."""
        return len(self._prompts.encode(prompt, 0, None, after).input_ids)


def collate(items: Sequence[Item], pad_id: int, left: bool = False) -> dict[str, torch.Tensor]:
    """Pad items to tensors: input_features [B, T, 560] with input_features_mask [B, T], input_ids, attention_mask and
    labels [B, N]. Tokens are padded on the right for training, on the left (`left`) for decoding."""
    longest = max(len(item.example.input_ids) for item in items)
    batch = {
        "input_features": torch.nn.utils.rnn.pad_sequence([item.features for item in items], batch_first=True),
        "input_ids": torch.full((len(items), longest), pad_id),
        "attention_mask": torch.zeros(len(items), longest, dtype=torch.long),
        "labels": torch.full((len(items), longest), IGNORED),
    }
    frames = torch.tensor([len(item.features) for item in items])
    mask = torch.arange(batch["input_features"].shape[1]) < frames[:, None]
    batch["input_features_mask"] = mask.long()
    for row, item in enumerate(items):
        n = len(item.example.input_ids)
        place = slice(longest - n, longest) if left else slice(0, n)
        batch["input_ids"][row, place] = torch.tensor(item.example.input_ids)
        batch["attention_mask"][row, place] = 1
        batch["labels"][row, place] = torch.tensor(item.example.labels)
    return batch
