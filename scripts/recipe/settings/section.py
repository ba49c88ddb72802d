"""What every section of settings shares: how it is declared, checked and explained.

A section is a frozen dataclass whose fields carry type, limits, default and meaning (pydantic's dataclasses). The JSON
schema, the page of settings, the stages' flags and the words of an error are all made from these fields.
"""

import dataclasses
import difflib
import functools
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, dataclass_transform

import pydantic
import yaml
from pydantic.dataclasses import dataclass as checked_dataclass

from recipe.files import RecipeError, exponents_to_floats

AUTO = "auto"
LARGEST = 2**63 - 1  # of the whole numbers that others than Python have
_NO_NAMES: Mapping[str, str] = {}
Section = TypeVar("Section")
# Where values come from: a name for all of them, or what tells the place of a setting by its path.
Where = str | Callable[[Sequence[str]], str]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(pydantic.Field,))
def section(cls: type) -> type:
    """Declare a class as a section of settings: frozen, keyword-only, strict about types, with no unknown names."""
    config = pydantic.ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    return checked_dataclass(cls, frozen=True, kw_only=True, config=config)


def setting(default: Any, meaning: str, *, indifferent: bool = False, **limits: Any) -> Any:
    """A setting's default, its meaning in a sentence or two, and pydantic's limits (gt, ge, lt, le, min_length, ...).

    One that is `indifferent` changes how fast a stage goes and what it tells, not what it makes."""
    extra = {"indifferent": True} if indifferent else None
    # A default of a mutable kind (a mapping) and a section of its own are given as what makes them.
    made = {"default_factory": default} if callable(default) else {"default": default}
    return pydantic.Field(**made, description=meaning, json_schema_extra=extra, **limits)


def indifferent(kind: type) -> tuple[str, ...]:
    """Names of the settings of a section that do not change what a stage makes."""
    return tuple(name for name, part in schema(kind)["properties"].items() if part.get("indifferent"))


@functools.cache
def _adapter(kind: type) -> pydantic.TypeAdapter:
    return pydantic.TypeAdapter(kind)


@functools.cache
def schema(kind: type) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a section."""
    return _untitled(_adapter(kind).json_schema())


def _untitled(part: Any) -> Any:
    """A schema without the titles that pydantic makes of names."""
    if isinstance(part, dict):
        return {name: _untitled(value) for name, value in part.items() if name != "title" or not isinstance(value, str)}
    return [_untitled(value) for value in part] if isinstance(part, list) else part


def as_mapping(values: Any) -> dict[str, Any]:
    """A section as plain values, as YAML and JSON have them."""
    return _adapter(type(values)).dump_python(values, mode="json")


def changed(values: Any) -> dict[str, Any]:
    """The settings of a section that differ from its defaults, sections within it likewise, as plain values. A stage is
    told these alone, so that a setting that an update brings makes nothing again."""
    usual, plain = type(values)(), as_mapping(values)
    found = {}
    for name in plain:
        own = getattr(values, name)
        if own != getattr(usual, name):
            found[name] = changed(own) if dataclasses.is_dataclass(own) else plain[name]
    return found


# --- Checking -----------------------------------------------------------------------------------------------------


class _Problem(NamedTuple):
    """What is wrong with one setting: its dotted name, our words, which begin with that name where there is one,
    whether they are about its kind as a whole, and the path of what is to be looked for in a file."""

    name: str
    text: str
    whole: bool
    path: tuple[str, ...]


def from_mapping(
    kind: type[Section], values: Mapping[str, Any], where: Where, names: Mapping[str, str] = _NO_NAMES
) -> Section:
    """Make a section of a mapping as YAML or JSON give it. RecipeError names `where`, and of every wrong setting its
    name (another one by `names`), what was found and what is allowed."""
    values = exponents_to_floats(_with_text_names(values))
    found = list(_too_large(values))
    try:
        # As JSON, a list is what a tuple is made of and a mapping what a section is, and nothing else is converted.
        made = _adapter(kind).validate_json(json.dumps(values, default=str))
    except pydantic.ValidationError as error:
        found += [_problem(kind, values, each) for each in error.errors(include_url=False)]
    if not found:
        return made
    raise RecipeError(_told(found, where, names))


def _told(found: Sequence[_Problem], where: Where, names: Mapping[str, str]) -> str:
    """All problems in one line."""
    # Of a value that may be of several kinds, what is wrong inside the kind that it seems to be says all.
    kept = [
        one
        for one in found
        if not one.whole or not any(f"{other.name}.".startswith(f"{one.name}.") for other in found if not other.whole)
    ]
    texts = [
        names[one.name] + one.text.removeprefix(one.name)
        if one.name in names and one.text.startswith(one.name)
        else one.text
        for one in kept
    ]
    if callable(where):
        return "; ".join(dict.fromkeys(f"{where(one.path)}: {text}" for one, text in zip(kept, texts, strict=True)))
    return f"{where}: {'; '.join(dict.fromkeys(texts))}".removeprefix(": ")


def _with_text_names(value: Any) -> Any:
    """A value as YAML gives it, names as text: a date or a number may be one."""
    if isinstance(value, Mapping):
        return {str(name): _with_text_names(part) for name, part in value.items()}
    return [_with_text_names(part) for part in value] if isinstance(value, list) else value


def _too_large(value: Any, path: tuple[str, ...] = ()) -> Iterator[_Problem]:
    """Whole numbers that only Python can have."""
    for name, part in value.items() if isinstance(value, Mapping) else ():
        yield from _too_large(part, (*path, str(name)))
    if isinstance(value, int) and abs(value) > LARGEST:
        name = ".".join(path)
        yield _Problem(name, f"{name} is {value}, expected a number of at most {LARGEST}", False, path)


def finite(value: Any) -> Any:
    """A value as YAML gives it, of a setting that takes any; ValueError if there is a number without end in it."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        finite(part)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value}, expected a finite number")
    return value


