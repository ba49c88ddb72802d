"""Engines: what turns waveforms into text. Transformers is the default; funasr and vLLM where they are installed.

An engine makes a waveform ready (in a reading thread or process) and decodes a batch of what it made ready. Everything
else is the same for all of them: reading, cutting of long recordings, batches, flags, output files.
"""

import functools
import itertools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recipe.audio.reading import SAMPLING_RATE
from recipe.decode.confidence import Spelling
from recipe.files import RecipeError
from recipe.model import alignment
from recipe.model.alignment import Times
from recipe.settings.decode import FUNASR, TRANSFORMERS, VLLM, check_installed
from recipe.settings.section import AUTO
from recipe.text import prompt

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Instruction:
    """What the model is asked for: the user's words before the audio, and those after it (none in our own prompts)."""

    text: str = prompt.transcription_prompt()
    after: str = ""


@dataclass(frozen=True)
class Transcription:
    """One text as an engine gives it."""

    text: str  # without special tokens
    tokens: tuple[int, ...]  # the one that ends a hypothesis included
    ended: str  # "eos": by the model; "length": stopped at its limit
    again: bool = False  # it is that of a second decoding, with a repetition penalty
    spelling: Spelling | None = field(default=None, compare=False)  # the text by tokens and their probabilities
    encoded: Any = field(default=None, compare=False)  # for `Engine.times`; None: it cannot say when words were said


class Engine(Protocol):
    """What `recipe.decode.run.decode` needs. `prepare` may run in another thread or process than `decode`."""

    def prepare(self, key: str, waveform: np.ndarray, instruction: Instruction) -> Any:
        """Make a 16 kHz waveform [samples] in -1..1 ready to be decoded; `key` names it in errors. RecipeError if the
        engine cannot be asked for what `instruction` says."""

    def decode(self, prepared: Sequence[Any], limits: Sequence[int], penalty: float = 1.0) -> list[Transcription]:
        """Decode a batch of what `prepare` made, in its order, each to at most `limits[i]` tokens. `penalty` is a
        repetition penalty over the new tokens, 1 is none."""

    def times(self, encoded: Sequence[Any], texts: Sequence[str]) -> list[list[Times | None]]:
        """When each word of `texts` was said (`alignment.align`), seconds from the beginning of its audio; `encoded`
        are those of the transcriptions. Not called of an engine whose transcriptions have none."""

    def tokens_over(self, instruction: Instruction, seconds: float, limit: int) -> int:
        """How many tokens `instruction`, so many seconds of audio and a hypothesis of `limit` tokens are more than the
        model has positions for; 0 or less if they fit, or if there is no limit."""


# On a CPU, PyTorch keeps what oneDNN compiled for the last 1024 shapes, in two places. Every batch has shapes of its
# own: kept, they were 600 MiB after two hours of audio in bfloat16, 60 after eight in float32. The layers of one batch
# need a few dozen.
SHAPES_KEPT = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}


