"""Where in the configuration's files a setting stands, so that an error names the file and the line to mend."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from recipe.files import RecipeError

COMMAND_LINE = "--config"


class Origins:
    """The files of a configuration, of which later ones say more than earlier ones, and what a command line says over
    them all. `name` is what is told where there are no files."""

    def __init__(
        self, files: Sequence[str | os.PathLike], command_line: Mapping[str, Any], name: str = "configuration"
    ):
        self._roots = {shown(file): compose(file) for file in files}
        self._command_line = command_line
        self._name = name

    def place(self, path: Sequence[str]) -> str:
        """`file:line` of the setting that has the value which counts, of the innermost mapping around it where it is
        not given, or --config. A run's setting that the run does not give is that of `train`."""
        own, found = self._deepest(path)
        if path[:1] == ("runs",) and own < len(path) and len(path) > 2:
            shared, instead = self._deepest(("train", *path[2:]))
            return instead if shared > 1 else found
        return found

    def _deepest(self, path: Sequence[str]) -> tuple[int, str]:
        """How many steps of a path are given anywhere, and where they are."""
        depth = _depth_in_mapping(self._command_line, path)
        found = COMMAND_LINE if depth else next(iter(reversed(self._roots)), self._name)
        for file, root in self._roots.items():
            deep, line = _depth_in_node(root, path)
            # Of two that say as much, the later one counts; over both, the command line.
            if deep and (deep > depth or (deep == depth and found != COMMAND_LINE)):
                depth, found = deep, f"{file}:{line}"
        return depth, found

    def located(self, message: str) -> str:
        """A message, with the place before it of the setting that it begins with, if it does."""
        roots = [*self._roots.values(), as_node(self._command_line)]
        path = max((_path_at_start(message, root) for root in roots), key=len)
        return f"{self.place(path)}: {message}" if path else message


def as_node(values: Mapping[str, Any]) -> yaml.Node | None:
    """Plain values as nodes of YAML."""
    return yaml.compose(yaml.safe_dump(json.loads(json.dumps(values, default=str))), yaml.SafeLoader)


def compose(file: str | os.PathLike) -> yaml.Node | None:
    """A YAML file as nodes, which know their lines; None of an empty one. RecipeError says what keeps it from being
    read, and where: the encoding too, since many an editor's is not UTF-8."""
    name = shown(file)
    try:
        content = Path(file).read_bytes()
    except FileNotFoundError:
        raise RecipeError(
            f"{name}: no such file; name another by --configfile, or make one: make config DATA=FOLDER"
        ) from None
    except OSError as error:
        raise RecipeError(f"{name}: {error.strerror}") from None
    try:
        return yaml.compose(decoded(content, name), yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        raise RecipeError(f"{name}{line}: not valid YAML ({error.problem or error.context})") from None
    except yaml.reader.ReaderError as error:
        line = decoded(content, name)[: error.position].count("\n") + 1
        raise RecipeError(f"{name}:{line}: U+{error.character:04X} cannot be in YAML; take it out") from None


def decoded(content: bytes, name: str) -> str:
    """The text of a configuration; RecipeError names the encoding that it seems to be in instead of UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content[:200].count(0) * 3 > len(content[:200]):
        raise RecipeError(f"{name}: is in UTF-16, expected UTF-8; convert it (iconv -f UTF-16 -t UTF-8)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        try:
            content.decode("gb18030")
        except UnicodeDecodeError:
            told = f"byte 0x{content[error.start]:02x} is not UTF-8; save it as UTF-8"
        else:
            told = "is not UTF-8 but, as it seems, GBK; convert it (iconv -f GB18030 -t UTF-8)"
        raise RecipeError(f"{name}:{line}: {told}") from None


def shown(file: str | os.PathLike) -> str:
    """A file as a user writes it: from the working folder if it lies there."""
    relative = os.path.relpath(file)
    return os.fspath(file) if relative.startswith("..") else relative


def _depth_in_mapping(values: Any, path: Sequence[str]) -> int:
    """How many steps of a path there are in plain values."""
    for depth, step in enumerate(path):
        if not isinstance(values, Mapping) or step not in values:
            return depth
        values = values[step]
    return len(path)


def _depth_in_node(node: yaml.Node | None, path: Sequence[str]) -> tuple[int, int]:
    """How many steps of a path there are in a file, and the line of the last one."""
    line = 1
    for depth, step in enumerate(path):
        found = _entry(node, step)
        if found is None:
            return depth, line
        line, node = found
    return len(path), line


def _entry(node: yaml.Node | None, name: str) -> tuple[int, yaml.Node] | None:
    """(line, value) of a name in a mapping."""
    for key, value in _entries(node):
        if key.value == name:
            return key.start_mark.line + 1, value
    return None


def _entries(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _path_at_start(message: str, node: yaml.Node | None) -> tuple[str, ...]:
    """The path of the setting whose dotted name a message begins with, if a file has its first name; names that the
    file has may have dots in them, others end at one."""
    names = sorted((key.value for key, _ in _entries(node) if isinstance(key.value, str)), key=len, reverse=True)
    for name in names:
        rest = message.removeprefix(name)
        if rest != message and (not rest or rest[0] in ".: "):
            inner = rest[1:] if rest.startswith(".") else ""
            below = _path_at_start(inner, _entry(node, name)[1])
            return (name, *(below or re.match(r"[\w.-]*", inner)[0].split(".") if inner else ()))
    return ()
