"""The directory that vLLM's own class reads: `FunASRForConditionalGeneration` in vllm/model_executor/models/funasr.py.

It holds config.json (the language model's, with the encoder's sizes as `audio_encoder_conf`), preprocessor_config.json,
model.safetensors with the names of the toolkit's model.pt, and a tokenizer that calls the placeholder of the audio
`<|AUDIO|>`. What that class has built in (vLLM 0.32), a model can only have as it is: the adaptor's sizes, the language
model's width, and low frame rate. Its adaptor has no padding mask, so recordings of several lengths in one batch get
wrong texts.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import FunAsrNanoConfig, FunAsrNanoFeatureExtractor

from recipe.convert import toolkit
from recipe.files import RecipeError
from recipe.model.directory import VLLM_AUDIO_TOKEN, VLLM_CLASS
from recipe.settings.train import LOW_FRAME_RATE
from recipe.text.prompt import AUDIO_TOKEN

PREPROCESSOR_FILE = "preprocessor_config.json"
CHUNK_SECONDS = 30  # longer recordings are cut by vLLM's server
# Built into the class: (setting of config.json, its value).
_BUILT_IN = (
    ("audio_config.hidden_size", 512),
    ("adaptor_config.projector_hidden_size", 2048),
    ("adaptor_config.hidden_size", 1024),
    ("adaptor_config.num_hidden_layers", 2),
    ("adaptor_config.num_attention_heads", 8),
    ("adaptor_config.intermediate_size", 256),
    ("text_config.model_type", "qwen3"),
    ("text_config.hidden_size", 1024),
)


def check_expressible(config: FunAsrNanoConfig, audio_tokens: str, source: Path) -> None:
    """RecipeError if vLLM's class cannot be what `config` and the audio token setting say."""
    toolkit.check_expressible(config, source)
    for key, needed in _BUILT_IN:
        section, name = key.split(".")
        if (found := getattr(getattr(config, section), name)) != needed:
            raise RecipeError(
                f"{source}: {key} is {found!r}, but vLLM's {VLLM_CLASS} has {needed!r} built in; the model directory "
                "itself is served by scripts/serve.py"
            )
    if audio_tokens != LOW_FRAME_RATE:
        raise RecipeError(
            f"{source}: audio tokens are {audio_tokens}, but vLLM's {VLLM_CLASS} always takes {LOW_FRAME_RATE}; the "
            "model directory itself is served by scripts/serve.py"
        )


def config_json(config: FunAsrNanoConfig, dtype: torch.dtype, end_of_turn: int) -> dict:
    """config.json: the language model's settings, and the encoder's sizes under the toolkit's names."""
    return toolkit.llm_config(config, dtype, end_of_turn) | {
        "architectures": [VLLM_CLASS],
        "audio_encoder_conf": toolkit.encoder_settings(config),
    }


def preprocessor_json(extractor: FunAsrNanoFeatureExtractor) -> dict:
    """preprocessor_config.json: the front end, without noise."""
    return {
        "processor_class": "FunASRProcessor",
        "feature_extractor_type": "FunASRFeatureExtractor",
        "feature_size": extractor.feature_size,
        "sampling_rate": extractor.sampling_rate,
        "padding_value": 0.0,
        "return_attention_mask": False,
        "chunk_length": CHUNK_SECONDS,
        "dither": 0.0,
        "frontend_conf": toolkit.front_end_settings(extractor) | {"cmvn_file": None},
    }


def tensors(stored: Mapping[str, torch.Tensor], tied: bool) -> dict[str, torch.Tensor]:
    """Tensors of model.safetensors out of those of the toolkit's model.pt."""
    head = "llm.lm_head.weight"
    return {name: tensor.contiguous() for name, tensor in stored.items() if not (tied and name == head)}


def rename_audio_token(file: Path) -> None:
    """Call the placeholder of the audio in a tokenizer's file what vLLM looks for."""
    text = file.read_text(encoding="utf-8")
    if VLLM_AUDIO_TOKEN in text:
        raise RecipeError(f"{file}: has a token {VLLM_AUDIO_TOKEN}, which has to be that of the audio for vLLM")
    file.write_text(text.replace(AUDIO_TOKEN, VLLM_AUDIO_TOKEN), encoding="utf-8")
