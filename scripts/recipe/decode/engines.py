"""Engines: what turns waveforms into text. Transformers is the default; vLLM and funasr where they are installed.

An engine makes a waveform ready (in a reading thread or process) and decodes a batch of what it made ready. Everything
else is the same for all of them: reading, cutting of long recordings, batches, flags, output files.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from recipe.audio.reading import SAMPLING_RATE
from recipe.files import RecipeError
from recipe.text import prompt


@dataclass(frozen=True)
class Instruction:
    """What the model is asked for: the user's words before the audio, and those after it (none in our own prompts)."""

    text: str = prompt.transcription_prompt()
    after: str = ""


@dataclass(frozen=True)
class Output:
    """One text as an engine gives it. `ended` is "eos" or "length"."""

    text: str
    tokens: tuple[int, ...]
    ended: str


class Engine(Protocol):
    """What `decode.decode` needs. `prepare` may run in another thread or process than `decode`."""

    def prepare(self, key: str, waveform: np.ndarray, instruction: Instruction) -> Any:
        """Make a 16 kHz waveform in -1..1 ready."""

    def decode(self, prepared: Sequence[Any], limits: Sequence[int]) -> list[Output]:
        """Texts of what `prepare` made, each of at most `limits[i]` tokens."""


# On a CPU, PyTorch keeps what oneDNN compiled for the last 1024 shapes, in two places. Every batch has shapes of its
# own: kept, they are 250 MiB an hour of audio. The layers of one batch need a few dozen.
SHAPES_KEPT = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}


class TransformersEngine:
    """The recipe's own decoding of a model directory."""

    def __init__(self, recognizer, beams: int = 1, cuda_graph: bool = False):
        for name, number in SHAPES_KEPT.items():
            os.environ.setdefault(name, number)  # read at the first use of oneDNN
        from recipe.model import fast_linear
        from recipe.model.features import FrontEnd
        from recipe.model.generate import Greedy, beam_search

        self._recognizer = recognizer
        self._front_end = FrontEnd(recognizer)
        fast_linear.use(recognizer.model)
        if beams == 1:
            self._generate = Greedy(recognizer, cuda_graph, joint=True)
        else:
            self._generate = lambda items, limits: beam_search(recognizer, items, limits, beams)

    def prepare(self, key: str, waveform: np.ndarray, instruction: Instruction):
        return self._front_end.item(key, waveform, instruction.text, after=instruction.after)

    def decode(self, prepared: Sequence[Any], limits: Sequence[int]) -> list[Output]:
        tokenizer, end = self._recognizer.tokenizer, self._recognizer.prompts.end_id
        return [
            Output(
                tokenizer.decode(tokens, skip_special_tokens=True),
                tuple(tokens),
                "eos" if tokens and tokens[-1] == end else "length",
            )
            for tokens in self._generate(prepared, limits)
        ]


class VllmEngine:
    """vLLM's own Fun-ASR model (`FunASRForConditionalGeneration`, in releases from 0.17 on), which reads a directory in
    a layout of its own. It makes features and counts audio tokens by itself."""

    AUDIO = "<|AUDIO|>"

    def __init__(self, model_dir: str):
        vllm = _import("vllm")
        # fp16 makes the language model write "!!!!".
        self._llm = vllm.LLM(model=model_dir, dtype="bfloat16", limit_mm_per_prompt={"audio": 1}, seed=0)
        self._sampling = vllm.SamplingParams

    def prepare(self, key: str, waveform: np.ndarray, instruction: Instruction) -> dict:
        turns = (
            f"<|im_start|>system\n{prompt.SYSTEM}<|im_end|>\n<|im_start|>user\n"
            f"{instruction.text}{self.AUDIO}{instruction.after}<|im_end|>\n<|im_start|>assistant\n"
        )
        return {"prompt": turns, "multi_modal_data": {"audio": (waveform, SAMPLING_RATE)}}

    def decode(self, prepared: Sequence[Any], limits: Sequence[int]) -> list[Output]:
        sampling = [self._sampling(temperature=0.0, max_tokens=limit) for limit in limits]
        results = self._llm.generate(list(prepared), sampling, use_tqdm=False)
        best = [result.outputs[0] for result in results]
        return [
            Output(one.text, tuple(one.token_ids), "length" if one.finish_reason == "length" else "eos") for one in best
        ]


class FunasrEngine:
    """The published toolkit on a toolkit directory (as convert.py writes), one utterance at a time.

    It words the prompts itself, in Chinese only, and says neither how a text ended nor its tokens: the text is
    tokenized again, and counts as ended by "length" if it has as many tokens as it was allowed.
    """

    def __init__(self, model_dir: str):
        funasr = _import("funasr")
        # By default it adds noise to the waveform, other noise each time.
        front_end = {"dither": 0.0}
        self._model = funasr.AutoModel(model=model_dir, frontend_conf=front_end, disable_update=True, disable_pbar=True)
        self._tokenizer = self._model.kwargs["tokenizer"]

    def prepare(self, key: str, waveform: np.ndarray, instruction: Instruction) -> tuple:
        parts = prompt.chinese_parts(instruction.text)
        if parts is None or instruction.after:
            asked = f"{instruction.text} ... {instruction.after}" if instruction.after else instruction.text
            raise RecipeError(f"{key}: engine funasr knows the published Chinese prompts only, not {asked!r}")
        return key, waveform, parts

    def decode(self, prepared: Sequence[Any], limits: Sequence[int]) -> list[Output]:
        return [self._decode_one(*one, limit) for one, limit in zip(prepared, limits, strict=True)]

    def _decode_one(self, key: str, waveform: np.ndarray, parts: tuple, limit: int) -> Output:
        import torch

        hotwords, language, itn = parts
        [result] = self._model.generate(
            input=[torch.from_numpy(waveform)],
            key=[key],
            batch_size=1,
            hotwords=hotwords,
            language=language,
            itn=itn,
            max_length=limit,
        )
        tokens = tuple(self._tokenizer.encode(result["text"]))
        return Output(result["text"], tokens, "length" if len(tokens) >= limit else "eos")


def _import(name: str):
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RecipeError(
            f"engine {name}: the package {name} cannot be imported ({error}); install it beside the recipe"
        ) from None


ENGINES = ("transformers", "vllm", "funasr")


def load(name: str, model_dir: str, beams: int = 1, dtype: str = "auto", cuda_graph: bool = False) -> Engine:
    """Load a model into an engine; `dtype` "auto" is bfloat16 on a GPU. RecipeError if it cannot do what is asked."""
    if name == "transformers":
        import torch

        from recipe.model import network as model

        device = model.best_device()
        if dtype == "auto":
            dtype = "bfloat16" if device.type == "cuda" else "float32"
        return TransformersEngine(model.load(model_dir, dtype=getattr(torch, dtype), device=device), beams, cuda_graph)
    if beams != 1 or dtype != "auto" or cuda_graph:
        raise RecipeError(
            f"engine {name} decodes greedily in its own way: leave beams at 1, dtype at auto, cuda_graph off"
        )
    return {"vllm": VllmEngine, "funasr": FunasrEngine}[name](model_dir)
