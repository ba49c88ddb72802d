"""The code that a stage runs, as a hash that changes when what it does may change, and only then."""

import ast
import functools
import hashlib
import os
from pathlib import Path

LIBRARY = "recipe"


def code_hash(script: str | os.PathLike) -> str:
    """SHA-256 over a script and every library module that it imports, directly or not, found by reading the imports.

    Hashed is what Python makes of the text: comments, docstrings, blank lines and line numbers do not count. Of a
    module that is imported its own hash counts and not its name, so that a module may move. Where a module names
    `__file__`, the files beside it that are no code count as well: it reads them.
    """
    script = Path(script)
    return _module_hash(script, script.parent)


@functools.cache
def _module_hash(path: Path, scripts: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [_import(node, scripts) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    digest = hashlib.sha256(ast.dump(_Stripped().visit(tree)).encode())
    for line in sorted(filter(None, imported)):
        digest.update(line.encode())
    if any(isinstance(node, ast.Name) and node.id == "__file__" for node in ast.walk(tree)) and path.parent != scripts:
        for file in sorted(path.parent.rglob("*")):
            if file.is_file() and file.suffix not in (".py", ".pyc"):
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _import(node: ast.Import | ast.ImportFrom, scripts: Path) -> str:
    """What an import of the library brings: the names, and hashes of the modules that they come from. Nothing for
    imports of packages, which stay in the code."""
    if isinstance(node, ast.Import):
        return "".join(
            f"{alias.asname}={_hash_of(alias.name, scripts)};" for alias in node.names if _is_library(alias.name)
        )
    if not _is_library(node.module):
        return ""
    found = []
    for alias in node.names:
        module = f"{node.module}.{alias.name}"
        source = module if _file(module, scripts) else node.module
        name = "" if source == module else alias.name  # a module by its content, whatever it is called
        found.append(f"{name} as {alias.asname or alias.name}={_hash_of(source, scripts)};")
    return "".join(found)


def _is_library(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] == LIBRARY


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


class _Stripped(ast.NodeTransformer):
    """Code without docstrings (texts that stand for themselves, wherever) and without imports of the library."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(getattr(node.value, "value", None), str) else node

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        return None if any(_is_library(alias.name) for alias in node.names) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if _is_library(node.module) else node
