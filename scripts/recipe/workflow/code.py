"""The code that a stage runs, as a hash that changes when what it does may change, and only then."""

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from recipe.workflow import parsed

_cache = functools.cache(lambda: parsed.Cache(parsed.FILE))


def code_hash(script: str | os.PathLike) -> str:
    """SHA-256 over a script and every library module that it imports, directly or not, found by reading the imports.

    Hashed is what Python makes of the text: comments, docstrings, blank lines and line numbers do not count. Of a
    module that is imported its own hash counts and not its name, so that a module may move. Where a module names
    `__file__`, the files beside it that are no code count as well: it reads them.
    """
    script = Path(script)
    found = _module_hash(script, script.parent)
    _cache().save()
    return found


@functools.cache
def _module_hash(path: Path, scripts: Path) -> str:
    code, imports, names_file = _cache().parsed(path.read_bytes())
    digest = hashlib.sha256(code.encode())
    for line in sorted(_brought(module, names, scripts) for module, names in imports):
        digest.update(line.encode())
    if names_file and path.parent != scripts:
        for file in sorted(path.parent.rglob("*")):
            if file.is_file() and file.suffix not in (".py", ".pyc") and file.parent.name != "__pycache__":
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _brought(module: str | None, names: Iterable[tuple[str, str | None]], scripts: Path) -> str:
    """What an import of the library brings: the names, and hashes of the modules that they come from. `module` None is
    `import`, whose names are modules."""
    if module is None:
        return "".join(f"{called}={_hash_of(name, scripts)};" for name, called in names)
    found = []
    for name, called in names:
        inner = f"{module}.{name}"
        source = inner if _file(inner, scripts) else module
        own = "" if source == inner else name  # a module by its content, whatever it is called
        found.append(f"{own} as {called or name}={_hash_of(source, scripts)};")
    return "".join(found)


def _hash_of(module: str, scripts: Path) -> str:
    """Hash of a module, of a package that of its `__init__.py`. Packages that an import passes through are left out:
    theirs are descriptions, and what they hand on is imported from where it is."""
    file = _file(module, scripts)
    return _module_hash(file, scripts) if file else ""


def _file(module: str, scripts: Path) -> Path | None:
    place = scripts.joinpath(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    return None
