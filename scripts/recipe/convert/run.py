"""Conversion between HF model directories and the toolkit's (`recipe.toolkit` says how these differ), and from either
to what other runtimes read (`recipe.onnx`, `recipe.gguf`).

Files and tensors only: no network is run, but where it is recorded as a graph. All is strict: every tensor of the
source ends in the target, bit for bit unless another type is asked for; those of a CTC branch, which HF's model has no
place for, in a folder beside it. Any other name, a missing tensor or a shape that differs from what the settings say is
an error that names it.
"""

import dataclasses
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoProcessor,
    AutoTokenizer,
    FunAsrNanoConfig,
    FunAsrNanoForConditionalGeneration,
    FunAsrNanoProcessor,
    PreTrainedTokenizerBase,
)

from recipe.convert import branch as branches
from recipe.convert import gguf, hub, onnx, proof, toolkit, vllm
from recipe.convert.proof import ModelDirectory
from recipe.convert.toolkit import TOKENIZER_FILES
from recipe.files import RecipeError, make_folder, open_atomic, read_json, sha256, write_json
from recipe.model import card, loading, network
from recipe.model.directory import (
    ASSUMED,
    CHAT_TEMPLATE,
    GGUF,
    HF,
    HUB,
    PUBLISHED_AUDIO_TOKENS,
    RECIPE_FILE,
    SHERPA_ONNX,
    TOOLKIT,
    VLLM,
    assume_audio_tokens,
    directory_kind,
    source_kind,
    stated_audio_tokens,
)
from recipe.model.features import check_front_end
from recipe.model.toolkit_settings import ToolkitSettings
from recipe.settings.train import CTC, FULL, LOW_FRAME_RATE
from recipe.text.prompt import AUDIO_TOKEN, END_OF_TURN

logger = logging.getLogger(__name__)

HF_WEIGHTS, HF_INDEX = "model.safetensors", "model.safetensors.index.json"
HEAD, EMBEDDINGS = "lm_head.weight", "model.language_model.embed_tokens.weight"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# All that a conversion of any kind may write.
_WRITTEN = {
    toolkit.CONFIG_FILE,
    toolkit.PATHS_FILE,
    toolkit.WEIGHTS_FILE,
    *(f"{toolkit.LLM_FOLDER}/{name}" for name in ("config.json", *TOKENIZER_FILES)),
    "config.json",
    "generation_config.json",
    "processor_config.json",
    "chat_template.jinja",
    vllm.PREPROCESSOR_FILE,
    HF_WEIGHTS,
    *TOKENIZER_FILES,
    *onnx.files(),
    gguf.ENCODER_FILE,
    gguf.LLM_FILE,
    RECIPE_FILE,
    card.FILE,
    *branches.WRITTEN,
}
# Both directories must turn these into the same tokens as the source does.
_PROBES = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n语音转写成中文，不进行文本规整：",
    "<|im_end|>\n<|im_start|>assistant\n",
    "Thank you, that's 12.50 dollars.<|im_end|>",
    "今天 is a good day，对吗？<|im_end|>",
)


@dataclass(frozen=True)
class Checkpoint:
    """A model in HF's terms, wherever it came from.

    `tensors` has every name of HF's state dict, the output layer also where it is tied to the embeddings. `facts` goes
    to recipe.json, `card` to the head of the model card; `tokenizer_files` are paths in the source.
    """

    source: Path
    config: FunAsrNanoConfig
    tensors: Mapping[str, torch.Tensor]
    processor: FunAsrNanoProcessor
    tokenizer_files: tuple[Path, ...]
    audio_tokens: str
    facts: dict
    card: dict
    generation: dict = field(default_factory=dict)
    branch: branches.Branch | None = None


