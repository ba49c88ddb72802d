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
from transformers.models.fun_asr_nano.modeling_fun_asr_nano import FunAsrNanoFSMN

# Graphs that may share one piece of code: the kinds of layers, times what is trained of them, times a batch of one row.
_GRAPHS = 64


class FusibleMemory(FunAsrNanoFSMN):
    """The FSMN with its depthwise convolution as a sum of shifted products, which the compiler fuses with what is
    around it: the library's own, for so narrow a convolution, has the slowest kernels of a layer."""

    def forward(self, hidden_states: torch.Tensor, input_features_mask: torch.Tensor) -> torch.Tensor:
        """[batch, frames, width] and [batch, frames] to [batch, frames, width]."""
        if not torch.compiler.is_compiling():
            return super().forward(hidden_states, input_features_mask)
        states = hidden_states * input_features_mask.unsqueeze(-1).to(hidden_states.dtype)
        padded = nn.functional.pad(states, (0, 0, *self.pad.padding))
        taps = self.conv.weight[:, 0].unbind(1)
        memory = sum(padded[:, k : k + states.shape[1]] * tap for k, tap in enumerate(taps))
        return nn.functional.dropout(memory.to(states.dtype) + states, self.dropout, self.training)


def compile_layers(model: nn.Module, backend="inductor", dynamic: bool = True, mode: str | None = None) -> None:
    """Compile the layers of encoder, adaptor, language model and CTC branch, and the loss, in place: for batches of any
    shape, or unless `dynamic` anew for each; `mode` is torch.compile's. Parameters keep their names and values.
    Evaluation is to run under `eager`: its shapes are others, and it is rare."""
    torch._dynamo.config.recompile_limit = _GRAPHS
    # Otherwise every kind of layer is compiled again where a batch crosses sizes that this fusion has thresholds for.
    torch._inductor.config.triton.mix_order_reduction_non_strict_mode = True
    network = model.model
    for layer in network.audio_tower.layers:
        layer.self_attn.fsmn.__class__ = FusibleMemory
    branch = [model.ctc_head.decoder] if model.ctc_head is not None else []
    for part in (network.audio_tower, network.multi_modal_projector, network.language_model, *branch):
        for layer in part.layers:
            layer.compile(dynamic=dynamic, backend=backend, mode=mode)
    model.cross_entropy = torch.compile(model.cross_entropy, dynamic=dynamic, backend=backend, mode=mode)


def eager():
    """A context, or a decorator, in which nothing is compiled and what is compiled is not used."""
    return torch.compiler.set_stance("force_eager")
