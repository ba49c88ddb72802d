"""Whether a model that is trained from a base model can be written for a runtime, told before it is trained."""

from pathlib import Path

from transformers import AutoProcessor, FunAsrNanoConfig

from recipe.convert import gguf, toolkit, vllm
from recipe.convert.byte_level import byte_level
from recipe.model.directory import GGUF, HF, SHERPA_ONNX, VLLM
from recipe.model.features import check_front_end


def check_export(base: Path, to: str, audio_tokens: str) -> None:
    """RecipeError if a model with the layers, front end and tokenizer of the HF directory `base`, trained with this
    audio token setting, cannot be written as the kind `to`."""
    config = FunAsrNanoConfig.from_pretrained(base, local_files_only=True)
    if to == GGUF:
        gguf.check(config, audio_tokens, base)
    elif to == VLLM:
        vllm.check_expressible(config, audio_tokens, base)
    elif to not in (HF, SHERPA_ONNX):
        toolkit.check_expressible(config, base)
    if to in (GGUF, SHERPA_ONNX):
        processor = AutoProcessor.from_pretrained(base, local_files_only=True)
        check_front_end(processor, base)
        byte_level(processor.tokenizer, base)
