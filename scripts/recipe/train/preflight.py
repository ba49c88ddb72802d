"""How much audio a batch holds: what the settings say, or on a GPU what fits into its memory.

Nothing is left to the middle of a run: before the first step batches are run forward and backward that are as large
as any become, and what was found is kept with the training state, so that a resumed run has the same batches.
"""

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recipe.files import RecipeError, read_json, write_json
from recipe.model.features import FRAME_SECONDS, Item, on_device
from recipe.model.network import Recognizer
from recipe.settings.section import AUTO
from recipe.settings.train import TrainSettings
from recipe.train import checkpoints, expected
from recipe.train.collate import Collate
from recipe.train.dataset import Utterances
from recipe.train.processes import added_up, processes, rank

logger = logging.getLogger(__name__)

FILE = "budget.json"
# `auto` on a CPU, and on a GPU to begin with and at most: a large one (an H200, compiled) is busy all the time from
# there on (docs/performance.md).
AUTO_SECONDS, AUTO_MOST_SECONDS = 120, 2880
AUTO_LEAST_STEPS = 20  # that an epoch has, with `auto`
SAFETY = 0.95  # of the free memory: the allocator cannot use every gap
GRAPHS_SAFETY = 0.8  # where graphs keep their memory, and evaluation has to do with the rest


@dataclass(frozen=True)
class Budget:
    """What was found to fit: padded frames a batch, whether with gradient checkpointing; and what limits it."""

    frames: int
    gradient_checkpointing: bool
    why: str = "as set"


def kept(state_dir: Path) -> dict[str, Any]:
    """What a run that is resumed had chosen, by name; nothing of one that begins."""
    file = state_dir / FILE
    return read_json(file) if checkpoints.last(state_dir) and file.is_file() else {}


def keep(state_dir: Path, budget: Budget, is_compiled: bool) -> None:
    """Write what was chosen beside the checkpoints; the first process does."""
    if rank() == 0:
        write_json(state_dir / FILE, dataclasses.asdict(budget) | {"compile": is_compiled})


def frames_of(settings: TrainSettings) -> int | None:
    """The setting in stacked frames; None if it is to be found out."""
    return None if settings.batch_seconds == AUTO else round(settings.batch_seconds / FRAME_SECONDS)


def find_budget(
    recognizer: Recognizer, settings: TrainSettings, train_set: Utterances, precision: str, state_dir: Path
) -> Budget:
    """Padded frames a batch, and whether gradients are checkpointed for them, which the model then does. RecipeError if
    not even the longest utterance fits."""
    model, before = recognizer.model, kept(state_dir)
    asked, longest = frames_of(settings), train_set.longest()
    first = asked or max(longest, round(AUTO_SECONDS / FRAME_SECONDS))
    if before:
        found = Budget(before["frames"], before.get("gradient_checkpointing", settings.gradient_checkpointing is True))
    elif model.device.type != "cuda":
        found = Budget(first, settings.gradient_checkpointing is True)
    else:
        found = _tried(recognizer, settings, train_set, precision, first)
    if found.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    return found


def _tried(
    recognizer: Recognizer, settings: TrainSettings, train_set: Utterances, precision: str, first: int
) -> Budget:
    """What fits on a GPU, by running the largest batches."""
    model, longest = recognizer.model, train_set.longest()

    def fits(budget: int) -> bool:
        return all(_fits(recognizer, settings, batch, precision) for batch in worst_batches(train_set, budget))

    recomputes = settings.gradient_checkpointing is True
    if settings.gradient_checkpointing == AUTO:
        recomputes = any(added_up([not fits(first)]))
    if recomputes:
        model.gradient_checkpointing_enable()
    budget, why = lower(fits, first, longest), "as set"
    if settings.batch_seconds == AUTO:
        why = "what fits into its memory"
        if budget == first:
            steps = AUTO_LEAST_STEPS * settings.accumulate * processes()
            most, limit = most_frames(train_set.total_frames, steps)
            capacity = SAFETY * torch.cuda.mem_get_info(model.device)[1]
            chosen = dataclasses.replace(settings, gradient_checkpointing=recomputes)
            guess = expected.most_seconds(model, chosen, capacity, settings.compile is True) / FRAME_SECONDS
            budget = higher(fits, budget, most, int(0.9 * guess))
            why = limit if budget == most else why
    if torch.distributed.is_initialized():
        least = torch.tensor(budget, device=model.device)
        torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
        budget = int(least)
    return Budget(budget, recomputes, why)


def most_frames(total: int, steps: int) -> tuple[int, str]:
    """Frames of a batch at most, of data of so many frames that are to make `steps` batches an epoch; and why."""
    most, by_data = round(AUTO_MOST_SECONDS / FRAME_SECONDS), total // steps
    return (by_data, f"{AUTO_LEAST_STEPS} steps an epoch") if by_data < most else (most, "more gains nothing")


def lower(fits: Callable[[int], bool], budget: int, longest: int) -> int:
    """`budget`, or as many fewer frames as are needed; RecipeError below the longest utterance."""
    while not fits(budget):
        if budget <= longest:
            raise RecipeError(
                f"an utterance of {longest * FRAME_SECONDS:.1f} s does not fit into GPU memory; set "
                "gradient_checkpointing: true, freeze parts or lower data.max_seconds"
            )
        budget = max(longest, int(0.8 * budget))
        logger.warning("out of GPU memory: batches of at most %.0f s instead", budget * FRAME_SECONDS)
    return budget


def higher(fits: Callable[[int], bool], budget: int, most: int, guess: int = 0) -> int:
    """The largest budget that fits, to an eighth, from one that does up to `most`; a good `guess` saves trying."""
    guess = min(guess, most)
    budget = guess if guess > budget and fits(guess) else budget
    beyond = budget
    while budget < most and beyond == budget:
        beyond = min(2 * budget, most)
        budget = beyond if fits(beyond) else budget
    for _ in range(3):
        middle = (budget + beyond) // 2
        if middle > budget:
            budget, beyond = (middle, beyond) if fits(middle) else (budget, middle)
    return budget


def worst_batches(train_set: Utterances, budget: int) -> list[list[Item]]:
    """The largest batches within the budget: copies of the longest utterance, of the one with the most audio for its
    length, and of the one with the most tokens of text."""
    extremes = sorted(train_set.extremes().items())
    return [[train_set.stand_in(index)] * max(1, budget // length) for index, length in extremes]


def _fits(recognizer: Recognizer, settings: TrainSettings, items: list[Item], precision: str) -> bool:
    """Whether a step with this batch fits into the GPU's memory."""
    device = recognizer.model.device
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    available = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    try:
        run(recognizer, items, precision)
    except torch.cuda.OutOfMemoryError:
        return False
    finally:
        recognizer.model.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
    # On top come the optimizer's two moments, gradients that are kept over several batches, and those that processes
    # exchange.
    copies = 2 + (settings.accumulate > 1) + torch.distributed.is_initialized()
    trained = recognizer.model.num_parameters(only_trainable=True)
    safety = GRAPHS_SAFETY if settings.cuda_graphs else SAFETY
    return torch.cuda.max_memory_reserved(device) + 4 * copies * trained < safety * available


def run(recognizer: Recognizer, items: list[Item], precision: str) -> None:
    """One batch forward and backward, as in training; gradients are left in place."""
    model = recognizer.model
    batch = Collate(recognizer.tokenizer.pad_token_id, recognizer.prompts.audio_token_id)(items)
    model.train()
    with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
        loss = model(**on_device(batch, model.device)).loss
    loss.backward()
