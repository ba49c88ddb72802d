"""A model as ONNX files for `sherpa_onnx.OfflineRecognizer.from_funasr_nano`: phones, browsers, boards.

The runtime computes filter banks, tokenizes the prompt, asks `embedding` for its rows, puts what `encoder_adaptor`
makes of the audio among them, and lets `llm` read all of it, then a token at a time, over a cache of keys and values
that it keeps itself. Two things in it are not as in training, and the graphs mend both (seen in sherpa-onnx 2.0.1;
its offline-recognizer-funasr-nano-impl.cc and offline-funasr-nano-model.cc say what is read of the files):

- Its front end ends at 7,600 Hz instead of 8,000, and it stacks frames without the first three's neighbours. It is
  told that nothing is to be stacked; `FilterBanks` in the graph moves the bins and stacks as the recipe does. What is
  left is where the frames begin: with 40 samples of silence before a recording they are those of the recipe.
- It leaves a row of its cache empty behind the prompt, and counts it. `CachedSteps` sees filled rows alone, and counts
  positions in them.
"""

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
import torchaudio
from torch import nn

from recipe.audio.fbank import BINS
from recipe.convert.byte_level import ByteLevelVocabulary, byte_level
from recipe.files import open_atomic, write_json
from recipe.model.cached_lm import CachedLanguageModel
from recipe.model.features import STACKED, STRIDE
from recipe.model.network import Recognizer
from recipe.settings.export import needed
from recipe.settings.train import FULL

ENCODER, LLM, EMBEDDING, TOKENIZER = "encoder_adaptor", "llm", "embedding", "tokenizer"
GRAPHS = (ENCODER, LLM, EMBEDDING)
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt")
OPSET = 17  # what onnxruntime reads since 1.12
# Tokens of prompt, audio and transcript together; the runtime allocates its cache for them, and drops audio beyond.
CONTEXT = 1024
SILENCE = 40  # samples before a recording with which the runtime's frames begin where the recipe's do
_LOWEST, _HIGHEST, _RUNTIME_HIGHEST = 20.0, 8000.0, 7600.0  # Hz
_LARGEST = 2_000_000_000  # bytes of weights in one file; protobuf allows 2 GiB with all else


def graph_file(name: str, int8: bool) -> str:
    """Name of the file with a graph."""
    return f"{name}.int8.onnx" if int8 else f"{name}.onnx"


def files() -> list[str]:
    """All files that may be written, by their names in the directory."""
    graphs = [graph_file(name, int8) for name in GRAPHS for int8 in (False, True)]
    beside = [str(Path(graph).with_suffix(".data")) for graph in graphs]
    return [*graphs, *beside, *(f"{TOKENIZER}/{name}" for name in TOKENIZER_FILES)]


def write(recognizer: Recognizer, directory: Path, int8: bool = False) -> None:
    """Write the three graphs and the folder `tokenizer` to `directory`. With `int8` the weights of matrix products are
    8-bit integers, with a scale a column.

    RecipeError if the package onnx (with `int8` also onnxruntime) is not installed, or the tokenizer has no byte-level
    form.
    """
    for package in ("onnx", "onnxruntime") if int8 else ("onnx",):
        needed(package, "graphs for sherpa-onnx are")
    vocabulary = byte_level(recognizer.tokenizer, recognizer.source)
    model = recognizer.model.float().eval()
    # Attention spelled out: what the exporter makes of the fused one holds masks that are not needed.
    model.set_attn_implementation("eager")
    with torch.inference_mode(False), torch.no_grad():
        _export_encoder(EncoderAdaptor(model, recognizer.audio_tokens), directory, int8)
        _export_llm(CachedSteps(model), directory, int8)
        _export_embedding(model, directory, int8)
    _write_tokenizer(vocabulary, directory / TOKENIZER)


# ---- the three graphs


