"""The model card: README.md of a model directory, made of what recipe.json says. The same facts give the same bytes.

Its head is for the hub, its body is card.md.jinja. License, languages and base model are taken from the card of the
model that it was made from.
"""

import dataclasses
import json
import logging
import os
from pathlib import Path

import jinja2
import yaml
from huggingface_hub import ModelCard, ModelCardData, metadata_load

from recipe.files import open_atomic
from recipe.model.directory import GGUF, HF, RECIPE_FILE, SHERPA_ONNX, TOOLKIT, VLLM
from recipe.settings.train import LOW_FRAME_RATE, TrainSettings
from recipe.text.prompt import AUDIO_TOKEN, LANGUAGE_NAMES_EN, SYSTEM, transcription_prompt

logger = logging.getLogger(__name__)

FILE = "README.md"
TEMPLATE = "card.md.jinja"  # beside this module
LIBRARIES = {HF: "transformers", TOOLKIT: "funasr", VLLM: "vllm", SHERPA_ONNX: "sherpa-onnx", GGUF: "llama.cpp"}
WEIGHTS = ("model.safetensors", "model.pt")
INHERITED = ("license", "license_name", "license_link", "language", "base_model")


def inherited(directory: str | os.PathLike) -> dict:
    """What the card in `directory` says that also holds for models made from the one there; empty without a card."""
    file = Path(directory) / FILE
    try:
        head = metadata_load(file) if file.is_file() else None
    except (ValueError, yaml.YAMLError) as error:
        logger.warning("%s: its head cannot be read (%s); license and languages stay unsaid", file, error)
        head = None
    return {name: head[name] for name in INHERITED if head and head.get(name)}


def write(directory: str | os.PathLike, kind: str, facts: dict, inherited: dict) -> None:
    """Write the card of a model directory of `kind` (a key of LIBRARIES), of the `facts` in its recipe.json
    and what is `inherited` from the model that it was made from.

    Needs `audio_tokens` of the facts; with `selected_steps`, also `settings`, `steps`, `precision`, `selected_by` and
    `versions`; what else is missing stays unsaid. Head and body are as the hub's model cards are:
    https://huggingface.co/docs/hub/model-cards
    """
    head = _head(kind, facts, inherited)
    head_yaml = ModelCardData(**head).to_yaml(original_order=list(head))
    with open_atomic(Path(directory) / FILE) as file:
        file.write(str(ModelCard(f"---\n{head_yaml}\n---\n\n{_body(kind, facts)}")))


def _head(kind: str, facts: dict, inherited: dict) -> dict:
    """What the hub wants to know of a model, in the order in which it is written."""
    head = {name: inherited[name] for name in INHERITED if name in inherited}
    languages = sorted({language for data in facts.get("sets", []) for language in data["languages"]})
    if known := [language for language in languages if language in LANGUAGE_NAMES_EN]:
        head["language"] = known
    return head | {"library_name": LIBRARIES[kind], "pipeline_tag": "automatic-speech-recognition"}


def _body(kind: str, facts: dict) -> str:
    """The Markdown below the head."""
    # No HTML, so nothing is escaped; a name that the template misspells is an error.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["origin_name"] = _origin_name
    prompt = json.dumps(facts.get("prompt") or transcription_prompt(), ensure_ascii=False)[1:-1]
    return environment.get_template(TEMPLATE).render(
        dict.fromkeys(("base", "converted_from", "ctc", "sets", "validation")) | facts,
        kind=kind,
        eighth=facts["audio_tokens"] == LOW_FRAME_RATE,
        trained="selected_steps" in facts,
        own_settings=_own_settings(facts.get("settings", {})),
        weights=WEIGHTS,
        recipe_file=RECIPE_FILE,
        system=SYSTEM,
        prompt=prompt,
        audio_token=AUDIO_TOKEN,
    )


def _origin_name(origin: dict) -> str:
    """A model's name and revision on the hub. Of a directory only its name is told: the rest is a matter of the machine
    that it was on."""
    revision = origin.get("revision")
    return f"`{origin['source']}` at revision `{revision}`" if revision else f"`{Path(origin['source']).name}`"


def _own_settings(settings: dict) -> dict[str, str]:
    """Training settings that are not the default's, as JSON, by their dotted names."""
    defaults = _flat(json.loads(json.dumps(dataclasses.asdict(TrainSettings()))))
    own = _flat(json.loads(json.dumps(settings)))
    return {name: json.dumps(value) for name, value in own.items() if defaults.get(name) != value}


def _flat(values: dict, prefix: str = "") -> dict:
    """Nested settings by their dotted names."""
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {f"{prefix}{name}": value}
    return flat
