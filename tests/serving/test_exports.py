"""What convert.py writes for sherpa-onnx and llama.cpp, decoded by them: the texts of all bundled test recordings.

Runs where the package sherpa_onnx is installed (`make test-export`); llama.cpp's tests where LLAMA_FUNASR_CLI names the
built program. The recipe decodes the same features beside it: its own for llama.cpp, which computes them alike; for
sherpa-onnx those of its front end, computed by torchaudio's Kaldi.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from safetensors.torch import load_file, save_file

from recipe.convert import onnx, runtimes
from recipe.convert.run import convert
from recipe.files import read_json, sha256, write_json
from recipe.model.directory import GGUF, SHERPA_ONNX
from recipe.model.features import FrontEnd, Item
from recipe.model.generate import Greedy, Limits
from recipe.model.network import load
from recipe.settings.train import FULL, LOW_FRAME_RATE
from recipe.text import tables
from recipe.text.prompt import transcription_prompt

pytest.importorskip("sherpa_onnx")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/tiny"
SETS = ("test", "test_general")
llama_cpp = pytest.mark.skipif(
    not os.environ.get(runtimes.LLAMA_CPP_PROGRAM), reason=f"{runtimes.LLAMA_CPP_PROGRAM} names no llama-funasr-cli"
)


@dataclass
class Recording:
    waveform: np.ndarray
    transcript: str


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    found = []
    for name in SETS:
        folder = ROOT / "data" / name
        transcripts = tables.read_map(folder / "text")
        for key, place in tables.read_map(folder / "wav.scp").items():
            found.append(Recording(soundfile.read(folder / place, dtype="float32")[0], transcripts[key]))
    assert len(found) == 218
    return found


class Recipe:
    """The recipe's own decoding, of features from anywhere."""

    def __init__(self, audio_tokens: str, model: Path = MODEL):
        self._recognizer = load(model, audio_tokens)
        self._front_end = FrontEnd(self._recognizer)
        self._greedy = Greedy(self._recognizer)

    def own_features(self, waveform: np.ndarray) -> torch.Tensor:
        return self._front_end.features(waveform)

    def texts(self, recordings: list[Recording], features) -> list[str]:
        """Texts by batches of like length; `features` are made of a waveform."""
        made = [features(recording.waveform) for recording in recordings]
        order = sorted(range(len(made)), key=lambda index: len(made[index]))
        texts = {}
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            prompt = transcription_prompt()
            items = [
                Item(str(index), made[index], self._front_end.example(len(made[index]), prompt)) for index in batch
            ]
            limits = [Limits().tokens(len(recordings[index].waveform) / 16000) for index in batch]
            for index, tokens in zip(batch, self._greedy(items, limits), strict=True):
                texts[index] = self._recognizer.tokenizer.decode(tokens, skip_special_tokens=True).strip()
        return [texts[index] for index in range(len(made))]


def sherpa_features(waveform: np.ndarray) -> torch.Tensor:
    """What the graph is to make of what sherpa-onnx's front end computes: Kaldi's filter banks to 7,600 Hz of frames
    around every 10 ms, by torchaudio."""
    heard = np.concatenate([np.zeros(onnx.SILENCE, np.float32), waveform])
    frames = torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(heard)[None] * 32768,
        num_mel_bins=80,
        high_freq=7600.0,
        snip_edges=False,
        window_type="hamming",
        energy_floor=0.0,
    )
    return onnx.FilterBanks()(frames[None])[0]


def same(texts: list[str], others: list[str]) -> int:
    return sum(text == other for text, other in zip(texts, others, strict=True))