def convert(
    source: str | os.PathLike,
    target: str | os.PathLike,
    to: str,
    dtype: str | None = None,
    audio_tokens: str | None = None,
    revision: str | None = None,
    prove: bool = False,
    python: str = sys.executable,
    int8: bool = False,
) -> None:
    """Read the model directory `source`, of either kind, and write it to `target` as the kind `to`. `source` may also
    be the name of a model of the hub, at the commit `revision`.

    `dtype` (a key of DTYPES) and `audio_tokens` replace what is stored; `int8` is for SHERPA_ONNX, whose weights have 8
    bits with it and 32 without. `target` appears whole or not at all. An earlier conversion there is replaced; a
    directory with other files in it is refused, also because they may no longer fit, like the copy of the language
    model that the toolkit's vLLM path leaves.

    With `prove`, the program that serves it decodes a sample first, where it is installed for the interpreter `python`,
    and nothing is written if it decodes otherwise than the recipe (`proof`).
    """
    kind, name = source_kind(source, revision), os.fspath(source)
    source, target = Path(source), Path(target)
    _check_target(source, target)
    _check_type(to, dtype, int8)
    if kind == HUB:
        source = hub.fetch(name, revision)
    checkpoint = read_toolkit(source) if directory_kind(source) == TOOLKIT else read_hf(source)
    if kind == HUB:
        checkpoint.facts["converted_from"] |= {"source": name, "revision": revision}
        checkpoint.card["base_model"] = name
    if dtype or to == GGUF:  # llama.cpp rounds what it multiplies to the weights' type
        stored_as = DTYPES[dtype or "float32"]
        branch = checkpoint.branch and checkpoint.branch.with_tensors(_cast(checkpoint.branch.tensors, stored_as))
        cast = _cast(checkpoint.tensors, stored_as)
        checkpoint = dataclasses.replace(checkpoint, tensors=cast, branch=branch)
    if audio_tokens:
        checkpoint = dataclasses.replace(checkpoint, audio_tokens=audio_tokens)
        checkpoint.facts.pop(ASSUMED, None)
    elif ASSUMED in checkpoint.facts:
        assume_audio_tokens(name)
    place = target.resolve()
    make_folder(place.parent)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as staging:
        made = Path(staging) / place.name
        made.mkdir()
        _write(checkpoint, made, to, int8)
        if prove:
            replaced = (dtype is not None, audio_tokens is not None)
            _prove(checkpoint, name, ModelDirectory(made, to, str(target), _interpreter(to, python)), replaced, python)
        if place.exists():
            shutil.rmtree(place)
        made.rename(place)
    parameters = sum(tensor.numel() for name, tensor in checkpoint.tensors.items() if name != HEAD)
    logger.info("%s: %.1f M parameters, audio tokens %s", target, parameters / 1e6, checkpoint.audio_tokens)


def _prove(checkpoint: Checkpoint, source: str, made: ModelDirectory, replaced: tuple[bool, bool], python: str) -> None:
    """See that what was made is served as the recipe decodes it. `replaced` says whether weights and the audio token
    setting are others than those of `source`: a directory with them is made to compare with."""
    kind = directory_kind(checkpoint.source)
    if made.kind == HF or (kind == HF and not any(replaced)):
        if replaced[1]:
            return proof.not_proven(made, f"its audio token setting is not that of {source}")
        expected = ModelDirectory(checkpoint.source, kind, source, _interpreter(kind, python))
        proof.prove(expected, made, rounded=replaced[0])
        return
    with tempfile.TemporaryDirectory(prefix="expected.", dir=made.path.parent) as folder:
        write_hf(checkpoint, Path(folder))
        proof.prove(ModelDirectory(Path(folder), HF, f"the recipe, from {source}"), made)


def _interpreter(kind: str, python: str) -> str:
    """That of the environment in which directories of a kind are decoded: HF's in this one."""
    return sys.executable if kind == HF else python


def _check_target(source: Path, target: Path) -> None:
    if target.resolve() == source.resolve():
        raise RecipeError(f"{target}: source and target are the same directory")
    if target.exists() and not target.is_dir():
        raise RecipeError(f"{target}: exists and is no directory")
    files = (path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir())
    others = sorted(set(files) - _WRITTEN)
    if others:
        raise RecipeError(
            f"{target}: holds {len(others)} files that no conversion writes ({', '.join(others[:3])}); remove them or "
            "name another directory"
        )


