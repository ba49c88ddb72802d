"""Slices: the joined entries of a set in as many files as there are shards, by a hash of their keys.

A set is joined once, and each shard reads its own slice. A line that is added, changed or taken out changes the slice
of its key and no other: slices hold no line numbers, and one that stays the same is not written again, so that its time
stays the same too and its shard has nothing to do. What depends on the place of lines is kept beside them: the `order`
of the entries, and those that need no check because joining found what is wrong with them.
"""

import filecmp
import json
import os
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from recipe.data.checked import Accepted, Rejected, one_line, read_checked
from recipe.data.join import Entry
from recipe.files import RecipeError, json_line, make_folder, open_atomic, read_lines

ORDER, PROBLEMS = "order", "problems"  # beside the slices 1 to N
MOST = 65_000  # slices, because two bytes name one
_PROBLEM = 0  # in `order`, in the place of a slice's number
_WAITING = 500  # lines of a slice in memory


def split(entries: Iterable[Entry], count: int, verify: str, folder: str | os.PathLike) -> None:
    """Write `count` slices of entries to `folder`, and how they are put together again. `verify` is how their audio is
    checked ("header" or "full"), which one decides for all of a set."""
    folder = make_folder(folder)
    fresh = [folder / f".{number}.fresh" for number in range(1, count + 1)]
    waiting: list[list[str]] = [[f"{json_line({'verify': verify})}\n"] for _ in fresh]
    for file in fresh:
        file.unlink(missing_ok=True)
    places = array("H")
    with open_atomic(folder / ORDER, "wb") as order, open_atomic(folder / PROBLEMS) as problems:
        for entry in entries:
            if entry.problem:
                problems.write(f"-\t{entry.key}\t{entry.problem[0]}\t{one_line(entry.problem[1])}\n")
                places.append(_PROBLEM)
                continue
            place = zlib.crc32(entry.key.encode()) % count
            waiting[place].append(f"{json_line(entry[1:])}\n")
            places.append(place + 1)  # two bytes an entry
            if len(waiting[place]) == _WAITING:
                _append(fresh[place], waiting[place])
        places.tofile(order)
        problems.write("=\t0\n")
        for number, file in enumerate(fresh, 1):
            _append(file, waiting[number - 1])
            _put(file, folder / str(number))
    for file in folder.iterdir():
        if file.name.isdigit() and int(file.name) > count:
            file.unlink()


def _append(file: Path, lines: list[str]) -> None:
    # Half a character, which JSON can have, is written as JSON escapes it; its entry will be rejected.
    with open(file, "a", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
        out.writelines(lines)
    lines.clear()


def _put(fresh: Path, file: Path) -> None:
    """Put a slice into its place, unless the same one is there."""
    if file.is_file() and filecmp.cmp(fresh, file, shallow=False):
        fresh.unlink()
    else:
        os.replace(fresh, file)


def read(path: str | os.PathLike) -> tuple[str, Iterator[Entry]]:
    """How the audio of a slice is checked, and its entries, whose line numbers are not known (0)."""
    lines = read_lines(path)
    try:
        verify = json.loads(next(lines)[1])["verify"]
    except (StopIteration, ValueError, TypeError, KeyError):
        raise RecipeError(f"{path}: no slice of a set; is it another file?") from None
    return verify, (Entry._make([0, *json.loads(line)]) for _, line in lines)


def joined(folder: str | os.PathLike, checked_files: Sequence[str], stated: list[int]) -> Iterator[Accepted | Rejected]:
    """What was found in the slices of a folder, `checked_files` in their order, in the order of the set's lines. The
    number of entries is added to `stated`. RecipeError if the files are not those of these slices."""
    counts: list[int] = []
    parts = [read_checked([file], counts) for file in (Path(folder) / PROBLEMS, *checked_files)]
    total = 0
    with open(Path(folder) / ORDER, "rb") as file:
        while block := file.read(1 << 16):
            for place in array("H", block):
                found = next(parts[place], None) if place < len(parts) else None
                if found is None:
                    raise _misfit(folder)
                total += 1
                yield found
    if any(next(part, None) is not None for part in parts):
        raise _misfit(folder)
    stated.append(total)


def _misfit(folder: str | os.PathLike) -> RecipeError:
    return RecipeError(f"{folder}: slices and what was found in them do not fit together; split the set again")
