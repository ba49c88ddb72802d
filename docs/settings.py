"""Write docs/settings.md from the schema: `python docs/settings.py`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.files import json_line, write_lines  # noqa: E402
from recipe.workflow import config  # noqa: E402 - the line above makes it importable

HEAD = """\
# Settings

All settings of `config.yaml`, with their defaults. This page is made from `schemas/config.schema.yaml` by
`python docs/settings.py`. Give your own file after the target: `snakemake --cores all eval --configfile mine.yaml`.
"""


def rows(part: dict, prefix: str = ""):
    """(name, kind, default, meaning) of every setting below `part`."""
    for name, entry in part.get("properties", {}).items():
        path = f"{prefix}{name}"
        default = f"`{json_line(entry['default'])}`" if "default" in entry else ""
        yield f"`{path}`", kind(entry), default, " ".join(entry.get("description", "").split())
        yield from rows(entry, f"{path}.")


def kind(entry: dict) -> str:
    """What a value may be, in a few words."""
    if "enum" in entry:
        return ", ".join(str(value) for value in entry["enum"])
    if "const" in entry:
        return str(entry["const"])
    for several in ("anyOf", "oneOf"):
        if several in entry:
            return " or ".join(kind(option) for option in entry[several])
    if "$ref" in entry:
        return entry["$ref"].rpartition("/")[2].replace("_", " ")
    types = entry.get("type", "any")
    if types == "array":
        return f"list of {kind(entry['items'])}"
    return types if isinstance(types, str) else " or ".join(types)


def page() -> str:
    """The page as Markdown."""
    schema = config.load_schema(ROOT / "schemas/config.schema.yaml")
    lines = [HEAD, "| setting | value | default | meaning |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows(schema)]
    return "\n".join(lines)


if __name__ == "__main__":
    write_lines(ROOT / "docs/settings.md", [page()])
