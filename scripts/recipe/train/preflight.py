"""How much audio a batch holds: what the settings say, or on a GPU what fits into its memory.

Nothing is left to the middle of a run: before the first step batches are run forward and backward that are as large
as any become, and what was found is kept with the training state, so that a resumed run has the same batches.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import torch

from recipe.files import RecipeError, read_json, write_json
from recipe.model.features import FRAME_SECONDS, Item
from recipe.model.network import Recognizer
from recipe.settings.section import AUTO
from recipe.settings.train import TrainSettings
from recipe.train import checkpoints
from recipe.train.collate import Collate
from recipe.train.dataset import Utterances

logger = logging.getLogger(__name__)

FILE = "budget.json"
# `auto` on a CPU, and on a GPU to begin with and at most. Larger batches are still faster on a large GPU (an H200 in
# bf16: twice from 480 to 960 s, a sixth more at 1,920), but make for few steps in an epoch: they have to be asked for.
AUTO_SECONDS, AUTO_MOST_SECONDS = 60, 960
AUTO_LEAST_BATCHES = 20  # that an epoch has, with `auto`
SAFETY = 0.95  # of the free memory: the allocator cannot use every gap


def frames_of(settings: TrainSettings) -> int | None:
    """The setting in stacked frames; None if it is to be found out."""
    return None if settings.batch_seconds == AUTO else round(settings.batch_seconds / FRAME_SECONDS)


def find_budget(
    recognizer: Recognizer, settings: TrainSettings, train_set: Utterances, precision: str, state_dir: Path
) -> int:
    """Padded frames a batch. RecipeError if not even the longest utterance fits."""
    file = state_dir / FILE
    if checkpoints.last(state_dir) and file.is_file():
        return read_json(file)["frames"]
    asked, longest = frames_of(settings), train_set.longest()
    first = asked or max(longest, round(AUTO_SECONDS / FRAME_SECONDS))
    if recognizer.model.device.type != "cuda":
        return first

    def fits(budget: int) -> bool:
        return all(_fits(recognizer, settings, batch, precision) for batch in worst_batches(train_set, budget))

    budget = lower(fits, first, longest)
    if asked is None and budget == first:
        most = min(round(AUTO_MOST_SECONDS / FRAME_SECONDS), train_set.total_frames // AUTO_LEAST_BATCHES)
        budget = higher(fits, first, most)
        logger.info("batch_seconds: auto is %.0f", budget * FRAME_SECONDS)
    if torch.distributed.is_initialized():
        least = torch.tensor(budget, device=recognizer.model.device)
        torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
        budget = int(least)
    if int(os.environ.get("RANK", 0)) == 0:
        write_json(file, {"frames": budget})
    return budget


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


def higher(fits: Callable[[int], bool], budget: int, most: int) -> int:
    """The largest budget that fits, to an eighth, from one that does up to `most`."""
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
    return torch.cuda.max_memory_reserved(device) + 4 * copies * trained < SAFETY * available


def run(recognizer: Recognizer, items: list[Item], precision: str) -> None:
    """One batch forward and backward, as in training; gradients are left in place."""
    model = recognizer.model
    batch = Collate(recognizer.tokenizer.pad_token_id)(items)
    model.train()
    with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
        loss = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).loss
    loss.backward()
