"""Kaldi data directories: which files there may be, and what an entry of wav.scp refers to."""

import os
import re
from pathlib import Path

_URL = re.compile(r"https?://", re.IGNORECASE)
_ARK_OFFSET = re.compile(r"(.+)(:\d+)\Z")


def resolve(source: str, scp_file: str | os.PathLike) -> str:
    """What a wav.scp entry refers to, seen from the working directory: a relative path counts from the folder of
    `scp_file`; URLs, commands and absolute paths stay as they are."""
    if _URL.match(source) or source.rstrip().endswith("|") or os.path.isabs(source):
        return source
    ark = _ARK_OFFSET.match(source)
    path, offset = (ark[1], ark[2]) if ark else (source, "")
    return os.path.normpath(Path(scp_file).parent / path) + offset
