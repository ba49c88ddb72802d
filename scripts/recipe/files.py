"""Files: atomic writes, JSON lines and hashes.

Every output of the recipe is written through `open_atomic`, so a file that exists is whole. Every text input is read
through `byte_lines` (lines `key value` by `recipe.text.tables`), so that compression, a byte-order mark and another
encoding mean the same thing in every stage.
"""

import contextlib
import errno
import gzip
import hashlib
import itertools
import json
import os
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# One encoder for all lines: json.dumps would make one for each.
_encode = json.JSONEncoder(ensure_ascii=False).encode

_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
# How the first line begins of JSON that is no JSON lines.
_OPENING = re.compile(rb"\s*(?:(\[)\s*(?:\{|\Z)|(\{)\s*\Z)")
# How files begin that are given in the place of tables, and what they are.
_NO_TEXT = {
    "a recording": re.compile(rb"RIFF.{4}WAVE|fLaC\x00|OggS\x00|ID3[\x02-\x04]", re.DOTALL),
    "a ZIP archive, as spreadsheets are (export the sheet as CSV)": re.compile(rb"PK\x03\x04"),
    "a Parquet file": re.compile(rb"PAR1[\x00-\x1f]"),
    "a PDF": re.compile(rb"%PDF-"),
    "a web page (perhaps one that says why a download failed)": re.compile(
        rb"\s*<(!doctype html|html)\b", re.IGNORECASE
    ),
}


class RecipeError(Exception):
    """Bad input or settings. The message names the file, line or key, what was found and what to do."""

    status = 2  # that a stage's script exits with

    def __init__(self, message: str):
        super().__init__("\n".join(map(_shortened, message.split("\n"))))


_LONGEST, _HEAD, _TAIL = 1500, 1000, 400  # characters of a line of an error, and of one that is too long


def _shortened(line: str) -> str:
    """A line of an error without its middle, if a value in it is so long that nobody would find what is around it."""
    if len(line) <= _LONGEST:
        return line
    return f"{line[:_HEAD]} [... {len(line) - _HEAD - _TAIL} characters ...] {line[-_TAIL:]}"


# What a machine refuses today and allows tomorrow; `recipe.cli` says what to do about it.
_MAY_PASS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def make_folder(folder: str | os.PathLike) -> Path:
    """A folder that is there afterwards. RecipeError if none can be at that place, as in /proc."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _MAY_PASS:
            raise
        raise RecipeError(f"{folder}: no such folder can be made ({error.strerror}); name another path") from None
    return Path(folder)


@contextlib.contextmanager
def open_atomic(path: str | os.PathLike, mode: str = "w") -> Iterator[Any]:
    """Open a temporary file beside `path` for writing ("w" text in UTF-8, "wb" bytes) and rename it onto `path` at
    the end. On an exception the temporary file is removed and an existing `path` stays as it was."""
    path = Path(path)
    if path.is_dir():
        raise RecipeError(f"{path}: is a folder, expected the name of a file to write")
    make_folder(path.parent)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except FileNotFoundError as error:  # of a folder that exists: files cannot be made in it, as in /proc
        raise RecipeError(f"{path}: no file can be made there ({error.strerror}); name another path") from None
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        share_file(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def share_file(path: str | os.PathLike) -> None:
    """Give a file that was made private, as temporary files are, the permissions that the user's umask says."""
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(path, 0o666 & ~umask)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given."""
    with open_atomic(path) as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
        file.write("\n")


def refuse_overwriting(outputs: Iterable[str | os.PathLike | None], inputs: Iterable[str | os.PathLike | None]) -> None:
    """RecipeError if an output is an input or another output, by whatever path or link; None stands for no file."""
    taken = [path for path in inputs if path]
    for out in filter(None, outputs):
        for path in taken:
            linked = os.path.exists(out) and os.path.exists(path) and os.path.samefile(out, path)
            if linked or os.path.realpath(out) == os.path.realpath(path):
                raise RecipeError(f"{out}: the output is the same file as {path}; write to another file")
        taken.append(out)


def read_json(path: str | os.PathLike) -> Any:
    """Read one JSON value; RecipeError names the file if it is missing or not JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: not valid JSON ({error})") from None


