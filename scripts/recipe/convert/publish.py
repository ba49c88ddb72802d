"""A model directory as a repository of a hub: what goes there, and what must not."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from recipe.files import RecipeError, read_json
from recipe.model.directory import RECIPE_FILE

logger = logging.getLogger(__name__)

CARD = "README.md"
WEIGHTS = ("model.safetensors", "model-*.safetensors", "model.pt", "*.onnx", "*.gguf")
REQUIRED = (CARD, RECIPE_FILE)
# What a model directory holds, by the ends of names; anything else may be somebody's data.
ENDS = (
    ".gguf", ".jinja", ".json", ".md", ".model", ".onnx", ".pt", ".safetensors", ".tiktoken", ".txt", ".yaml",
)  # fmt: skip
NOT_MODELS = {
    "training state": ("checkpoint-*", "optimizer.pt", "scheduler.pt", "trainer_state.json", "training_args.bin",
                       "rng_state*.pth", "fingerprint.json"),
    "a manifest or a list of rejects": ("*.jsonl", "*.jsonl.gz", "*.tsv", "wav.scp", "text", "utt2*", "segments"),
}  # fmt: skip


def files(directory: str | os.PathLike) -> dict[str, int]:
    """Size in bytes of each file of a model directory by its name in there, in order. RecipeError unless they are those
    of a model with a card and recipe.json, and nothing else."""
    directory = Path(directory)
    if not directory.is_dir():
        raise RecipeError(f"{directory}: no such directory")
    for name in REQUIRED:
        if not (directory / name).is_file():
            raise RecipeError(f"{directory}: there is no {name}; a model is published with where it comes from")
    if not any(path.is_file() for pattern in WEIGHTS for path in directory.glob(pattern)):
        raise RecipeError(f"{directory}: there are no weights ({' or '.join(WEIGHTS)})")
    read_json(directory / RECIPE_FILE)
    found = sorted(path for path in directory.rglob("*") if path.is_file() or path.is_symlink())
    for path in found:
        _refuse_foreign(path, path.relative_to(directory))
    return {path.relative_to(directory).as_posix(): path.stat().st_size for path in found}


def _refuse_foreign(path: Path, name: Path) -> None:
    for kind, patterns in NOT_MODELS.items():
        if any(Path(part).match(pattern) for part in name.parts for pattern in patterns):
            raise RecipeError(f"{path}: is {kind}, not part of a model; move it out of the directory")
    if path.is_symlink() or not name.name.endswith(ENDS) or any(part.startswith(".") for part in name.parts):
        raise RecipeError(f"{path}: is no file of a model; move it out of the directory")


def upload(api, directory: str | os.PathLike, names: Mapping[str, int], repository: str, private: bool) -> str:
    """Create the repository if it is not there and put exactly `names` into one commit; returns its address. `api` is
    a huggingface_hub.HfApi."""
    api.create_repo(repository, repo_type="model", private=private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=repository,
        repo_type="model",
        folder_path=str(directory),
        allow_patterns=list(names),
        commit_message="Upload model and card",
    )
    return str(commit.commit_url)
