"""What a stage's result was made of: the code that a script runs, as a hash, and the data."""

import ast
import collections
import hashlib
import os
from pathlib import Path

from recipe import manifest


def code_hash(script: str | os.PathLike) -> str:
    """SHA-256 over a script and every library module that it imports, directly or not, found by reading the imports.

    Changes when any of that code changes, and not when other code does.
    """
    script = Path(script)
    library = script.parent / "recipe"
    digest = hashlib.sha256()
    for path in sorted(_closure(script, library)):
        digest.update(path.relative_to(script.parent).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def describe_set(role: str, path: str | os.PathLike, weight: float) -> tuple[dict, collections.Counter[str]]:
    """What a model's facts say of a manifest that it was trained or validated on, and the number of each prompt."""
    seconds, languages, prompts = 0.0, set(), collections.Counter()
    for utterance in manifest.read(path):
        seconds += utterance.duration
        languages.add(utterance.language)
        prompts[utterance.prompt] += 1
    facts = {
        "role": role,
        "name": Path(path).name.split(".jsonl")[0],
        "utterances": prompts.total(),
        "hours": round(seconds / 3600, 4),
        "weight": weight,
        "languages": sorted(languages - {None}),
    }
    return facts, prompts


def _closure(script: Path, library: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imports(path, library) if path.suffix == ".py" else [])
    return found


def _imports(path: Path, library: Path) -> list[Path]:
    """Files of the library that `path` imports; a package counts with all that is in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = []
    for name in names:
        parts = name.split(".")
        if parts[0] != "recipe":
            continue
        place = library.joinpath(*parts[1:])
        if place.is_dir() and len(parts) > 1:
            files.extend(file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        elif place.with_suffix(".py").is_file():
            files.append(place.with_suffix(".py"))
    return files
