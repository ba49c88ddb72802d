"""What a model directory has beside weights and tokenizer: the recipe's facts, and the chat template."""

import os
from pathlib import Path

from recipe.files import RecipeError, read_json
from recipe.settings import AUDIO_TOKEN_MODES, LOW_FRAME_RATE

RECIPE_FILE = "recipe.json"
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
