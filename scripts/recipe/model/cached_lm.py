"""The language model over a static key/value cache, in as few operations as it takes.

The weights are transformers' own and so are the numbers (tested token by token); what is left out is what its layers do
around each operation, which costs more than the operation itself once a step is a single token. Projections of the same
states can be one product, keys and values are stored where attention reads them, and heads that share keys are read as
more queries instead of copying the keys. Shapes are static while `columns` is, so that a GPU can record a step.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from recipe.model.fast_linear import linear

Projection = Callable[[torch.Tensor], torch.Tensor]


class StaticCache:
    """Keys and values [rows, heads, columns, head size] of every layer.

    Columns, from the left: the prefix that all rows share, then each row's own prompt, flush right, then a column a
    step, which is `slot`'s. `rows` and `columns` say what part is in use.
    """

    def __init__(self, config, rows: int, columns: int, dtype: torch.dtype, device: torch.device):
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (rows, config.num_key_value_heads, columns, head_size)
        self._stores = [[_zeros(shape, dtype, device) for _ in range(2)] for _ in range(config.num_hidden_layers)]
        self.capacity = (rows, columns)
        self.rows, self.columns = rows, columns
        self.prefix = 0  # columns of the shared prefix
        self.place: tuple[slice, slice] | None = None  # rows and columns of a prompt that is being read; None: a step
        self.slot = torch.zeros(1, dtype=torch.long, device=device)

    def put(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> list[torch.Tensor]:
        """Store one layer's new keys and values [rows, new, heads, head size]; what attention is to see of both, [rows,
        heads, columns, head size]."""
        return [
            self._put(store, states.transpose(1, 2))
            for store, states in zip(self._stores[layer], (keys, values), strict=True)
        ]

    def _put(self, store: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        if self.place is None:
            store[: self.rows].index_copy_(2, self.slot, states)
            return store[: self.rows, :, : self.columns]
        rows, columns = self.place
        store[rows, :, columns] = states
        if not columns.start:  # the prefix itself
            return states
        prefix = store[rows, :, : self.prefix]
        return torch.cat([prefix, states], 2) if self.prefix else states

    def move(self, taken: torch.Tensor, freed: torch.Tensor) -> None:
        """Move rows to the places of others; only the columns in use are moved."""
        for stores in self._stores:
            for store in stores:
                store[freed, :, : self.columns] = store[taken, :, : self.columns]


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    if device.type == "cpu":  # numpy leaves it to the system, which clears a page when it is first used
        return torch.from_numpy(np.zeros(shape, np.float32)).to(dtype)
    return torch.zeros(shape, dtype=dtype, device=device)


def _joint(*projections: nn.Module) -> Projection:
    """Their outputs side by side, as one product. Their weights become views of a whole: nothing is held twice."""
    weight = torch.cat([projection.weight.detach() for projection in projections])
    for projection, part in zip(projections, weight.split([p.out_features for p in projections]), strict=True):
        projection.weight.data = part
    return partial(linear, weight=weight)


def _separate(*projections: nn.Module) -> Projection:
    """Their outputs side by side."""
    return lambda states: torch.cat([projection(states) for projection in projections], -1)


class _Layer:
    """A layer's weights and projections."""

    def __init__(self, layer: nn.Module, joint: bool):
        side_by_side = _joint if joint else _separate
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
        joint = self.qkv(normed).unflatten(-1, (-1, self.head_size))
        turned, values = joint.split([self.heads + self.kv_heads, self.kv_heads], 2)
        turned = nn.functional.rms_norm(turned, (self.head_size,), None, self.epsilon) * self.head_norms
        cos, sin = rotation
        turned = torch.addcmul(turned * cos, turned.roll(self.head_size // 2, -1), sin)
        return *turned.split([self.heads, self.kv_heads], 2), values

    def attend(self, queries: torch.Tensor, seen: list[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
        """What each query [rows, tokens, heads, head size] takes from the `seen` keys and values, [rows, tokens, heads
        x head size]. The heads that share keys are so many more queries of theirs."""
        rows, tokens, heads, size = queries.shape
        shape = rows, tokens, self.kv_heads, heads // self.kv_heads, size
        queries = queries.reshape(shape).permute(0, 2, 3, 1, 4).flatten(2, 3)
        mask = mask.repeat(1, 1, heads // self.kv_heads, 1)
        found = nn.functional.scaled_dot_product_attention(queries, *seen, mask, scale=self.scaling)
        return found.unflatten(2, (shape[3], tokens)).permute(0, 3, 1, 2, 4).reshape(rows, tokens, heads * size)

    def finish(self, states: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
        """The layer's output."""
        states = states + self.out(found)
        normed = nn.functional.rms_norm(states, states.shape[-1:], self.mlp_norm, self.epsilon)
        gate, up = self.gate_up(normed).chunk(2, -1)
        return states + self.down(nn.functional.silu(gate).mul_(up))


class CachedLanguageModel:
    """Qwen3 as transformers holds it, for inference. With `joint`, which is faster, it takes the weights over: they
    must neither be trained nor saved nor carry adapters afterwards."""

    def __init__(self, model: nn.Module, joint: bool = False):
        self._layers = [_Layer(layer, joint) for layer in model.layers]
        self._norm = model.norm
        positions = torch.arange(model.config.max_position_embeddings, device=model.norm.weight.device)
        cos, sin = model.rotary_emb(model.norm.weight, positions[None])
        # Rotation swaps the halves of a head and negates what becomes the first: here the sine carries the sign.
        low, high = sin[0].chunk(2, -1)
        self._cos, self._sin = cos[0, :, None], torch.cat([-low, high], -1)[:, None]

    def __call__(
        self, states: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: StaticCache
    ) -> torch.Tensor:
        """Final state [rows, hidden] of the last of `states` [rows, tokens, hidden], which stand at `positions` [rows
        or 1, tokens] and go into the cache; `mask` [rows or 1, 1, tokens, columns] is added to attention's scores."""
        rotation = self._cos[positions], self._sin[positions]
        for number, layer in enumerate(self._layers):
            queries, keys, values = layer.project(states, rotation)
            seen = cache.put(number, keys, values)
            if layer is self._layers[-1]:  # of all but the last token, keys and values were all that is still needed
                states, queries, mask = states[:, -1:], queries[:, -1:], mask[:, :, -1:]
            states = layer.finish(states, layer.attend(queries, seen, mask))
        return self._norm(states[:, -1])