class FilterBanks(nn.Module):
    """The recipe's stacked frames out of the runtime's filter banks."""

    def __init__(self):
        super().__init__()
        self.register_buffer("bins", _bins_of_the_recipe(), persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Stacked frames [1, stacked, 560] of log mel energies [1, frames, 80].

        The first frame and the last are left out: there the runtime goes on beyond the recording, by its mirror image.
        """
        last = torch.clamp(_length(frames) - 2, min=1)
        centres = torch.arange(1, last + 1, STRIDE)
        around = torch.arange(STACKED) - STACKED // 2
        places = torch.minimum(torch.clamp(centres[:, None] + around, min=1), last)
        moved = frames[0] @ self.bins
        return torch.index_select(moved, 0, torch.minimum(places.flatten(), _length(frames) - 1)).reshape(
            1, -1, STACKED * BINS
        )


class EncoderAdaptor(nn.Module):
    """What the language model is given of the audio."""

    def __init__(self, model: nn.Module, audio_tokens: str):
        super().__init__()
        self.front_end = FilterBanks()
        self.encoder, self.projector = model.model.audio_tower, model.model.multi_modal_projector
        self.full = audio_tokens == FULL

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Adaptor frames [1, audio tokens, hidden] of the runtime's log mel energies [1, frames, 80]."""
        features = self.front_end(frames)
        everything = torch.ones_like(features[:, :, 0])
        states = features * self.encoder.scaling + self.encoder.position_embeddings(features)
        for layer in self.encoder.layers:
            states = layer(states, None, everything)
        states = self.projector.linear_2(self.projector.act(self.projector.linear_1(states)))
        for layer in self.projector.layers:
            states = layer(states, None, everything)
        return states if self.full else states[:, : _low_frame_rate(_length(features))]


class CachedSteps(nn.Module):
    """The language model over the runtime's cache: logits of the last token, and what is to be added to the cache."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.head = model.model.language_model, model.lm_head
        self._run = CachedLanguageModel(self.model)

    def forward(
        self, embeddings: torch.Tensor, mask: torch.Tensor, places: torch.Tensor, *cache: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Logits [1, 1, vocabulary], then keys and values [1, new, key heads, head size] of each layer.

        `embeddings` [1, new, hidden]; `mask` [1, tokens], as long as the cache is said to be with the new ones;
        `places` [new] of the new ones in the cache; `cache` keys and values [1, context, key heads, head size] of each
        layer.
        """
        new = _length(embeddings)
        past = torch.minimum(places[0], _length(mask) - new)
        filled = (cache[0][0, :past] != 0).flatten(1).any(1)
        positions = filled.sum() + torch.arange(new)
        causal = torch.arange(new)[:, None] >= torch.arange(new)
        seen = torch.cat([filled[None].expand(new, -1), causal], 1)
        bias = torch.zeros_like(seen, dtype=embeddings.dtype).masked_fill(~seen, torch.finfo(embeddings.dtype).min)
        steps = _RuntimeCache(cache, past)
        last = self._run(embeddings, positions[None], bias[None, None], steps)
        return self.head(last)[:, None], *steps.new


class _RuntimeCache:
    """Stands for `cached_lm.KVCache`: joins the runtime's rows with the new ones, and keeps those."""

    def __init__(self, cache: tuple[torch.Tensor, ...], past: torch.Tensor):
        self._cache, self._past = cache, past
        self.new: list[torch.Tensor] = []

    def update(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.new += [keys, values]
        past = self._cache[2 * layer : 2 * layer + 2]
        return tuple(
            torch.cat([rows[:, : self._past], new], 1).transpose(1, 2)
            for rows, new in zip(past, (keys, values), strict=True)
        )


def _length(tensor: torch.Tensor) -> torch.Tensor:
    """Size of the second dimension, as a tensor: what is computed of it is recorded instead of its value."""
    return torch._shape_as_tensor(tensor)[1]


def _low_frame_rate(frames: torch.Tensor) -> torch.Tensor:
    """`network.audio_token_count` of the published setting, on a tensor."""

    def half(number: torch.Tensor) -> torch.Tensor:
        return torch.div(number - 1, 2, rounding_mode="floor")

    return half(1 + half(1 + half(frames))) + 1


def _bins_of_the_recipe() -> torch.Tensor:
    """Weights [80, 80] with which the runtime's log energies become the recipe's: between the two bins beside the place
    of each on the mel scale. The highest of the recipe's lie over all of the runtime's, and take its last."""
    runtime, recipe = (_mel_centres(highest) for highest in (_RUNTIME_HIGHEST, _HIGHEST))
    places = ((recipe - runtime[0]) / (runtime[1] - runtime[0])).clamp(0, BINS - 1)
    return (1 - (torch.arange(BINS)[:, None] - places).abs()).clamp(min=0).float()


def _mel_centres(highest: float) -> torch.Tensor:
    """Centres [80] of the mel filters from 20 Hz to `highest`, in mel."""
    low, high = (torchaudio.compliance.kaldi.mel_scale_scalar(hertz) for hertz in (_LOWEST, highest))
    return low + torch.arange(1, BINS + 1, dtype=torch.float64) * (high - low) / (BINS + 1)


# ---- files


def _export_encoder(module: EncoderAdaptor, directory: Path, int8: bool) -> None:
    width = module.projector.linear_2.out_features
    facts = {"model_type": "fun_asr_nano_encoder", "lfr_window_size": 1, "lfr_window_shift": 1, "llm_dim": width}
    axes = {"frames": {1: "frames"}, "audio": {1: "audio_tokens"}}
    _export(module, (torch.randn(1, 50, BINS),), directory, ENCODER, ["frames"], ["audio"], axes, facts, int8)


def _export_llm(module: CachedSteps, directory: Path, int8: bool) -> None:
    config = module.model.config
    layers, size = config.num_hidden_layers, config.head_dim
    context = min(CONTEXT, config.max_position_embeddings)
    rows = torch.zeros(1, context, config.num_key_value_heads, size)
    rows[:, :3] = 1
    inputs = (torch.randn(1, 4, config.hidden_size), torch.ones(1, 8, dtype=torch.int64), torch.arange(4, 8))
    cache = [f"{kind}_{layer}" for layer in range(layers) for kind in ("past_key", "past_value")]
    names = ["inputs_embeds", "attention_mask", "cache_position", *cache]
    new = [name.replace("past", "new") for name in cache]
    axes = {"inputs_embeds": {1: "new"}, "attention_mask": {1: "tokens"}, "cache_position": {0: "new"}}
    axes |= {name: {1: "new"} for name in new}
    facts = {
        "model_type": "fun_asr_nano_llm_kv_delta",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_layers": layers,
        "max_total_len": context,
        "quantization_type": "int8" if int8 else "fp32",
    }
    _export(module, (*inputs, *[rows] * (2 * layers)), directory, LLM, names, ["logits", *new], axes, facts, int8)


def _export_embedding(model: nn.Module, directory: Path, int8: bool) -> None:
    embedding = model.get_input_embeddings()
    facts = {"model_type": "fun_asr_nano_embedding", "vocab_size": embedding.num_embeddings}
    facts["hidden_size"] = embedding.embedding_dim
    axes = {"input_ids": {1: "tokens"}, "embeddings": {1: "tokens"}}
    example = torch.zeros(1, 3, dtype=torch.int64)
    _export(embedding, (example,), directory, EMBEDDING, ["input_ids"], ["embeddings"], axes, facts, int8)


def _export(module, example, directory, name, inputs, outputs, axes, facts, int8) -> None:
    """Write one graph, with the `facts` that the runtime reads as its metadata."""
    import onnx

    traced = directory / f".{name}" / f"{name}.onnx"
    traced.parent.mkdir()
    with _rms_norm(), warnings.catch_warnings():
        # That this exporter is the older one, and that a trace holds for the sizes it was made with: those that matter
        # are tensors, and the runtime is seen to agree with other sizes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(traced),  # as a Path it takes no weights beyond protobuf's limit
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    if int8:
        _quantize(traced)
    graph = onnx.load(traced)  # with the files beside it that hold weights beyond protobuf's limit
    onnx.helper.set_model_props(graph, {key: str(value) for key, value in facts.items()})
    file = directory / graph_file(name, int8)
    large = sum(len(tensor.raw_data) for tensor in graph.graph.initializer) > _LARGEST
    onnx.save(graph, file, save_as_external_data=large, location=file.with_suffix(".data").name)
    shutil.rmtree(traced.parent)


def _quantize(file: Path) -> None:
    """Replace the graph in a file by one whose matrix products have 8-bit weights."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    result = file.with_name("quantized.onnx")
    with _quiet("root"):  # it advises to prepare the graph, which changes nothing here
        quantize_dynamic(file, result, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"])
    result.replace(file)


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """No warnings of a logger meanwhile."""
    chosen = logging.getLogger(name)
    before = chosen.level
    chosen.setLevel(logging.ERROR)
    try:
        yield
    finally:
        chosen.setLevel(before)


@contextlib.contextmanager
def _rms_norm() -> Iterator[None]:
    """Teach the exporter the norm that it has no operator for in this opset, over the last dimension as Qwen3's are."""

    @torch.onnx.symbolic_helper.parse_args("v", "v", "v", "f")
    def spelled_out(graph, states, _shape, weight, epsilon):
        squares = graph.op("ReduceMean", graph.op("Mul", states, states), axes_i=[-1])
        deviation = graph.op("Sqrt", graph.op("Add", squares, graph.op("Constant", value_t=torch.tensor(epsilon))))
        normed = graph.op("Div", states, deviation)
        return normed if torch.onnx.symbolic_helper._is_none(weight) else graph.op("Mul", normed, weight)

    torch.onnx.register_custom_op_symbolic("aten::rms_norm", spelled_out, OPSET)
    try:
        yield
    finally:
        torch.onnx.unregister_custom_op_symbolic("aten::rms_norm", OPSET)


def _write_tokenizer(vocabulary: ByteLevelVocabulary, directory: Path) -> None:
    """The folder that the runtime calls tokenizer: of tokenizer.json it reads the added tokens alone."""
    tokens, vocab, merges = (directory / name for name in TOKENIZER_FILES)
    write_json(tokens, {"version": "1.0", "added_tokens": list(vocabulary.added)})
    special = {token["content"] for token in vocabulary.added}
    write_json(vocab, {token: number for token, number in vocabulary.ids.items() if token not in special})
    with open_atomic(merges) as file:
        file.writelines(f"{left} {right}\n" for left, right in vocabulary.merges)
