"""What a model directory is: its kind, the recipe's facts in it, where it comes from, and the chat template.

Without torch and transformers, because the workflow asks these things whenever it is called.
"""

import os
import re
from pathlib import Path

from recipe import record
from recipe.files import RecipeError, read_json, sha256
from recipe.settings.train import AUDIO_TOKEN_MODES, FULL, LOW_FRAME_RATE

HF, TOOLKIT, VLLM, HUB = "hf", "toolkit", "vllm", "hub"
SHERPA_ONNX, GGUF = "sherpa-onnx", "gguf"  # written, never read
MODEL_TYPE = "fun_asr_nano"  # in config.json of an HF directory
# In config.json of a directory for vLLM's own class, and in its tokenizer
VLLM_CLASS, VLLM_AUDIO_TOKEN = "FunASRForConditionalGeneration", "<|AUDIO|>"
TOOLKIT_CONFIG = "config.yaml"
RECIPE_FILE = "recipe.json"
# Without these, a directory of its kind was not written whole.
WRITTEN = {
    HF: ("config.json", "model.safetensors", "tokenizer.json", RECIPE_FILE),
    TOOLKIT: (TOOLKIT_CONFIG, "model.pt", "Qwen3-0.6B/config.json", RECIPE_FILE),
    VLLM: ("config.json", "preprocessor_config.json", "model.safetensors", RECIPE_FILE),
    SHERPA_ONNX: ("encoder_adaptor.onnx", "llm.onnx", "embedding.onnx", RECIPE_FILE),
    GGUF: ("funasr-encoder.gguf", "funasr-llm.gguf", RECIPE_FILE),
}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile("[0-9a-f]{40}")
_TOOLKIT_FILES = (
    TOOLKIT_CONFIG,
    "model.pt",
    "Qwen3-0.6B/config.json",
    "Qwen3-0.6B/tokenizer.json",
    "multilingual.tiktoken",
)
BRANCH_FILES = ("ctc/config.json", "ctc/model.safetensors")  # of a CTC branch, in an HF directory
_HF_FILES = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    RECIPE_FILE,
    *BRANCH_FILES,
)
# Files whose hashes say which model it is.
_IDENTITY = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    "tokenizer*",
    "ctc/**/*",
)
# The released checkpoints were trained with an eighth of the frames, though transformers' own processor gives them all.
PUBLISHED_AUDIO_TOKENS = LOW_FRAME_RATE
ASSUMED = "audio_tokens_assumed"  # in recipe.json: nothing stated the setting that is written there

