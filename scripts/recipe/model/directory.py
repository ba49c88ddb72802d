"""What a model directory is: its kind, the recipe's facts in it, where it comes from, and the chat template.

Without torch and transformers, because the workflow asks these things whenever it is called.
"""

import os
import re
from pathlib import Path

from recipe.files import RecipeError, read_json, sha256
from recipe.settings.train import AUDIO_TOKEN_MODES, LOW_FRAME_RATE

HF, TOOLKIT, HUB = "hf", "toolkit", "hub"
MODEL_TYPE = "fun_asr_nano"  # in config.json of an HF directory
TOOLKIT_CONFIG = "config.yaml"
RECIPE_FILE = "recipe.json"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile("[0-9a-f]{40}")
# Files whose hashes say which model it is.
_IDENTITY = ("config.json", "model.safetensors", "model.safetensors.index.json", "model-*.safetensors", "tokenizer*")
# The released checkpoints were trained and are served with an eighth of the frames.
PUBLISHED_AUDIO_TOKENS = LOW_FRAME_RATE

# The published prompts as a chat template. A user message with audio becomes the request for its transcript: "text"
# items are context, "keywords" hotwords, "language" a language by its Chinese name; the template argument `itn=False`
# asks for spoken words instead of written numbers.
CHAT_TEMPLATE = """\
{%- for message in messages %}
{%- if loop.first and message['role'] != 'system' %}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{{- '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['content'] is string %}
{{- message['content'] }}
{%- else %}
{%- set given = namespace(audio=0, context='', hotwords=[], language='') %}
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


def audio_tokens_of(directory: str | os.PathLike) -> str:
    """The audio token setting of a model directory: recipe.json's, or the published one where there is none."""
    file = Path(directory) / RECIPE_FILE
    mode = read_json(file).get("audio_tokens", PUBLISHED_AUDIO_TOKENS) if file.is_file() else PUBLISHED_AUDIO_TOKENS
    if mode not in AUDIO_TOKEN_MODES:
        raise RecipeError(f"{file}: audio_tokens is {mode!r}, expected one of {', '.join(AUDIO_TOKEN_MODES)}")
    return mode


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
    kind = read_json(config).get("model_type")
    if kind != MODEL_TYPE:
        raise RecipeError(f"{config}: model_type is {kind!r}, expected {MODEL_TYPE!r}")
    return HF


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
    """Files that a toolkit directory is converted from; of a model of the hub there are none before."""
    names = (TOOLKIT_CONFIG, "model.pt", "Qwen3-0.6B/config.json", "Qwen3-0.6B/tokenizer.json")
    return [str(Path(source) / name) for name in names if (Path(source) / name).is_file()]


def origin(directory: str | os.PathLike) -> dict:
    """Where the model in `directory` comes from: the directory, SHA-256 of its files, and what recipe.json says of
    the models before it."""
    directory = Path(directory)
    files = sorted({file for pattern in _IDENTITY for file in directory.glob(pattern)})
    known = read_json(directory / RECIPE_FILE) if (directory / RECIPE_FILE).is_file() else {}
    before = {name: known[name] for name in ("base", "converted_from") if known.get(name)}
    return {"source": str(directory), "files": {file.name: sha256(file) for file in files}, **before}
