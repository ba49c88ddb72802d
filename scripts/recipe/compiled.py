"""The model's layers compiled for training on a GPU.

Eager, a step of the full-size model is thousands of small operations: the GPU waits for the CPU to name them, and most
of its own time goes into reading and writing what lies between matrix products. Compiled, a layer is a few fused
kernels. Layers are compiled rather than the whole model: all layers of a kind share one graph, for batches of any
shape, and what comes between them (masks, places of the audio) stays as it is.
"""

import torch
import torch._dynamo.config
import torch._inductor.config
from torch import nn

# Graphs that may share one piece of code: the kinds of layers, times what is trained of them, times a batch of one row.
_GRAPHS = 64


class _ShiftedConv(nn.Conv1d):
    """A depthwise convolution as a sum of shifted products: the compiler fuses it with what is around it, where the
    library's gradient of so narrow a convolution is the slowest kernel of a layer."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[batch, channels, frames] to [batch, channels, frames - kernel size + 1]."""
        if not torch.compiler.is_compiling():
            return super().forward(states)
        frames = states.shape[2] - self.kernel_size[0] + 1
        taps = self.weight[:, 0].unbind(1)
        products = (states[:, :, k : k + frames] * tap[:, None] for k, tap in enumerate(taps))
        return sum(products).to(states.dtype)


def compile_layers(model: nn.Module) -> None:
    """Compile the layers of encoder, adaptor and language model, and the loss, in place. Parameters keep their names
    and values. Evaluation is to run under `eager`: its shapes are others, and it is rare."""
    torch._dynamo.config.recompile_limit = _GRAPHS
    # Otherwise every kind of layer is compiled again where a batch crosses sizes that this fusion has thresholds for.
    torch._inductor.config.triton.mix_order_reduction_non_strict_mode = True
    network = model.model
    for layer in network.audio_tower.layers:
        layer.self_attn.fsmn.conv.__class__ = _ShiftedConv
    for layers in (network.audio_tower.layers, network.multi_modal_projector.layers, network.language_model.layers):
        for layer in layers:
            layer.compile(dynamic=True)
    model.cross_entropy = torch.compile(model.cross_entropy, dynamic=True)


def eager():
    """A context, or a decorator, in which nothing is compiled and what is compiled is not used."""
    return torch.compiler.set_stance("force_eager")
