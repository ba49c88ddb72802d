"""What docs/architecture.md says of the library, checked."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest
from conftest import ROOT

SCRIPTS = ROOT / "scripts"
MODULES = {
    ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SCRIPTS / "recipe").rglob("*.py"))
}


def imported(path):
    """Names of the modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import; there is one way of imports, by whole names"
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {part if part in MODULES else node.module for part in parts}
    return found


def test_imports_of_the_library_go_one_way():
    graph = {name: imported(path) & set(MODULES) - {name} for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")


def test_the_library_knows_neither_snakemake_nor_the_scripts():
    scripts = {path.stem for path in SCRIPTS.glob("*.py")}
    for name, path in MODULES.items():
        roots = {module.partition(".")[0] for module in imported(path)}
        assert not roots & ({"snakemake"} | scripts), name


def test_every_module_has_its_place_on_the_page():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    missing = [name for name in MODULES if f"`{name.removeprefix('recipe.')}`" not in page and name.count(".") == 1]
    assert not missing
