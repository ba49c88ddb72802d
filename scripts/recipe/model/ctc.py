"""The CTC branch of a model: it says of every encoder frame which token sounds there, and so when a word is said.

The published model has it beside the adaptor (Graves et al. 2006 for the loss): an adaptor of its own over the
encoder's outputs (the toolkit's `ctc_decoder`), and a linear layer to scores of its own tokens (`ctc.ctc_lo`).
transformers' model has no place for it, so that it lies in a folder of the model directory:

    ctc/config.json          its entries of the toolkit's config.yaml, as they were
    ctc/model.safetensors    its tensors, named as transformers names those of an adaptor
    ctc/...                  its tokenizer: multilingual.tiktoken, or a folder `tokenizer`

The encoder must be the one that it was trained with; `stale` in recipe.json says where it is not.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import FunAsrNanoConfig, PreTrainedTokenizerBase
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.fun_asr_nano.modeling_fun_asr_nano import FunAsrNanoMultiModalProjector

from recipe.files import RecipeError, read_json, share_file, write_json
from recipe.model import loading
from recipe.model.ctc_tokens import PLACES, CtcTokens, HfTokens, open_tokens
from recipe.model.directory import RECIPE_FILE
from recipe.model.toolkit_settings import ToolkitSettings
from recipe.text.prompt import IGNORED

FOLDER = "ctc"
TOKENIZER_FOLDER = "tokenizer"  # in it, for a tokenizer of several files
CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZER = "dataset_conf.ctc_tokenizer"
# What the branch can only be: (key, the toolkit's value where the key is absent, the value needed). The toolkit's times
# are those of undivided frames, and a stated blank keeps it from loading.
_REQUIRED = (
    ("ctc_decoder", None, "Transformer"),
    ("ctc_decoder_conf.downsample_rate", 2, 1),
    ("ctc_conf.blank_id", None, None),
)


@dataclass(frozen=True)
class CtcSizes:
    """Sizes of a branch: width of encoder and blocks, of the layer before them, number of blocks and of their attention
    heads, tokens with the blank; and what training drops."""

    width: int
    ffn: int
    layers: int
    heads: int
    vocabulary: int
    dropout: float = 0.0
    attention_dropout: float = 0.0


class CtcBranch(nn.Module):
    """Log-probabilities of tokens by encoder frame. The last token is the blank, as in the toolkit. `folder` is where
    it was read; None if it was begun here."""

    def __init__(self, sizes: CtcSizes, tokens: CtcTokens, folder: Path | None = None):
        super().__init__()
        self.sizes = sizes
        self.tokens = tokens
        self.folder = folder
        self.blank = sizes.vocabulary - 1
        self.decoder = FunAsrNanoMultiModalProjector(_decoder_config(sizes))
        self.output = nn.Linear(sizes.width, sizes.vocabulary)

    def forward(self, encoder_outputs: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """Log-probabilities [batch, frames, vocabulary], in 32 bits, of `encoder_outputs` [batch, frames, width] of
        60 ms each. `frames` [batch] are valid ones of each row; what stands behind them means nothing."""
        places = torch.arange(encoder_outputs.shape[1], device=encoder_outputs.device)
        mask = (places < frames.to(places.device)[:, None]).long()
        return self.output(self.decoder(encoder_outputs, mask)).float().log_softmax(-1)

    def loss(self, encoder_outputs: torch.Tensor, frames: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """CTC loss of `targets` [batch, tokens], IGNORED behind each row's own, summed over the batch; the other
        arguments are those of `forward`. Gradients end at the branch, as in the published training: the encoder is
        not changed for it. A text of more tokens than its frames can hold counts as 0."""
        wanted = targets != IGNORED
        return nn.functional.ctc_loss(
            self(encoder_outputs.detach(), frames).transpose(0, 1),
            targets.masked_fill(~wanted, 0),
            frames,
            wanted.sum(1),
            blank=self.blank,
            reduction="sum",
            zero_infinity=True,
        )


def _decoder_config(sizes: CtcSizes) -> FunAsrNanoConfig:
    adaptor = {
        "hidden_size": sizes.width,
        "intermediate_size": sizes.width // 4,
        "projector_hidden_size": sizes.ffn,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "hidden_dropout": sizes.dropout,
        "attention_dropout": sizes.attention_dropout,
        "layer_norm_eps": 1e-12,  # built into the toolkit's network
    }
    same = {"hidden_size": sizes.width}  # as transformers wants a language model beside an adaptor
    config = FunAsrNanoConfig(audio_config=same, adaptor_config=adaptor, text_config={"model_type": "qwen3"} | same)
    # Otherwise transformers 5.23.0 gives the blocks no padding mask.
    config.adaptor_config._attn_implementation = "sdpa"
    return config


def sizes_of(settings: ToolkitSettings, width: int) -> CtcSizes:
    """Sizes that the toolkit's settings give a branch beside an encoder of `width`. Defaults are the toolkit's."""
    for key, default, needed in _REQUIRED:
        settings.require(key, default, needed)
    sizes = CtcSizes(
        width=width,
        ffn=settings.get("ctc_decoder_conf.ffn_dim", int, 2048),
        layers=settings.get("ctc_decoder_conf.n_layer", int, 2),
        heads=settings.get("ctc_decoder_conf.attention_heads", int, 8),
        vocabulary=settings.get("ctc_vocab_size", int, 60515),
        dropout=settings.get("ctc_decoder_conf.dropout_rate", float, 0.0),
        attention_dropout=settings.get("ctc_decoder_conf.attention_dropout_rate", float, 0.0),
    )
    own = settings.get("ctc_decoder_conf.llm_dim", int, 4096)
    if own != width:
        raise RecipeError(
            f"{settings.file}: ctc_decoder_conf.llm_dim is {own}, the encoder's width {width}; same needed"
        )
    if sizes.heads < 1 or width % sizes.heads:
        raise RecipeError(f"{settings.file}: ctc_decoder_conf.attention_heads is {sizes.heads}, no divisor of {width}")
    return sizes


def tokenizer_kind(settings: ToolkitSettings) -> str:
    """Which tokenizer the settings name, by the toolkit's name."""
    kind = settings.raw(TOKENIZER)
    if kind not in PLACES:
        raise RecipeError(f"{settings.file}: {TOKENIZER} is {kind!r}, known are {', '.join(PLACES)}")
    return kind


