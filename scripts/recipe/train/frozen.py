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

from recipe.audio.reading import AudioError
from recipe.files import RecipeError, read_json, write_json

logger = logging.getLogger(__name__)

# Names of the outputs, as the model's `forward` takes them.
ENCODER_OUTPUTS = "encoder_outputs"
ADAPTOR_OUTPUTS = "adaptor_outputs"

# Of each utterance of a batch the rows [rows, width] and the stacked frames that they were made of, or why it has none.
Outputs = list[tuple[torch.Tensor, int] | AudioError]


class FrozenOutputs:
    """Outputs by utterance, read from the files of all processes."""

    def __init__(self, folder: Path, processes: int, name: str):
        self.name = name
        self.unreadable: dict[int, AudioError] = {}  # by utterance
        self._rows: list[np.memmap] = []
        tables = []  # utterance, file, first row, rows, stacked frames
        for process in range(processes):
            index = read_json(_index(folder, process))
            self.width = index["width"]
            self.unreadable |= {utterance: AudioError(*why) for utterance, *why in index.get("unreadable", [])}
            utterance, rows, frames = np.array(index["utterances"]).reshape(-1, 3).T
            tables.append(np.stack([utterance, np.full_like(rows, process), rows.cumsum() - rows, rows, frames], 1))
            self._rows.append(_mapped(_values(folder, process), int(rows.sum()), self.width))
        table = np.concatenate(tables)
        self._places = table[table[:, 0].argsort(), 1:]

    def rows(self, utterance: int) -> int:
        """Number of rows of an utterance."""
        return int(self._places[utterance, 2])

    def __getitem__(self, utterance: int) -> tuple[torch.Tensor, int]:
        """The rows of an utterance [rows, width], and its stacked frames. AudioError if it could not be read."""
        if utterance in self.unreadable:
            raise self.unreadable[utterance]
        process, start, rows, frames = self._places[utterance].tolist()
        return torch.from_numpy(self._rows[process][start : start + rows].copy()), frames


def _mapped(file: Path, rows: int, width: int) -> np.ndarray:
    """Rows [rows, width] on disk; an empty file cannot be mapped."""
    return np.memmap(file, np.float32, "r", shape=(rows, width)) if rows else np.zeros((0, width), np.float32)


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
    resumed: bool = False,
) -> None:
    """Write the outputs of `batches` of utterances, about `rows` rows of `width` values in all, unless the files of
    this process are there and made of the same `facts`: then none is computed. What could not be read is tried again,
    but in a run that is `resumed`, which goes on with what it had."""
    if _index(folder, process).is_file():
        known = read_json(_index(folder, process))
        if known["facts"] == facts and (resumed or not known.get("unreadable")):
            return
    folder.mkdir(parents=True, exist_ok=True)
    _index(folder, process).unlink(missing_ok=True)
    size, free = 4 * rows * width, shutil.disk_usage(folder).free
    logger.info("computing the outputs of frozen parts once: %.2f GB in %s", size / 1e9, folder)
    if size > 0.9 * free:
        raise RecipeError(
            f"{folder}: cache_frozen needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; set cache_frozen: false"
        )
    utterances, unreadable = [], []
    with open(_values(folder, process), "wb") as file:
        for batch, found in zip(batches, outputs, strict=True):
            for utterance, output in zip(batch, found, strict=True):
                if isinstance(output, AudioError):
                    unreadable.append((utterance, output.reason, output.detail))
                    output = torch.zeros(0, width), 0
                values, frames = output
                file.write(values.float().cpu().numpy().tobytes())
                utterances.append((utterance, len(values), frames))
    index = {"facts": facts, "width": width, "utterances": utterances, "unreadable": unreadable}
    write_json(_index(folder, process), index)
