"""Models of the Hugging Face hub: fetched at a commit, or an error that says how to bring them here by hand."""

from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    HTTPError,  # of the library that makes the requests, whichever that is
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from recipe.files import RecipeError

# What is part of a model, in directories of either kind; repositories also hold samples and pictures.
FILES = (
    "*.json",
    "*.safetensors",
    "*.jinja",
    "*.txt",
    "tokenizer.model",
    "*.tiktoken",
    "config.yaml",
    "model.pt",
    "README.md",
)
PATIENCE = 10  # seconds


def reach(name: str) -> None:
    """RecipeError unless the hub answers in time; the repository `name` need not exist."""
    try:
        HfApi().model_info(name, timeout=PATIENCE)
    except RepositoryNotFoundError:
        pass
    except (OSError, HTTPError) as error:
        raise RecipeError(f"{name}: the hub does not answer ({_first_line(error)})") from None


def newest_commit(name: str) -> str | None:
    """The commit that a model of the hub is at now; None where the hub does not answer, or shows no such model."""
    try:
        return HfApi().model_info(name, timeout=PATIENCE).sha
    except (OSError, HTTPError):
        return None


def fetch(name: str, revision: str) -> Path:
    """Directory of the model `name` at the commit `revision`: downloaded, or as an earlier download left it in the
    cache. RecipeError if there is neither a network nor such a download."""
    unreachable = None
    try:
        # One request, made once: snapshot_download alone repeats it for half a minute where there is no network.
        HfApi().model_info(name, revision=revision, timeout=PATIENCE)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise RecipeError(
            f"{name}: the hub has no such model at revision {revision}, or does not show it without `hf auth login` "
            f"({_first_line(error)})"
        ) from None
    except (OSError, HTTPError) as error:
        unreachable = error
    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=FILES, local_files_only=unreachable is not None)
        )
    except (OSError, HTTPError) as error:
        download = f"hf download {name} --revision {revision}"
        raise RecipeError(
            f"{name}: cannot be fetched from the hub ({_first_line(unreachable or error)}). Where there is a network, "
            f"run `{download} --local-dir DIR`, copy DIR here, and give DIR instead (model.base in config.yaml, "
            "without revision). What is needed of it, about 2 GB: config.json, generation_config.json, "
            "model.safetensors, processor_config.json, chat_template.jinja and the tokenizer's files; of a toolkit "
            f"repository config.yaml, model.pt and Qwen3-0.6B/. Or run `{download}` and copy its cache to "
            f"{constants.HF_HUB_CACHE} (HF_HOME says where that is)"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