def layout(sizes: CtcSizes) -> dict[str, torch.Size]:
    """Names and shapes of a branch's tensors; nothing is allocated."""
    with torch.device("meta"):
        branch = CtcBranch(sizes, None)
    return {name: tensor.shape for name, tensor in branch.state_dict().items()}


def has_branch(directory: str | os.PathLike) -> bool:
    """Whether a model directory has a CTC branch."""
    return (Path(directory) / FOLDER / CONFIG).is_file()


def is_stale(directory: str | os.PathLike) -> bool:
    """Whether recipe.json of a model directory says that its branch was made for another encoder."""
    file = Path(directory) / RECIPE_FILE
    return file.is_file() and read_json(file).get(FOLDER, {}).get("stale", False)


def read(directory: str | os.PathLike, width: int) -> tuple[CtcSizes, dict[str, torch.Tensor], CtcTokens]:
    """Sizes, tensors (as they are stored) and tokenizer of the branch in a model directory whose encoder has `width`.
    RecipeError names what is missing or does not fit."""
    folder = Path(directory) / FOLDER
    settings = ToolkitSettings(folder / CONFIG)
    sizes, kind = sizes_of(settings, width), tokenizer_kind(settings)
    tokens = open_tokens(kind, folder / settings.get(f"{TOKENIZER}_conf.{PLACES[kind]}", str, None))
    check_size(settings, sizes, tokens)
    return sizes, _tensors(folder / WEIGHTS, layout(sizes)), tokens


def check_size(settings: ToolkitSettings, sizes: CtcSizes, tokens: CtcTokens) -> None:
    """RecipeError if the tokenizer has more tokens than the branch scores beside the blank."""
    if tokens.size >= sizes.vocabulary:
        raise RecipeError(
            f"{settings.file}: ctc_vocab_size is {sizes.vocabulary}, but the tokenizer has {tokens.size} tokens, and "
            "the blank is one more"
        )


def _tensors(file: Path, expected: Mapping[str, torch.Size]) -> dict[str, torch.Tensor]:
    if not file.is_file():
        raise RecipeError(f"{file}: no such file, though {CONFIG} is beside it; copy the whole folder again")
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise RecipeError(f"{file}: not a readable safetensors file ({error})") from None
    loading.check_tensors(tensors, expected, file)
    return tensors


def load(directory: str | os.PathLike, width: int, device: str | torch.device = "cpu") -> CtcBranch | None:
    """The branch of a model directory whose encoder has `width`, in eval mode and 32 bits; None if it has none."""
    if not has_branch(directory):
        return None
    sizes, tensors, tokens = read(directory, width)
    branch = CtcBranch(sizes, tokens, Path(directory) / FOLDER)
    branch.load_state_dict(tensors)
    return branch.to(device).eval()


def begin(encoder: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase, seed: int) -> CtcBranch:
    """A small random branch for an encoder of this configuration: one block as wide as the encoder's and with as many
    heads, behind a layer four times as wide, over the tokens of the model's own tokenizer. So any transcript has
    tokens, a frame holds about one, and the toolkit can read them."""
    tokens = HfTokens(tokenizer)
    width = encoder.hidden_size
    sizes = CtcSizes(width, 4 * width, 1, encoder.num_attention_heads, tokens.size + 1)
    with torch.random.fork_rng():  # what is drawn after it does not depend on it
        torch.manual_seed(seed)
        return CtcBranch(sizes, tokens)


def _begun_entries(sizes: CtcSizes) -> dict:
    """What config.yaml has to say of a branch that `begin` made."""
    decoder = {"downsample_rate": 1, "encoder_dim": sizes.width, "llm_dim": sizes.width, "ffn_dim": sizes.ffn}
    return {
        "ctc_decoder": "Transformer",
        "ctc_decoder_conf": decoder | {"n_layer": sizes.layers, "attention_heads": sizes.heads, "freeze": False},
        "ctc_vocab_size": sizes.vocabulary,
        "dataset_conf": {
            "ctc_tokenizer": "HuggingfaceTokenizer",
            "ctc_tokenizer_conf": {"init_param_path": TOKENIZER_FOLDER},
        },
    }


def copy(source: str | os.PathLike, directory: str | os.PathLike) -> None:
    """Copy the branch of one model directory into another, byte for byte."""
    shutil.copytree(Path(source) / FOLDER, Path(directory) / FOLDER)


def write(branch: CtcBranch, directory: str | os.PathLike) -> None:
    """Write a branch into a model directory that has none: settings and tokenizer as they were read."""
    folder = Path(directory) / FOLDER
    if branch.folder:
        shutil.copytree(branch.folder, folder)
    else:
        write_json(folder / CONFIG, _begun_entries(branch.sizes))
        branch.tokens.save(folder / TOKENIZER_FOLDER)
    write_tensors(branch.state_dict(), folder)


def write_tensors(tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write the tensors of a branch to its folder."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS, {"format": "pt"})
    share_file(folder / WEIGHTS)  # written readable by its owner alone
