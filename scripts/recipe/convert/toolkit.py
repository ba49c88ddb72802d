"""The toolkit's model directory: what its settings and its tensors are called, in terms of HF's.

"The toolkit" is the `funasr` package. Its directory holds config.yaml (sizes), model.pt (all tensors),
configuration.json (which entries of config.yaml are paths inside the directory) and a folder with the language model's
config.json and tokenizer. HF's model has the same network under other names, with these differences:

- query, key and value of an encoder block are one tensor in the toolkit, stacked along dimension 0 in this order;
- the encoder's blocks are three lists in the toolkit (`encoders0`, `encoders`, `tp_encoders`), one in HF;
- the CTC branch (`ctc.*`, `ctc_decoder.*`) has no counterpart in HF and lies beside the model (`recipe.model.ctc`);
- the adaptor's LayerNorms have the fixed epsilon 1e-12 in the toolkit, a setting in HF.
"""

import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import FunAsrNanoConfig, FunAsrNanoFeatureExtractor
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from recipe.files import RecipeError
from recipe.model.directory import TOOLKIT_CONFIG as CONFIG_FILE
from recipe.model.toolkit_settings import ToolkitSettings

PATHS_FILE = "configuration.json"
WEIGHTS_FILE = "model.pt"
# The toolkit's vLLM path looks for the language model under this name, whatever the settings say.
LLM_FOLDER = "Qwen3-0.6B"
# Files of tokenizers; they are copied as they are.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)
ADAPTOR_LAYER_NORM_EPS = 1e-12

# What HF's model can only be: (key of config.yaml, the toolkit's value where the key is absent, the value needed).
_REQUIRED = (
    ("model", None, "FunASRNano"),
    ("audio_encoder", None, "SenseVoiceEncoderSmall"),
    ("audio_encoder_conf.sanm_shfit", 0, 0),
    ("audio_adaptor", None, "Transformer"),
    ("audio_adaptor_conf.downsample_rate", 2, 1),
    ("llm_conf.use_lora", False, False),
    ("frontend", None, "WavFrontend"),
    ("frontend_conf.cmvn_file", None, None),
    ("frontend_conf.window", "hamming", "hamming"),  # HF's feature extractor has it, but does not save it
)


def llm_folder(settings: ToolkitSettings) -> Path:
    """The folder with the language model's config.json and tokenizer.

    Training runs of the toolkit store it as an absolute path of the machine they ran on, so its last part, and then the
    published name, are looked for in the directory too.
    """
    stated = settings.get("llm_conf.init_param_path", str, LLM_FOLDER)
    directory = settings.file.parent
    candidates = [directory / stated, directory / Path(stated).name, directory / LLM_FOLDER]
    for folder in candidates:
        if (folder / "config.json").is_file():
            return folder
    raise RecipeError(
        f"{settings.file}: llm_conf.init_param_path is {stated!r}, but there is no config.json in "
        f"{' or '.join(str(folder) for folder in dict.fromkeys(candidates))}"
    )


def uses_low_frame_rate(settings: ToolkitSettings) -> bool:
    """Whether the toolkit decodes with an eighth of the audio frames (its own default is all of them)."""
    return settings.get("audio_adaptor_conf.use_low_frame_rate", bool, False)


