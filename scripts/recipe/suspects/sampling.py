"""Drawing utterances by a hash of their names, so that one pass will do and the same ones are drawn each time."""

import zlib

_DRAWS = 1 << 32  # what CRC-32 may be


def drawn(name: str, most: int, total: int) -> bool:
    """Whether `name` is one of about `most` that are drawn of `total` names; all are where these are no more."""
    return zlib.crc32(name.encode()) * total < most * _DRAWS
