"""What hashes of code need of a module's text, kept between calls: to parse all of the library takes a second."""

import ast
import contextlib
import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from recipe.files import RecipeError, write_json

LIBRARY = "recipe"
# Beside what Python compiled of this module, and like that for one version of Python: another may parse otherwise.
FILE = Path(importlib.util.cache_from_source(__file__)).with_suffix(".json")
MOST = 2000  # texts that are kept: the library several times

# A module: SHA-256 of its syntax tree without docstrings and without imports of the library; of each of these imports
# the module (None: `import`) and its names with what they are called there; whether `__file__` is named.
Parsed = tuple[str, list[tuple[str | None, list[tuple[str, str | None]]]], bool]


class Cache:
    """Modules that were parsed, by the SHA-256 of their text, in a file. One that cannot be read or written only costs
    time."""

    def __init__(self, file: Path):
        self._file = file
        self._used: dict[str, Any] = {}
        try:
            self._kept = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._kept = {}

    def parsed(self, text: bytes) -> Parsed:
        """A module's text, parsed now or before. SyntaxError if it is no Python."""
        key = hashlib.sha256(text).hexdigest()
        self._used[key] = self._kept.get(key) or _parse(text)
        return self._used[key]

    def save(self) -> None:
        """Keep what was parsed since the file was read."""
        if self._used.keys() <= self._kept.keys() or sys.dont_write_bytecode:
            return
        together = self._kept | self._used
        self._kept = together if len(together) <= MOST else dict(self._used)
        with contextlib.suppress(OSError, RecipeError):
            write_json(self._file, self._kept)


def _parse(text: bytes) -> Parsed:
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    imports = [found for node in nodes if (found := _imported(node))]
    names_file = any(isinstance(node, ast.Name) and node.id == "__file__" for node in nodes)
    code = hashlib.sha256(ast.dump(_Stripped().visit(tree)).encode()).hexdigest()
    return code, imports, names_file


def _imported(node: ast.AST) -> tuple[str | None, list[tuple[str, str | None]]] | None:
    """What an import takes of the library; None if nothing."""
    if isinstance(node, ast.ImportFrom):
        names = [(alias.name, alias.asname) for alias in node.names]
        return (node.module, names) if _is_library(node.module) else None
    if isinstance(node, ast.Import):
        names = [(alias.name, alias.asname) for alias in node.names if _is_library(alias.name)]
        return (None, names) if names else None
    return None


def _is_library(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] == LIBRARY


class _Stripped(ast.NodeTransformer):
    """Code without docstrings (texts that stand for themselves, wherever) and without imports of the library."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(getattr(node.value, "value", None), str) else node

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        return None if _imported(node) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if _imported(node) else node
