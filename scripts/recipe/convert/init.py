"""A model from nothing: a SentencePiece tokenizer with the chat tokens, and a Fun-ASR-Nano of given sizes.

For small models that are trained on one's own data alone, such as the bundled one; fine-tuning starts from a
published or bundled model instead.
"""

import dataclasses
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

import sentencepiece
import tokenizers
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import decoders, models, normalizers, pre_tokenizers

from recipe.files import RecipeError
from recipe.model import loading
from recipe.model.directory import CHAT_TEMPLATE
from recipe.model.network import FunAsrNanoForConditionalGeneration, Recognizer
from recipe.text import prompt

PAD = "<|endoftext|>"
CHAT_TOKENS = (
    PAD,
    "<|im_start|>",
    prompt.END_OF_TURN,
    prompt.AUDIO_TOKEN,
    prompt.START_OF_SPEECH,
    prompt.END_OF_SPEECH,
)
SPACE = "▁"
_HAN = re.compile(r"[\u3400-\u9fff]")
_CUT = "\x01"  # no token crosses it; SentencePiece takes it out
PROMPT_TEXTS = [
    "system",
    "user",
    "assistant",
    prompt.SYSTEM,
    prompt.transcription_prompt(),
    prompt.transcription_prompt("en"),
]


@dataclass(frozen=True)
class Sizes:
    """Sizes of a model from nothing; the defaults make about 3 M parameters."""

    vocabulary: int = 900
    encoder_layers: int = 6
    encoder_width: int = 144
    encoder_heads: int = 4
    encoder_ffn: int = 576
    fsmn_kernel: int = 11
    adaptor_ffn: int = 288
    adaptor_layers: int = 2
    llm_layers: int = 4
    llm_width: int = 144
    llm_heads: int = 4
    llm_kv_heads: int = 2
    llm_ffn: int = 432
    dropout: float = 0.1

    def __post_init__(self):
        for name, size in dataclasses.asdict(self).items():
            if name != "dropout" and (not isinstance(size, int) or size < 1):
                raise ValueError(f"{name} is {size!r}, expected a whole number of 1 or more")
        for whole, part in (
            ("encoder_width", "encoder_heads"),
            ("llm_width", "llm_heads"),
            ("llm_heads", "llm_kv_heads"),
        ):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(
                    f"{whole} is {getattr(self, whole)}, expected a multiple of {part}, {getattr(self, part)}"
                )


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> transformers.PreTrainedTokenizerFast:
    """Train a SentencePiece unigram model with byte fallback and the chat tokens, as a transformers tokenizer.

    Text comes back from its tokens as it was: no normalization, no added space. Han characters are a token each: in a
    small corpus whole phrases would become tokens otherwise, and their characters be learned nowhere else.
    """
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(_HAN.sub(f"{_CUT}\\g<0>{_CUT}", text) for text in texts),
        pretokenization_delimiter=_CUT,
        max_sentencepiece_length=16,
        model_writer=trained,
        vocab_size=vocabulary,
        model_type="unigram",
        character_coverage=1.0,
        byte_fallback=True,
        user_defined_symbols=list(CHAT_TOKENS),
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_digits=True,
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return to_transformers(trained.getvalue())


def load_tokenizer(directory: str) -> transformers.PreTrainedTokenizerFast:
    """The tokenizer of a model directory."""
    try:
        return transformers.PreTrainedTokenizerFast.from_pretrained(directory, local_files_only=True)
    except loading.UNLOADABLE as error:
        raise RecipeError(f"{directory}: no tokenizer ({' '.join(str(error).split())})") from None


def to_transformers(serialized: bytes) -> transformers.PreTrainedTokenizerFast:
    """A SentencePiece unigram model (its serialized bytes) as a transformers tokenizer of the same ids."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(serialized)
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=proto.trainer_spec.unk_id, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex("[0-9]"), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    # Chat tokens are cut out before anything else, so no text around them can merge into them.
    tokenizer.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False) for t in CHAT_TOKENS])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=prompt.END_OF_TURN,
        pad_token=PAD,
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )


def build(sizes: Sizes, tokenizer: transformers.PreTrainedTokenizerFast, audio_tokens: str, seed: int) -> Recognizer:
    """A Recognizer of the given sizes with random weights."""
    vocabulary = len(tokenizer)
    config = transformers.FunAsrNanoConfig(
        audio_config={
            "model_type": "fun_asr_nano_encoder",
            "hidden_size": sizes.encoder_width,
            "num_attention_heads": sizes.encoder_heads,
            "intermediate_size": sizes.encoder_ffn,
            "num_hidden_layers": sizes.encoder_layers,
            "num_timestamp_prediction_layers": max(1, sizes.encoder_layers // 3),
            "fsmn_kernel_size": sizes.fsmn_kernel,
            "hidden_dropout": sizes.dropout,
            "attention_dropout": sizes.dropout,
        },
        adaptor_config={
            "hidden_size": sizes.llm_width,
            "num_attention_heads": sizes.llm_heads,
            "intermediate_size": sizes.llm_width // 4,
            "num_hidden_layers": sizes.adaptor_layers,
            "projector_hidden_size": sizes.adaptor_ffn,
            "hidden_dropout": sizes.dropout,
            "attention_dropout": sizes.dropout,
        },
        text_config={
            "model_type": "qwen3",
            "vocab_size": vocabulary,
            "hidden_size": sizes.llm_width,
            "intermediate_size": sizes.llm_ffn,
            "num_hidden_layers": sizes.llm_layers,
            "num_attention_heads": sizes.llm_heads,
            "num_key_value_heads": sizes.llm_kv_heads,
            "head_dim": sizes.llm_width // sizes.llm_heads,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": True,
        },
        audio_token_id=tokenizer.convert_tokens_to_ids(prompt.AUDIO_TOKEN),
        tie_word_embeddings=True,
        attn_implementation="sdpa",
    )
    torch.manual_seed(seed)
    model = FunAsrNanoForConditionalGeneration(config)
    initialize(model)
    end, pad = tokenizer.convert_tokens_to_ids(prompt.END_OF_TURN), tokenizer.convert_tokens_to_ids(PAD)
    model.generation_config = transformers.GenerationConfig(eos_token_id=end, pad_token_id=pad, do_sample=False)
    processor = transformers.FunAsrNanoProcessor(
        transformers.FunAsrNanoFeatureExtractor(),
        tokenizer,
        chat_template=CHAT_TEMPLATE,
        audio_token=prompt.AUDIO_TOKEN,
    )
    return Recognizer(model.eval(), processor, audio_tokens, "nothing")


def initialize(model: FunAsrNanoForConditionalGeneration) -> None:
    """Draw weights anew, scaled to the width: transformers' fixed deviation of 0.02 is made for widths of a thousand
    and more; at a tenth of that it leaves attention flat, and training takes several times longer to find the audio."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, torch.nn.Conv1d):
            module.reset_parameters()
    embeddings = model.get_input_embeddings().weight
    torch.nn.init.normal_(embeddings, std=0.6 * embeddings.shape[1] ** -0.5)
    model.tie_weights()
