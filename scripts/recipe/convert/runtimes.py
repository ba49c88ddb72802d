"""Decoding with what directories are converted for: sherpa-onnx and FunASR's llama.cpp program, a recording a call."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from recipe.audio.fbank import SAMPLING_RATE
from recipe.convert import gguf, onnx
from recipe.files import RecipeError
from recipe.model.directory import SHERPA_ONNX
from recipe.model.generate import Limits
from recipe.text.prompt import transcription_prompt

LLAMA_CPP = "llama.cpp"
LLAMA_CPP_PROGRAM = "LLAMA_FUNASR_CLI"  # environment variable with the path of llama-funasr-cli

Transcribe = Callable[[np.ndarray], str]  # of a waveform [samples] in -1..1 at 16 kHz


def load(runtime: str, directory: str | os.PathLike) -> Transcribe:
    """The function that transcribes a waveform with a directory for SHERPA_ONNX or LLAMA_CPP.

    RecipeError if the runtime is not there, or the directory lacks a file.
    """
    return {SHERPA_ONNX: _sherpa_onnx, LLAMA_CPP: _llama_cpp}[runtime](Path(directory))


def _sherpa_onnx(directory: Path) -> Transcribe:
    try:
        import sherpa_onnx
    except ImportError:
        raise RecipeError("the package sherpa_onnx is not installed: pip install sherpa-onnx") from None
    int8 = (directory / onnx.graph_file(onnx.LLM, int8=True)).is_file()
    graphs = {name: _present(directory / onnx.graph_file(name, int8)) for name in onnx.GRAPHS}
    tokenizer = _present(directory / onnx.TOKENIZER)
    recognizer = sherpa_onnx.OfflineRecognizer.from_funasr_nano(
        **graphs, tokenizer=tokenizer, user_prompt=transcription_prompt()
    )
    silence = np.zeros(onnx.SILENCE, np.float32)

    def transcribe(waveform: np.ndarray) -> str:
        stream = recognizer.create_stream()
        stream.accept_waveform(SAMPLING_RATE, np.concatenate([silence, waveform]))
        recognizer.decode_stream(stream)
        return stream.result.text

    return transcribe


def _llama_cpp(directory: Path) -> Transcribe:
    program = os.environ.get(LLAMA_CPP_PROGRAM)
    if not program or not os.access(program, os.X_OK):
        raise RecipeError(f"{LLAMA_CPP_PROGRAM}: {program!r} is no program; set it to a built llama-funasr-cli")
    files = ["--enc", _present(directory / gguf.ENCODER_FILE), "-m", _present(directory / gguf.LLM_FILE)]

    def transcribe(waveform: np.ndarray) -> str:
        with tempfile.NamedTemporaryFile(suffix=".wav") as recording:
            soundfile.write(recording.name, waveform, SAMPLING_RATE, subtype="FLOAT")
            limit = Limits().tokens(len(waveform) / SAMPLING_RATE)
            command = [program, *files, "-a", recording.name, "-n", str(limit)]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            last = " ".join(done.stderr.strip().splitlines()[-1:])
            raise RecipeError(f"{program} failed with status {done.returncode} ({last}); tried: {' '.join(command)}")
        return done.stdout.strip()

    return transcribe


def _present(path: Path) -> str:
    if not path.exists():
        raise RecipeError(f"{path}: is not there; write the directory again with convert.py")
    return str(path)
