"""Items to training batches."""

import numpy as np
import torch

from recipe.model.features import Item, collate
from recipe.model.places import audio_places, target_places
from recipe.text.prompt import IGNORED
from recipe.train.dataset import FrozenItem, Unreadable
from recipe.train.frozen import ADAPTOR_OUTPUTS, ENCODER_OUTPUTS
from recipe.train.ladder import Ladder, Shape, in_shape, padded_places

# What a batch of training holds besides what the model takes: the keys of its utterances, those that could not be read,
# and of each utterance its stacked frames, tokens and targets (int64 [utterances, 3]).
KEYS, UNREAD, COUNTS = "keys", "unread", "counts"
# Of which a batch has one: audio, or what frozen parts made of it.
AUDIO = "input_features", ENCODER_OUTPUTS, ADAPTOR_OUTPUTS


class Collate:
    """Items to a batch of what the model takes (a class, so that worker processes can receive it)."""

    def __init__(self, pad_id: int, audio_token_id: int):
        self._pad_id = pad_id
        self._audio_token_id = audio_token_id

    def __call__(self, items: list[Item], ladder: Ladder | None = None) -> dict[str, torch.Tensor | bool]:
        """As `features.collate`, with the places of audio and targets (see `model.places`), and whether audio
        `is_padded`; padded to the smallest shape of a `ladder`, if it fits into one."""
        batch = collate(items, self._pad_id)
        if isinstance(items[0], FrozenItem):
            batch[items[0].name] = batch.pop("input_features")
            lengths = torch.tensor(_frames(items))
            batch["input_features_mask"] = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        if items[0].ctc_tokens is not None:
            targets = [torch.tensor(item.ctc_tokens, dtype=torch.long) for item in items]
            batch["ctc_targets"] = torch.nn.utils.rnn.pad_sequence(targets, True, IGNORED)
        if ladder:
            (_, frames), (rows, tokens) = batch["input_features_mask"].shape, batch["labels"].shape
            if shape := ladder.shape_of(rows, frames, tokens, len(target_places(batch["labels"]))):
                return self._in_shape(batch, shape)
        return self._with_places(batch)

    def blank(self, batch: dict[str, torch.Tensor], shape: Shape) -> dict[str, torch.Tensor | bool]:
        """A batch of this shape with no utterance, of the tensors that `batch` has."""
        empty = {name: value[:0, :0] for name, value in batch.items() if torch.is_tensor(value) and value.ndim > 1}
        return self._in_shape(empty, shape)

    def _in_shape(self, batch: dict[str, torch.Tensor], shape: Shape) -> dict[str, torch.Tensor | bool]:
        batch = self._with_places(in_shape(batch, shape, self._pad_id))
        # Said of all batches, so that one graph serves them.
        return batch | padded_places(batch, shape) | {"is_padded": True}

    def _with_places(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | bool]:
        [features] = [batch[name] for name in AUDIO if name in batch]
        ids, frames = batch["input_ids"], features.shape[1]
        batch["audio_places"], batch["audio_frames"] = audio_places(ids, self._audio_token_id, frames)
        batch["target_places"] = target_places(batch["labels"])
        return batch | {"is_padded": not bool(batch["input_features_mask"].all())}


class CollateReadable:
    """Items to a training batch of those that could be read, padded to a shape of the `ladder`, if there is one. A
    batch in which none could is a stand-in, which every process can compute with; it has no KEYS and counts for
    nothing. `tensors` makes those of items alone."""

    def __init__(self, pad_id: int, audio_token_id: int, ladder: Ladder | None = None):
        self.tensors = Collate(pad_id, audio_token_id)
        self.ladder = ladder

    def __call__(self, items: list[Item | Unreadable]) -> dict:
        readable = [item for item in items if not isinstance(item, Unreadable)]
        unread = [item for item in items if isinstance(item, Unreadable)]
        batch = self.tensors(readable or [unread[0].stand_in], self.ladder)
        keys, what = [item.key for item in readable], [item.what for item in unread]
        return batch | {KEYS: keys, UNREAD: what, COUNTS: _counts(readable)}


def _frames(items: list[Item]) -> list[int]:
    """Stacked frames of each item."""
    return [item.frames if isinstance(item, FrozenItem) else len(item.features) for item in items]


def _counts(items: list[Item]) -> np.ndarray:
    """Stacked frames, tokens and targets [items, 3]."""
    tokens = [len(item.example.input_ids) for item in items]
    targets = [sum(label != IGNORED for label in item.example.labels[1:]) for item in items]
    return np.array([_frames(items), tokens, targets], np.int64).T
