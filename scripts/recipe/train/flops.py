"""How much arithmetic a training step is, by formula, for throughput as a share of what the device can do.

Counts multiply-adds of matrix products as two operations and leaves out norms, activations and softmax, as is usual
(Kaplan et al. 2020, appendix B; PaLM, appendix B).
"""

import re
from dataclasses import dataclass

import numpy as np
import torch

# Dense bf16 matrix throughput with sums in 32 bits by data sheet, TFLOP/s, by words of the device's name.
PEAK_TFLOPS = {
    "GB200": 2500, "B200": 2250, "GH200": 989, "H200": 989, "H100": 989, "H800": 989, "H20": 148,
    "A100": 312, "A800": 312, "L40S": 362, "L40": 181, "L20": 119, "L4": 121, "A40": 150, "A30": 165,
    "A10": 125, "A10G": 70, "RTX 5090": 209, "RTX 4090": 165, "RTX 3090": 71, "RTX 6000 Ada": 364, "RTX A6000": 155,
}  # fmt: skip


@dataclass(frozen=True)
class Forward:
    """Floating-point operations of a forward pass, by part of the model; arrays for several utterances."""

    encoder: float | np.ndarray
    adaptor: float | np.ndarray
    llm: float | np.ndarray
    head: float | np.ndarray


Number = int | np.ndarray  # of one utterance, or of several [utterances]


def forward(config, frames: Number, tokens: Number, targets: Number) -> Forward:
    """Operations for an utterance of `frames` stacked frames that makes a sequence of `tokens`, of which `targets`
    carry a loss. `config` is the model's FunAsrNanoConfig."""
    return Forward(
        _encoder(config.audio_config, frames),
        _adaptor(config, frames),
        _llm(config.text_config, tokens),
        2.0 * targets * config.text_config.hidden_size * config.text_config.vocab_size,
    )


def _block(width: int, ffn: int, frames: Number) -> float | np.ndarray:
    """One bidirectional block: four projections, two of the feed-forward, scores and weighted sum."""
    return frames * (2.0 * (4 * width * width + 2 * width * ffn) + 4.0 * frames * width)


def _encoder(audio, frames: Number) -> float | np.ndarray:
    width = audio.hidden_size
    blocks = audio.num_hidden_layers * _block(width, audio.intermediate_size, frames)
    memory = audio.num_hidden_layers * frames * 2.0 * width * audio.fsmn_kernel_size
    wider_input = frames * 2.0 * 3 * (audio.input_size - width) * width  # the first block's query, key and value
    return blocks + memory + wider_input


def _adaptor(config, frames: Number) -> float | np.ndarray:
    adaptor = config.adaptor_config
    into = 2.0 * (config.audio_config.hidden_size + adaptor.hidden_size) * adaptor.projector_hidden_size
    return frames * into + adaptor.num_hidden_layers * _block(adaptor.hidden_size, adaptor.intermediate_size, frames)


def _llm(text, tokens: Number) -> float | np.ndarray:
    heads, keys = text.num_attention_heads * text.head_dim, text.num_key_value_heads * text.head_dim
    weights = text.hidden_size * (2 * heads + 2 * keys + 3 * text.intermediate_size)
    attention = 4.0 * tokens * heads / 2  # causal: half of the pairs
    return text.num_hidden_layers * tokens * (2.0 * weights + attention)


def training(passes: Forward, trained: set[str], cached: set[str] = frozenset()) -> float | np.ndarray:
    """Operations of forward and backward when the parts in `trained` ("encoder", "adaptor", "llm") learn.

    A part that learns costs its forward pass three times; a frozen one that gradients must cross on their way to an
    earlier part twice; a frozen one with nothing to learn before it once, or not at all if its outputs are `cached`.
    """
    times = {}
    crossed = False
    for part in ("encoder", "adaptor", "llm"):
        times[part] = 3 if part in trained else 2 if crossed else 0 if part in cached else 1
        crossed = crossed or part in trained
    return (
        times["encoder"] * passes.encoder
        + times["adaptor"] * passes.adaptor
        + times["llm"] * (passes.llm + passes.head)
    )


def peak_flops(device: torch.device) -> float | None:
    """The device's dense bf16 peak in operations a second, where the table knows it."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((1e12 * peak for words, peak in PEAK_TFLOPS.items() if re.search(rf"\b{words}\b", name)), None)
