"""Keys that tables can hold: valid, and each given once."""

import hashlib
import os
import re

_MAX_BYTES = 200  # of a key: it becomes the name of a file, too
_SUFFIX = re.compile(r"(?<=[^/])\.([A-Za-z][A-Za-z0-9]{0,4}|3g[p2])\Z")
UTTERANCE, RECORDING = 1, 2


def valid(wanted: str) -> str:
    """A key without what no key may have: white space and what cannot be printed are `_`; one that is too long ends in
    a hash of all of it. Empty: `utterance`."""
    if wanted.isprintable() and " " not in wanted and wanted.isascii():  # as most are
        key = wanted or "utterance"
    else:
        key = "".join(char if char.isprintable() and not char.isspace() else "_" for char in wanted)
    return _shortened(key, wanted)


def of_path(path: str, folder: str | os.PathLike) -> str:
    """The key of a recording by its path: as seen from `folder`, or its name alone if it lies elsewhere."""
    path = os.path.normpath(path)
    if os.path.isabs(path):
        relative = os.path.relpath(path, os.path.abspath(folder))
        path = os.path.basename(path) if relative.startswith("..") else relative
    while path.startswith("../"):
        path = path[3:]
    return _SUFFIX.sub("", path)


def file_name(key: str, suffix: str) -> str:
    """The name of a file for a recording, another one for every key: no folder, not hidden, not too long."""
    name = key.replace("%", "%25").replace("/", "%2F")
    name = f"%2E{name[1:]}" if name.startswith(".") else name
    return _shortened(name, key) + suffix


def _shortened(name: str, whole: str) -> str:
    if len(name.encode("utf-8", "replace")) <= _MAX_BYTES:
        return name
    digest = hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return name.encode("utf-8", "replace")[: _MAX_BYTES - 17].decode("utf-8", "ignore") + "-" + digest


class Keys:
    """Gives keys. The first to want one gets it, the next ones get `-2`, `-3` and so on behind it. Utterances have keys
    of their own and so have recordings; a recording that is one utterance has the same in both."""

    def __init__(self):
        self._taken: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self.mended = 0  # keys that were made valid
        self.numbered = 0

    def take(self, wanted: str, kinds: int) -> str:
        """A key for an utterance, a recording, or (`UTTERANCE | RECORDING`) both."""
        key = free = valid(wanted)
        number = self._last.get(key, 1)
        while self._taken.get(free, 0) & kinds:
            number += 1
            free = f"{key}-{number}"
        if free != key:
            self._last[key] = number
            self.numbered += 1
        self.mended += key != wanted
        self._taken[free] = self._taken.get(free, 0) | kinds
        return free
