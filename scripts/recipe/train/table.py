"""The utterances of a set as a table on disk, which all processes of a run share: what planning needs of each, and
where its line is. No process holds the utterances themselves."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recipe.data.index import ManifestIndex
from recipe.data.manifest import Utterance

ROW = np.dtype(
    [
        ("offset", "<u8"),  # of the line in its manifest
        ("key", "<u4"),  # CRC-32 of the key
        ("frames", "<u4"),  # stacked frames
        ("text", "<u4"),  # tokens of the transcript, and those that make the prompt longer than the shortest one
        ("manifest", "<u4"),
    ]
)
BLOCK = 1 << 20  # rows looked at at a time


class UtteranceTable(Sequence[Utterance]):
    """Utterances of manifests, each read from its own line when it is asked for.

    `file` holds a `ROW` for each. `common_tokens` are those of the shortest prompt and of the end of a transcript;
    `seconds` is how long all utterances are together.
    """

    def __init__(self, file: Path, manifests: Sequence[ManifestIndex], common_tokens: int, seconds: float):
        self.file, self.manifests = file, manifests
        self.common_tokens, self.seconds = common_tokens, seconds
        # Read, not mapped: what a worker has looked at does not add up.
        self._rows = open(file, "rb", buffering=0)  # noqa: SIM115 (kept open)
        self._count = os.path.getsize(file) // ROW.itemsize

    def __reduce__(self):
        return UtteranceTable, (self.file, self.manifests, self.common_tokens, self.seconds)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Utterance:
        row = self.row(index)
        return self.manifests[row["manifest"]].read(int(row["offset"]))

    def row(self, index: int) -> np.void:
        """What the table has of one utterance."""
        if not 0 <= index < self._count:
            raise IndexError(f"utterance {index} of {self._count}")
        return np.frombuffer(os.pread(self._rows.fileno(), ROW.itemsize, index * ROW.itemsize), ROW)[0]

    def rows(self) -> np.ndarray:
        """All rows, mapped for as long as the array is held."""
        return np.memmap(self.file, ROW, "r")

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The rows, `BLOCK` at a time, each time with the index of the first."""
        rows = self.rows()
        for start in range(0, len(rows), BLOCK):
            yield start, rows[start : start + BLOCK]
