"""What results are made of: the code that a script runs, as a hash, the data, and the record of a whole experiment."""

import ast
import collections
import functools
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import recipe
from recipe.data import manifest
from recipe.files import sha256


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
    files = []
    for name in _imported_names(path.read_text(encoding="utf-8")):
        parts = name.split(".")
        if parts[0] != "recipe":
            continue
        place = library.joinpath(*parts[1:])
        if place.is_dir() and len(parts) > 1:
            files.extend(file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        elif place.with_suffix(".py").is_file():
            files.append(place.with_suffix(".py"))
    return files


@functools.cache  # most scripts import the same modules
def _imported_names(code: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def record(inputs: Iterable[str], settings: Any, stages: dict[str, str], folder: str | os.PathLike) -> dict[str, Any]:
    """Everything that an experiment's results depend on. `inputs` are files, `stages` the hashes of their code, which
    lies in `folder`."""
    return {
        "recipe": recipe.__version__,
        "inputs": {os.fspath(path): sha256(path) for path in inputs},
        "code": {**_commit(folder), "stages": stages},
        "packages": {name: version for _, name, version in sorted(_packages())},
        "settings": settings,
        "machine": _machine(),
    }


def _commit(folder: str | os.PathLike) -> dict[str, Any]:
    """The git commit of the code, and whether files that git knows differ from it; None outside a repository."""
    commit = _output(["git", "-C", os.fspath(folder), "rev-parse", "HEAD"])
    changes = _output(["git", "-C", os.fspath(folder), "status", "--porcelain", "--untracked-files=no"])
    return {"commit": commit or None, "changed": bool(changes) if commit else None}


def _packages() -> set[tuple[str, str, str]]:
    """(name for sorting, name, version) of what is installed."""
    found = ((package.metadata["Name"], package.version) for package in metadata.distributions())
    return {(name.lower(), name, version) for name, version in found if name}


def _machine() -> dict[str, Any]:
    gpus = _output(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpus": gpus.splitlines(),
    }


def _processor() -> str:
    """Its name where the system tells, as Linux does; else its architecture."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _output(command: list[str]) -> str:
    """What a command prints; nothing if it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
