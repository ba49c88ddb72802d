"""Hypotheses of a decoding that is not finished: those of whole blocks, beside the place of its output.

They are the lines that the output will have. A killed decoding of the same input, model and settings goes on behind
them; what belongs to another one, and a block that was half written, is thrown away.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from recipe.decode.hypotheses import Hypothesis
from recipe.files import RecipeError, json_line, make_folder, read_json, write_json

logger = logging.getLogger(__name__)


class Unfinished:
    """The hypotheses that were found so far for `details_file` (OUTPUT.jsonl). `facts` are what they depend on, by
    name; None if that cannot be said, so that no other call goes on with them. RecipeError if another process is at it.
    """

    def __init__(self, details_file: str | os.PathLike, facts: Mapping[str, str] | None):
        self._details = Path(details_file)
        self._state = Path(f"{details_file}.unfinished.json")
        self._facts = facts
        make_folder(self._details.parent)
        self._lines = open(f"{details_file}.unfinished", "a+b")  # noqa: SIM115 - as long as this object
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError(f"{details_file}: another process writes it; wait for it or stop it") from None
        self._count, size = self._kept()
        self._lines.truncate(size)

    def _kept(self) -> tuple[int, int]:
        """Number of the hypotheses that an earlier call left, and of the bytes of their lines."""
        if self._facts is None or not self._state.is_file():
            return 0, 0
        kept = read_json(self._state)
        size = os.fstat(self._lines.fileno()).st_size
        if kept["facts"] == dict(self._facts) and size >= kept["bytes"]:
            return kept["hypotheses"], kept["bytes"]
        names = sorted(name for name, fact in self._facts.items() if kept["facts"].get(name) != fact)
        logger.info("%s: of other %s, so decoding begins anew", self._state, ", ".join(names) or "length")
        return 0, 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Hypothesis]:
        """The hypotheses, as they will be read from the output."""
        with open(self._lines.name, "rb") as file:
            for line in file:
                yield Hypothesis.from_json(json.loads(line))

    def add(self, hypotheses: Iterable[Hypothesis]) -> None:
        """Keep the hypotheses of a block."""
        for hypothesis in hypotheses:
            self._lines.write(f"{json_line(hypothesis.to_json())}\n".encode())
            self._count += 1
        self._lines.flush()
        os.fsync(self._lines.fileno())
        if self._facts is not None:
            size = os.fstat(self._lines.fileno()).st_size
            write_json(self._state, {"facts": dict(self._facts), "hypotheses": self._count, "bytes": size})

    def finish(self) -> None:
        """Make the lines the output."""
        os.replace(self._lines.name, self._details)
        self._state.unlink(missing_ok=True)
        self._lines.close()
