"""Utterances as one process hands them to another: the features of a batch in one piece of shared memory."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from recipe.files import RecipeError
from recipe.model.features import FRAME_WIDTH, Item

SHARED_MEMORY = "/dev/shm"
AHEAD = 2  # batches that each process of a DataLoader makes ahead
_FRAME_BYTES = 4 * FRAME_WIDTH


def check_room(workers: int, frames: int) -> None:
    """RecipeError if batches of so many stacked frames, which `workers` processes of this machine make ahead, are more
    than its shared memory has room for: containers have 64 MB as a rule, and who writes behind the end is killed."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:  # there is none of that name
        return
    free, batch = found.f_bavail * found.f_frsize, frames * _FRAME_BYTES
    ahead = workers * AHEAD * batch
    if ahead > free:
        raise RecipeError(
            f"{SHARED_MEMORY} has {free / 1e6:.0f} MB free; what {workers} processes make ahead can be "
            f"{ahead / 1e6:.0f} MB (batches of {batch / 1e6:.0f} MB): give the container more (docker run --ipc host, "
            "or --shm-size), or set fewer workers (0 is a thread) or a smaller batch_seconds"
        )


class Bundle:
    """A batch of items, and of what stands in place of some, on its way to another process.

    A tensor that comes from another process is an open file in both, of which each may have 1,024 as a rule: as many
    as there are short utterances in two large batches. Here it is one a batch.
    """

    def __init__(self, entries: Sequence[Item | Any]):
        features = [one.features for one in entries if isinstance(one, Item)]
        self._frames = [len(one) for one in features]
        self._features = torch.cat(features) if features else None
        self._entries = [replace(one, features=None) if isinstance(one, Item) else one for one in entries]

    def entries(self) -> list[Item | Any]:
        """What was bundled; features are parts of one tensor."""
        features = iter(() if self._features is None else self._features.split(self._frames))
        return [replace(one, features=next(features)) if isinstance(one, Item) else one for one in self._entries]
