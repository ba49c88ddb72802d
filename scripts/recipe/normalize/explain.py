"""What the steps of a normalizer changed in the lines of a file, to be read by people and programs."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

HEADER = "key\tstage\tbefore\tafter\n"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Change(NamedTuple):
    """A step that changed (part of) a line's text; `stage` is the step's name."""

    key: str
    stage: str
    before: str
    after: str


Explanation = Callable[[Iterable[Change]], None]  # takes the changes as they come, line by line


def as_rows(changes: Iterable[Change]) -> Iterator[str]:
    """Lines of a table whose head is HEADER. Control characters within texts are spaces there."""
    for change in changes:
        yield "\t".join(_CONTROLS.sub(" ", cell) for cell in change) + "\n"


class Readable:
    """Changes as text for people, key by key. It remembers the key that it told last."""

    def __init__(self) -> None:
        self._key: str | None = None

    def lines(self, changes: Iterable[Change]) -> Iterator[str]:
        """Each key once, and for each of its changes the stage, the text before it and, below, the one after it."""
        for key, stage, before, after in changes:
            if key != self._key:
                yield f"{key}\n"
                self._key = key
            yield f"  {stage}\n    - {_CONTROLS.sub(' ', before)}\n    + {_CONTROLS.sub(' ', after)}\n"
