"""The model's layers compiled for training on a GPU.

Eager, a step of the full-size model is thousands of small operations: the GPU waits for the CPU to name them, and most
of its own time goes into reading and writing what lies between matrix products. Compiled, a layer is a few fused
kernels. Layers are compiled rather than the whole model: all layers of a kind share one graph, for batches of any
shape, and what comes between them (masks, places of the audio) stays as it is.
"""

import torch
from torch import nn

# Graphs that may share one piece of code: the kinds of layers, times what is trained of them, times a batch of one row.
_GRAPHS = 64


def compile_layers(model: nn.Module) -> None:
    """Compile the layers of encoder, adaptor and language model in place. Parameters keep their names and values.
    Evaluation is to run under `eager`: its shapes are others, and it is rare."""
    torch._dynamo.config.recompile_limit = _GRAPHS
    network = model.model
    for layers in (network.audio_tower.layers, network.multi_modal_projector.layers, network.language_model.layers):
        for layer in layers:
            layer.compile(dynamic=True)


def eager():
    """A context, or a decorator, in which nothing is compiled and what is compiled is not used."""
    return torch.compiler.set_stance("force_eager")
