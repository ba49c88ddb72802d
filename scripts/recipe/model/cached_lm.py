"""The language model over a static KV cache, in as few operations as it takes.

The weights are transformers' own and so are the numbers (tested token by token); what is left out is what its layers do
around each operation, which costs more than the operation itself once a step is a single token. Projections of the same
states can be fused into one product, keys and values are stored where attention reads them, and heads that share keys
(grouped-query attention) are read as more queries instead of copying the keys. Shapes are static while the cache's
length is, so that a GPU can record a step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

Projection = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class PrefillRegion:
    """Where in a KV cache a prefill writes."""

    rows: slice
    positions: slice  # positions of the cache, not of the rotary embedding


class KVCache:
    """Keys and values of every layer, [rows, key heads, length, head size] each, allocated once.

    Positions of the cache, from the left: the prefix that all rows share, then each row's own prompt, flush right (what
    is free between them is never seen), then one for each step of decoding. `rows` and `length` say how much of
    `capacity`, the same two numbers, is in use; `prefix` is the length of the shared prefix.

    What the next call of the model writes: `region`, while prompts are read (prefill); with None, a step of decoding,
    the position `step_position` [1] of every row.
    """

    def __init__(self, config, rows: int, length: int, dtype: torch.dtype, device: torch.device):
        """Room for `rows` rows of at most `length` tokens, for a language model of `config` (transformers' own)."""
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (rows, config.num_key_value_heads, length, head_size)
        self._stores = [[_zeros(shape, dtype, device) for _ in range(2)] for _ in range(config.num_hidden_layers)]
        self.capacity = (rows, length)
        self.rows, self.length = rows, length
        self.prefix = 0
        self.region: PrefillRegion | None = None
        self.step_position = torch.zeros(1, dtype=torch.long, device=device)

    def update(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Store the new keys and values [rows, new tokens, key heads, head size] of the layer with this number; those
        that attention reads, new ones included, [rows, key heads, tokens, head size]: in a prefill the prefix and what
        is new, in a step the whole `length`."""
        key_store, value_store = self._stores[layer]
        return self._write(key_store, keys.transpose(1, 2)), self._write(value_store, values.transpose(1, 2))

    def _write(self, store: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        if self.region is None:
            store[: self.rows].index_copy_(2, self.step_position, states)
            return store[: self.rows, :, : self.length]
        rows, positions = self.region.rows, self.region.positions
        store[rows, :, positions] = states
        if not positions.start:  # the prefix itself
            return states
        prefix = store[rows, :, : self.prefix]
        return torch.cat([prefix, states], 2) if self.prefix else states

    def move_rows(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Copy rows to the places of others (both are row numbers, [moved]); only the length in use is copied."""
        for stores in self._stores:
            for store in stores:
                store[target, :, : self.length] = store[source, :, : self.length]


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    if device.type == "cpu":  # numpy leaves it to the system, which clears a page when it is first used
        return torch.from_numpy(np.zeros(shape, np.float32)).to(dtype)
    return torch.zeros(shape, dtype=dtype, device=device)


def _fused(*projections: nn.Module) -> Projection:
    """Their outputs side by side, as one product. Their weights become views of a whole: nothing is held twice."""
    weight = torch.cat([projection.weight.detach() for projection in projections])
    for projection, part in zip(projections, weight.split([p.out_features for p in projections]), strict=True):
        projection.weight.data = part
    return partial(nn.functional.linear, weight=weight)


def _separate(*projections: nn.Module) -> Projection:
    """Their outputs side by side."""
    return lambda states: torch.cat([projection(states) for projection in projections], -1)


class _CachedLayer:
    """A decoder layer's weights and projections."""

    def __init__(self, layer: nn.Module, fused: bool):
        side_by_side = _fused if fused else _separate
        attention, mlp = layer.self_attn, layer.mlp
        queries, keys = (p.out_features // attention.head_dim for p in (attention.q_proj, attention.k_proj))
        self.heads, self.kv_heads, self.head_size = queries, keys, attention.head_dim
        self.scaling, self.epsilon = attention.scaling, attention.q_norm.variance_epsilon
        self.input_norm, self.mlp_norm = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        norms = attention.q_norm.weight.detach(), attention.k_norm.weight.detach()
        self.head_norms = torch.cat([norms[0].expand(queries, -1), norms[1].expand(keys, -1)])
        self.qkv = side_by_side(attention.q_proj, attention.k_proj, attention.v_proj)
        self.gate_up = side_by_side(mlp.gate_proj, mlp.up_proj)
        self.out, self.down = attention.o_proj, mlp.down_proj

    def project(
        self, states: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rotated queries and keys, and values, [rows, tokens, heads, head size]."""
        normed = nn.functional.rms_norm(states, states.shape[-1:], self.input_norm, self.epsilon)
        qkv = self.qkv(normed).unflatten(-1, (-1, self.head_size))
        turned, values = qkv.split([self.heads + self.kv_heads, self.kv_heads], 2)
        turned = nn.functional.rms_norm(turned, (self.head_size,), None, self.epsilon) * self.head_norms
        cos, sin = rotation
        turned = torch.addcmul(turned * cos, turned.roll(self.head_size // 2, -1), sin)
        return *turned.split([self.heads, self.kv_heads], 2), values

    def attend(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, attention_bias: torch.Tensor
    ) -> torch.Tensor:
        """Attention of `queries` [rows, tokens, heads, head size] over `keys` and `values` as the cache gives them,
        [rows, tokens, heads x head size]. The heads that share keys are so many more queries of theirs."""
        rows, tokens, heads, size = queries.shape
        shape = rows, tokens, self.kv_heads, heads // self.kv_heads, size
        queries = queries.reshape(shape).permute(0, 2, 3, 1, 4).flatten(2, 3)
        bias = attention_bias.repeat(1, 1, heads // self.kv_heads, 1)
        found = nn.functional.scaled_dot_product_attention(queries, keys, values, bias, scale=self.scaling)
        return found.unflatten(2, (shape[3], tokens)).permute(0, 3, 1, 2, 4).reshape(rows, tokens, heads * size)

    def finish(self, states: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """The layer's output: what `attend` found added to `states`, and the feed-forward network's part."""
        states = states + self.out(attended)
        normed = nn.functional.rms_norm(states, states.shape[-1:], self.mlp_norm, self.epsilon)
        gate, up = self.gate_up(normed).chunk(2, -1)
        return states + self.down(nn.functional.silu(gate).mul_(up))


class CachedLanguageModel:
    """Qwen3 as transformers holds it, for inference. With `fused`, which is faster, it takes the weights over: they
    must neither be trained nor saved nor carry adapters afterwards."""

    def __init__(self, model: nn.Module, fused: bool = False):
        """`model` is transformers' `Qwen3Model`, without its output embeddings."""
        self._layers = [_CachedLayer(layer, fused) for layer in model.layers]
        self._norm = model.norm
        positions = torch.arange(model.config.max_position_embeddings, device=model.norm.weight.device)
        cos, sin = model.rotary_emb(model.norm.weight, positions[None])
        # Rotation swaps the halves of a head and negates what becomes the first: here the sine carries the sign.
        low, high = sin[0].chunk(2, -1)
        self._cos, self._sin = cos[0, :, None], torch.cat([-low, high], -1)[:, None]

    def __call__(
        self, states: torch.Tensor, positions: torch.Tensor, attention_bias: torch.Tensor, cache: KVCache
    ) -> torch.Tensor:
        """Final state [rows, hidden] of the last of `states` [rows, tokens, hidden].

        `positions` [rows or 1, tokens] are those of the rotary embedding. Keys and values of all tokens go into
        `cache`, to where it says. `attention_bias` [rows or 1, 1, tokens, tokens that attention reads: see
        `KVCache.update`] is added to attention's scores: 0 where a token is seen, minus infinity where not.
        """
        rotation = self._cos[positions], self._sin[positions]
        for number, layer in enumerate(self._layers):
            queries, new_keys, new_values = layer.project(states, rotation)
            keys, values = cache.update(number, new_keys, new_values)
            if layer is self._layers[-1]:  # of all but the last token, keys and values were all that is still needed
                states, queries, attention_bias = states[:, -1:], queries[:, -1:], attention_bias[:, :, -1:]
            states = layer.finish(states, layer.attend(queries, keys, values, attention_bias))
        return self._norm(states[:, -1])