# The published prompts as a chat template. A user message with audio becomes the request for its transcript: "text"
# items are context, "keywords" hotwords, "language" a language by its Chinese name; the template arguments `keywords`
# and `language` say the same (for servers that know no such items), and `itn=False` asks for spoken words instead of
# written numbers.
CHAT_TEMPLATE = """\
{%- for message in messages %}
{%- if loop.first and message['role'] != 'system' %}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{{- '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['content'] is string %}
{{- message['content'] }}
{%- else %}
{%- set given = namespace(audio=0, context='', hotwords=keywords or [], language='成' + language if language else '') %}
{%- for item in message['content'] %}
{%- if item['type'] == 'audio' %}{%- set given.audio = given.audio + 1 %}
{%- elif item['type'] == 'text' %}{%- set given.context = given.context + item['text'] + '\\n' %}
{%- elif item['type'] == 'keywords' %}{%- set given.hotwords = given.hotwords + item['keywords'] %}
{%- elif item['type'] == 'language' %}{%- set given.language = '成' + item['language'] %}
{%- endif %}
{%- endfor %}
{%- if given.audio %}
{%- if given.context or given.hotwords %}
{{- '请结合上下文信息，更加准确地完成语音转写任务。如果没有相关信息，我们会留空。\\n\\n\\n**上下文信息：**\\n\\n\\n' }}
{{- given.context }}
{%- if given.hotwords %}{{- '热词列表：[' + given.hotwords | join(', ') + ']\\n' }}{%- endif %}
{%- endif %}
{{- '语音转写' + given.language + ('，不进行文本规整' if itn is defined and not itn else '') + '：' }}
{{- '<|object_ref_start|>' * given.audio }}
{%- else %}
{{- given.context[:-1] }}
{%- endif %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""


def stated_audio_tokens(directory: str | os.PathLike) -> str | None:
    """The audio token setting that recipe.json of a model directory states; None if nothing does."""
    file = Path(directory) / RECIPE_FILE
    facts = read_json(file) if file.is_file() else {}
    mode = facts.get("audio_tokens")
    if mode is not None and mode not in AUDIO_TOKEN_MODES:
        raise RecipeError(f"{file}: audio_tokens is {mode!r}, expected one of {', '.join(AUDIO_TOKEN_MODES)}")
    return None if facts.get(ASSUMED) else mode


def audio_tokens_of(directory: str | os.PathLike) -> str:
    """The audio token setting of a model directory: the one that is stated, or else the published one, loudly."""
    stated = stated_audio_tokens(directory)
    if stated is None:
        assume_audio_tokens(directory)
    return stated or PUBLISHED_AUDIO_TOKENS


def assume_audio_tokens(directory: str | os.PathLike) -> None:
    """Say and record that a model directory does not state its audio token setting."""
    record.assume(
        f"audio tokens of {directory}: {PUBLISHED_AUDIO_TOKENS}, as the published models were trained; its "
        f"{RECIPE_FILE} does not state it, and a model that was trained with transformers alone has {FULL}. State it "
        f"by model.audio_tokens in config.yaml, or by convert.py --to hf {directory} NEW_DIR --audio-tokens MODE"
    )


def directory_kind(directory: str | os.PathLike) -> str:
    """TOOLKIT or HF, by the files in `directory`; RecipeError if it is neither."""
    directory = Path(directory)
    if not directory.is_dir():
        raise RecipeError(f"{directory}: no such directory")
    if (directory / TOOLKIT_CONFIG).is_file():
        return TOOLKIT
    config = directory / "config.json"
    if not config.is_file():
        raise RecipeError(f"{directory}: neither {TOOLKIT_CONFIG} (toolkit) nor config.json (HF) is there")
    if is_for_vllm(directory):
        raise RecipeError(f"{directory}: is made for vLLM's class {VLLM_CLASS}, and nothing else reads it")
    kind = read_json(config).get("model_type")
    if kind != MODEL_TYPE:
        raise RecipeError(f"{config}: model_type is {kind!r}, expected {MODEL_TYPE!r}")
    return HF


def is_for_vllm(directory: str | os.PathLike) -> bool:
    """Whether a directory is made for vLLM's own class, as convert.py --to vllm writes."""
    config = Path(directory) / "config.json"
    return config.is_file() and read_json(config).get("architectures") == [VLLM_CLASS]


def source_kind(source: str | os.PathLike, revision: str | None = None) -> str:
    """HF or TOOLKIT of a directory, HUB of a model of the Hugging Face hub, which has to be pinned to a commit."""
    source = os.fspath(source)
    if Path(source).is_dir():
        if revision:
            raise RecipeError(
                f"{source}: is a directory, but revision {revision} is for models of the hub; leave it out"
            )
        return directory_kind(source)
    if not _HUB_NAME.fullmatch(source):
        raise RecipeError(f"{source}: no such directory")
    if not revision or not _COMMIT.fullmatch(revision):
        raise RecipeError(
            f"{source}: no such directory. As a model of the hub it has to be pinned, because repositories change: set "
            f"the revision (model.revision in config.yaml, --revision of convert.py; found {revision}) to a commit, 40 "
            "hexadecimal digits that the repository's page shows under History"
        )
    return HUB


def source_files(source: str | os.PathLike) -> list[str]:
    """Files that a model directory is converted from; of a model of the hub there are none before."""
    toolkit = (Path(source) / TOOLKIT_CONFIG).is_file()
    names = _TOOLKIT_FILES if toolkit else _HF_FILES
    return [str(Path(source) / name) for name in names if (Path(source) / name).is_file()]


def origin(directory: str | os.PathLike) -> dict:
    """Where the model in `directory` comes from: the directory, SHA-256 of its files, what recipe.json says of the
    models before it, and the audio token setting where it had to be assumed."""
    directory = Path(directory)
    files = sorted({file for pattern in _IDENTITY for file in directory.glob(pattern)})
    known = read_json(directory / RECIPE_FILE) if (directory / RECIPE_FILE).is_file() else {}
    before = {name: known[name] for name in ("base", "converted_from") if known.get(name)}
    if directory_kind(directory) == HF and stated_audio_tokens(directory) is None:
        before[ASSUMED] = PUBLISHED_AUDIO_TOKENS
    hashes = {file.relative_to(directory).as_posix(): sha256(file) for file in files if file.is_file()}
    return {"source": str(directory), "files": hashes, **before}
