"""Items to training batches."""

import torch

from recipe.model.features import Item, collate
from recipe.train.dataset import FrozenItem


class Collate:
    """Items to a training batch (a class, so that worker processes can receive it)."""

    def __init__(self, pad_id: int):
        self._pad_id = pad_id

    def __call__(self, items: list[Item]) -> dict[str, torch.Tensor]:
        batch = collate(items, self._pad_id)
        if isinstance(items[0], FrozenItem):
            batch[items[0].name] = batch.pop("input_features")
            frames = torch.tensor([item.frames for item in items])
            batch["input_features_mask"] = (torch.arange(int(frames.max())) < frames[:, None]).long()
        return batch
