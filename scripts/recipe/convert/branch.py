"""The CTC branch of a model on its way between the toolkit's directory and the folder beside HF's model.

In the toolkit's directory its tensors are in model.pt (`ctc_decoder.*`, `ctc.*`), its settings in config.yaml, and its
tokenizer is a file, or a folder, that the settings name.
"""

import dataclasses
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recipe.convert import toolkit
from recipe.files import RecipeError, read_json, write_json
from recipe.model import ctc, loading
from recipe.model.ctc_tokens import PLACES, open_tokens
from recipe.model.toolkit_settings import ToolkitSettings

logger = logging.getLogger(__name__)

PREFIXES = ("ctc.", "ctc_decoder.")
# Where its tokenizer lies in a directory of the toolkit, by the tokenizer's name there.
TOOLKIT_PLACES = {"SenseVoiceTokenizer": "multilingual.tiktoken", "HuggingfaceTokenizer": "ctc_tokenizer"}
# And in its folder beside HF's model.
_OWN_PLACES = {"SenseVoiceTokenizer": "multilingual.tiktoken", "HuggingfaceTokenizer": ctc.TOKENIZER_FOLDER}
# All that `write_beside` and `write_toolkit` may write in a model directory.
WRITTEN = {
    f"{ctc.FOLDER}/{ctc.CONFIG}",
    f"{ctc.FOLDER}/{ctc.WEIGHTS}",
    f"{ctc.FOLDER}/{_OWN_PLACES['SenseVoiceTokenizer']}",
    TOOLKIT_PLACES["SenseVoiceTokenizer"],
    *(f"{ctc.FOLDER}/{ctc.TOKENIZER_FOLDER}/{name}" for name in toolkit.TOKENIZER_FILES),
    *(f"{TOOLKIT_PLACES['HuggingfaceTokenizer']}/{name}" for name in toolkit.TOKENIZER_FILES),
}
# Entries of config.yaml that are a branch's, besides those of its tokenizer.
_ENTRIES = ("ctc_decoder", "ctc_decoder_conf", "ctc_conf", "ctc_vocab_size", "ctc_weight", "detach_ctc_decoder")
_TOKENIZER_ENTRIES = ("ctc_tokenizer", "ctc_tokenizer_conf", "ctc_target_normalize")


@dataclass(frozen=True)
class Branch:
    """A branch, wherever it came from: its entries of config.yaml, its tensors under the names of `recipe.model.ctc`,
    and the files of its tokenizer (one, or those of a folder)."""

    entries: dict[str, Any]
    tensors: Mapping[str, torch.Tensor]
    kind: str
    files: tuple[Path, ...]

    def with_tensors(self, tensors: Mapping[str, torch.Tensor]) -> "Branch":
        return dataclasses.replace(self, tensors=tensors)


def toolkit_name(name: str) -> str:
    """What the toolkit calls a branch's tensor: its blocks are those of an adaptor."""
    if name.startswith("output."):
        return f"ctc.ctc_lo.{name.removeprefix('output.')}"
    adaptor = toolkit.slot(f"model.multi_modal_projector.{name.removeprefix('decoder.')}", 0).name
    return f"ctc_decoder.{adaptor.removeprefix('audio_adaptor.')}"


def from_toolkit(
    settings: ToolkitSettings, stored: Mapping[str, torch.Tensor], weights: Path, width: int
) -> Branch | None:
    """The branch of a toolkit directory whose encoder has `width`; None, and said to be, where its settings or all of
    its tensors are missing: the toolkit does without one then. RecipeError where they do not fit each other."""
    found = {name: tensor for name, tensor in stored.items() if name.startswith(PREFIXES)}
    if settings.raw("ctc_decoder") is None:
        if found:
            logger.warning("%s: %d CTC tensors are left out: %s has no ctc_decoder", weights, len(found), settings.file)
        return None
    if not found:
        logger.info("%s: has no CTC tensors, though %s has a ctc_decoder: no word times", weights, settings.file)
        return None
    entries = _entries(settings)
    sizes = ctc.sizes_of(settings, width)
    kind = entries["dataset_conf"]["ctc_tokenizer"]
    if kind not in PLACES:
        raise RecipeError(
            f"{settings.file}: ctc_tokenizer is {kind!r}, known are {', '.join(PLACES)}; take ctc_decoder out of it to "
            "convert the model without its CTC branch"
        )
    place = _tokenizer_place(settings, entries, kind)
    ctc.check_size(settings, sizes, open_tokens(kind, place))
    shapes = ctc.layout(sizes)
    loading.check_tensors(found, {toolkit_name(name): shape for name, shape in shapes.items()}, weights)
    entries["ctc_decoder_conf"] = entries.get("ctc_decoder_conf", {}) | {"encoder_dim": width}
    tensors = {name: found[toolkit_name(name)] for name in shapes}
    return Branch(_placed(entries, kind, _OWN_PLACES[kind]), tensors, kind, _files(place))


