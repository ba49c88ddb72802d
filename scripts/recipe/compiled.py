"""The model's layers compiled for training on a GPU.

Eager, a step of the full-size model is some 20,000 small operations: the GPU waits for the CPU to name them, and most of
its own time goes into reading and writing what lies between matrix products. Compiled, a layer is a few fused kernels.
Layers are compiled rather than the whole model: all layers of a kind share one graph, so that it takes a minute instead
of many, and what comes between them (masks, places of the audio) stays as it is.


import torch
from torch import nn

# Graphs that may share one piece of code: the kinds of layers, times what is trained of them, times a batch of one row.
_GRAPHS = 64


def compile_layers(model: nn.Module) -> None:
    """Compile the layers of encoder, adaptor and language model in place, for batches of any shape. Parameters keep
    their names and values. Evaluation is to run under `eager`, since it has other shapes and happens rarely."""
    torch._dynamo.config.recompile_limit = _GRAPHS
    network = model.model
    for module in network.audio_tower.modules():
        if type(module).__name__ == "FunAsrNanoFSMN":
            module.conv.__class__ = _Taps
    for layers in (network.audio_tower.layers, network.multi_modal_projector.layers, network.language_model.layers):
        for layer in layers:
            layer.compile(dynamic=True)


def eager():
    """A context, or a decorator, in which nothing is compiled and what is compiled is not used."""
    return torch.compiler.set_stance("force_eager")


class _Taps(nn.Conv1d):
    """A depthwise convolution over time as a sum of shifted products, which the compiler fuses with what is around it.
    The kernels for it are slow: forward and backward took as long as a third of all matrix products."""

    def forward(self, padded: torch.Tensor) -> torch.Tensor:
        """[batch, channels, time] of `padded` [batch, channels, time + kernel - 1]."""
        if not torch.compiler.is_compiling():
            return super().forward(padded)
        taps = self.weight.to(padded.dtype)[:, 0]
        frames = padded.shape[2] - taps.shape[1] + 1
        return sum(padded[:, :, tap : tap + frames] * taps[:, tap, None] for tap in range(taps.shape[1]))
