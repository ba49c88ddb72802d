"""Fixtures: a random model small enough for every test, and made-up recordings."""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from unittest import mock

# Small tensors: more threads per test only compete.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import filelock
import numpy as np
import preloaded
import pytest
import soundfile
from hypothesis import settings

# A first example loads what the next ones have, and the machine may be busy.
settings.register_profile("recipe", deadline=None)
settings.load_profile("recipe")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

SENTENCES = ["turn on the light", "set it to 45%", "把灯打开", "明天7点叫醒我", "call Tom 请"]


def fake_gpus(folder: Path, count: int) -> str:
    """A PATH on which nvidia-smi knows so many GPUs; `folder` is made for it."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = "".join(f"{number}\\n" for number in range(count))
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{numbers}'\n")
    (folder / "nvidia-smi").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def pytest_addoption(parser):
    parser.addoption("--preload", action="store_true", help="fork what takes long to load (preloaded.py)")


def pytest_configure(config):
    """The server of --preload is one for all processes of a run; each of those that run tests has its Python."""
    if not config.getoption("preload"):
        return
    if not hasattr(config, "workerinput"):
        server = contextlib.ExitStack()
        server.enter_context(preloaded.server())
        config.add_cleanup(server.close)
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        sys.executable = os.environ[preloaded.PYTHON]


# Begun first, so that no process is left with the longest file at the end.
_LONG = ("workflow", "decode", "train")


def pytest_collection_modifyitems(items):
    """Files in the order of their length, by folder; each file's tests as they stand."""
    items.sort(key=lambda item: _LONG.index(item.path.parent.name) if item.path.parent.name in _LONG else len(_LONG))


@pytest.fixture(scope="module", autouse=True)
def environment_of_a_module():
    """What programs that are called as functions set in their environment ends with them."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def environment_of_a_test(environment_of_a_module):
    """As above, within a file."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def shared():
    """The folder with real recordings and the real tokenizer; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    return SHARED


def _build(directory: Path, audio_tokens: str, encoder_layers: int = 3, llm_layers: int = 2) -> Path:
    from recipe.convert import init

    tokenizer = init.train_tokenizer((SENTENCES + init.PROMPT_TEXTS) * 20, 400)
    sizes = init.Sizes(
        encoder_layers=encoder_layers, encoder_width=32, encoder_heads=2, encoder_ffn=48,
        adaptor_ffn=48, adaptor_layers=1, llm_layers=llm_layers, llm_width=32, llm_heads=2, llm_kv_heads=1, llm_ffn=64,
    )  # fmt: skip
    recognizer = init.build(sizes, tokenizer, audio_tokens, seed=7)
    randomize(recognizer.model)
    recognizer.save(directory, {"base": None})
    return directory


def randomize(model) -> None:
    """Give norms and biases random values: at ones and zeros a forgotten one goes unnoticed."""
    import torch

    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
                parameter.copy_(base + 0.1 * torch.randn(parameter.shape, generator=generator))


def made_once(tmp_path_factory, name, make):
    """A folder that `make` makes, once for all processes of a run of the tests, which leave it as it is."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / f"made-{name}"
    with filelock.FileLock(f"{folder}.lock"):
        if not folder.exists():
            making = folder.with_name(f"{name}-making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def full_model(tmp_path_factory):
    """Directory of a random model that takes all audio tokens."""
    return made_once(tmp_path_factory, "full", lambda folder: _build(folder / "model", "full")) / "model"


@pytest.fixture(scope="session")
def deep_model(tmp_path_factory):
    """Directory of a random model with more layers than kinds of layers."""

    def make(folder):
        _build(folder / "model", "full", encoder_layers=12, llm_layers=6)

    return made_once(tmp_path_factory, "deep", make) / "model"


@pytest.fixture(scope="session")
def low_model(tmp_path_factory):
    """Directory of a random model that takes an eighth of the audio tokens."""
    return made_once(tmp_path_factory, "low", lambda folder: _build(folder / "model", "low_frame_rate")) / "model"


def tone(seconds: float, seed: int = 0, rate: int = 16000) -> np.ndarray:
    """A chirp with noise, float32."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * (200 + 150 * (seed % 7)) * time * (1 + 0.3 * time))
    return (wave + 0.01 * random.standard_normal(len(time))).astype(np.float32)


def write_data(folder: Path, count: int = 8) -> None:
    """Write a Kaldi data directory of made-up recordings."""
    (folder / "wav").mkdir(parents=True)
    keys = [f"spk{i % 2}-utt{i}" for i in range(count)]
    for i, key in enumerate(keys):
        soundfile.write(folder / "wav" / f"{key}.wav", tone(0.8 + 0.2 * i, i), 16000)
    (folder / "wav.scp").write_text("".join(f"{key} wav/{key}.wav\n" for key in keys))
    (folder / "text").write_text("".join(f"{key} {SENTENCES[i % 5]}\n" for i, key in enumerate(keys)))
    (folder / "utt2spk").write_text("".join(f"{key} {key[:4]}\n" for key in keys))


@pytest.fixture
def data_dir(tmp_path):
    """A Kaldi data directory of eight recordings; returns its path."""
    write_data(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(scope="session")
def finished(tmp_path_factory, full_model):
    """A finished run of a small workflow by a copy of the recipe (`recipe/`), with a test set (`heldout/`) of its own;
    tests leave it as it is. Each process has a copy of it, for what tests change and put back."""
    import small_workflow

    first = made_once(tmp_path_factory, "finished", lambda folder: small_workflow.finish(folder, full_model))
    return Path(shutil.copytree(first, tmp_path_factory.mktemp("finished") / "copy", symlinks=True))


def losses(model_dir):
    """The training loss of each log line of a finished run."""
    return [entry["loss"] for entry in json.loads((model_dir / "history.json").read_text()) if "loss" in entry]
