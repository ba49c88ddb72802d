"""Kaldi data directories: which files there may be, and what an entry of wav.scp refers to."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from recipe.audio.address import is_command, is_url
from recipe.files import byte_lines

# What looks like no path of this machine: it stays as it was written, so that the error can say what to do.
_ODD = re.compile(r"""~|['"]|[A-Za-z][A-Za-z0-9+.-]*:(//|\\)""")
_ARK_OFFSET = re.compile(r"(.+)(:\d+)\Z", re.DOTALL)

# Tables beside wav.scp that are used where they are, each plain or with gzip.
OPTIONAL = ("segments", "utt2spk", "utt2lang", "utt2group", "utt2prompt", "utt2hotwords", "utt2channel")


def resolve(source: str, scp_file: str | os.PathLike) -> str:
    """What a wav.scp entry refers to, seen from the working directory: a relative path counts from the folder of
    `scp_file`; URLs, commands and absolute paths stay as they are."""
    if source.startswith("/") or is_url(source) or is_command(source):
        return source
    ark = _ARK_OFFSET.match(source)
    path, offset = (ark[1], ark[2]) if ark else (source, "")
    path = os.path.normpath(os.path.join(os.path.dirname(scp_file), path))
    return source if _ODD.match(source) and not os.path.exists(path) else path + offset


def find(folder: str | os.PathLike, name: str) -> str | None:
    """Path of a table of a data directory, plain or compressed; None if it is not there."""
    for candidate in (name, f"{name}.gz"):
        if (path := Path(folder) / candidate).is_file():
            return str(path)
    return None


def tables(scp_file: str | os.PathLike, names: Sequence[str] = OPTIONAL) -> dict[str, str]:
    """Path by name of those tables that lie beside `scp_file`."""
    folder = Path(scp_file).parent
    return {name: path for name in names if (path := find(folder, name))}


def is_jsonl(path: str | os.PathLike) -> bool:
    """Whether a file is JSON lines by its name."""
    return str(path).removesuffix(".gz").endswith(".jsonl")


def raw_lines(path: str | os.PathLike) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, bytes of the line with its end), blank lines and a byte-order mark left out."""
    return ((number, raw) for number, raw in enumerate(byte_lines(path), 1) if raw.strip())


def count_lines(path: str | os.PathLike) -> int:
    """Lines of a file, blank ones included."""
    return sum(1 for _ in byte_lines(path))
