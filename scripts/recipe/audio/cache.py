"""The folder where copies of what was fetched are kept, within a bound: what was not used for longest goes first.

How large it may grow is a matter of the machine's disk and not of an experiment, which would be made again for another
number: an environment variable says it.
"""

import contextlib
import math
import os
from pathlib import Path

from recipe.files import RecipeError

CACHE = "exp/cache/audio"  # from the working directory, where all results of a workflow lie
VARIABLE = "RECIPE_CACHE_GIGABYTES"  # of 10^9 bytes
GIGABYTES = 100.0
_KEPT = ("content", "blocks")  # of the folder, what is worth counting
_LEFT = 0.9  # share of the bound that is left when it was passed, so that not every file has to make room
_LOOKS = 64  # looks at the folder for each time that as much as fits was added

_added: dict[Path, int] = {}  # bytes since the last look, by this process


def bound() -> float:
    """Bytes that the cache may have. RecipeError if the variable has no number."""
    given = os.environ.get(VARIABLE, "")
    try:
        gigabytes = float(given or GIGABYTES)
    except ValueError:
        gigabytes = math.nan
    if not gigabytes > 0:
        raise RecipeError(f"{VARIABLE}: {given!r}, expected a number of gigabytes over 0")
    return gigabytes * 1e9


def used(file: Path) -> None:
    """A copy was used: it goes after those that were not used for longer."""
    with contextlib.suppress(OSError):  # it may have gone, or be somebody else's
        os.utime(file)


def added(cache: str | os.PathLike, size: int) -> None:
    """A copy of `size` bytes was added to a cache. Now and then whatever is over the bound is deleted: the oldest
    copies, which whoever has them open goes on reading. Each process may pass the bound by a 64th of it meanwhile."""
    cache, most = Path(cache), bound()
    _added[cache] = _added.get(cache, math.inf) + size  # at first, nobody knows what is there
    if _added[cache] >= most / _LOOKS:
        _added[cache] = 0
        _make_room(cache, most)


def _make_room(cache: Path, most: float) -> None:
    copies = []  # time of last use, size, path
    for folder in _KEPT:
        for file in (cache / folder).rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # another process makes room as well
                # What is hidden is on its way.
                if file.is_file() and not file.name.startswith(".") and not file.parent.name.startswith("."):
                    state = file.stat()
                    copies.append((state.st_mtime_ns, state.st_size, file))
    total = sum(size for _, size, _ in copies)
    if total <= most:
        return
    for _, size, file in sorted(copies):
        file.unlink(missing_ok=True)
        total -= size
        if total <= most * _LEFT:
            return
