"""Linear layers on a CPU by oneDNN, for inference only, on processors where that is faster.

PyTorch's default (MKL) does not use every processor's widest instructions. Measured on one core of two AMD EPYC: 225
GFLOP/s instead of 102 on one, 106 instead of 102 on another, where the half millisecond and more that oneDNN takes for
each new shape is lost.
"""

import functools
import time
from collections.abc import Callable

import torch
from torch import nn

MIN_ROWS = 16  # fewer rows are faster the usual way
WORTH = 1.4  # times as fast as the default; in between nothing was seen, so that every run of a machine decides alike
_AVAILABLE = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """As torch's, without gradients."""
    if states.numel() < MIN_ROWS * weight.shape[1] or not _suits(weight) or not is_faster():
        return nn.functional.linear(states, weight, bias)
    return _by_onednn(states, weight, bias)


def _by_onednn(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    # The operator that torch.compile uses for a linear layer.
    return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")


def _suits(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32


@functools.cache
def is_faster() -> bool:
    """Whether oneDNN is much the faster one here, by timing both (some 20 ms)."""
    if not _AVAILABLE:
        return False
    states, weight = torch.ones(256, 512), torch.ones(512, 512)
    ways = nn.functional.linear, _by_onednn
    # In turns, and the best of each, because other work on the machine comes and goes.
    rounds = [[_seconds(lambda way=way: way(states, weight)) for way in ways] for _ in range(6)]
    usual, onednn = map(min, zip(*rounds, strict=True))
    return usual > WORTH * onednn


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


class _FastLinear(nn.Linear):
    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return super().forward(states) if torch.is_grad_enabled() else linear(states, self.weight, self.bias)


def use(model: nn.Module) -> None:
    """Let the linear layers of a model in 32 bits on a CPU compute by oneDNN, where that is faster."""
    for module in model.modules():
        if type(module) is nn.Linear and _suits(module.weight) and is_faster():
            module.__class__ = _FastLinear
