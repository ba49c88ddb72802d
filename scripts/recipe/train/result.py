"""The result of a run: a model directory that is proven to be the trained model, and what recipe.json says of it."""

import dataclasses
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers

import recipe
from recipe.files import RecipeError, make_folder, write_json
from recipe.model import ctc, loading
from recipe.model.features import FRAME_SECONDS, Item, collate
from recipe.model.generate import Limits, generate
from recipe.model.network import Recognizer
from recipe.model.network import load as load_model
from recipe.settings.train import TrainSettings
from recipe.text.prompt import IGNORED
from recipe.train import checkpoints, compiled
from recipe.train.dataset import Unreadable, Utterances
from recipe.train.left_out import VALID, LeftOut
from recipe.train.trainer import without_target

logger = logging.getLogger(__name__)

HISTORY = "history.json"
PROVEN = 8  # validation utterances that a written model has to decode as the trained one does
ADAPTER = "adapter"  # LoRA adapters beside the merged model


def chosen_steps(state, settings: TrainSettings) -> list[int]:
    """Steps of the checkpoints that become the model (none of a training of no steps). RecipeError if no evaluation had
    a finite result: whatever was trained, it is no model."""
    chosen = checkpoints.chosen(state.log_history, settings.select, settings.average)
    if state.global_step and not chosen:
        raise RecipeError(
            f"no evaluation of this run had a finite loss ({state.global_step} steps), so there is no model to write; "
            "train anew with a lower learning_rate"
        )
    return chosen


def facts_of(known: dict, settings: TrainSettings, state, precision: str, seconds: float) -> dict:
    """What recipe.json says of a run: base model, settings, data (`known` has `base`, `data`, `sets` and `prompt`), the
    chosen steps with their results, and seconds."""
    chosen = chosen_steps(state, settings)
    evaluated = {entry["step"]: entry for entry in state.log_history if "eval_loss" in entry}
    return {
        "base": known["base"],
        "settings": dataclasses.asdict(settings),
        "data": known["data"],
        "sets": known["sets"],
        "prompt": known["prompt"],
        "precision": precision,
        "steps": state.global_step,
        "selected_steps": chosen,
        "selected_by": settings.select,
        "validation": [
            {name.removeprefix("eval_"): value for name, value in evaluated[step].items()} for step in chosen
        ],
        "seconds": round(seconds, 1),
        "versions": {
            "recipe": recipe.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def proof_sample(valid_set: Utterances, account: LeftOut) -> list[Item]:
    """The first validation utterances that can be read, as decoding has them. RecipeError if none can."""
    found: list[Item] = []
    for index in range(len(valid_set)):
        item = valid_set[0, index]
        if isinstance(item, Unreadable):
            account.add_unread(VALID, [item.what])
            continue
        found.append(without_target(item))
        if len(found) == PROVEN:
            break
    if not found:
        raise RecipeError(f"none of {len(valid_set)} validation utterances can be read; run the data stage again")
    return found


def write_model(recognizer: Recognizer, sample: Sequence[Item], facts: dict, history: list, output_dir: Path) -> None:
    """Write the model beside its place, prove that it can be loaded and says the same of a sample, and move it there
    whole."""
    temporary = temporary_of(output_dir)
    expected = _hypotheses(recognizer, sample)  # by the adapters, where there are some, before they are merged
    if facts["settings"]["lora"]:
        recognizer.model.merge_adapters(temporary / ADAPTER)
    _check_finite(recognizer.model)
    recognizer.save(temporary, facts)
    write_json(temporary / HISTORY, history)
    _prove(temporary, recognizer.model.device, sample, expected)
    ctc.load(temporary, recognizer.model.config.audio_config.hidden_size)  # as it has to be, if there is one
    make_folder(output_dir)
    for folder in (ADAPTER, ctc.FOLDER):
        shutil.rmtree(output_dir / folder, ignore_errors=True)
    for file in sorted(temporary.iterdir()):
        os.replace(file, output_dir / file.name)
    temporary.rmdir()
    logger.info("model of step %s written to %s", ", ".join(map(str, facts["selected_steps"])), output_dir)


def temporary_of(output_dir: Path) -> Path:
    """The empty place where a model is written before it is moved: whatever lay there is removed."""
    temporary = output_dir.with_name(f".{output_dir.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    return temporary


def check_writable(output_dir: Path) -> None:
    """RecipeError, or the machine's refusal, where a model cannot be written: better before training than after it."""
    if output_dir.exists() and not output_dir.is_dir():
        raise RecipeError(f"{output_dir}: is a file, expected the folder of the model; choose another --output-dir")
    temporary = temporary_of(output_dir)
    temporary.mkdir(parents=True)
    temporary.rmdir()
    if output_dir.exists() and not os.access(output_dir, os.W_OK):
        raise RecipeError(f"{output_dir}: cannot be written to; change its permissions or choose another --output-dir")


def _check_finite(model: torch.nn.Module) -> None:
    """RecipeError if a weight is not finite: such a model writes nothing but nonsense, and averages spread it."""
    if broken := loading.not_finite(model):
        raise RecipeError(
            f"{len(broken)} tensors of the trained model are not finite, like {broken[0]}; it is not written: train "
            "anew with a lower learning_rate"
        )


@compiled.eager()
def _hypotheses(recognizer: Recognizer, items: Sequence[Item]) -> list[list[int]]:
    recognizer.model.eval()
    return generate(recognizer, items, [Limits().tokens(len(item.features) * FRAME_SECONDS) for item in items])


def _prove(directory: Path, device: torch.device, items: Sequence[Item], expected: Sequence[list[int]]) -> None:
    """Load a written model afresh: it must give the hypotheses `expected` that the trained one gave in memory."""
    afresh = load_model(directory, device=device)
    found = _hypotheses(afresh, items)
    differing = [
        item.key
        for item, own, tokens in zip(items, expected, found, strict=True)
        if own != tokens and not _as_likely(afresh, item, own)
    ]
    if differing:
        raise RuntimeError(f"{directory}: loaded afresh, the model gives other text for {', '.join(differing)}")


def _as_likely(recognizer: Recognizer, item: Item, tokens: list[int], tolerance: float = 1e-3) -> bool:
    """Whether `tokens` are a hypothesis of the model too: each of them the most likely one, but for rounding. Merging
    adapters changes the order of sums, and where two tokens were all but equally likely the other one can win."""
    context = item.example.input_ids
    example = dataclasses.replace(item.example, input_ids=context + tokens, labels=[IGNORED] * len(context) + tokens)
    batch = collate([dataclasses.replace(item, example=example)], recognizer.tokenizer.pad_token_id)
    device = recognizer.model.device
    with torch.inference_mode():
        logits = recognizer.model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits
    chosen = logits.gather(1, torch.tensor(tokens, device=device).unsqueeze(1))
    return bool((logits.max(1, keepdim=True).values - chosen < tolerance).all())