class TransformersEngine:
    """The recipe's own decoding of a model directory. It takes the model over: see `CachedLanguageModel`."""

    def __init__(self, recognizer, beams: int = 1, cuda_graph: bool = False, branch=None, scored: bool = True):
        """`recognizer` is a `recipe.model.network.Recognizer`; 1 beam is greedy decoding, and `cuda_graph` of that.
        `branch` is its CTC branch (a `recipe.model.ctc.CtcBranch`), which says when words were said. With `scored`
        transcriptions have probabilities, if decoding is greedy."""
        for name, number in SHAPES_KEPT.items():
            os.environ.setdefault(name, number)  # read at the first use of oneDNN
        from recipe.model.features import FrontEnd
        from recipe.model.generate import Greedy, beam_search

        self._recognizer = recognizer
        self._front_end = FrontEnd(recognizer)
        self._positions = recognizer.model.config.get_text_config().max_position_embeddings
        self._branch = branch
        self._piece = functools.cache(lambda token: self._text([token]))
        if beams == 1:
            greedy = Greedy(recognizer, cuda_graph, fused=True, scored=scored)
            self._generate = greedy.with_details if scored else greedy
        else:
            self._generate = functools.partial(beam_search, recognizer, beams=beams)

    def prepare(self, key: str, waveform: np.ndarray, instruction: Instruction):
        return self._front_end.item(key, waveform, instruction.text, after=instruction.after)

    def tokens_over(self, instruction: Instruction, seconds: float, limit: int) -> int:
        asked = self._front_end.context_tokens(instruction.text, instruction.after)
        return asked + self._front_end.audio_tokens(seconds) + limit - self._positions

    def decode(self, prepared: Sequence[Any], limits: Sequence[int], penalty: float = 1.0) -> list[Transcription]:
        return [self._transcription(found) for found in self._generate(prepared, limits, penalty=penalty)]

    def _transcription(self, found) -> Transcription:
        """Of the tokens that were generated, or of `generate.Generated`."""
        from recipe.model.generate import Generated

        tokens = found.tokens if isinstance(found, Generated) else found
        text = self._text(tokens)
        ended = "eos" if tokens and tokens[-1] == self._recognizer.prompts.end_id else "length"
        if tokens is found:
            return Transcription(text, tuple(tokens), ended)
        spelling = Spelling(text, self._ends(tokens, text), tuple(found.log_probs))
        encoded = None if self._branch is None else found.encoded
        return Transcription(text, tuple(tokens), ended, spelling=spelling, encoded=encoded)

    def _text(self, tokens: Sequence[int]) -> str:
        return self._recognizer.tokenizer.decode(tokens, skip_special_tokens=True)

    def _ends(self, tokens: Sequence[int], text: str) -> tuple[int, ...]:
        """Where in `text` each token ends. A token alone may be a part of a character, which ends with the last one."""
        ends = tuple(itertools.accumulate(len(self._piece(token)) for token in tokens))
        if not ends or ends[-1] == len(text):
            return ends
        ends = (len(self._text(tokens[: number + 1]).rstrip("\ufffd")) for number in range(len(tokens)))
        return tuple(itertools.accumulate((min(end, len(text)) for end in ends), max))

    def times(self, encoded: Sequence[Any], texts: Sequence[str]) -> list[list[Times | None]]:
        return alignment.times(self._branch, encoded, texts)


class FunasrEngine:
    """The published toolkit on a toolkit directory (as convert.py writes), one utterance at a time.

    It words the prompts itself, in Chinese only, and says neither how a text ended nor its tokens: the text is
    tokenized again, and counts as ended by "length" if it has as many tokens as it was allowed.
    """

    def __init__(self, model_dir: str):
        check_installed(FUNASR)
        try:
            import funasr
        except ImportError as error:
            raise RecipeError(
                f"engine funasr: the package funasr cannot be imported ({error}); install what it needs"
            ) from None
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

    def times(self, encoded: Sequence[Any], texts: Sequence[str]) -> list[list[Times | None]]:
        raise NotImplementedError  # its transcriptions have nothing to tell it from

    def tokens_over(self, instruction: Instruction, seconds: float, limit: int) -> int:
        return 0  # transformers computes positions as they come there, without an end

    def decode(self, prepared: Sequence[Any], limits: Sequence[int], penalty: float = 1.0) -> list[Transcription]:
        return [self._decode_one(*one, limit, penalty) for one, limit in zip(prepared, limits, strict=True)]

    def _decode_one(self, key: str, waveform: np.ndarray, parts: tuple, limit: int, penalty: float) -> Transcription:
        import torch

        hotwords, language, itn = parts
        more = {"llm_kwargs": {"repetition_penalty": penalty}} if penalty != 1.0 else {}
        [result] = self._model.generate(
            input=[torch.from_numpy(waveform)],
            key=[key],
            batch_size=1,
            hotwords=hotwords,
            language=language,
            itn=itn,
            max_length=limit,
            **more,
        )
        tokens = tuple(self._tokenizer.encode(result["text"]))
        return Transcription(result["text"], tokens, "length" if len(tokens) >= limit else "eos")