def config_from_settings(
    settings: ToolkitSettings, text_config: PreTrainedConfig, audio_token_id: int
) -> FunAsrNanoConfig:
    """HF's configuration of the network that config.yaml and the language model's config.json describe. Defaults are
    the toolkit's, not HF's."""
    for key, default, needed in _REQUIRED:
        settings.require(key, default, needed)
    blocks = settings.get("audio_encoder_conf.num_blocks", int, 6)
    timestamp_blocks = settings.get("audio_encoder_conf.tp_blocks", int, 0)
    if blocks < 1 or timestamp_blocks < 1:
        raise RecipeError(
            f"{settings.file}: num_blocks is {blocks} and tp_blocks {timestamp_blocks}; HF's encoder needs at least "
            "one of each, since its last block of each kind carries the norm after them"
        )
    encoder = {
        "model_type": "fun_asr_nano_encoder",
        "num_mel_bins": settings.get("frontend_conf.n_mels", int, 80),
        "num_stacked_frames": settings.get("frontend_conf.lfr_m", int, 1),
        "hidden_size": settings.get("audio_encoder_conf.output_size", int, 256),
        "num_attention_heads": settings.get("audio_encoder_conf.attention_heads", int, 4),
        "intermediate_size": settings.get("audio_encoder_conf.linear_units", int, 2048),
        "num_hidden_layers": blocks + timestamp_blocks,
        "num_timestamp_prediction_layers": timestamp_blocks,
        "fsmn_kernel_size": settings.get("audio_encoder_conf.kernel_size", int, 11),
        "hidden_dropout": settings.get("audio_encoder_conf.dropout_rate", float, 0.1),
        "attention_dropout": settings.get("audio_encoder_conf.attention_dropout_rate", float, 0.0),
    }
    adaptor = {
        "hidden_size": text_config.hidden_size,
        "intermediate_size": text_config.hidden_size // 4,
        "num_attention_heads": settings.get("audio_adaptor_conf.attention_heads", int, 8),
        "num_hidden_layers": settings.get("audio_adaptor_conf.n_layer", int, 2),
        "projector_hidden_size": settings.get("audio_adaptor_conf.ffn_dim", int, 2048),
        "hidden_dropout": settings.get("audio_adaptor_conf.dropout_rate", float, 0.0),
        "attention_dropout": settings.get("audio_adaptor_conf.attention_dropout_rate", float, 0.0),
        "layer_norm_eps": ADAPTOR_LAYER_NORM_EPS,
    }
    return FunAsrNanoConfig(
        audio_config=encoder, adaptor_config=adaptor, text_config=text_config, audio_token_id=audio_token_id
    )


def front_end(settings: ToolkitSettings) -> FunAsrNanoFeatureExtractor:
    """HF's feature extractor with the front end's settings (it never dithers, and leaves scaling to its caller)."""
    return FunAsrNanoFeatureExtractor(
        feature_size=settings.get("frontend_conf.n_mels", int, 80),
        sampling_rate=settings.get("frontend_conf.fs", int, 16000),
        frame_length=settings.get("frontend_conf.frame_length", int, 25),
        frame_shift=settings.get("frontend_conf.frame_shift", int, 10),
        num_frames_lfr=settings.get("frontend_conf.lfr_m", int, 1),
        stride_lfr=settings.get("frontend_conf.lfr_n", int, 1),
    )


def settings_from_config(
    config: FunAsrNanoConfig, extractor: FunAsrNanoFeatureExtractor, low_frame_rate: bool, llm_dtype: torch.dtype
) -> dict:
    """config.yaml as a mapping. Sizes are all stated, because the toolkit's vLLM path knows other defaults."""
    return {
        "model": "FunASRNano",
        "model_conf": {"lsm_weight": 0.1, "length_normalized_loss": True},
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_encoder_conf": encoder_settings(config),
        "llm": "Qwen3-0.6b",
        "llm_conf": {
            "hub": "hf",
            "freeze": True,
            # The toolkit casts the language model to this type while loading: anything but fp32 would round fp32
            # weights, and fp16 makes it write "!!!!".
            "llm_dtype": "bf16" if llm_dtype == torch.bfloat16 else "fp32",
            "init_param_path": LLM_FOLDER,
            "use_lora": False,
        },
        "audio_adaptor": "Transformer",
        "audio_adaptor_conf": _adaptor_settings(config) | {"use_low_frame_rate": low_frame_rate},
        "frontend": "WavFrontend",
        # The toolkit's default is noise of 1.0, other at each call; the model never saw any in training.
        "frontend_conf": front_end_settings(extractor) | {"cmvn_file": None, "dither": 0.0},
        "tokenizer": "HuggingfaceTokenizer",
        "tokenizer_conf": {"init_param_path": LLM_FOLDER},
    }


def front_end_settings(extractor: FunAsrNanoFeatureExtractor) -> dict:
    """The front end's sizes, as `frontend_conf`."""
    return {
        "fs": extractor.sampling_rate,
        "window": extractor.window,
        "n_mels": extractor.feature_size,
        "frame_length": extractor.frame_length,
        "frame_shift": extractor.frame_shift,
        "lfr_m": extractor.num_frames_lfr,
        "lfr_n": extractor.stride_lfr,
    }


def encoder_settings(config: FunAsrNanoConfig) -> dict:
    """The encoder's sizes, as `audio_encoder_conf`."""
    encoder = config.audio_config
    return {
        "output_size": encoder.hidden_size,
        "attention_heads": encoder.num_attention_heads,
        "linear_units": encoder.intermediate_size,
        "num_blocks": transcription_blocks(config),
        "tp_blocks": encoder.num_timestamp_prediction_layers,
        "dropout_rate": encoder.hidden_dropout,
        "positional_dropout_rate": encoder.hidden_dropout,
        "attention_dropout_rate": encoder.attention_dropout,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": encoder.fsmn_kernel_size,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
        "freeze": True,
    }


