"""The model card: README.md of a model directory, made of what recipe.json says. The same facts give the same bytes.

Its head is for the hub; license, languages and base model are taken from the card of the model it was made from.
"""

import dataclasses
import json
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml
from huggingface_hub import metadata_load

from recipe.files import write_lines
from recipe.model.directory import HF, RECIPE_FILE
from recipe.settings.train import LOW_FRAME_RATE, TrainSettings
from recipe.text.prompt import AUDIO_TOKEN, LANGUAGE_NAMES_EN, SYSTEM, transcription_prompt

logger = logging.getLogger(__name__)

FILE = "README.md"
LIBRARIES = {HF: "transformers"}  # a toolkit directory is funasr's
WEIGHTS = ("model.safetensors", "model.pt")
INHERITED = ("license", "license_name", "license_link", "language", "base_model")

_LOAD = """\
import soundfile
import torch
from transformers import AutoProcessor, FunAsrNanoForConditionalGeneration

name = "."  # this directory, or the model's name on the hub
processor = AutoProcessor.from_pretrained(name)
# Without "sdpa", transformers 5.23 gives the adaptor no padding mask in batches.
model = FunAsrNanoForConditionalGeneration.from_pretrained(name, attn_implementation="sdpa").eval()

waveform, rate = soundfile.read("recording.wav", dtype="float32")  # one channel at 16 kHz
prompt = (
    "<|im_start|>system\\n{system}<|im_end|>\\n<|im_start|>user\\n"
    "{prompt}{audio}<|im_end|>\\n<|im_start|>assistant\\n"
)
# The models want samples as large as 16-bit integers.
inputs = processor(text=[prompt], audio=[waveform * 32768])
"""
_FULL = """\
with torch.inference_mode():
    tokens = model.generate(**inputs, max_new_tokens=512)[:, inputs["input_ids"].shape[1] :]
"""
_EIGHTH = """\
with torch.inference_mode():
    # Of the adaptor's frames the first eighth go to the language model; transformers alone would give it all.
    features, mask, ids = inputs["input_features"], inputs["input_features_mask"], inputs["input_ids"]
    used = (int(mask.sum()) + 7) // 8
    audio = model.get_audio_features(features, mask).pooler_output[:used]
    is_audio = ids == model.config.audio_token_id
    ids = ids[~is_audio | (is_audio.cumsum(1) <= used)].unsqueeze(0)
    embeddings = model.get_input_embeddings()(ids)
    embeddings[ids == model.config.audio_token_id] = audio
    tokens = model.generate(inputs_embeds=embeddings, attention_mask=torch.ones_like(ids), max_new_tokens=512)
"""
_PRINT = "print(processor.tokenizer.decode(tokens[0], skip_special_tokens=True))\n"
_TOOLKIT = """\
from funasr import AutoModel

model = AutoModel(model="PATH/TO/THIS/DIRECTORY", disable_update=True)
print(model.generate(input=["recording.wav"])[0]["text"])
"""


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
    """Write the card of a model directory of `kind` (HF, TOOLKIT), of the `facts` in its recipe.json and what is
    `inherited` from the model that it was made from."""
    head = {name: inherited[name] for name in INHERITED if name in inherited}
    languages = sorted({language for data in facts.get("sets", []) for language in data["languages"]})
    if known := [language for language in languages if language in LANGUAGE_NAMES_EN]:
        head["language"] = known
    head |= {"library_name": LIBRARIES.get(kind, "funasr"), "pipeline_tag": "automatic-speech-recognition"}
    head = yaml.safe_dump(head, sort_keys=False, allow_unicode=True).splitlines()
    body = [*_about(facts), *_training(facts), *(_use_hf(facts) if kind == HF else _use_toolkit())]
    write_lines(Path(directory) / FILE, ["---", *head, "---", "", *body])


def _about(facts: dict) -> list[str]:
    eighth = facts["audio_tokens"] == LOW_FRAME_RATE
    lines = [
        f"# Fun-ASR-Nano{', fine-tuned' if facts.get('base') else ''}",
        "",
        "Speech recognition: an encoder and an adaptor turn audio into embeddings, from which a language model writes",
        f"the transcript. {RECIPE_FILE} holds what this card says, and more, with the hashes of all files.",
        "",
        f"- Audio tokens: `{facts['audio_tokens']}`, "
        f"{'the first eighth' if eighth else 'all'} of the adaptor's frames go to the language model.",
    ]
    if facts.get("base"):
        lines += _lineage("Base model", facts["base"])
    if facts.get("converted_from"):
        lines += _lineage("Converted from", facts["converted_from"])
    return lines


