"""Write docs/settings.md and schemas/config.schema.yaml from the classes of settings: `python docs/settings.py`."""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.files import json_line, write_lines  # noqa: E402 - the line above makes it importable
from recipe.settings.config import Config  # noqa: E402
from recipe.settings.section import allowed, schema  # noqa: E402

HEAD = """\
# Settings

All settings of `config.yaml`, with their defaults. This page is made from `scripts/recipe/settings/` by
`python docs/settings.py`. Give your own file after the target: `snakemake --cores all eval --configfile mine.yaml`.
"""
SCHEMA_HEAD = "# Made by `python docs/settings.py` from scripts/recipe/settings/: for editors that check as one types."


def rows(part: dict, root: dict, prefix: str = ""):
    """(name, kind, default, meaning) of every setting below `part`."""
    for name, entry in part.get("properties", {}).items():
        path = f"{prefix}{name}"
        sections = [one["$ref"] for one in (entry, *entry.get("anyOf", [])) if "$ref" in one]
        default = f"`{json_line(entry['default'])}`" if "default" in entry and not sections else ""
        parts = [root["$defs"][reference.rpartition("/")[2]] for reference in sections]
        meaning = " ".join(next(one["description"] for one in (entry, *parts) if "description" in one).split())
        yield f"`{path}`", allowed(entry, root), default, meaning
        for part in parts:
            yield from rows(part, root, f"{path}.")
        for below in entry.get("patternProperties", {}).values():
            if "$ref" in below:  # sections by a name of the user's
                yield from rows(root["$defs"][below["$ref"].rpartition("/")[2]], root, f"{path}.NAME.")


def page() -> str:
    """The page as Markdown."""
    root = schema(Config)
    lines = [HEAD, "| setting | value | default | meaning |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows(root, root)]
    return "\n".join(lines)


def schema_file() -> str:
    """The JSON schema as YAML."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema(Config)}
    return f"{SCHEMA_HEAD}\n{yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=120).rstrip()}"


if __name__ == "__main__":
    write_lines(ROOT / "docs/settings.md", [page()])
    write_lines(ROOT / "schemas/config.schema.yaml", [schema_file()])
