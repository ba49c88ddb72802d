"""CTC branches for tests: small random ones with vocabularies as the published one has them."""

import base64
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from recipe.model import ctc

PIECES = ["th", "the", " t", " th", " the", "in", "ing", " li", "ght", "你好", "把", "灯", "把灯", "打开", "开"]


def ranks() -> list[bytes]:
    """Pieces of a vocabulary by their ranks: all bytes, then those that English and Chinese pieces are merged
    from, each after its parts."""
    found = dict.fromkeys(bytes([byte]) for byte in range(256))
    for piece in PIECES:
        whole = piece.encode()
        for end in range(2, len(whole) + 1):
            found.setdefault(whole[:end])
    return list(found)


def write_vocabulary(file: Path) -> int:
    """Write a vocabulary in tiktoken's format; returns its number of tokens, without special ones."""
    lines = [f"{base64.b64encode(piece).decode()} {rank}\n" for rank, piece in enumerate(ranks())]
    file.write_text("".join(lines), encoding="utf-8")
    return len(lines)


# The sizes of a branch; beside the pieces there are the special tokens that the toolkit numbers after them.
FFN, LAYERS, HEADS = 48, 5, 4
VOCABULARY = len(ranks()) + 1679


def entries(width: int) -> dict:
    """Entries of config.yaml for a branch, as the published model has them but for the sizes."""
    return {
        "ctc_decoder": "Transformer",
        "ctc_decoder_conf": {
            "downsample_rate": 1, "ffn_dim": FFN, "llm_dim": width, "encoder_dim": width, "n_layer": LAYERS,
            "attention_heads": HEADS, "freeze": False,
        },
        "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True, "ignore_nan_grad": True},
        "ctc_weight": 1.0,
        "detach_ctc_decoder": True,
        "ctc_vocab_size": VOCABULARY,
        "dataset_conf": {
            "ctc_tokenizer": "SenseVoiceTokenizer",
            "ctc_target_normalize": True,
            "ctc_tokenizer_conf": {
                "vocab_path": None, "is_multilingual": True, "num_languages": 8749,
            },
        },
    }  # fmt: skip


def write(directory: Path, width: int, seed: int = 5) -> Path:
    """Put a random branch for an encoder of `width` into a model directory, as convert.py writes it; returns its
    folder."""
    folder = directory / ctc.FOLDER
    folder.mkdir()
    write_vocabulary(folder / "multilingual.tiktoken")
    values = entries(width)
    values["dataset_conf"]["ctc_tokenizer_conf"]["vocab_path"] = "multilingual.tiktoken"
    (folder / ctc.CONFIG).write_text(json.dumps(values), encoding="utf-8")
    sizes = ctc.CtcSizes(width=width, ffn=FFN, layers=LAYERS, heads=HEADS, vocabulary=VOCABULARY)
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: torch.randn(shape, generator=generator) * 0.2 + ("norm.weight" in name)
        for name, shape in ctc.layout(sizes).items()
    }
    save_file(tensors, folder / ctc.WEIGHTS)
    return folder