def _check_type(to: str, dtype: str | None, int8: bool) -> None:
    """RecipeError if weights of the type that was asked for are not what the runtime reads."""
    if int8 and to != SHERPA_ONNX:
        raise RecipeError(
            f"--int8 is for --to {SHERPA_ONNX} alone; llama.cpp's files are made smaller by llama-quantize"
        )
    if dtype and to == SHERPA_ONNX:
        raise RecipeError(
            f"--to {SHERPA_ONNX} writes weights of 32 bits, or with --int8 of 8; leave --dtype {dtype} out"
        )


def _write(checkpoint: Checkpoint, directory: Path, to: str, int8: bool) -> None:
    if to in (SHERPA_ONNX, GGUF):  # theirs is built in
        check_front_end(checkpoint.processor, checkpoint.source)
    if to == SHERPA_ONNX:
        write_sherpa_onnx(checkpoint, directory, int8)
    else:
        {HF: write_hf, TOOLKIT: write_toolkit, VLLM: write_vllm, GGUF: write_gguf}[to](checkpoint, directory)


def _cast(tensors: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Tensors in another type; RecipeError where a value is too large for it."""
    result = {}
    for name, tensor in tensors.items():
        result[name] = tensor.to(dtype)
        if dtype == torch.float16 and not bool(torch.isfinite(result[name]).all()):
            raise RecipeError(f"{name}: has values beyond the range of float16; bfloat16 holds them")
    return result


def _layout(config: FunAsrNanoConfig) -> dict[str, torch.Size]:
    """Names and shapes of the tensors of HF's model; nothing is allocated."""
    with torch.device("meta"):
        model = FunAsrNanoForConditionalGeneration(config)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


# ---- reading


def read_toolkit(directory: Path) -> Checkpoint:
    """Read a toolkit directory. The language model's output layer is tied if its config.json says so and the stored
    tensors agree: checkpoints exist whose config.json says so although the two differ."""
    settings = ToolkitSettings(directory / toolkit.CONFIG_FILE)
    llm = toolkit.llm_folder(settings)
    tokenizer, text_config = _load(AutoTokenizer, llm), _load(AutoConfig, llm)
    text_config.name_or_path = ""  # a path of this machine
    config = toolkit.config_from_settings(settings, text_config, _token_id(tokenizer, AUDIO_TOKEN, llm))
    processor = FunAsrNanoProcessor(toolkit.front_end(settings), tokenizer, chat_template=CHAT_TEMPLATE)
    weights = directory / toolkit.WEIGHTS_FILE
    stored = toolkit.read_tensors(weights)
    shapes, blocks = _layout(config), toolkit.transcription_blocks(config)
    if text_config.tie_word_embeddings:
        stored.setdefault("llm." + HEAD, stored.get("llm.model.embed_tokens.weight", torch.empty(0)))
    loading.check_tensors(stored, toolkit.toolkit_shapes(shapes, blocks), weights, ignored=branches.PREFIXES)
    branch = branches.from_toolkit(settings, stored, weights, config.audio_config.hidden_size)
    tensors = toolkit.to_hf(stored, shapes, blocks)
    _set_tied(config, bool(text_config.tie_word_embeddings and torch.equal(tensors[HEAD], tensors[EMBEDDINGS])))
    if text_config.tie_word_embeddings and not config.tie_word_embeddings:
        logger.info("%s: the output layer differs from the embeddings, so it is kept as its own tensor", weights)
    files = _present(llm, TOKENIZER_FILES)
    mode = LOW_FRAME_RATE if toolkit.uses_low_frame_rate(settings) else FULL
    read = [settings.file, weights, llm / "config.json", *files, *(branch.files if branch else ())]
    facts = _facts(directory, dict.fromkeys(read), branch)
    return Checkpoint(
        directory, config, tensors, processor, files, mode, facts, card.inherited(directory), branch=branch
    )


def read_hf(directory: Path) -> Checkpoint:
    """Read an HF directory, its tensors in one safetensors file or several."""
    config, processor = _load(FunAsrNanoConfig, directory), _load(AutoProcessor, directory)
    files = _present(directory, TOKENIZER_FILES)
    generation = _present(directory, ("generation_config.json",))
    weights = _safetensors_files(directory)
    tensors: dict[str, torch.Tensor] = {}
    for file in weights:
        try:
            tensors.update(load_file(file))
        except SafetensorError as error:
            raise RecipeError(f"{file}: not a readable safetensors file ({error})") from None
    if config.tie_word_embeddings and EMBEDDINGS in tensors:
        head = tensors.setdefault(HEAD, tensors[EMBEDDINGS])
        if head.shape != tensors[EMBEDDINGS].shape or not torch.equal(head, tensors[EMBEDDINGS]):
            raise RecipeError(f"{directory}: config.json ties {HEAD} to the embeddings, but the two differ")
    loading.check_tensors(tensors, _layout(config), directory)
    mode = stated_audio_tokens(directory)
    branch = branches.from_beside(directory, config.audio_config.hidden_size)
    read = [directory / "config.json", *weights, *files, *branches.beside_files(directory, branch)]
    facts = _facts(directory, read, branch)
    if mode is None:
        mode, facts[ASSUMED] = PUBLISHED_AUDIO_TOKENS, True
    kept = read_json(generation[0]) if generation else {}
    return Checkpoint(
        directory, config, tensors, processor, files, mode, facts, card.inherited(directory), kept, branch
    )


def _load(kind: type, directory: Path) -> Any:
    """`kind.from_pretrained(directory)` without a network; RecipeError where transformers does not accept it."""
    try:
        return kind.from_pretrained(directory, local_files_only=True)
    except loading.UNLOADABLE as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"{directory}: {kind.__name__} of transformers does not accept it ({reason})") from error


