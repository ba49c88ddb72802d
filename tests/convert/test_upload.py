"""Upload: only what belongs to a model, only when asked for, and never without a card."""

import socket
import subprocess
import sys
import time
import types

import pytest
from conftest import ROOT

from recipe.convert import publish
from recipe.files import RecipeError

UPLOAD = [sys.executable, str(ROOT / "scripts/upload.py")]


class FakeApi:
    """Notes what it is asked for."""

    def __init__(self):
        self.calls = []

    def create_repo(self, repository, **options):
        self.calls.append(("create_repo", repository, options))

    def upload_folder(self, **options):
        self.calls.append(("upload_folder", options))
        return types.SimpleNamespace(commit_url="https://hub/commit/1")


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    for name in ("README.md", "config.json", "tokenizer.json", "model.safetensors", "adapter/adapter_config.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    (folder / "recipe.json").write_text('{"base": "models/tiny"}')
    return folder


def test_the_files_of_a_model_are_uploaded_in_one_commit(model):
    api, names = FakeApi(), publish.files(model)
    assert publish.upload(api, model, names, "me/mine", private=True) == "https://hub/commit/1"
    (create, repository, created), (upload, options) = api.calls
    assert (create, repository, upload) == ("create_repo", "me/mine", "upload_folder")
    assert created["private"] and created["exist_ok"] and options["repo_type"] == "model"
    assert options["allow_patterns"] == list(names) == sorted(names)
    assert "adapter/adapter_config.json" in names and len(names) == 6


@pytest.mark.parametrize("weights", ["model-00001-of-00002.safetensors", "model.pt", "encoder.int8.onnx", "llm.gguf"])
def test_weights_of_every_runtime_are_weights(model, weights):
    (model / "model.safetensors").rename(model / weights)
    assert weights in publish.files(model)


# Stands in for the hub's library: it takes everything but what belongs to others.
FAKE_LIBRARY = """
from huggingface_hub import errors

constants = snapshot_download = None

class HfApi:
    def model_info(self, repository, timeout):
        raise errors.RepositoryNotFoundError("404")

    def create_repo(self, repository, **options):
        if repository.startswith("others/"):
            raise errors.HTTPError("403 Forbidden")

    def upload_folder(self, **options):
        print("sent", len(options["allow_patterns"]))
        return type("Commit", (), {"commit_url": "https://hub/commit/1"})
"""


def test_only_with_yes_anything_is_uploaded(model, tmp_path):
    (tmp_path / "huggingface_hub").mkdir()
    (tmp_path / "huggingface_hub/__init__.py").write_text(FAKE_LIBRARY)
    (tmp_path / "huggingface_hub/errors.py").write_text(
        "class HTTPError(Exception): ...\n"
        "class LocalTokenNotFoundError(Exception): ...\n"
        "class RepositoryNotFoundError(HTTPError): ...\n"
        "class RevisionNotFoundError(HTTPError): ...\n"
    )

    def call(*arguments):
        command = [*UPLOAD, str(model), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)})

    listed = call("--repo", "me/mine")
    assert listed.returncode == 0 and "sent" not in listed.stdout
    assert "model.safetensors" in listed.stdout and "in 6 files, to me/mine" in listed.stdout
    assert "nothing was uploaded" in listed.stderr
    sent = call("--repo", "me/mine", "--yes")
    assert sent.returncode == 0 and "sent 6" in sent.stdout and "https://hub/commit/1" in sent.stderr
    failed = call("--repo", "others/theirs", "--yes")
    assert failed.returncode == 2 and "others/theirs: 403 Forbidden" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("listens", [False, True])
def test_a_hub_that_cannot_be_reached_is_one_line_soon(model, listens):
    """One that refuses, and one that takes the call and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if listens:
            listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        started = time.monotonic()
        done = subprocess.run(
            [*UPLOAD, str(model), "--repo", "me/mine", "--yes"],
            capture_output=True, text=True, timeout=60, env={"HF_ENDPOINT": address, "HF_TOKEN": "hf_nobody"},
        )  # fmt: skip
    assert done.returncode == 2 and "me/mine: the hub does not answer" in done.stderr
    assert "Traceback" not in done.stderr and time.monotonic() - started < 30


@pytest.mark.parametrize("name", ["README.md", "recipe.json", "model.safetensors"])
def test_what_must_be_there(model, name):
    (model / name).unlink()
    with pytest.raises(RecipeError, match=r"there is no |there are no weights"):
        publish.files(model)


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint-10/model.safetensors",
        "optimizer.pt",
        "trainer_state.json",
        "train.jsonl",
        "train.rejects.tsv",
        "wav.scp",
        "utt2spk",
        "sample.wav",
        "audio/one.flac",
        ".git/config",
        "model.bin",
    ],
)
def test_what_must_not_be_there(model, name):
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_text("{}")
    with pytest.raises(RecipeError, match="move it out"):
        publish.files(model)


def test_a_link_to_other_files_is_refused(model):
    (model / "vocab.txt").symlink_to(ROOT / "README.md")
    with pytest.raises(RecipeError, match=r"vocab\.txt: is no file of a model"):
        publish.files(model)


def test_the_name_of_the_repository_is_checked(model):
    done = subprocess.run([*UPLOAD, model, "--repo", "mine"], capture_output=True, text=True)
    assert done.returncode == 2 and "expected organization/name" in done.stderr
