"""Utterances as one process hands them to another: the features of a batch in one piece of shared memory."""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from recipe.files import RecipeError
from recipe.model.features import FRAME_WIDTH, Item
from recipe.record import usable_processors
from recipe.settings.section import AUTO
from recipe.settings.workers import workers_wanted

logger = logging.getLogger(__name__)

SHARED_MEMORY = "/dev/shm"
AHEAD = 2  # batches that each process of a DataLoader makes ahead
_FRAME_BYTES = 4 * FRAME_WIDTH


def workers_for(asked: int | str, frames: int, on_gpu: bool, processes: int = 1) -> int:
    """How many processes are to read for each of so many `processes` of this machine, where batches have at most so
    many stacked frames; what they make ahead lies in shared memory, of which containers have 64 MB as a rule, and who
    writes behind its end is killed.

    `asked` is a number, or "auto" (`workers_wanted`), which is no more than there is room for. RecipeError if there is
    none for the number that is asked for.
    """
    wanted = workers_wanted(asked, on_gpu, usable_processors(), processes)
    batch, free = frames * _FRAME_BYTES, _free_shared_memory()
    room = free // max(1, AHEAD * batch * processes)
    if wanted <= room:
        return wanted
    if asked == AUTO:
        logger.warning("workers: auto is %d and not %d: %s has %s free", room, wanted, SHARED_MEMORY, _mb(free))
        return room
    raise RecipeError(
        f"{SHARED_MEMORY} has {_mb(free)} free; what {wanted * processes} processes make ahead can be "
        f"{_mb(wanted * processes * AHEAD * batch)} (batches of {_mb(batch)}): give the container more (docker run "
        "--ipc host, or --shm-size), or set fewer workers (0 is a thread) or a smaller batch_seconds"
    )


def _free_shared_memory() -> int:
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:  # there is none of that name
        return sys.maxsize
    return found.f_bavail * found.f_frsize


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


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
