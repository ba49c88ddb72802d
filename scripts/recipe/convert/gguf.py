"""A model as two GGUF files for the llama.cpp programs of FunASR (`runtime/llama.cpp`): `llama-funasr-cli`.

The first file is encoder and adaptor, under the toolkit's names and with the sizes that `load_enc` of its
funasr-cli.cpp looks up; the second is the language model as llama.cpp itself knows Qwen3, with the tokenizer. What is
no size is built into the program: it takes an eighth of the frames (`low_frame_rate`), asks with one prompt, and holds
2,048 tokens.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import FunAsrNanoConfig, PreTrainedTokenizerBase

from recipe.audio.fbank import BINS
from recipe.convert import toolkit
from recipe.convert.byte_level import ByteLevelVocabulary, byte_level
from recipe.files import RecipeError
from recipe.model.features import FRAME_WIDTH, STACKED, STRIDE
from recipe.settings.export import needed
from recipe.settings.train import LOW_FRAME_RATE
from recipe.text.prompt import END_OF_TURN

ENCODER_FILE, LLM_FILE = "funasr-encoder.gguf", "funasr-llm.gguf"
_ENCODER_KIND, _LLM_KIND = "funasr-sensevoice-encoder", "qwen3"
_LLM_PREFIX, _HEAD = "model.language_model.", "lm_head.weight"


def write(
    config: FunAsrNanoConfig,
    tensors: Mapping[str, torch.Tensor],
    tokenizer: PreTrainedTokenizerBase,
    audio_tokens: str,
    directory: Path,
    source: Path,
) -> None:
    """Write both files to `directory`, of a model in HF's terms. Matrices keep the type that they have in `tensors`
    (names as in HF's state dict), norms, biases and the FSMN's kernels are in 32 bits, as the program takes them.

    RecipeError if the package gguf is not installed, or the program cannot compute what the model was trained for.
    """
    check(config, audio_tokens, source)
    needed("gguf", "GGUF files are")
    vocabulary = byte_level(tokenizer, source)
    # The library's own lines name folders that are gone at the end.
    logging.getLogger("gguf").setLevel(logging.WARNING)
    _write_encoder(config, tensors, directory / ENCODER_FILE)
    _write_llm(config, tensors, tokenizer, vocabulary, directory / LLM_FILE)


def check(config: FunAsrNanoConfig, audio_tokens: str, source: Path) -> None:
    """RecipeError if the program cannot compute what the model was trained for."""
    toolkit.check_expressible(config, source)
    text, kernel = config.text_config, config.audio_config.fsmn_kernel_size
    facts = (
        ("the audio token setting", audio_tokens, LOW_FRAME_RATE),
        ("text_config.model_type", text.model_type, _LLM_KIND),
        ("text_config.rope_parameters.rope_type", text.rope_parameters["rope_type"], "default"),
        ("text_config.attention_bias", text.attention_bias, False),
        ("text_config.hidden_act", text.hidden_act, "silu"),
        ("the kinds of text_config.layer_types", sorted(set(text.layer_types)), ["full_attention"]),
        ("audio_config.fsmn_kernel_size, in halves,", kernel % 2, 1),
    )
    for name, value, built_in in facts:
        if value != built_in:
            raise RecipeError(f"{source}: {name} is {value!r}, but llama.cpp's program has {built_in!r} built in")


# ---- encoder and adaptor


def _write_encoder(config: FunAsrNanoConfig, tensors: Mapping[str, torch.Tensor], file: Path) -> None:
    import gguf

    encoder, adaptor = config.audio_config, config.adaptor_config
    writer = gguf.GGUFWriter(file, _ENCODER_KIND)
    sizes = {
        "enc.input_size": FRAME_WIDTH,
        "enc.output_size": encoder.hidden_size,
        "enc.attention_heads": encoder.num_attention_heads,
        "enc.linear_units": encoder.intermediate_size,
        "enc.num_blocks": toolkit.transcription_blocks(config),
        "enc.tp_blocks": encoder.num_timestamp_prediction_layers,
        "enc.kernel_size": encoder.fsmn_kernel_size,
        "enc.sanm_shfit": 0,
        "adp.llm_dim": adaptor.hidden_size,
        "adp.encoder_dim": encoder.hidden_size,
        "adp.ffn_dim": adaptor.projector_hidden_size,
        "adp.n_layer": adaptor.num_hidden_layers,
        "adp.attention_heads": adaptor.num_attention_heads,
        "adp.downsample_rate": 1,
        "frontend.n_mels": BINS,
        "frontend.lfr_m": STACKED,
        "frontend.lfr_n": STRIDE,
    }
    for name, size in sizes.items():
        writer.add_uint32(f"funasr.{name}", size)
    for name, tensor in toolkit.from_hf(tensors, toolkit.transcription_blocks(config)).items():
        if name.endswith("fsmn_block.weight"):
            tensor = tensor[:, 0].T.contiguous().float()  # [kernel, width]: the program adds up a row a tap
        if not name.startswith("llm."):
            _add(writer, name, tensor)
    _finish(writer)


# ---- the language model


def _write_llm(
    config: FunAsrNanoConfig,
    tensors: Mapping[str, torch.Tensor],
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: ByteLevelVocabulary,
    file: Path,
) -> None:
    import gguf

    text = config.text_config
    writer = gguf.GGUFWriter(file, _LLM_KIND)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_block_count(text.num_hidden_layers)
    writer.add_feed_forward_length(text.intermediate_size)
    writer.add_head_count(text.num_attention_heads)
    writer.add_head_count_kv(text.num_key_value_heads)
    writer.add_key_length(text.head_dim)
    writer.add_value_length(text.head_dim)
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)
    writer.add_rope_freq_base(text.rope_parameters["rope_theta"])
    writer.add_vocab_size(text.vocab_size)
    _add_tokenizer(writer, tokenizer, vocabulary, text.vocab_size)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, text.num_hidden_layers)
    for name, tensor in tensors.items():
        if name.startswith(_LLM_PREFIX):
            own = f"model.{name.removeprefix(_LLM_PREFIX)}"
        elif name == _HEAD and not config.tie_word_embeddings:
            own = name
        else:
            continue
        _add(writer, names.get_name(own, try_suffixes=(".weight",)), tensor)
    _finish(writer)


def _add_tokenizer(
    writer, tokenizer: PreTrainedTokenizerBase, vocabulary: ByteLevelVocabulary, vocabulary_size: int
) -> None:
    """The tokens as llama.cpp's "gpt2" with Qwen2's words. Ids without a token have a name that no text is cut into."""
    from gguf import TokenType

    added = {True: TokenType.CONTROL, False: TokenType.USER_DEFINED}
    kinds = {token["id"]: added[token["special"]] for token in vocabulary.added}
    tokens, types = [], []
    for number in range(vocabulary_size):
        token = vocabulary.tokens[number] if number < len(vocabulary.tokens) else None
        tokens.append(f"[unused{number}]" if token is None else token)
        types.append(TokenType.UNUSED if token is None else kinds.get(number, TokenType.NORMAL))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([f"{left} {right}" for left, right in vocabulary.merges])
    writer.add_eos_token_id(tokenizer.convert_tokens_to_ids(END_OF_TURN))
    writer.add_add_bos_token(False)


def _add(writer, name: str, tensor: torch.Tensor) -> None:
    """Add a tensor: matrices in their own type, everything else in 32 bits."""
    import gguf

    tensor = tensor.detach().contiguous()
    if tensor.ndim < 2 or tensor.dtype == torch.float32:
        writer.add_tensor(name, tensor.float().numpy())
    elif tensor.dtype == torch.bfloat16:
        values = tensor.view(torch.uint8).numpy()
        writer.add_tensor(name, values, raw_dtype=gguf.GGMLQuantizationType.BF16)
    else:
        writer.add_tensor(name, tensor.numpy())


def _finish(writer) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
