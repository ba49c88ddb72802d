"""The bundled model with other heads and the same texts: vLLM's attention on a CPU knows no heads of 36."""

import json
import math
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from recipe.files import write_json

HEAD = 64


def pad_heads(source: Path, target: Path) -> None:
    """Write `source`, an HF directory, to `target` with heads of 64 that compute the same.

    A head's values are followed by zeros, half of them after each half, because positions turn its first half against
    its second. Turned by the same angles, they need another base; the norms of queries and keys divide by a mean over
    more values, and attention by a larger root: weights of the norms make up for both.
    """
    config = json.loads((source / "config.json").read_text())
    text = config["text_config"]
    old, text["head_dim"] = text["head_dim"], HEAD
    text["rope_parameters"]["rope_theta"] **= HEAD / old
    tensors = load_file(source / "model.safetensors")
    for name, tensor in tensors.items():
        _, _, part = name.rpartition("self_attn.")
        if not name.startswith("model.language_model."):
            continue
        if part in ("q_proj.weight", "k_proj.weight", "v_proj.weight"):
            heads = tensor.unflatten(0, (-1, old))
            tensors[name] = _pad(heads.transpose(1, 2), old).transpose(1, 2).flatten(0, 1).contiguous()
        elif part == "o_proj.weight":
            tensors[name] = _pad(tensor.unflatten(1, (-1, old)), old).flatten(1)
        elif part == "q_norm.weight":
            tensors[name] = _pad(tensor * math.sqrt(old / HEAD), old)
        elif part == "k_norm.weight":
            tensors[name] = _pad(tensor, old)
    shutil.copytree(source, target)
    for file in ("config.json", "model.safetensors"):
        os.remove(target / file)
    write_json(target / "config.json", config)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})


def _pad(values: torch.Tensor, old: int) -> torch.Tensor:
    """Zeros after each half of the last dimension, so that it has `HEAD` values."""
    halves = values.unflatten(-1, (2, old // 2))
    return torch.nn.functional.pad(halves, (0, (HEAD - old) // 2)).flatten(-2)
