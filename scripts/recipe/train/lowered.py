"""Frozen linear layers that keep a copy of their weights in bfloat16 while a model is trained in it.

Autocast casts the weights of every product in every forward pass, and keeps what it made for trained ones alone. A
frozen weight is always cast to the same numbers, so that once is enough. Weights stay what and where they are.
"""

import torch
from torch import nn


class LoweredLinear(nn.Linear):
    """A linear layer that multiplies with its copies where autocast would make them."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[..., inputs] to [..., outputs]."""
        if not torch.is_autocast_enabled(states.device.type):
            return super().forward(states)
        return nn.functional.linear(states, self.low_weight, self.low_bias)


def lower(model: nn.Module) -> None:
    """Give frozen linear layers their copies. The model must be where it is trained, with all that is frozen frozen."""
    for module in model.modules():
        if type(module) is nn.Linear and not any(one.requires_grad for one in module.parameters()):
            module.__class__ = LoweredLinear
            # Attributes, no buffers: no checkpoint and no other process is to have them.
            module.low_weight = module.weight.detach().bfloat16()
            module.low_bias = None if module.bias is None else module.bias.detach().bfloat16()


def undo(model: nn.Module) -> None:
    """Take the copies away, before weights change."""
    for module in model.modules():
        if isinstance(module, LoweredLinear):
            del module.low_weight, module.low_bias
            module.__class__ = nn.Linear