class VllmEngine:
    """vLLM on a model directory, which it reads with the recipe's plugin; on one for its own class (convert.py --to
    vllm), one utterance at a time, because that class has no padding mask.

    It makes the features itself, and plans its own batches among what it is given. Prompts come as tokens, so that
    words that look like a special token stay words.
    """

    def __init__(self, model_dir: str, dtype: str = "auto", cuda_graph: bool = False):
        from recipe.decode import served

        self._served = served.inspect(model_dir)
        self._tokenizer = self._served.tokenizer()
        self._prompts = prompt.PromptEncoder(self._tokenizer, self._served.audio_token)
        served.prepare_environment()
        try:
            import torch
            import vllm
        except ImportError as error:
            raise RecipeError(
                f"engine vllm: the package vllm cannot be imported ({error}); install what it needs"
            ) from None
        gpu = torch.cuda.is_available()
        self._llm = vllm.LLM(
            model=model_dir,
            dtype=("bfloat16" if gpu else "float32") if dtype == "auto" else dtype,
            enforce_eager=not (gpu and cuda_graph),
            mm_processor_cache_gb=0,  # no recording comes twice
            distributed_executor_backend="uni",
            **self._served.options,
        )

    def prepare(self, key: str, waveform: np.ndarray, instruction: Instruction) -> dict:
        tokens = self._prompts.encode(instruction.text, 1, None, instruction.after).input_ids
        return {"prompt_token_ids": tokens, "multi_modal_data": {"audio": (waveform, SAMPLING_RATE)}}

    def tokens_over(self, instruction: Instruction, seconds: float, limit: int) -> int:
        from recipe.model.features import most_audio_tokens

        asked = len(self._prompts.encode(instruction.text, 0, None, instruction.after).input_ids)
        return asked + most_audio_tokens(seconds, self._served.audio_tokens) + limit - self._served.max_tokens

    def decode(self, prepared: Sequence[Any], limits: Sequence[int], penalty: float = 1.0) -> list[Transcription]:
        if penalty != 1.0:
            raise RecipeError(
                "engine vllm counts the prompt's tokens in a repetition penalty: leave retry_penalty null"
            )
        from vllm import SamplingParams

        end = self._prompts.end_id
        settings = {"temperature": 0, "stop_token_ids": [end], "detokenize": False}
        asked = [SamplingParams(max_tokens=limit, **settings) for limit in limits]
        outputs = [output.outputs[0] for output in self._llm.generate(prepared, asked, use_tqdm=False)]
        return [
            Transcription(
                self._tokenizer.decode(output.token_ids, skip_special_tokens=True),
                tuple(output.token_ids),
                "eos" if output.finish_reason == "stop" else "length",
            )
            for output in outputs
        ]


ENGINES = (TRANSFORMERS, FUNASR, VLLM)


def _branch(recognizer, word_times: bool | str):
    """The CTC branch of a model, if words are to be timed; what stands in the way is said in the log. RecipeError if
    they have to be and it has none."""
    from recipe.model import ctc

    if word_times is False:
        return None
    width = recognizer.model.config.audio_config.hidden_size
    branch = ctc.load(recognizer.source, width, recognizer.model.device)
    if branch is None and word_times is True:
        raise RecipeError(
            f"word_times is true, but {recognizer.source} has no CTC branch ({ctc.FOLDER}/), which says when words are "
            "said; train one (train.ctc_head), or set word_times to auto"
        )
    if branch is None:
        logger.info("%s has no CTC branch, so that no word has a time", recognizer.source)
    elif ctc.is_stale(recognizer.source):
        logger.warning(
            "%s: its CTC branch was made for another encoder (recipe.json: ctc.stale), so that times of words may be "
            "far off; train it too (train.ctc_head)",
            recognizer.source,
        )
    return branch


def load(
    name: str,
    model_dir: str,
    beams: int = 1,
    dtype: str = "auto",
    cuda_graph: bool = False,
    word_times: bool | str = AUTO,
) -> Engine:
    """Load the model in `model_dir` into the engine called `name`, one of `ENGINES`.

    `dtype` is "float32", "bfloat16" or "auto": bfloat16 on a GPU. `word_times` as in `DecodeSettings`. RecipeError if
    there is no such engine, it cannot do what is asked, its package is not installed, or (transformers) the directory
    cannot be loaded.
    """
    if name not in ENGINES:
        raise RecipeError(f"engine {name}: expected one of {', '.join(ENGINES)}")
    if name == TRANSFORMERS:
        import torch

        from recipe.model import network as model

        device = model.best_device()
        if dtype == "auto":
            dtype = "bfloat16" if device.type == "cuda" else "float32"
        recognizer = model.load(model_dir, dtype=getattr(torch, dtype), device=device)
        branch = _branch(recognizer, word_times if beams == 1 else False)
        return TransformersEngine(recognizer, beams, cuda_graph, branch)
    if name == VLLM:
        if beams != 1:
            raise RecipeError("engine vllm decodes greedily: leave beams at 1")
        return VllmEngine(model_dir, dtype, cuda_graph)
    if beams != 1 or dtype != "auto" or cuda_graph:
        raise RecipeError(
            "engine funasr decodes greedily in its own way: leave beams at 1, dtype at auto, cuda_graph off"
        )
    return FunasrEngine(model_dir)
