"""Outputs of the frozen parts of a model for the whole training set, computed before the first step."""

from collections.abc import Sequence
from pathlib import Path

import torch

from recipe.audio.reading import AudioError
from recipe.files import read_json
from recipe.model import bundle
from recipe.model.batches import batch_by_size
from recipe.model.bundle import Bundle
from recipe.model.features import FRAME_SECONDS, Item
from recipe.model.network import Recognizer, audio_token_count
from recipe.settings.train import TrainSettings
from recipe.train import checkpoints, compiled, frozen
from recipe.train.collate import Collate
from recipe.train.dataset import Unreadable, Utterances
from recipe.train.frozen import ADAPTOR_OUTPUTS, ENCODER_OUTPUTS, FrozenOutputs
from recipe.train.processes import local_processes, processes, rank

CACHE_SECONDS = 240  # of padded audio, a batch while outputs of frozen parts are computed


def frozen_outputs(
    recognizer: Recognizer, settings: TrainSettings, train_set: Utterances, precision: str, state_dir: Path
) -> FrozenOutputs:
    """What the frozen encoder, and the adaptor if it is frozen too, make of the training audio."""
    model, folder = recognizer.model.eval(), state_dir / "frozen"
    # A CTC branch is trained on the encoder's.
    name = ADAPTOR_OUTPUTS if "adaptor" in settings.freeze and not settings.ctc_head else ENCODER_OUTPUTS
    width = (model.config.adaptor_config if name == ADAPTOR_OUTPUTS else model.config.audio_config).hidden_size
    collator = Collate(recognizer.tokenizer.pad_token_id, recognizer.prompts.audio_token_id)

    def used(frames: int) -> int:
        """Rows that training needs: all for the adaptor and a CTC loss, otherwise those that become audio tokens."""
        whole = name == ENCODER_OUTPUTS or settings.ctc_weight
        return frames if whole else audio_token_count(frames, recognizer.audio_tokens)

    @compiled.eager()
    def compute(bundled: Bundle) -> frozen.Outputs:
        items = bundled.entries()
        readable = [item for item in items if isinstance(item, Item)]
        made = iter(outputs_of(readable) if readable else [])
        return [next(made) if isinstance(item, Item) else item for item in items]

    def outputs_of(items: list[Item]) -> list[tuple[torch.Tensor, int]]:
        batch = collator(items)
        features, mask = (batch[name].to(model.device) for name in ("input_features", "input_features_mask"))
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
            outputs = model.encode(features, mask, batch["is_padded"])
            outputs = model.adapt(outputs, mask, batch["is_padded"]) if name == ADAPTOR_OUTPUTS else outputs
        frames = mask.sum(1).tolist()
        return [(row[: used(count)], count) for row, count in zip(outputs, frames, strict=True)]

    lengths = train_set.frames.tolist()
    mine = sorted(range(rank(), len(train_set), processes()), key=lengths.__getitem__)
    batches = batch_by_size(mine, lengths, round(CACHE_SECONDS / FRAME_SECONDS))
    on_gpu = model.device.type == "cuda"
    workers = bundle.workers_for(settings.workers, round(CACHE_SECONDS / FRAME_SECONDS), on_gpu, local_processes())
    loader = torch.utils.data.DataLoader(
        train_set,
        batch_sampler=[[(0, index) for index in batch] for batch in batches],
        collate_fn=_bundled,
        num_workers=workers,
    )
    rows = sum(used(lengths[index]) for index in mine)
    facts = read_json(state_dir / checkpoints.FINGERPRINT)
    resumed = checkpoints.last(state_dir) is not None
    frozen.write(folder, rank(), facts, batches, map(compute, loader), rows, width, resumed)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    return FrozenOutputs(folder, processes(), name)


def _bundled(items: Sequence[Item | Unreadable]) -> Bundle:
    """For another process: items, and why others cannot be read."""
    return Bundle([_why(item) if isinstance(item, Unreadable) else item for item in items])


def _why(item: Unreadable) -> AudioError:
    return AudioError(item.what.reason, item.what.detail)
