"""Lines `key value`, read in one way by every stage: Kaldi's wav.scp, text, segments, utt2spk and such.

A key ends at the first space or tab, and nothing else ends it: an ideographic space (U+3000) or a no-break space
(U+00A0) belongs to the key or to the text that it stands in. Spaces and tabs around key and value are left out, and so
are carriage returns at the end of a line. Lines end with LF. A value may be empty; blank lines are passed over.
"""

import itertools
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from recipe.files import RecipeError, byte_lines

_SPACES = re.compile(rb"[ \t]+")
_AROUND = b" \t\r\n"
_FORBIDDEN_IN_KEYS = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Encodings that text comes in where it is not UTF-8, and characters that show that the guess is right: those that
# their makers use (GB2312's Chinese, with punctuation), not the rare ones that any bytes can be read as.
_GBK = "gb18030"


class Row(NamedTuple):
    """A line of a table. `value` is the bytes of the line where they are not UTF-8: its entry is rejected, and the run
    goes on."""

    key: str
    number: int  # line number from 1
    value: str | bytes


def rows(path: str | os.PathLike) -> Iterator[Row]:
    """The rows of a table, plain or gzip-compressed, in file order. RecipeError if it cannot be read."""
    return filter(None, map(parse, byte_lines(path), itertools.count(1)))


def parse(raw: bytes, number: int) -> Row | None:
    """The row of a line, the `number`-th from 1 of its file; None of a blank one."""
    line = raw.strip(_AROUND)
    if not line:
        return None
    key, *rest = _SPACES.split(line, maxsplit=1)
    try:
        return Row(key.decode(), number, rest[0].decode() if rest else "")
    except UnicodeDecodeError:
        return Row(key.decode("utf-8", "backslashreplace"), number, line)


def read(path: str | os.PathLike) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, key, value) of a table. RecipeError names a line that is not UTF-8. Keys that come twice are
    the caller's business: what they mean differs from table to table."""
    for key, number, value in rows(path):
        if isinstance(value, bytes):
            raise RecipeError(f"{path}:{number}: {not_utf8(value)}; convert the file to UTF-8")
        yield number, key, value


def read_map(path: str | os.PathLike) -> dict[str, str]:
    """Read a table into a dict in file order. RecipeError as of `read`, and for a key that comes twice."""
    values: dict[str, str] = {}
    first: dict[str, int] = {}
    for number, key, value in read(path):
        if key in values:
            raise RecipeError(f"{path}:{number}: key {key!r} appeared already on line {first[key]}; keep one of them")
        values[key] = value
        first[key] = number
    return values


def key_problem(key: str) -> str | None:
    """Why a text cannot be a key: empty, or with white space that tables are cut at, or control characters."""
    if not key:
        return "the key is empty"
    found = None if key.isprintable() and " " not in key else _FORBIDDEN_IN_KEYS.search(key)
    return f"the key has U+{ord(found[0]):04X} at character {found.start() + 1}" if found else None


def not_utf8(line: bytes) -> str:
    """What is wrong with a line that is not UTF-8: the first such byte and, where it can be told, the encoding."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        hint = ", but reads as GBK (iconv -f GB18030 -t UTF-8)" if _reads_as_gbk(line) else ""
        return f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8{hint}"
    raise AssertionError("bytes that are UTF-8 after all")


def _reads_as_gbk(line: bytes) -> bool:
    """Whether bytes are pairs of the two rows of common Chinese characters and punctuation in GB2312."""
    try:
        foreign = [char for char in line.decode(_GBK) if not char.isascii()]
        pairs = "".join(foreign).encode("gb2312")
    except UnicodeError:
        return False
    return bool(foreign) and all(0xA1 <= lead <= 0xA3 or 0xB0 <= lead <= 0xF7 for lead in pairs[::2])