def _adaptor_settings(config: FunAsrNanoConfig) -> dict:
    adaptor = config.adaptor_config
    return {
        "downsample_rate": 1,
        "ffn_dim": adaptor.projector_hidden_size,
        "llm_dim": adaptor.hidden_size,
        "encoder_dim": config.audio_config.hidden_size,
        "n_layer": adaptor.num_hidden_layers,
        "attention_heads": adaptor.num_attention_heads,
        "dropout_rate": adaptor.hidden_dropout,
        "attention_dropout_rate": adaptor.attention_dropout,
        "freeze": True,
    }


def path_settings() -> dict:
    """configuration.json. Without it the toolkit takes paths in config.yaml relative to where it is started, and asks
    the hub for what it does not find there."""
    return {
        "framework": "pytorch",
        "task": "auto-speech-recognition",
        "model": {"type": "funasr"},
        "pipeline": {"type": "funasr-pipeline"},
        "model_name_in_hub": {"ms": "", "hf": ""},
        "file_path_metas": {
            "init_param": WEIGHTS_FILE,
            "config": CONFIG_FILE,
            "llm_conf": {"init_param_path": LLM_FOLDER},
            "tokenizer_conf": {"init_param_path": LLM_FOLDER},
        },
    }


def llm_config(config: FunAsrNanoConfig, dtype: torch.dtype, end_of_turn: int) -> dict:
    """config.json of the language model's folder, for transformers 4 and 5 alike.

    The toolkit makes its generation settings of this file, so the token that ends a transcript has to stand in it.
    """
    text = config.text_config
    values = config.to_diff_dict()["text_config"]
    values |= {"architectures": [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[text.model_type]], "eos_token_id": end_of_turn}
    values |= {"dtype": str(dtype).removeprefix("torch."), "tie_word_embeddings": config.tie_word_embeddings}
    # transformers 4 reads it here, transformers 5 in rope_parameters.
    values["rope_theta"] = text.rope_parameters["rope_theta"]
    return dict(sorted(values.items()))


def check_expressible(config: FunAsrNanoConfig, source: Path) -> None:
    """RecipeError if the toolkit's network cannot be what `config` says."""
    encoder, adaptor = config.audio_config, config.adaptor_config
    facts = (
        ("audio_config.hidden_act", encoder.hidden_act, ("relu",)),
        ("audio_config.layer_norm_eps", encoder.layer_norm_eps, (1e-5,)),
        ("adaptor_config.hidden_act", adaptor.hidden_act, ("relu",)),
        ("adaptor_config.projector_hidden_act", adaptor.projector_hidden_act, ("relu",)),
        # 1e-5 is HF's default and moves adaptor outputs by less than 1e-4.
        ("adaptor_config.layer_norm_eps", adaptor.layer_norm_eps, (ADAPTOR_LAYER_NORM_EPS, 1e-5)),
    )
    for key, value, possible in facts:
        if value not in possible:
            raise RecipeError(f"{source}: {key} is {value!r}, but the toolkit's network has {possible[0]!r} built in")
    if encoder.num_timestamp_prediction_layers < 1 or transcription_blocks(config) < 1:
        raise RecipeError(
            f"{source}: audio_config has {encoder.num_hidden_layers} layers, {encoder.num_timestamp_prediction_layers} "
            "of them timestamp prediction layers; the toolkit's encoder always has its norm after blocks of either "
            "kind, so at least one of each is needed"
        )


def transcription_blocks(config: FunAsrNanoConfig) -> int:
    """Number of encoder blocks before the timestamp blocks."""
    return config.audio_config.num_hidden_layers - config.audio_config.num_timestamp_prediction_layers


class Slot(NamedTuple):
    """Where the toolkit keeps one of HF's tensors: the whole of tensor `name`, or its third number `part`."""

    name: str
    part: int | None


