"""What may be wrong with a model directory, said alike by all that read one."""

from collections.abc import Sequence

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from recipe.files import RecipeError

# What transformers raises for files that are missing, damaged, or not what it expects.
UNLOADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, StrictDataclassError, SafetensorError)


def refuse_misfits(source: object, faults: Sequence[str], advice: str = "") -> None:
    """RecipeError that names the first of the `faults` of a model's tensors, if there are any."""
    if faults:
        more = f" ... and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise RecipeError(f"{source}: {len(faults)} tensors do not fit: {'; '.join(faults[:5])}{more}{advice}")


def check_vocabulary(source: object, tokens: int, embeddings: int) -> None:
    """RecipeError if a tokenizer knows more tokens than its language model."""
    if tokens > embeddings:
        known = f"its tokenizer has {tokens} tokens, its language model embeddings for {embeddings}"
        raise RecipeError(f"{source}: {known}")