def _problem(kind: type, values: Any, found: Mapping[str, Any]) -> _Problem:
    """One error of pydantic in our words."""
    root, loc = schema(kind), found["loc"]
    path, part, value = _deepest(root, values, loc)
    name = ".".join(path)
    if "[key]" in loc:
        _, outer, _ = _deepest(root, values, loc[:-2])
        names = outer.get("propertyNames") or {"pattern": next(iter(outer.get("patternProperties", {})), "")}
        return _Problem(name, f"{name} is no possible name, expected {_allowed(names, root)}", False, path)
    if found["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = [own for one in _kinds(part, root) for own in one.get("properties", {})]
        return _Problem(name, _unknown(path, str(loc[-1]), known, root), False, (*path, str(loc[-1])))
    if found["type"] in ("missing", "missing_argument"):
        return _Problem(name, f"{name + '.' if name else ''}{loc[-1]} is missing", False, path)
    if found["type"] == "value_error":
        own = str(found["ctx"]["error"])
        # What a section says of itself begins with one of its names.
        inner = "." if "properties" in part else ": "
        return _Problem(name, f"{name}{inner}{own}" if name else own, False, path)
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return _Problem(name, f"{name or 'it'} is {shown}, expected {allowed(part, root)}", True, path)


def _unknown(path: Sequence[str], key: str, known: Sequence[str], root: dict) -> str:
    """The words for a name that there is not, with the one that may be meant: beside it, or in another section."""
    elsewhere = list(_dotted_names(root))
    same = [".".join(name) for name in elsewhere if name[-1] == key]
    near = difflib.get_close_matches(key, known, 1)
    if not same and not near:
        far = difflib.get_close_matches(key, {name[-1] for name in elsewhere}, 1, 0.8)
        same = [".".join(name) for name in elsewhere if name[-1] in far]
    meant = " or ".join(same[:3] or near)
    hint = f"is {meant} meant?" if meant else f"known: {', '.join(known)}"
    return f"unknown setting {'.'.join([*path, key])} ({hint})"


def _dotted_names(root: dict) -> Iterator[tuple[str, ...]]:
    """Paths of all settings of a schema, sections within sections too."""
    waiting = [((), root)]
    while waiting:
        path, part = waiting.pop(0)
        for name, below in part.get("properties", {}).items():
            yield (*path, name)
            waiting += [((*path, name), one) for one in _kinds(below, root)]


def _deepest(root: dict, values: Any, loc: Sequence[Any]) -> tuple[tuple[str, ...], dict, Any]:
    """(path, schema, value) of the setting that an error's place lies in; an item of a list belongs to it."""
    part, path, value = root, [], values
    for step in loc:
        inner = _inside(part, step, root)
        if inner is None or not isinstance(value, Mapping) or step not in value:
            continue  # a kind of value among several, an item of a list, or what is missing
        part, value = inner, value[step]
        path.append(str(step))
    return tuple(path), _resolved(part, root), value


def _inside(part: dict, step: Any, root: dict) -> dict | None:
    """The schema of a name in a mapping, whichever of several kinds knows it."""
    for kind in _kinds(part, root):
        if step in kind.get("properties", {}):
            return kind["properties"][step]
        for below in (*kind.get("patternProperties", {}).values(), kind.get("additionalProperties")):
            if isinstance(below, dict):
                return below
    return None


def _resolved(part: dict, root: dict) -> dict:
    """A schema with what it refers to."""
    if "$ref" in part:
        return {**root["$defs"][part["$ref"].rpartition("/")[2]], **{k: v for k, v in part.items() if k != "$ref"}}
    return part


def _kinds(part: dict, root: dict) -> list[dict]:
    part = _resolved(part, root)
    several = part.get("anyOf") or part.get("oneOf")
    return [kind for one in several for kind in _kinds(one, root)] if several else [part]


def allowed(part: dict, root: dict) -> str:
    """What a value may be, in words, by its schema in `root`."""
    return " or ".join(dict.fromkeys(_allowed(kind, root) for kind in _kinds(part, root)))


_NAMES = {"boolean": "true or false", "object": "a mapping", "null": "null", "string": "text"}


def _allowed(part: dict, root: dict) -> str:
    if "const" in part or "enum" in part:
        values = [str(value) for value in part.get("enum", [part.get("const")])]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if part.get("type") == "array":
        least, most = part.get("minItems"), part.get("maxItems")
        count = f"{least} values, each " if least and least == most else ""
        item = allowed(part.get("items", {}), root).removeprefix("one of ")
        return f"a list of {count}{item}{', at least one' if least and not count else ''}"
    if part.get("type") in ("number", "integer"):
        return ("a whole number" if part["type"] == "integer" else "a number") + _limits(part)
    if "pattern" in part:
        return f"text of the form {part['pattern']}"
    return _NAMES.get(part.get("type", ""), "any value")


def _limits(part: dict) -> str:
    low, over = part.get("minimum"), part.get("exclusiveMinimum")
    high, under = part.get("maximum"), part.get("exclusiveMaximum")
    # Six digits are enough but for the largest whole numbers.
    most = high if isinstance(high, int) else f"{high:g}" if high is not None else ""
    above = f"from {low:g}" if low is not None else f"over {over:g}" if over is not None else ""
    below = f"to {most}" if high is not None else f"under {under:g}" if under is not None else ""
    if high is not None and not above:
        below = f"up {below}"
    if low is not None and not below:
        return f" of {low:g} or more"
    joined = " and ".join if "under" in below or "over" in above else " ".join
    return f" {joined(filter(None, [above, below]))}" if above or below else ""


# --- Text ---------------------------------------------------------------------------------------------------------


def from_text(kind: type, values: Any) -> Any:
    """Values of a section whose numbers, nulls and truth values are all text, as a command line gives them, as what
    YAML takes them for; a setting that takes any text keeps its own."""
    root = schema(kind)
    return _typed(values, root, root)


def _typed(value: Any, part: dict, root: dict) -> Any:
    if isinstance(value, Mapping):
        return {name: _typed(below, _inside(part, name, root) or {}, root) for name, below in value.items()}
    kinds = _kinds(part, root)
    if isinstance(value, list):
        items = next((one["items"] for one in kinds if "items" in one), {})
        return [_typed(below, items, root) for below in value]
    if not isinstance(value, str) or any(
        one.get("type") == "string" and not {"enum", "const"} & one.keys() for one in kinds
    ):
        return None if value == "null" and any(one.get("type") == "null" for one in kinds) else value
    try:
        read_as = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return read_as if read_as is None or isinstance(read_as, bool | int | float) else value


# --- Reading ------------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The mapping in a YAML (or JSON) file; RecipeError if it is not there, or something else."""
    try:
        with open(path, encoding="utf-8") as file:
            values = yaml.safe_load(file) or {}
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: expected settings as `name: value`, found {type(values).__name__}")
    return values
