"""Checked entries, and the file that holds a shard's.

One line an entry:
    + <tab> seconds <tab> tokens <tab> key <tab> remarks, as JSON <tab> line of the manifest
    - <tab> key <tab> reason <tab> detail
    = <tab> number of entries                   (the last line, without which the file is not whole)
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from recipe.data.join import Entry
from recipe.files import RecipeError, json_line, open_atomic, read_lines

REJECTS_HEADER = "key\tstage\treason\tdetail"  # of the tables that list what is left out, in every stage


class Accepted(NamedTuple):
    """An utterance of the manifest: its length in seconds, tokens of its transcript, key, the line itself, and what is
    to be remarked about it, as pairs of a short name and a detail."""

    seconds: float
    tokens: int
    key: str
    line: str
    remarks: Sequence[Sequence[str]] = ()


class Rejected(NamedTuple):
    """An entry that is left out: its key, the reason by its short name, and the detail for a reader."""

    key: str
    reason: str
    detail: str


class Numbered:
    """Counts what is taken of an iterable: the ledger is compared with it."""

    def __init__(self, entries: Iterable[Entry]):
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.count += 1
            yield entry


def write_checked(items: Iterable[Accepted | Rejected], numbered: Numbered, path: str) -> None:
    """Write checked entries, and at the end how many were taken of `numbered`, atomically."""
    with open_atomic(path) as file:
        for item in items:
            if item.__class__ is Accepted:
                remarks = json_line(item.remarks) if item.remarks else "[]"
                file.write(f"+\t{item.seconds!r}\t{item.tokens}\t{item.key}\t{remarks}\t{item.line}\n")
            else:
                file.write(f"-\t{item.key}\t{item.reason}\t{one_line(item.detail)}\n")
        file.write(f"=\t{numbered.count}\n")


def read_checked(paths: Sequence[str], stated: list[int]) -> Iterator[Accepted | Rejected]:
    """The items of `checked` files; what each says of its number of entries is added to `stated`."""
    for path in paths:
        whole = False
        for number, line in read_lines(path):
            try:
                item = _item(line)
            except (ValueError, TypeError):
                raise RecipeError(
                    f"{path}:{number}: no line of a shard's checked entries; is it another file?"
                ) from None
            if isinstance(item, int):
                stated.append(item)
                whole = True
            else:
                yield item
        if not whole:
            raise RecipeError(f"{path}: ends early; delete it and run its shard again")


def _item(line: str) -> Accepted | Rejected | int:
    """What a line says: an entry, or how many there are. ValueError or TypeError if it is none."""
    kind, _, rest = line.partition("\t")
    if kind == "+":
        seconds, tokens, key, remarks, text = rest.split("\t", 4)
        return Accepted(float(seconds), int(tokens), key, text, json.loads(remarks))
    return Rejected._make(rest.split("\t")) if kind == "-" else int(rest)


def one_line(text: str) -> str:
    """Text without tabs and line ends, and with what is not UTF-8 (a path's odd bytes) escaped."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())
