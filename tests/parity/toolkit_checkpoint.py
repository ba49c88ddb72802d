"""Small random models in the toolkit's layout, written from that layout's description and not from our key map.

Every norm and bias is random, so that a tensor in a wrong place or left at its initial value shows.
"""

import json
import shutil
from pathlib import Path

import made_ctc
import torch
import yaml
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

ROOT = Path(__file__).resolve().parents[2]
QWEN_TOKENIZER = ROOT.parent / "shared" / "qwen3-tokenizer"
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>")
WORDS = "▁the ▁you ▁are ▁hel pful ▁assi st ant ▁is th ank ▁tran script ion ▁good day dollars user system assistant"
PHRASES = "语音 转写 转写成 中文 今天 不进行 文本 规整 对吗 请 的 ， 。 ： ！ ？ 你 我"

SIZES = {
    "blocks": 3,
    "tp_blocks": 2,
    "width": 64,
    "heads": 4,
    "ffn": 128,
    "kernel": 11,
    "adaptor_blocks": 2,
    "adaptor_heads": 4,
    "projector": 96,
    "hidden": 64,
    "llm_layers": 2,
    "llm_heads": 4,
    "llm_kv_heads": 2,
    "head_dim": 16,
    "llm_ffn": 96,
    "inputs": 560,
}
# Built into vLLM's class; the rest is as small as it can be.
FITTING_VLLM = {
    "width": 512, "ffn": 64, "projector": 2048, "hidden": 1024, "adaptor_heads": 8, "head_dim": 64, "llm_ffn": 256,
}  # fmt: skip


