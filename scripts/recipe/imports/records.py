"""Lines of JSON as entries: what is damaged is a reject, and the rest is read."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from recipe.data import datadir
from recipe.files import RecipeError, object_lines, read_json
from recipe.imports.items import Found, NotImportable, guarded
from recipe.text import tables


def stem(path: str | Path) -> str:
    """The name of a file without its suffixes .gz, .jsonl and the like."""
    name = Path(path).name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def parse(raw: bytes) -> dict:
    """The object of a line of JSON; NotImportable says what else it is."""
    try:
        value = json.loads(raw.decode())
    except UnicodeDecodeError:
        raise NotImportable("bad-utf8", tables.not_utf8(raw)) from None
    except (ValueError, RecursionError) as error:
        raise NotImportable("jsonl-invalid", f"not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise NotImportable("jsonl-invalid", f"expected a JSON object, found {type(value).__name__}")
    return value


def read(path: Path, make: Callable[[dict, str, str], Found | Iterable[Found]]) -> Iterator[Found]:
    """What `make` says of each line's object; it gets the object, `file:line`, and a key for want of another."""
    for number, raw in _lines(path):
        where, key = f"{path}:{number}", f"{stem(path)}-{number:08d}"
        yield from guarded(key, where, lambda raw=raw, where=where, key=key: make(parse(raw), where, key))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, JSON) of each object; of a file that is one list, its elements."""
    first = next((raw for _, raw in datadir.raw_lines(path)), b"")
    if not first.lstrip().startswith(b"[") or not path.name.endswith(".json"):
        return object_lines(path)
    found = read_json(path)
    return ((number, json.dumps(value).encode()) for number, value in enumerate(found, 1))


def first_objects(path: Path, count: int = 20) -> list[dict]:
    """The objects among the first lines that have any, to see what a file is. RecipeError if there are none."""
    found = []
    for number, raw in _lines(path):
        try:
            found.append(parse(raw))
        except NotImportable:
            if number > 10 * count:
                break
        if len(found) >= count:
            break
    if not found:
        raise RecipeError(f"{path}: no JSON objects, one a line, in it; is it another file?")
    return found
