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


# From the ground up: a package imports those of lower floors, and none beside it.
FLOORS = [
    {"files", "charts", "versions", "environment"},
    {"text"},
    {"record", "settings"},
    {"cli", "audio"},
    {"data", "model"},
    {"train", "decode", "convert", "normalize", "workflow", "imports"},
    {"score", "suspects"},
    {"report", "pseudo"},
]


def package(module):
    """The package of a module, or a module of the ground itself."""
    return module.split(".")[1] if "." in module else module


def test_packages_stand_on_floors_and_import_downwards_only():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert floor.keys() == {package(name) for name in MODULES} - {"recipe"}
    for name, path in MODULES.items():
        own = package(name)
        others = {package(module) for module in imported(path) & set(MODULES)} - {own, "recipe"}
        wrong = sorted(other for other in others if floor[other] >= floor[own])
        assert not wrong, f"{name} imports {', '.join(wrong)}, which stand beside it or above"


def test_class_names_are_unique():
    """One name, one thing."""
    found = {}
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert node.name not in found, f"{node.name} is a class of {found[node.name]} and of {name}"
                found[node.name] = name


def test_public_functions_and_classes_say_what_they_are():
    silent = []
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                silent.append(f"{name}.{node.name}")
    assert not silent


def test_every_module_has_its_place_on_the_page():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    for name, path in MODULES.items():
        if path.name != "__init__.py":
            own = (
                rows[package(name)] if path.parent.name != "recipe" else page.partition("| (ground)")[2].splitlines()[0]
            )
            assert f"`{path.stem}`" in own, f"docs/architecture.md: {name} is not in the row of its package"


def test_rules_and_tests_mirror_the_packages():
    rules = {path.stem for path in (ROOT / "rules").glob("*.smk")}
    assert {"data", "train", "decode", "convert", "score", "report"} <= rules
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    packages = {name for floor in FLOORS for name in floor if (SCRIPTS / "recipe" / name).is_dir()}
    assert packages <= folders
