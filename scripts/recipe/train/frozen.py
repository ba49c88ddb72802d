"""What frozen parts of the model make of the training audio, computed once and kept on disk while a run lasts.

Each process computes every n-th utterance and writes a file of float32 rows and, when that is whole, an index. The
values are those that training would compute anew in every epoch: frozen parts have no dropout.
"""

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from recipe.files import RecipeError, read_json, write_json

logger = logging.getLogger(__name__)

# Names of the outputs, as the model's `forward` takes them.
ENCODER_OUTPUTS = "encoder_outputs"
ADAPTOR_OUTPUTS = "adaptor_outputs"

# Of each utterance of a batch the rows [rows, width], and the stacked frames that they were made of.
Outputs = list[tuple[torch.Tensor, int]]


class FrozenOutputs:
    """Outputs by utterance, read from the files of all processes."""

    def __init__(self, folder: Path, processes: int, name: str):
        self.name = name
        self._rows: list[np.memmap] = []
        tables = []  # utterance, file, first row, rows, stacked frames
        for process in range(processes):
            index = read_json(_index(folder, process))
            self.width = index["width"]
            utterance, rows, frames = np.array(index["utterances"]).reshape(-1, 3).T
            tables.append(np.stack([utterance, np.full_like(rows, process), rows.cumsum() - rows, rows, frames], 1))
            shape = (int(rows.sum()), self.width)
            self._rows.append(np.memmap(_values(folder, process), np.float32, "r", shape=shape))
        table = np.concatenate(tables)
        self._places = table[table[:, 0].argsort(), 1:]

    def rows(self, utterance: int) -> int:
        """Number of rows of an utterance."""
        return int(self._places[utterance, 2])

    def __getitem__(self, utterance: int) -> tuple[torch.Tensor, int]:
        """The rows of an utterance [rows, width], and its stacked frames."""
        process, start, rows, frames = self._places[utterance].tolist()
        return torch.from_numpy(self._rows[process][start : start + rows].copy()), frames


def _values(folder: Path, process: int) -> Path:
    return folder / f"{process}.f32"


def _index(folder: Path, process: int) -> Path:
    return folder / f"{process}.json"


def write(
    folder: Path,
    process: int,
    facts: dict,
    batches: Sequence[Sequence[int]],
    outputs: Iterable[Outputs],
    rows: int,
    width: int,
) -> None:
    """Write the outputs of `batches` of utterances, about `rows` rows of `width` values in all, unless the files of
    this process are there and made of the same `facts`: then none is computed."""
    if _index(folder, process).is_file() and read_json(_index(folder, process))["facts"] == facts:
        return
    folder.mkdir(parents=True, exist_ok=True)
    _index(folder, process).unlink(missing_ok=True)
    size, free = 4 * rows * width, shutil.disk_usage(folder).free
    logger.info("computing the outputs of frozen parts once: %.2f GB in %s", size / 1e9, folder)
    if size > 0.9 * free:
        raise RecipeError(
            f"{folder}: cache_frozen needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; set cache_frozen: false"
        )
    utterances = []
    with open(_values(folder, process), "wb") as file:
        for batch, found in zip(batches, outputs, strict=True):
            for utterance, (values, frames) in zip(batch, found, strict=True):
                file.write(values.float().cpu().numpy().tobytes())
                utterances.append((utterance, len(values), frames))
    write_json(_index(folder, process), {"facts": facts, "width": width, "utterances": utterances})
