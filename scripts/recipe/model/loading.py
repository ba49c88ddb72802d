"""What may be wrong with a model directory, said alike by all that read one."""

from collections.abc import Mapping, Sequence

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from recipe.files import RecipeError

# What transformers raises for files that are missing, damaged, or not what it expects.
UNLOADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, StrictDataclassError, SafetensorError)
STORED_DTYPES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def refuse_misfits(source: object, faults: Sequence[str], advice: str = "") -> None:
    """RecipeError that names the first of the `faults` of a model's tensors, if there are any."""
    if faults:
        more = f" ... and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise RecipeError(f"{source}: {len(faults)} tensors do not fit: {'; '.join(faults[:5])}{more}{advice}")


def not_finite(module: torch.nn.Module) -> list[str]:
    """Names of a module's tensors with values that are no finite numbers."""
    return [name for name, tensor in module.state_dict().items() if not bool(torch.isfinite(tensor).all())]


def check_tensors(
    found: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Size],
    source: object,
    ignored: tuple[str, ...] = (),
) -> list[str]:
    """RecipeError unless `found` has exactly the names and shapes `expected`, in a type that can be converted. Names
    that begin with one of `ignored` may be there as well; they are returned."""
    complaints = [f"{name}: missing" for name in expected if name not in found]
    passed_over = []
    for name, tensor in found.items():
        if name in expected:
            if tensor.shape != expected[name]:
                complaints.append(f"{name}: shape {list(tensor.shape)}, by the settings {list(expected[name])}")
            elif tensor.dtype not in STORED_DTYPES:
                complaints.append(f"{name}: type {tensor.dtype}, expected {', '.join(STORED_DTYPES.values())}")
        elif name.startswith(ignored):
            passed_over.append(name)
        else:
            complaints.append(f"{name}: not a tensor of this model")
    refuse_misfits(source, complaints)
    return passed_over


def check_vocabulary(source: object, tokens: int, embeddings: int) -> None:
    """RecipeError if a tokenizer knows more tokens than its language model."""
    if tokens > embeddings:
        known = f"its tokenizer has {tokens} tokens, its language model embeddings for {embeddings}"
        raise RecipeError(f"{source}: {known}")