_PREFIXES = {
    "model.language_model.": "llm.model.",
    "lm_head.": "llm.lm_head.",
    "model.multi_modal_projector.linear_1.": "audio_adaptor.linear1.",
    "model.multi_modal_projector.linear_2.": "audio_adaptor.linear2.",
}
_MODULES = {
    "input_layernorm": "norm1",
    "post_attention_layernorm": "norm2",
    "self_attn.q_proj": "self_attn.linear_q",
    "self_attn.k_proj": "self_attn.linear_k",
    "self_attn.v_proj": "self_attn.linear_v",
    "self_attn.o_proj": "self_attn.linear_out",
    "self_attn.fsmn.conv": "self_attn.fsmn_block",
    "mlp.fc1": "feed_forward.w_1",
    "mlp.fc2": "feed_forward.w_2",
}
_FUSED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_LAYER = re.compile(r"model\.(audio_tower|multi_modal_projector)\.layers\.(\d+)\.(.+)\.(weight|bias)")


def slot(name: str, blocks: int) -> Slot:
    """Where the toolkit keeps HF's tensor `name`, in a model with `blocks` transcription blocks."""
    for prefix, replacement in _PREFIXES.items():
        if name.startswith(prefix):
            return Slot(replacement + name.removeprefix(prefix), None)
    layer = _LAYER.fullmatch(name)
    if layer is None or (layer[3] not in _MODULES and layer[3] != "final_layernorm"):
        raise RecipeError(f"tensor {name}: no counterpart in the toolkit's model")
    tower, index, module, kind = layer[1], int(layer[2]), layer[3], layer[4]
    if tower == "multi_modal_projector":
        return Slot(f"audio_adaptor.blocks.{index}.{_MODULES[module]}.{kind}", None)
    if module == "final_layernorm":
        return Slot(f"audio_encoder.{'after_norm' if index < blocks else 'tp_norm'}.{kind}", None)
    if index == 0:
        block = "encoders0.0"
    elif index < blocks:
        block = f"encoders.{index - 1}"
    else:
        block = f"tp_encoders.{index - blocks}"
    if module in _FUSED:
        return Slot(f"audio_encoder.{block}.self_attn.linear_q_k_v.{kind}", _FUSED.index(module))
    return Slot(f"audio_encoder.{block}.{_MODULES[module]}.{kind}", None)


def toolkit_shapes(shapes: Mapping[str, torch.Size], blocks: int) -> dict[str, torch.Size]:
    """Names and shapes of model.pt for a model whose HF names and shapes are `shapes`."""
    result = {}
    for name, shape in shapes.items():
        place = slot(name, blocks)
        result[place.name] = shape if place.part is None else torch.Size((3 * shape[0], *shape[1:]))
    return result


def to_hf(stored: Mapping[str, torch.Tensor], names: Iterable[str], blocks: int) -> dict[str, torch.Tensor]:
    """HF's tensors `names` out of those of model.pt; thirds of a fused tensor are views of it."""
    result = {}
    for name in names:
        place = slot(name, blocks)
        tensor = stored[place.name]
        result[name] = tensor if place.part is None else tensor.chunk(3)[place.part]
    return result


def from_hf(tensors: Mapping[str, torch.Tensor], blocks: int) -> dict[str, torch.Tensor]:
    """Tensors of model.pt out of HF's."""
    parts: dict[str, dict[int | None, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        place = slot(name, blocks)
        parts.setdefault(place.name, {})[place.part] = tensor
    return {
        name: part[None] if None in part else torch.cat([part[0], part[1], part[2]]) for name, part in parts.items()
    }


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """Tensors of model.pt (mapped, not read, where the file allows it), out of the wrappings that training puts around
    them. Never unpickles code: a file that holds more than tensors and plain values is refused."""
    if not file.is_file():
        others = sorted(other.name for other in file.parent.glob("*.pt*"))
        hint = f"; found {', '.join(others)}: link or copy the one to convert to {file.name}" if others else ""
        raise RecipeError(f"{file}: no such file{hint}")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise RecipeError(
            f"{file}: cannot be read as a file of tensors ({str(error).splitlines()[0]}); it is damaged, or holds "
            "objects that only unpickling of arbitrary code would restore, which is refused"
        ) from None
    state = _unwrap(state)
    if not isinstance(state, dict):
        raise RecipeError(f"{file}: expected tensors by name, found {type(state).__name__}")
    others = [f"{key} ({type(value).__name__})" for key, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise RecipeError(f"{file}: expected tensors by name, found {', '.join(others[:5])}")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _unwrap(state: Any) -> Any:
    """The dictionary of tensors inside a training checkpoint."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            return _unwrap(state[key])
    return state