def character_error_rate(texts: list[str], recordings: list[Recording]) -> float:
    """In percent, without spaces and case."""

    def plain(text: str) -> str:
        return text.lower().replace(" ", "")

    return 100 * jiwer.cer([plain(one.transcript) for one in recordings], [plain(text) for text in texts])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes a directory for a runtime, once."""
    made = {}

    def write(to: str, audio_tokens: str = FULL, int8: bool = False) -> Path:
        wanted = to, audio_tokens, int8
        if wanted not in made:
            made[wanted] = tmp_path_factory.mktemp(to) / "model"
            convert(MODEL, made[wanted], to, audio_tokens=audio_tokens, int8=int8)
        return made[wanted]

    return write


def decoded(runtime: str, directory: Path, recordings: list[Recording]) -> list[str]:
    transcribe = runtimes.load(runtime, directory)
    return [transcribe(recording.waveform) for recording in recordings]


@pytest.mark.parametrize(
    "audio_tokens, int8, least", [(FULL, False, 216), (LOW_FRAME_RATE, False, 216), (FULL, True, 205)]
)
def test_sherpa_onnx_writes_what_the_recipe_writes_of_the_same_features(audio_tokens, int8, least, written, recordings):
    texts = decoded(SHERPA_ONNX, written(SHERPA_ONNX, audio_tokens, int8), recordings)
    found = same(texts, Recipe(audio_tokens).texts(recordings, sherpa_features))
    print(f"sherpa-onnx, {audio_tokens}, {'8' if int8 else '32'} bits: {found} of {len(texts)} on the same features")
    assert found >= least


def test_sherpa_onnxs_own_front_end_costs_nothing(written, recordings):
    texts = decoded(SHERPA_ONNX, written(SHERPA_ONNX), recordings)
    recipe = Recipe(FULL)
    own = recipe.texts(recordings, recipe.own_features)
    for part, place in (("test", slice(0, 108)), ("test_general", slice(108, 218))):
        rates = [character_error_rate(found[place], recordings[place]) for found in (texts, own)]
        print(
            f"{part}: {same(texts[place], own[place])} texts alike, CER {rates[0]:.2f} %, decode.py's {rates[1]:.2f} %"
        )
        assert rates[0] <= rates[1] + 0.5
    assert same(texts, own) >= 200


def test_what_sherpa_onnx_cannot_frame_has_no_text(written):
    transcribe = runtimes.load(SHERPA_ONNX, written(SHERPA_ONNX))
    assert [transcribe(np.zeros(samples, np.float32)) for samples in (0, 1)] == ["", ""]
    for samples in (200, 400, 700):
        transcribe(np.zeros(samples, np.float32))  # a text of silence, as long as there is one


@llama_cpp
def test_llama_cpp_writes_what_the_recipe_writes(written, recordings):
    texts = decoded(runtimes.LLAMA_CPP, written(GGUF, LOW_FRAME_RATE), recordings)
    recipe = Recipe(LOW_FRAME_RATE)
    found = same(texts, recipe.texts(recordings, recipe.own_features))
    print(f"llama.cpp: {found} of {len(texts)}")
    assert found >= 216


@pytest.fixture(scope="module", params=["untied", "bfloat16"])
def other_model(request, tmp_path_factory) -> Path:
    """The bundled model with an output layer of its own, a little off the embeddings, or weights of another type."""
    folder = tmp_path_factory.mktemp("models") / request.param
    shutil.copytree(MODEL, folder)
    weights, config = load_file(folder / "model.safetensors"), read_json(folder / "config.json")
    if request.param == "untied":
        embeddings = weights["model.language_model.embed_tokens.weight"].float()
        noise = torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(1))
        weights["lm_head.weight"] = (embeddings + 0.0005 * embeddings.std() * noise).half()
        config["tie_word_embeddings"] = config["text_config"]["tie_word_embeddings"] = False
    else:
        weights = {name: tensor.bfloat16() for name, tensor in weights.items()}
        for part in (config, config["audio_config"], config["adaptor_config"], config["text_config"]):
            part["dtype"] = request.param
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    write_json(folder / "config.json", config)
    return folder


@pytest.mark.parametrize(
    "runtime, to, audio_tokens",
    [(SHERPA_ONNX, SHERPA_ONNX, FULL), pytest.param(runtimes.LLAMA_CPP, GGUF, LOW_FRAME_RATE, marks=llama_cpp)],
)
def test_models_of_other_kinds(other_model, runtime, to, audio_tokens, recordings, tmp_path):
    convert(other_model, tmp_path / "model", to, audio_tokens=audio_tokens)
    recipe = Recipe(audio_tokens, other_model)
    own = recipe.texts(recordings[:40], sherpa_features if to == SHERPA_ONNX else recipe.own_features)
    assert same(decoded(runtime, tmp_path / "model", recordings[:40]), own) >= 39 and len(set(own)) > 20


@pytest.mark.parametrize("to, int8", [(SHERPA_ONNX, False), (SHERPA_ONNX, True), (GGUF, False)])
def test_the_same_source_gives_the_same_bytes_and_no_others(to, int8, written, tmp_path):
    before = written(to, LOW_FRAME_RATE, int8)
    convert(MODEL, tmp_path / "again", to, audio_tokens=LOW_FRAME_RATE, int8=int8)
    names = sorted(path.relative_to(before) for path in before.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*"))
    assert not [name for name in names if sha256(before / name) != sha256(tmp_path / "again" / name)]


def test_the_code_of_the_card_writes_what_decode_export_writes(written, recordings, tmp_path, monkeypatch, capsys):
    shutil.copytree(written(SHERPA_ONNX), tmp_path / "model")
    monkeypatch.chdir(tmp_path / "model")
    soundfile.write("recording.wav", recordings[0].waveform, 16000, subtype="FLOAT")
    code = re.search(r"```python\n(.*?)```", Path("README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    exec(code, {})  # noqa: S102
    assert capsys.readouterr().out.strip() == decoded(SHERPA_ONNX, Path(), recordings[:1])[0] != ""
