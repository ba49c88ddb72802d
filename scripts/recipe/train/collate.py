"""Items to training batches."""

import torch

from recipe.model.features import Item, collate
from recipe.text.prompt import IGNORED
from recipe.train.dataset import FrozenItem, Unreadable

# What a batch of training holds besides tensors: the keys of its utterances, and those that could not be read.
KEYS, UNREAD = "keys", "unread"


class Collate:
    """Items to a batch of tensors (a class, so that worker processes can receive it)."""

    def __init__(self, pad_id: int):
        self._pad_id = pad_id

    def __call__(self, items: list[Item]) -> dict[str, torch.Tensor]:
        batch = collate(items, self._pad_id)
        if isinstance(items[0], FrozenItem):
            batch[items[0].name] = batch.pop("input_features")
            frames = torch.tensor([item.frames for item in items])
            batch["input_features_mask"] = (torch.arange(int(frames.max())) < frames[:, None]).long()
        if items[0].ctc_tokens is not None:
            targets = [torch.tensor(item.ctc_tokens, dtype=torch.long) for item in items]
            batch["ctc_targets"] = torch.nn.utils.rnn.pad_sequence(targets, True, IGNORED)
        return batch


class CollateReadable:
    """Items to a training batch of those that could be read. A batch in which none could is a stand-in, which every
    process can compute with; it has no KEYS. `tensors` makes those of items alone."""

    def __init__(self, pad_id: int):
        self.tensors = Collate(pad_id)

    def __call__(self, items: list[Item | Unreadable]) -> dict:
        readable = [item for item in items if not isinstance(item, Unreadable)]
        unread = [item for item in items if isinstance(item, Unreadable)]
        batch = self.tensors(readable or [unread[0].stand_in])
        return batch | {KEYS: [item.key for item in readable], UNREAD: [item.what for item in unread]}