def json_line(value: Any) -> str:
    """One JSON value on one line, without its line end; non-ASCII characters as they are."""
    return _encode(value)


def read_json_lines(path: str | os.PathLike) -> Iterator[tuple[int, dict]]:
    """Yield (line number from 1, object) of a JSON-lines file; blank lines are passed over."""
    for number, raw in object_lines(path):
        where = f"{path}:{number}"
        yield number, json_object(line_text(raw, where), where)


def object_lines(path: str | os.PathLike) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, bytes of the line with its end) of a JSON-lines file, blank lines left out.
    RecipeError if it begins as a list, or as an object over several lines: then no line is an object."""
    lines = ((number, raw) for number, raw in enumerate(byte_lines(path), 1) if raw.strip())
    for number, raw in itertools.islice(lines, 1):
        if opening := _OPENING.match(raw):
            what, each = ("a list", ".[]") if opening[1] == b"[" else ("an object over several lines", ".")
            raise RecipeError(
                f"{path}:{number}: JSON begins here as {what} (pretty-printed?), expected JSON lines, each an object; "
                f"make them by: jq -c '{each}' {path}"
            )
        yield number, raw
    yield from lines


def json_object(line: str, where: str) -> dict:
    """The object of a line of JSON lines; `where` (file:line) begins the message of a RecipeError."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{where}: not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: expected a JSON object, found {type(value).__name__}")
    return value


def byte_lines(path: str | os.PathLike) -> Iterator[bytes]:
    """Yield the lines of a file with their ends, gzip-compressed or not, without a byte-order mark. RecipeError if it
    is not there, no file, damaged, or in UTF-16."""
    try:
        # Opened once and peeked at, so that a pipe can be read as well.
        with open(path, "rb") as file:
            lines = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(b"\x1f\x8b") else file
            _refuse_no_text(lines.peek(16), path)
            for first in itertools.islice(lines, 1):
                _refuse_wide(first, path)
                yield first.removeprefix(b"\xef\xbb\xbf")
            yield from lines
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise RecipeError(f"{path}: is a directory, expected a file") from None
    except (NotADirectoryError, PermissionError) as error:
        raise RecipeError(f"{path}: {error.strerror}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RecipeError(f"{path}: damaged gzip file ({error}); make it again") from None


def _refuse_no_text(head: bytes, path: str | os.PathLike) -> None:
    """RecipeError if a file begins as a recording or the like."""
    if kind := next((kind for kind, magic in _NO_TEXT.items() if magic.match(head)), None):
        raise RecipeError(f"{path}: is {kind}, expected a text file")


def _refuse_wide(line: bytes, path: str | os.PathLike) -> None:
    """RecipeError if a first line is of characters of two bytes or more: with their mark, or zeros among its bytes."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or line.count(0) * 3 > len(line):
        raise RecipeError(f"{path}: is UTF-16 or UTF-32, expected UTF-8; convert it (iconv -f UTF-16 -t UTF-8)")


def read_lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its line end) of a UTF-8 text file, gzip-compressed or not.

    Lines end with LF or CRLF only: a form feed or U+2028 inside a transcript does not split it. A byte-order mark at
    the start is dropped. RecipeError names the line of a byte that is not UTF-8.
    """
    for number, raw in enumerate(byte_lines(path), 1):
        yield number, line_text(raw, f"{path}:{number}")


def line_text(raw: bytes, where: str) -> str:
    """A line's text without its end; `where` (file:line) begins the message of a RecipeError."""
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{where}: byte {error.start + 1} of the line is not UTF-8 (0x{raw[error.start]:02x}); convert the file to "
            "UTF-8"
        ) from None


def exponents_to_floats(value: Any) -> Any:
    """A YAML value with strings such as "2e-5" as floats: YAML 1.1, which PyYAML reads, wants "2.0e-5" for a number,
    and nobody writes it so."""
    if isinstance(value, dict):
        return {key: exponents_to_floats(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [exponents_to_floats(entry) for entry in value]
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def write_lines(path: str | os.PathLike, lines: Iterable[str]) -> None:
    """Write lines, each ended by LF, atomically."""
    with open_atomic(path) as file:
        file.writelines(line + "\n" for line in lines)


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
