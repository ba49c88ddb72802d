"""Sections of settings as flags of a command line: their names, types and help come from the section."""

import argparse
import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from recipe.settings.section import LARGEST, allowed, changed, from_mapping, schema

Section = TypeVar("Section")
# Flags of these sections are called as their settings are, without the section's own name before them.
UNPREFIXED = {"prompt"}
# The text of a flag for an empty list, where that is not the default: no flag has an empty value (`recipe.cli`).
NOTHING = "none"
# Texts of a flag that takes a truth value or something else, such as auto.
_TRUTH = {"true": True, "false": False}
_NUMBER = re.compile(r"[-+]?[0-9]+|(?P<fraction>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)")


@dataclasses.dataclass(frozen=True)
class _Flag:
    path: tuple[str, ...]  # of the setting within the section
    part: dict  # its schema
    root: dict

    @property
    def name(self) -> str:
        return "--" + "-".join(step for step in self.path if step not in UNPREFIXED).replace("_", "-")

    @property
    def dest(self) -> str:
        return ".".join(self.path)


def _flags(kind: type, names: Collection[str]) -> list[_Flag]:
    root = schema(kind)
    found = []
    for name, part in root["properties"].items():
        inner = root["$defs"][part["$ref"].rpartition("/")[2]]["properties"] if "$ref" in part else None
        if name in names and inner:
            found += [_Flag((name, own), below, root) for own, below in inner.items()]
        elif name in names:
            found.append(_Flag((name,), part, root))
    return found


def add(parser: argparse._ActionsContainer, kind: type, names: Collection[str]) -> None:
    """Add a flag for each of the settings `names` of a section; one that is not given leaves the default."""
    for flag in _flags(kind, names):
        default = "none" if flag.part.get("default") in (None, [], "") else flag.part["default"]
        words = f"{flag.part['description']} Allowed: {allowed(flag.part, flag.root)}"
        words += f", or {NOTHING}" if _can_be_emptied(flag.part) else ""
        words += f"; default: {default}."
        more: dict[str, Any] = {"help": words.replace("%", "%%"), "default": None, "dest": flag.dest}
        if flag.part.get("type") == "boolean":
            parser.add_argument(flag.name, action=argparse.BooleanOptionalAction, **more)
        else:
            parser.add_argument(flag.name, metavar=flag.path[-1].upper(), **more)


def section(args: argparse.Namespace, kind: type[Section], names: Collection[str]) -> Section:
    """The section that the flags added for `names` give. RecipeError names the flag, what was found and what is
    allowed."""
    values: dict[str, Any] = {}
    known = _flags(kind, names)
    for flag in known:
        given = getattr(args, flag.dest)
        if given is not None:
            place = values
            for step in flag.path[:-1]:
                place = place.setdefault(step, {})
            place[flag.path[-1]] = _value(given, flag.part)
    return from_mapping(kind, values, "", {flag.dest: flag.name for flag in known})


def _value(given: Any, part: dict) -> Any:
    """A flag's text as the value that it stands for; lists are separated by commas. What should be a number and is
    none stays text, to be refused: YAML would take 1:30 for 90 and 010 for 8."""
    kinds = {one.get("type") for one in part.get("anyOf", [part])}
    if isinstance(given, bool):
        return given
    if "boolean" in kinds and given in _TRUTH:
        return _TRUTH[given]
    if given == NOTHING and _can_be_emptied(part):
        return []
    if kinds == {"array"}:
        return [word.strip() for word in given.split(",") if word.strip()]
    if kinds & {"number", "integer"} and (number := _NUMBER.fullmatch(given)):
        return float(given) if number["fraction"] else int(given)
    return given


def _text(value: Any) -> str:
    """A value as a flag's text, for `_value` to read."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) or NOTHING if isinstance(value, list) else str(value)


def _can_be_emptied(part: dict) -> bool:
    """Whether a setting is a list that may be empty and by default is not."""
    return part.get("type") == "array" and bool(part.get("default")) and not part.get("minItems")


def at_least(least: float, kind: type[int] | type[float] = int) -> Callable[[str], Any]:
    """A type for flags that are no settings, for argparse: a number of `kind` that is finite and not below `least`."""

    def number(given: str) -> Any:
        found = _NUMBER.fullmatch(given)
        if found is None or (kind is int and found["fraction"]) or not least <= kind(given) <= LARGEST:
            name = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{given!r}, expected {name} of {least:g} or more")
        return kind(given)

    return number


def words(values: Any, names: Collection[str]) -> Sequence[str]:
    """The command line that gives those of the settings `names` of a section that differ from their defaults; for
    `section` to read."""
    mapping = changed(values)
    found = []
    for flag in _flags(type(values), names):
        value = mapping
        for step in flag.path:
            value = (value or {}).get(step)
        if flag.part.get("type") == "boolean" and value is not None:
            found.append(flag.name if value else flag.name.replace("--", "--no-", 1))
        elif value is not None:
            found.append(f"{flag.name}={_text(value)}")
    return found