def _safetensors_files(directory: Path) -> list[Path]:
    index = directory / HF_INDEX
    if index.is_file():
        names = sorted(set(read_json(index).get("weight_map", {}).values()))
        if lost := [name for name in names if not (directory / name).is_file()]:
            raise RecipeError(f"{index}: names {lost[0]}, which is not there; copy the whole directory again")
        return [directory / name for name in names]
    if not (directory / HF_WEIGHTS).is_file():
        raise RecipeError(f"{directory}: neither {HF_WEIGHTS} nor {HF_INDEX} is there")
    return [directory / HF_WEIGHTS]


def _present(directory: Path, names: Iterable[str]) -> tuple[Path, ...]:
    return tuple(directory / name for name in names if (directory / name).is_file())


def _facts(directory: Path, read: Iterable[Path], branch: branches.Branch | None) -> dict:
    """What recipe.json is to say: what the source's says, where the source comes from, the hashes of the files read of
    it, and whether it has a CTC branch. Local directories are told by their last name: the rest is a matter of this
    machine."""
    file = directory / RECIPE_FILE
    known = read_json(file) if file.is_file() else {}
    hashes = {path.relative_to(directory).as_posix(): sha256(path) for path in read if path.is_relative_to(directory)}
    source = {"source": directory.resolve().name, "revision": None, "files": hashes}
    before = {"converted_from": known["converted_from"]} if known.get("converted_from") else {}
    stated = known.pop(CTC, {"trained": False, "stale": False})
    return {**known, "converted_from": source | before} | ({CTC: stated} if branch else {})


def _set_tied(config: FunAsrNanoConfig, tied: bool) -> None:
    config.tie_word_embeddings = tied
    config.text_config.tie_word_embeddings = tied


def _token_id(tokenizer: PreTrainedTokenizerBase, token: str, directory: Path) -> int:
    """The id of a special token; RecipeError if the tokenizer has none."""
    if token not in tokenizer.get_vocab():
        raise RecipeError(f"{directory}: its tokenizer has no token {token}")
    return tokenizer.convert_tokens_to_ids(token)


# ---- writing


