"""Settings of decoding."""

import importlib.util
import os
from importlib import metadata
from typing import Annotated, Literal

from pydantic import Field

from recipe.files import RecipeError
from recipe.settings.data import PromptSettings
from recipe.settings.section import AUTO, section, setting
from recipe.settings.workers import MOST_WORKERS

TRANSFORMERS, FUNASR, VLLM = "transformers", "funasr", "vllm"
# The recipe's plugin of vLLM (plugins/vllm), as its entry point and its package are called.
PLUGIN, PLUGIN_PACKAGE = "fun_asr_nano", "fun-asr-nano-vllm"
REMOVE, KEEP = "remove", "keep"  # what to do with the marks that a model writes


@section
class DecodeSettings:
    """Decoding of the test sets."""

    batch_seconds: Literal["auto"] | Annotated[float, Field(gt=0)] = setting(
        AUTO, "Padded audio a batch (seconds). auto is 160 on a CPU and up to 2400 on a GPU, by its memory."
    )
    beams: int = setting(1, "Beams; 1 is greedy.", ge=1)
    max_tokens_per_second: float = setting(
        12.0, "A hypothesis is stopped at 16 tokens plus this times its duration, and flagged.", gt=0
    )
    # The encoder has positions for 122.9 s.
    max_seconds: float = setting(
        30.0, "Longer recordings are cut at silences and decoded in pieces (seconds).", ge=2, le=120
    )
    hotwords: tuple[Annotated[str, Field(pattern="""^[^,'"]+$""")], ...] = setting(
        (), "Words to expect; a test set's utt2hotwords (key, words separated by commas) says others for its keys."
    )
    marks: Literal["remove", "keep"] = setting(
        REMOVE,
        "Marks that published models write into texts (/sil, [breath], <|zh|>) are removed, or kept; where they are "
        "removed, text.jsonl has the text with them as raw.",
    )
    skip_silence: bool = setting(
        False,
        "What the detector hears no speech in is not decoded: its text is empty, and it is flagged. Otherwise it is "
        "decoded, and flagged if it has text.",
    )
    word_times: bool | Literal["auto"] = setting(
        AUTO,
        "When each word was said, by the model's CTC branch: in text.jsonl, and what subtitles are cut by. auto asks a "
        "branch where there is one, true needs one.",
    )
    calibrate: bool = setting(
        False,
        "Decode the validation sets too (1000 utterances at most) with every model, and correct the confidences of its "
        "words by what was right there.",
    )
    retry_penalty: Annotated[float, Field(gt=1)] | None = setting(
        None,
        "A hypothesis that loops, or reaches its limit of tokens, is decoded again with this repetition penalty, e.g. "
        "1.2, and what comes of it is taken and flagged if it does neither; null does not try.",
    )
    strict: bool = setting(
        False, "A recording that cannot be read stops the run; otherwise it is counted and scored as empty."
    )
    shards: int = setting(
        1, "Parts of each test set, decoded as jobs of their own, e.g. as many as there are GPUs.", ge=1
    )
    engine: Literal["transformers", "funasr", "vllm"] = setting(
        TRANSFORMERS,
        "What decodes: the recipe itself (transformers), the package funasr on the exported model, or vllm with the "
        "recipe's plugin.",
    )
    cuda_graph: bool = setting(
        True, "Replay decoding steps as CUDA graphs, where there is a GPU (more than twice as fast)."
    )
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=1024)] = setting(
        AUTO,
        "Processes that read audio; 0 reads in a thread of the decoding process. auto is 0 on a CPU, and on a GPU one "
        f"a core, {MOST_WORKERS} at most.",
        indifferent=True,
    )

    def contradiction(self, prompt: PromptSettings) -> str | None:
        """What in these settings and those of the prompt cannot be together."""
        if self.engine != TRANSFORMERS and self.word_times is True:
            return f"engine {self.engine}: the recipe takes no word_times from it, expected auto or false"
        if self.calibrate and (self.engine != TRANSFORMERS or self.beams != 1):
            return "calibrate is true, but only engine transformers with beams 1 tells confidences"
        if self.beams != 1 and self.word_times is True:
            return f"word_times is true, but beams is {self.beams}, expected 1 (or word_times auto or false)"
        if self.engine != TRANSFORMERS and self.beams != 1:
            return (
                f"engine {self.engine} decodes greedily: beams is {self.beams}, expected 1 (or choose engine: "
                "transformers)"
            )
        if self.engine == VLLM and self.retry_penalty is not None:
            return (
                "engine vllm counts the prompt's tokens in a repetition penalty: retry_penalty is "
                f"{self.retry_penalty:g}, expected null (or choose engine: transformers)"
            )
        if self.engine == FUNASR and prompt.wording != "zh":
            return (
                f"engine funasr knows the published Chinese prompts only: data.prompt.wording is {prompt.wording}, "
                "expected zh (or choose engine: transformers)"
            )
        return None


def check_installed(engine: str) -> None:
    """RecipeError if the package of an engine, or vLLM's plugin, is not installed. Nothing is imported."""
    if importlib.util.find_spec(engine) is None:
        raise RecipeError(f"engine {engine}: the package {engine} is not installed; install it beside the recipe")
    if engine == VLLM:
        _check_plugin()


def _check_plugin() -> None:
    """RecipeError if vLLM would not load the recipe's plugin: it would write wrong texts, without a word."""
    if not metadata.entry_points(group="vllm.general_plugins", name=PLUGIN):
        raise RecipeError(
            f"engine vllm: the recipe's plugin {PLUGIN_PACKAGE} is not installed, and without it vLLM feeds the model "
            "other audio than it was trained with; pip install ./plugins/vllm"
        )
    allowed = os.environ.get("VLLM_PLUGINS")  # unset: all
    if allowed is not None and PLUGIN not in allowed.split(","):
        raise RecipeError(f"engine vllm: VLLM_PLUGINS is {allowed!r} and leaves {PLUGIN} out; add it, or unset it")