def _entries(settings: ToolkitSettings) -> dict[str, Any]:
    """The entries of config.yaml that are a branch's, as they are. Those of the tokenizer may stand in `dataset_conf`
    or outside of it, where the toolkit looks first."""
    entries = {name: settings.raw(name) for name in _ENTRIES if settings.raw(name) is not None}
    data = {}
    for name in _TOKENIZER_ENTRIES:
        value = settings.raw(name, settings.raw(f"dataset_conf.{name}"))
        if value is not None:
            data[name] = value
    if not isinstance(data.get("ctc_tokenizer_conf", {}), dict):
        raise RecipeError(
            f"{settings.file}: ctc_tokenizer_conf is {data['ctc_tokenizer_conf']!r}, expected settings by name"
        )
    return entries | {"dataset_conf": {"ctc_tokenizer": None, "ctc_tokenizer_conf": {}} | data}


def _placed(entries: dict[str, Any], kind: str, place: str) -> dict[str, Any]:
    """Entries that name the tokenizer at another place."""
    data = entries["dataset_conf"]
    return entries | {"dataset_conf": data | {"ctc_tokenizer_conf": data["ctc_tokenizer_conf"] | {PLACES[kind]: place}}}


def _tokenizer_place(settings: ToolkitSettings, entries: dict[str, Any], kind: str) -> Path:
    """Where a toolkit directory has the branch's tokenizer: where configuration.json or the settings say, also by the
    last part of a path of another machine, or under its usual name."""
    directory, key = settings.file.parent, PLACES[kind]
    paths = directory / toolkit.PATHS_FILE
    stated = [entries["dataset_conf"]["ctc_tokenizer_conf"].get(key)]
    if paths.is_file():
        metas = ToolkitSettings(paths)
        for section in ("ctc_tokenizer_conf", "dataset_conf.ctc_tokenizer_conf"):
            stated.insert(0, metas.raw(f"file_path_metas.{section}.{key}"))
    names = [str(name) for name in stated if name]
    candidates = [directory / part for name in names for part in (name, Path(name).name)]
    candidates.append(directory / TOOLKIT_PLACES[kind])
    if kind == "HuggingfaceTokenizer":
        candidates.append(toolkit.llm_folder(settings))
    for place in candidates:
        if place.is_file() if kind == "SenseVoiceTokenizer" else (place / "tokenizer_config.json").is_file():
            return place
    raise RecipeError(
        f"{settings.file}: the tokenizer of its CTC branch ({kind}) is not there: looked for "
        f"{', '.join(str(place) for place in dict.fromkeys(candidates))}; copy it there, or take ctc_decoder out to "
        "convert the model without its CTC branch"
    )


def _files(place: Path) -> tuple[Path, ...]:
    """Files of a tokenizer: the file itself, or those in a folder that are a tokenizer's."""
    if place.is_file():
        return (place,)
    return tuple(place / name for name in toolkit.TOKENIZER_FILES if (place / name).is_file())


def from_beside(directory: Path, width: int) -> Branch | None:
    """The branch in the folder of an HF directory whose encoder has `width`; None if it has none."""
    if not ctc.has_branch(directory):
        return None
    folder = directory / ctc.FOLDER
    _, tensors, _ = ctc.read(directory, width)
    settings = ToolkitSettings(folder / ctc.CONFIG)
    kind = ctc.tokenizer_kind(settings)
    place = folder / settings.get(f"{ctc.TOKENIZER}_conf.{PLACES[kind]}", str, None)
    return Branch(read_json(folder / ctc.CONFIG), tensors, kind, _files(place))


def beside_files(directory: Path, branch: Branch | None) -> list[Path]:
    """The files of an HF directory that its branch was read from."""
    return [directory / ctc.FOLDER / name for name in (ctc.CONFIG, ctc.WEIGHTS)] + [*branch.files] if branch else []


def write_beside(branch: Branch, directory: Path) -> None:
    """Write the folder of an HF directory."""
    folder = directory / ctc.FOLDER
    write_json(folder / ctc.CONFIG, _placed(branch.entries, branch.kind, _OWN_PLACES[branch.kind]))
    _copy_tokenizer(branch, folder / _OWN_PLACES[branch.kind])
    ctc.write_tensors(branch.tensors, folder)


def write_toolkit(branch: Branch, directory: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, Any]]:
    """Write the tokenizer into a toolkit directory; returns the entries for config.yaml, the tensors for model.pt, and
    the paths for configuration.json."""
    place = TOOLKIT_PLACES[branch.kind]
    _copy_tokenizer(branch, directory / place)
    tensors = {toolkit_name(name): tensor for name, tensor in branch.tensors.items()}
    paths = {"dataset_conf": {"ctc_tokenizer_conf": {PLACES[branch.kind]: place}}}
    return _placed(branch.entries, branch.kind, place), tensors, paths


def _copy_tokenizer(branch: Branch, place: Path) -> None:
    if branch.kind == "SenseVoiceTokenizer":
        shutil.copyfile(branch.files[0], place)
        return
    place.mkdir(parents=True)
    for file in branch.files:
        shutil.copyfile(file, place / file.name)