def _lineage(what: str, origin: dict) -> list[str]:
    """A model that came before, and those before it. Of a directory only its name is told: the rest is a matter of the
    machine that it was on."""
    revision = origin.get("revision")
    name = f"`{origin['source']}` at revision `{revision}`" if revision else f"`{Path(origin['source']).name}`"
    hashes = [f"SHA-256 of `{file}`: `{origin['files'][file]}`" for file in WEIGHTS if file in origin["files"]]
    lines = [", ".join([f"- {what}: {name}", *hashes])]
    for name, before in (("its base model", "base"), ("converted from", "converted_from")):
        if origin.get(before):
            lines += [f"  {line}" for line in _lineage(name, origin[before])]
    return lines


def _training(facts: dict) -> list[str]:
    """Data, settings and validation results, as far as the facts have them."""
    lines: list[str] = []
    if facts.get("sets"):
        lines += ["", "## Data", ""]
        rows = [
            [data["role"], data["name"], f"{data['utterances']:,}", f"{data['hours']:.2f}", f"{data['weight']:g}"]
            for data in facts["sets"]
        ]
        lines += _table(["used for", "set", "utterances", "hours", "weight"], rows)
    if "selected_steps" in facts:
        lines += ["", "## Training", "", *_how(facts)]
        defaults = _flat(json.loads(json.dumps(dataclasses.asdict(TrainSettings()))))
        own = _flat(json.loads(json.dumps(facts["settings"])))
        rows = [[f"`{name}`", f"`{json.dumps(value)}`"] for name, value in own.items() if defaults.get(name) != value]
        lines += ["", "Settings that differ from the default:", "", *_table(["setting", "value"], rows)] if rows else []
    if facts.get("validation"):
        lines += ["", "## Results", "", *_results(facts)]
    return lines


def _how(facts: dict) -> list[str]:
    steps = ", ".join(map(str, facts["selected_steps"]))
    if not facts["selected_steps"]:
        chosen = "No step was trained: the weights are the base model's."
    elif len(facts["selected_steps"]) > 1:
        chosen = f"The weights are averaged over those of steps {steps}, the best by {facts['selected_by']}."
    else:
        chosen = f"The weights are those of step {steps}, chosen by {facts['selected_by']}."
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return [f"{facts['steps']} steps in {facts['precision']}, with {versions}. {chosen}"]


def _results(facts: dict) -> list[str]:
    """Validation results of the chosen checkpoints."""
    rows = [
        [str(entry["step"]), f"{entry['loss']:.4f}"]
        + [f"{100 * entry[name]:.2f} %" if name in entry else "" for name in ("cer", "wer")]
        for entry in facts["validation"]
    ]
    averaged = " of each checkpoint that was averaged" if len(rows) > 1 else ""
    return [
        f"On validation data{averaged}; error rates are those of texts as written, without normalization, on up to "
        f"{facts['settings']['decode_utterances']} utterances:",
        "",
        *_table(["step", "loss per token", "CER", "WER"], rows),
    ]


def _use_hf(facts: dict) -> list[str]:
    prompt = json.dumps(facts.get("prompt") or transcription_prompt(), ensure_ascii=False)[1:-1]
    load = _LOAD.replace("{system}", SYSTEM).replace("{prompt}", prompt).replace("{audio}", AUDIO_TOKEN)
    code = load + (_EIGHTH if facts["audio_tokens"] == LOW_FRAME_RATE else _FULL) + _PRINT
    return [
        *("", "## Use", "", "With transformers (5.17 or later):", ""),
        *("```python", *code.splitlines(), "```", ""),
        *("With the recipe, in batches, of any length, with hotwords and subtitles:", ""),
        *("```sh", "python scripts/decode.py --model-dir . --scp-file wav.scp --output-file text", "```", ""),
        "`--wording`, `--language` and `--no-itn` choose the instruction, which should be that of training.",
        *("", "For funasr and what builds on it:", ""),
        *("```sh", "python scripts/convert.py --to toolkit . DIRECTORY", "```"),
    ]


def _use_toolkit() -> list[str]:
    return ["", "## Use", "", "With funasr:", "", "```python", *_TOOLKIT.splitlines(), "```"]


def _flat(values: dict, prefix: str = "") -> dict:
    """Nested settings by their dotted names."""
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {f"{prefix}{name}": value}
    return flat


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]