def write_hf(checkpoint: Checkpoint, directory: Path) -> None:
    """Write a directory for AutoProcessor and FunAsrNanoForConditionalGeneration.from_pretrained."""
    tensors = dict(checkpoint.tensors)
    config = checkpoint.config
    if config.tie_word_embeddings:
        del tensors[HEAD]
    config.architectures = [FunAsrNanoForConditionalGeneration.__name__]
    for part in (config, config.audio_config, config.adaptor_config, config.text_config):
        part.dtype = _common_dtype(tensors)
    config.save_pretrained(directory)
    checkpoint.processor.save_pretrained(directory)
    # Over what save_pretrained made of them: the tokenizer stays the source's, byte for byte.
    for file in checkpoint.tokenizer_files:
        shutil.copyfile(file, directory / file.name)
    _save_tensors(tensors, directory)
    end_of_turn, padding = _end_of_turn(checkpoint), checkpoint.processor.tokenizer.pad_token_id
    generation = {"do_sample": False, "eos_token_id": end_of_turn}
    generation["pad_token_id"] = end_of_turn if padding is None else padding
    write_json(directory / "generation_config.json", checkpoint.generation or generation)
    if checkpoint.branch:
        branches.write_beside(checkpoint.branch, directory)
    _check_tokenizer(checkpoint, directory)
    _write_facts(checkpoint, directory, HF)


def write_toolkit(checkpoint: Checkpoint, directory: Path) -> None:
    """Write a directory for `funasr.AutoModel(model=directory)`."""
    config, tensors = checkpoint.config, dict(checkpoint.tensors)
    toolkit.check_expressible(config, checkpoint.source)
    # Two tensors of their own also where they are tied, as in the published files: the toolkit's vLLM path cannot
    # export tensors that share memory.
    tensors[HEAD] = tensors[HEAD].clone()
    llm_dtype = _common_dtype(
        {name: t for name, t in tensors.items() if name.startswith(("model.language_model.", HEAD))}
    )
    low = checkpoint.audio_tokens == LOW_FRAME_RATE
    settings = toolkit.settings_from_config(config, checkpoint.processor.feature_extractor, low, llm_dtype)
    stored, paths = toolkit.from_hf(tensors, toolkit.transcription_blocks(config)), toolkit.path_settings()
    if checkpoint.branch:
        entries, of_branch, places = branches.write_toolkit(checkpoint.branch, directory)
        settings, stored = settings | entries, stored | of_branch
        paths["file_path_metas"] |= places
    with open_atomic(directory / toolkit.CONFIG_FILE) as file:
        yaml.safe_dump(settings, file, sort_keys=False, allow_unicode=True)
    write_json(directory / toolkit.PATHS_FILE, paths)
    with open_atomic(directory / toolkit.WEIGHTS_FILE, "wb") as file:
        torch.save(stored, file)
    llm = directory / toolkit.LLM_FOLDER
    write_json(llm / "config.json", toolkit.llm_config(config, llm_dtype, _end_of_turn(checkpoint)))
    for file in checkpoint.tokenizer_files:
        shutil.copyfile(file, llm / file.name)
    for folder in (llm, directory / branches.TOOLKIT_PLACES["HuggingfaceTokenizer"]):
        _name_tokenizer_class(folder / "tokenizer_config.json")
    _check_tokenizer(checkpoint, llm)
    _write_facts(checkpoint, directory, TOOLKIT)


def write_sherpa_onnx(checkpoint: Checkpoint, directory: Path, int8: bool) -> None:
    """Write a directory for `sherpa_onnx.OfflineRecognizer.from_funasr_nano`."""
    model = network.FunAsrNanoForConditionalGeneration.from_pretrained(
        None, config=checkpoint.config, state_dict=dict(checkpoint.tensors), dtype=torch.float32
    )
    recognizer = network.Recognizer(model.eval(), checkpoint.processor, checkpoint.audio_tokens, str(checkpoint.source))
    onnx.write(recognizer, directory, int8)
    _write_facts(checkpoint, directory, SHERPA_ONNX)


