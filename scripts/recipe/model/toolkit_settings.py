"""Settings in the toolkit's words (config.yaml), read with complaints that name the file and the key."""

from pathlib import Path
from typing import Any

import yaml

from recipe.files import RecipeError

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class ToolkitSettings:
    """Settings by name, of a YAML or a JSON file. Keys are written `section.name`, or `section.section.name`; a section
    that is absent is one without entries."""

    def __init__(self, file: Path):
        self.file = file
        try:
            with open(file, encoding="utf-8") as stream:
                self._values = yaml.safe_load(stream)
        except FileNotFoundError:
            raise RecipeError(f"{file}: no such file") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RecipeError(f"{file}: not valid YAML ({error})") from None
        if not isinstance(self._values, dict):
            raise RecipeError(f"{file}: expected settings by name, found {type(self._values).__name__}")

    def raw(self, key: str, default: Any = None) -> Any:
        """The value as written, `default` where the key or its section is absent."""
        *sections, name = key.split(".")
        values = self._values
        for depth, section in enumerate(sections, 1):
            values = values.get(section) or {}
            if not isinstance(values, dict):
                raise RecipeError(f"{self.file}: {'.'.join(sections[:depth])} is {values!r}, expected settings by name")
        return values.get(name, default)

    def get(self, key: str, kind: type, default: Any) -> Any:
        """The value of `key`, which must be of `kind` (an int will do for a float)."""
        value = self.raw(key, default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise RecipeError(f"{self.file}: {key} is {value!r}, expected {_KINDS[kind]}")
        return value

    def require(self, key: str, default: Any, needed: Any) -> None:
        """RecipeError unless the value of `key` is `needed`."""
        value = self.raw(key, default)
        if value != needed:
            raise RecipeError(f"{self.file}: {key} is {value!r}; only {needed!r} has a counterpart in HF's model")