def small_tokenizer() -> Tokenizer:
    """A tokenizer as SentencePiece makes them: a unigram model over pieces with byte fallback, spaces as ▁."""
    characters = [chr(code) for code in range(33, 127)] + ["▁"]
    known = ["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = [(piece, 0.0) for piece in known] + [(piece, -9.0) for piece in characters]
    vocabulary += [(piece, -5.0) for piece in f"{WORDS} {PHRASES}".split()]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="never")])
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def write_tokenizer(directory: Path, kind: str = "small", tokenizer_class: str = "PreTrainedTokenizerFast") -> int:
    """Write tokenizer files ("small" or "qwen") and return the size of the vocabulary."""
    directory.mkdir(parents=True, exist_ok=True)
    if kind == "qwen":
        for file in QWEN_TOKENIZER.iterdir():
            shutil.copyfile(file, directory / file.name)
        return 151936
    tokenizer = small_tokenizer()
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {"tokenizer_class": tokenizer_class, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer.get_vocab_size()


class _Maker:
    """Random tensors by name: `linear`, `norm` and `vector` add entries to `tensors`."""

    def __init__(self, seed: int, dtype: torch.dtype):
        self.tensors: dict[str, torch.Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)
        self._dtype = dtype

    def add(self, name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> None:
        values = torch.randn(*shape, generator=self._generator) * scale + mean
        self.tensors[name] = values.to(self._dtype)

    def linear(self, name: str, outputs: int, inputs: int, bias: bool = True) -> None:
        self.add(f"{name}.weight", outputs, inputs, scale=inputs**-0.5)
        if bias:
            self.add(f"{name}.bias", outputs, scale=0.2)

    def norm(self, name: str, size: int, bias: bool = True) -> None:
        self.add(f"{name}.weight", size, scale=0.2, mean=1.0)
        if bias:
            self.add(f"{name}.bias", size, scale=0.2)


def toolkit_tensors(
    vocabulary: int, tied: bool = True, ctc: bool = False, dtype: torch.dtype = torch.float32, seed: int = 0, **sizes
) -> dict[str, torch.Tensor]:
    """A model.pt of random tensors; `sizes` replace entries of SIZES."""
    s = SIZES | sizes
    make = _Maker(seed, dtype)
    names = ["encoders0.0"] + [f"encoders.{i}" for i in range(s["blocks"] - 1)]
    names += [f"tp_encoders.{i}" for i in range(s["tp_blocks"])]
    for place, name in enumerate(names):
        _encoder_block(make, f"audio_encoder.{name}", s["width"] if place else s["inputs"], s)
    make.norm("audio_encoder.after_norm", s["width"])
    make.norm("audio_encoder.tp_norm", s["width"])
    _llm(make, vocabulary, tied, s)
    make.linear("audio_adaptor.linear1", s["projector"], s["width"])
    make.linear("audio_adaptor.linear2", s["hidden"], s["projector"])
    for i in range(s["adaptor_blocks"]):
        _adaptor_block(make, f"audio_adaptor.blocks.{i}", s["hidden"])
    if ctc:
        make.linear("ctc_decoder.linear1", made_ctc.FFN, s["width"])
        make.linear("ctc_decoder.linear2", s["width"], made_ctc.FFN)
        for i in range(made_ctc.LAYERS):
            _adaptor_block(make, f"ctc_decoder.blocks.{i}", s["width"])
        make.linear("ctc.ctc_lo", made_ctc.VOCABULARY, s["width"])
        # Special tokens are unlikely, so that frames have texts.
        make.tensors["ctc.ctc_lo.bias"][len(made_ctc.ranks()) : -1] -= 20
    return make.tensors


def _encoder_block(make: _Maker, name: str, inputs: int, s: dict) -> None:
    make.linear(f"{name}.self_attn.linear_out", s["width"], s["width"])
    make.linear(f"{name}.self_attn.linear_q_k_v", 3 * s["width"], inputs)
    make.add(f"{name}.self_attn.fsmn_block.weight", s["width"], 1, s["kernel"], scale=0.2)
    make.linear(f"{name}.feed_forward.w_1", s["ffn"], s["width"])
    make.linear(f"{name}.feed_forward.w_2", s["width"], s["ffn"])
    make.norm(f"{name}.norm1", inputs)
    make.norm(f"{name}.norm2", s["width"])


def _adaptor_block(make: _Maker, name: str, hidden: int) -> None:
    for part in ("linear_q", "linear_k", "linear_v", "linear_out"):
        make.linear(f"{name}.self_attn.{part}", hidden, hidden)
    make.linear(f"{name}.feed_forward.w_1", hidden // 4, hidden)
    make.linear(f"{name}.feed_forward.w_2", hidden, hidden // 4)
    make.norm(f"{name}.norm1", hidden)
    make.norm(f"{name}.norm2", hidden)


def _llm(make: _Maker, vocabulary: int, tied: bool, s: dict) -> None:
    hidden, attention = s["hidden"], s["llm_heads"] * s["head_dim"]
    make.add("llm.model.embed_tokens.weight", vocabulary, hidden, scale=0.1)
    for i in range(s["llm_layers"]):
        name = f"llm.model.layers.{i}"
        make.linear(f"{name}.self_attn.q_proj", attention, hidden, bias=False)
        make.linear(f"{name}.self_attn.k_proj", s["llm_kv_heads"] * s["head_dim"], hidden, bias=False)
        make.linear(f"{name}.self_attn.v_proj", s["llm_kv_heads"] * s["head_dim"], hidden, bias=False)
        make.linear(f"{name}.self_attn.o_proj", hidden, attention, bias=False)
        make.norm(f"{name}.self_attn.q_norm", s["head_dim"], bias=False)
        make.norm(f"{name}.self_attn.k_norm", s["head_dim"], bias=False)
        # Large, so that decoding does not only repeat its last token.
        make.add(f"{name}.mlp.gate_proj.weight", s["llm_ffn"], hidden, scale=4 * hidden**-0.5)
        make.linear(f"{name}.mlp.up_proj", s["llm_ffn"], hidden, bias=False)
        make.linear(f"{name}.mlp.down_proj", hidden, s["llm_ffn"], bias=False)
        make.norm(f"{name}.input_layernorm", hidden, bias=False)
        make.norm(f"{name}.post_attention_layernorm", hidden, bias=False)
    make.norm("llm.model.norm", hidden, bias=False)
    if tied:
        make.tensors["llm.lm_head.weight"] = make.tensors["llm.model.embed_tokens.weight"].clone()
    else:
        make.add("llm.lm_head.weight", vocabulary, hidden, scale=0.1)


def toolkit_settings(low_frame_rate: bool = True, **sizes) -> dict:
    """The config.yaml of `toolkit_tensors`, with the keys that published ones have."""
    s = SIZES | sizes
    return {
        "model": "FunASRNano",
        "model_conf": {"lsm_weight": 0.1, "length_normalized_loss": True},
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_encoder_conf": {
            "output_size": s["width"],
            "attention_heads": s["heads"],
            "linear_units": s["ffn"],
            "num_blocks": s["blocks"],
            "tp_blocks": s["tp_blocks"],
            "dropout_rate": 0.1,
            "positional_dropout_rate": 0.1,
            "attention_dropout_rate": 0.1,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "normalize_before": True,
            "kernel_size": s["kernel"],
            "sanm_shfit": 0,
            "selfattention_layer_type": "sanm",
            "freeze": True,
            "freeze_layer_num": -1,
            "feat_permute": True,
        },
        "llm": "Qwen3-0.6b",
        "llm_conf": {"hub": "hf", "freeze": True, "llm_dtype": "fp32", "init_param_path": "Qwen3-0.6B"},
        "audio_adaptor": "Transformer",
        "audio_adaptor_conf": {
            "downsample_rate": 1,
            "use_low_frame_rate": low_frame_rate,
            "ffn_dim": s["projector"],
            "llm_dim": s["hidden"],
            "encoder_dim": s["width"],
            "n_layer": s["adaptor_blocks"],
            "attention_heads": s["adaptor_heads"],
            "freeze": True,
        },
        "frontend": "WavFrontend",
        "frontend_conf": {
            "fs": 16000,
            "window": "hamming",
            "n_mels": 80,
            "frame_length": 25,
            "frame_shift": 10,
            "lfr_m": 7,
            "lfr_n": 6,
            "cmvn_file": None,
        },
        "dataset_conf": {"do_think": True},
        "tokenizer": "HuggingfaceTokenizer",
        "tokenizer_conf": {"init_param_path": "${llm_conf.init_param_path}"},
    }


def llm_settings(vocabulary: int, tied: bool = True, **sizes) -> dict:
    """The config.json of the language model, in the form of transformers 4 as published."""
    s = SIZES | sizes
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "eos_token_id": None,
        "head_dim": s["head_dim"],
        "hidden_act": "silu",
        "hidden_size": s["hidden"],
        "initializer_range": 0.02,
        "intermediate_size": s["llm_ffn"],
        "max_position_embeddings": 40960,
        "model_type": "qwen3",
        "num_attention_heads": s["llm_heads"],
        "num_hidden_layers": s["llm_layers"],
        "num_key_value_heads": s["llm_kv_heads"],
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        "vocab_size": vocabulary,
    }


def write_toolkit_directory(
    directory: Path, tokenizer: str = "small", low_frame_rate: bool = True, tied: bool = True, **options
) -> dict[str, torch.Tensor]:
    """Write a toolkit directory (as published, where configuration.json holds the paths) and return its tensors; with
    `ctc` it has a CTC branch of 84 + 2 tensors, as ModelScope's."""
    sizes = {key: value for key, value in options.items() if key in SIZES}
    llm = directory / "Qwen3-0.6B"
    vocabulary = write_tokenizer(llm, tokenizer)
    (llm / "config.json").write_text(json.dumps(llm_settings(vocabulary, tied, **sizes)))
    settings = toolkit_settings(low_frame_rate, **sizes)
    if options.get("ctc"):
        of_branch = made_ctc.entries((SIZES | sizes)["width"])
        settings |= of_branch | {"dataset_conf": settings["dataset_conf"] | of_branch["dataset_conf"]}
        made_ctc.write_vocabulary(directory / "multilingual.tiktoken")
    with open(directory / "config.yaml", "w") as file:
        yaml.safe_dump(settings, file, sort_keys=False)
    paths = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "llm_conf": {"init_param_path": "Qwen3-0.6B"},
        "tokenizer_conf": {"init_param_path": "Qwen3-0.6B"},
    }
    if options.get("ctc"):
        paths["dataset_conf"] = {"ctc_tokenizer_conf": {"vocab_path": "multilingual.tiktoken"}}
    (directory / "configuration.json").write_text(json.dumps({"framework": "pytorch", "file_path_metas": paths}))
    tensors = toolkit_tensors(vocabulary, tied, **options)
    torch.save(tensors, directory / "model.pt")
    return tensors