def write_gguf(checkpoint: Checkpoint, directory: Path) -> None:
    """Write a directory for FunASR's llama.cpp programs."""
    gguf.write(
        checkpoint.config,
        checkpoint.tensors,
        checkpoint.processor.tokenizer,
        checkpoint.audio_tokens,
        directory,
        checkpoint.source,
    )
    _write_facts(checkpoint, directory, GGUF)


def write_vllm(checkpoint: Checkpoint, directory: Path) -> None:
    """Write a directory for vLLM's own class; RecipeError, before anything is written, if that cannot be the model."""
    config = checkpoint.config
    vllm.check_expressible(config, checkpoint.audio_tokens, checkpoint.source)
    logger.warning(
        "%s: vLLM's own class has no padding mask: serve one recording at a time (--max-num-seqs 1, as serve.py does), "
        "because in batches of several lengths texts are wrong. The model directory itself has no such limit",
        checkpoint.source,
    )
    stored = toolkit.from_hf(checkpoint.tensors, toolkit.transcription_blocks(config))
    tensors = vllm.tensors(stored, config.tie_word_embeddings)
    end_of_turn = _end_of_turn(checkpoint)
    write_json(directory / "config.json", vllm.config_json(config, _common_dtype(tensors), end_of_turn))
    extractor = checkpoint.processor.feature_extractor
    write_json(directory / vllm.PREPROCESSOR_FILE, vllm.preprocessor_json(extractor))
    write_json(directory / "generation_config.json", {"do_sample": False, "eos_token_id": end_of_turn})
    _save_tensors(tensors, directory)
    for file in checkpoint.tokenizer_files:
        shutil.copyfile(file, directory / file.name)
        vllm.rename_audio_token(directory / file.name)
    _check_tokenizer(checkpoint, directory)
    _write_facts(checkpoint, directory, VLLM)


def _save_tensors(tensors: Mapping[str, torch.Tensor], directory: Path) -> None:
    save_file(dict(tensors), directory / HF_WEIGHTS, metadata={"format": "pt"})
    # save_file makes a file that nobody else may read.
    shutil.copymode(directory / "config.json", directory / HF_WEIGHTS)


def _common_dtype(tensors: Mapping[str, torch.Tensor]) -> torch.dtype:
    """The type that all tensors have, float32 (which holds the others) where they differ."""
    dtypes = {tensor.dtype for tensor in tensors.values()}
    return dtypes.pop() if len(dtypes) == 1 else torch.float32


def _end_of_turn(checkpoint: Checkpoint) -> int:
    """Id of the token that ends a transcript."""
    return _token_id(checkpoint.processor.tokenizer, END_OF_TURN, checkpoint.source)


def _name_tokenizer_class(file: Path) -> None:
    """Write the one class that has another name in transformers 4 under that name; transformers 5 knows both."""
    settings = read_json(file) if file.is_file() else {}
    if settings.get("tokenizer_class") == "TokenizersBackend":
        write_json(file, {**settings, "tokenizer_class": "PreTrainedTokenizerFast"})


def _check_tokenizer(checkpoint: Checkpoint, directory: Path) -> None:
    """RecipeError if the tokenizer in `directory`, loaded as the toolkit and transformers do, differs from the source's
    or has more tokens than the model."""
    written, source = _load(AutoTokenizer, directory), checkpoint.processor.tokenizer
    loading.check_vocabulary(checkpoint.source, len(written), checkpoint.config.text_config.vocab_size)
    for probe in _PROBES:
        before = source(probe, add_special_tokens=False)["input_ids"]
        # The toolkit encodes with whatever tokens the tokenizer adds by itself; there must be none.
        after = written.encode(probe)
        if before != after:
            raise RecipeError(
                f"{checkpoint.source}: its tokenizer ({type(source).__name__}) turns {probe!r} into other tokens once "
                f"converted ({before} before, {after} after)"
            )


def _write_facts(checkpoint: Checkpoint, directory: Path, kind: str) -> None:
    """recipe.json and the model card."""
    facts = {"format": 1, **checkpoint.facts, "audio_tokens": checkpoint.audio_tokens}
    write_json(directory / RECIPE_FILE, facts)
    card.write(directory, kind, facts, checkpoint.card)
