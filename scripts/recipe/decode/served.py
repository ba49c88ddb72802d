"""A model directory as vLLM is told of it, alike by decode.py's engine and by the server (serve.py)."""

import os
from dataclasses import dataclass
from pathlib import Path

from recipe.files import RecipeError, read_json
from recipe.model.directory import HF, TOOLKIT, VLLM_AUDIO_TOKEN, audio_tokens_of, directory_kind, is_for_vllm
from recipe.settings.decode import VLLM, check_installed
from recipe.settings.train import LOW_FRAME_RATE
from recipe.text.prompt import AUDIO_TOKEN

# vLLM sets room aside for the longest context: the published model's 40,960 positions would be 4.7 GB in 16 bits, and
# no recording of 120 s with several hundred hotwords needs as many as these.
MOST_TOKENS = 4096
# On a CPU vLLM wants 92 % of all memory, unless it is told how many GiB to take for the cache: here two of the longest
# contexts of the published model in 32 bits, or some thirty usual ones.
CPU_CACHE = {"VLLM_CPU_KVCACHE_SPACE": "2"}
# Unless the user says otherwise: logs of what goes wrong; one process, which starts in half the time and ends with us;
# on a CPU as many threads as every other job has, and not all cores of the machine.
_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    **CPU_CACHE,
}


@dataclass(frozen=True)
class Served:
    """What vLLM needs to know of a directory."""

    directory: str
    for_own_class: bool  # vLLM's own, without a padding mask; otherwise transformers' network, by the recipe's plugin
    max_tokens: int  # of prompt, audio and text together

    @property
    def options(self) -> dict:
        """Arguments of vLLM's engine."""
        alone = {"max_num_seqs": 1} if self.for_own_class else {}
        return {"max_model_len": self.max_tokens, "limit_mm_per_prompt": {"audio": 1}, **alone}

    @property
    def audio_tokens(self) -> str:
        """The audio token setting."""
        return LOW_FRAME_RATE if self.for_own_class else audio_tokens_of(self.directory)

    @property
    def audio_token(self) -> str:
        """The token that stands for a recording."""
        return VLLM_AUDIO_TOKEN if self.for_own_class else AUDIO_TOKEN

    def tokenizer(self):
        """The directory's tokenizer; RecipeError if it cannot be loaded."""
        from transformers import AutoTokenizer

        from recipe.model import loading  # with torch, which serve.py has no need of

        try:
            return AutoTokenizer.from_pretrained(self.directory, local_files_only=True)
        except loading.UNLOADABLE as error:
            raise RecipeError(
                f"{self.directory}: its tokenizer cannot be loaded ({' '.join(str(error).split())})"
            ) from None


def inspect(directory: str | os.PathLike) -> Served:
    """What vLLM is to be told of a model directory. RecipeError if it cannot read it, or if vLLM or the plugin that it
    needs for this is missing."""
    own = is_for_vllm(directory)
    if not own and directory_kind(directory) == TOOLKIT:
        raise RecipeError(f"{directory}: is a toolkit directory; convert it: `convert.py --to {HF} {directory} DIR`")
    check_installed(VLLM)
    config = read_json(Path(directory) / "config.json")
    return Served(str(directory), own, min(MOST_TOKENS, _positions(config if own else config.get("text_config", {}))))


def _positions(text_config: dict) -> int:
    """How many tokens a language model has positions for."""
    return text_config.get("max_position_embeddings", MOST_TOKENS)


def prepare_environment() -> None:
    """Set what vLLM reads from the environment, where the user has not. To be called before it is imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
