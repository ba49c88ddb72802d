"""Features and batches: waveforms to stacked fbank frames, examples to padded tensors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recipe.audio.fbank import BINS, FRAME_LENGTH, FRAME_SHIFT, SAMPLING_RATE, fbank
from recipe.files import RecipeError
from recipe.model.network import Recognizer, audio_token_count
from recipe.text.prompt import IGNORED, Example

STACKED, STRIDE = 7, 6  # fbank frames in a stacked one, and from one to the next
FRAME_WIDTH = STACKED * BINS  # values of a stacked frame
FRAME_SECONDS = STRIDE * FRAME_SHIFT / SAMPLING_RATE  # from one stacked frame to the next: 0.06
# Seconds: where the first one begins. A stacked frame has three fbank frames before its own and three behind it, whose
# windows are centred half a window behind where they begin; so it stands for the 60 ms around the centre of its own.
FIRST_EDGE = FRAME_LENGTH / SAMPLING_RATE / 2 - FRAME_SECONDS / 2


@dataclass(frozen=True)
class Item:
    """One utterance ready for batching."""

    key: str
    features: torch.Tensor  # [stacked frames, 560]
    example: Example
    ctc_tokens: tuple[int, ...] | None = field(default=None, kw_only=True)  # of its text, where a CTC branch is trained


class FrontEnd:
    """Makes an `Item` of a waveform, with the front end, tokenizer and audio token setting of a model."""

    def __init__(self, recognizer: Recognizer):
        check_front_end(recognizer.processor, recognizer.source)
        self._prompts = recognizer.prompts
        self._mode = recognizer.audio_tokens

    def features(self, waveform: np.ndarray) -> torch.Tensor:
        """Stacked log-mel frames [frames, 560] of a 16 kHz waveform in -1..1 (80-bin Kaldi fbank, no dither)."""
        return stack(torch.from_numpy(fbank(waveform)))

    def item(self, key: str, waveform: np.ndarray, prompt: str, target: str | None = None, after: str = "") -> Item:
        """Features and tokens; without `target` the tokens end where the model is to write."""
        features = self.features(waveform)
        return Item(key, features, self.example(len(features), prompt, target, after))

    def example(self, frames: int, prompt: str, target: str | None = None, after: str = "") -> Example:
        """The tokens of an utterance of so many stacked frames."""
        return self._prompts.encode(prompt, audio_token_count(frames, self._mode), target, after)

    def audio_tokens(self, seconds: float) -> int:
        """The most tokens that so many seconds of audio can take."""
        return most_audio_tokens(seconds, self._mode)

    def context_tokens(self, prompt: str, after: str = "") -> int:
        """Number of tokens before the target, without those of the audio."""
        return len(self._prompts.encode(prompt, 0, None, after).input_ids)


def most_audio_tokens(seconds: float, mode: str) -> int:
    """The most tokens that so many seconds of audio can take, with an audio token setting."""
    samples = max(FRAME_LENGTH, math.ceil(seconds * SAMPLING_RATE) + 1)  # resampling may round up
    return audio_token_count(stacked_frames(1 + (samples - FRAME_LENGTH) // FRAME_SHIFT), mode)


def stacked_frames(frames: int) -> int:
    """How many stacked frames `stack` makes of so many fbank frames."""
    return -(-frames // STRIDE)


def stack(frames: torch.Tensor) -> torch.Tensor:
    """Stacked frames [ceil(n / 6), 560] of fbank frames [n, 80]: three before and three after every sixth, the first
    and the last repeated where there are none."""
    centres = torch.arange(0, len(frames), STRIDE)
    around = torch.arange(STACKED) - STACKED // 2
    return frames[(centres[:, None] + around).clamp_(0, len(frames) - 1)].flatten(1)


def check_front_end(processor, source: object) -> None:
    """RecipeError if the processor of a model, `source`, says that its front end is not the published one, which is
    computed here."""
    milliseconds = SAMPLING_RATE // 1000
    computed = {
        "feature_size": BINS,
        "sampling_rate": SAMPLING_RATE,
        "frame_length": FRAME_LENGTH // milliseconds,
        "frame_shift": FRAME_SHIFT // milliseconds,
        "num_frames_lfr": STACKED,
        "stride_lfr": STRIDE,
        "window": "hamming",
    }
    for name, value in computed.items():
        found = getattr(processor.feature_extractor, name)
        if found != value:
            raise RecipeError(f"{source}: processor_config.json: {name} {found!r}: only {value!r} is known")


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


def on_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch with its tensors on a device."""
    return {name: value.to(device) if torch.is_tensor(value) else value for name, value in batch.items()}
