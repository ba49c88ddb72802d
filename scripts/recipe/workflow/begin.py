"""A first configuration for one's own data: sets found in a folder, put into `config/own.yaml`, with presets."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from recipe.data import datadir, recordings
from recipe.files import RecipeError, open_atomic, read_json_lines
from recipe.model.directory import HUB, source_kind
from recipe.workflow import config as recipe_config

# What folders and files of a role are called, by the beginning of their names.
_NAMES = {"train": ("train",), "valid": ("valid", "dev", "val", "cv"), "test": ("test", "eval")}
_USUAL = "train", "valid or dev", "test"
# A set is a folder with these, or a JSONL file.
_TABLES = ("wav.scp", "text")
# What lies in corpora of other formats, the tellingest first; and whether the folder is what is imported, or that file.
_FORMATS = (
    ("validated.tsv", "common-voice", True), ("*.parquet", "hf", True), ("state.json", "hf", True),
    ("cuts*.jsonl*", "lhotse", False), ("data.list", "wenet", False), ("*.TextGrid", "textgrid", True),
    ("*.srt", "subtitles", True), ("*.vtt", "subtitles", True), ("*.stm", "stm", False), ("*.ctm", "ctm", False),
    ("*manifest*.json", "nemo", False), ("*.csv", "table", False), ("*.tsv", "table", False),
    ("*.jsonl", "table", False), ("*.txt", "txt", True), ("*.lab", "txt", True),
)  # fmt: skip


@dataclass(frozen=True)
class FoundSets:
    """Sets of a corpus: places by role and name; and what looks like a set and is none, in words."""

    sets: dict[str, dict[str, str]] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)


def find_sets(folder: str | os.PathLike) -> FoundSets:
    """The training, validation and test sets in a folder, or in `data` in it. RecipeError says what is missing."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RecipeError(f"{folder}: no such folder; name the one that has train/, valid/ (or dev/) and test/ in it")
    found = _in_folder(folder)
    if not any(found.sets.values()) and (folder / "data").is_dir():
        found = _in_folder(folder / "data")
    missing = [usual for role, usual in zip(_NAMES, _USUAL, strict=True) if not found.sets[role]]
    if missing:
        has = [place for places in found.sets.values() for place in places.values()]
        raise RecipeError(
            f"{folder}: no set for {', '.join(missing)}: folders of that name with wav.scp and text, or JSONL files, "
            f"are looked for; found {', '.join([*has, *found.incomplete]) or 'nothing of the kind'}. "
            + (_remedy(folder) or "Name the folders so, or copy config/own.yaml and write your own names into it")
        )
    return found


def _remedy(folder: Path) -> str | None:
    """How sets are made of what lies in a folder; None if that is not known."""
    if not _lacking(folder):
        return f"It is one set: `python scripts/split_corpus.py {shlex.quote(str(folder))} OUT` makes the three of it"
    files = [place.relative_to(folder) for place in sorted(folder.rglob("*")) if place.is_file()]
    stems = {file.stem for file in files if file.suffix.lower() in recordings.SUFFIXES}
    for pattern, name, whole in _FORMATS:
        fitting = (file for file in files if file.match(pattern) and (name != "txt" or file.stem in stems))
        if first := next(fitting, None):
            part = first.parts[0] if _role(folder / first.parts[0]) else ""
            source = folder / (part if whole else first)
            into = f"corpora/{part.partition('.')[0] or 'train'}"
            command = shlex.join(["python", "scripts/import_corpus.py", name, str(source), into])
            return (
                f"There is {first}: `{command}` makes such a "
                "folder, and likewise the others; what is one set only is parted by scripts/split_corpus.py"
            )
    return None


def _in_folder(folder: Path) -> FoundSets:
    found = FoundSets({role: {} for role in _NAMES})
    for place in sorted(folder.iterdir()):
        role = _role(place)
        if role is None:
            continue
        lacking = _lacking(place)
        if lacking:
            found.incomplete.append(f"{place} ({lacking})")
            continue
        name = re.sub("[^A-Za-z0-9._-]", "_", place.name.removesuffix(".gz").removesuffix(".jsonl"))
        if name in found.sets[role]:
            raise RecipeError(f"{place}: there is {found.sets[role][name]} as well, of the same name; rename one")
        found.sets[role][name] = os.fspath(place)
    return found


def _lacking(place: Path) -> str:
    """Why a folder or JSONL file is no set; nothing if it is one."""
    if place.is_dir():
        lacking = [name for name in _TABLES if datadir.find(place, name) is None]
        return f"without {' and '.join(lacking)}" if lacking else ""
    first = next((record for _, record in read_json_lines(place)), {"messages": []})
    return "" if "messages" in first else "without messages, the published format; import it as `table` or `funasr`"


def _role(place: Path) -> str | None:
    """What a folder or JSONL file is for, by its name: train, train_clean, dev-other, test2 ..."""
    if not place.is_dir() and not datadir.is_jsonl(place):
        return None
    for role, names in _NAMES.items():
        if re.match(rf"({'|'.join(names)})(?![a-z])", place.name.lower().replace("validation", "valid")):
            return role
    return None


# --- Text ---------------------------------------------------------------------------------------------------------


def configuration(
    template: str,
    presets: Sequence[str],
    name: str,
    model: tuple[str, str | None],
    sets: Mapping[str, Mapping[str, str]],
) -> str:
    """The text of a configuration: that of `template` with an experiment's name, a model and its revision, sets, and
    what `presets`, texts too, say of runs and training. Comments stay, of the presets those within."""
    blocks = _blocks(template)
    blocks["experiment"] = _with_value(blocks["experiment"], "experiment", name)
    for entry, value in zip(("base", "revision"), model, strict=True):
        blocks["model"] = _with_value(blocks["model"], f"  {entry}", value)
    for role, places in sets.items():
        blocks["data"] = _with_places(blocks["data"], role, places)
    added = [_blocks(preset) for preset in presets]
    if any("runs" in block for block in added):
        blocks["runs"] = f"{blocks['runs'].partition('runs:')[0]}runs:\n"
    for block in added:
        for section in block.keys() - {""}:
            blocks[section] = blocks.get(section, f"\n{section}:\n") + block[section].partition(f"{section}:\n")[2]
    return "".join(blocks.values())


def _blocks(text: str) -> dict[str, str]:
    """The sections of a configuration as text, by name, each with the comments and blank lines before it; what stands
    before the first one and belongs to none is "" of them."""
    found: dict[str, str] = {"": ""}
    waiting = ""
    section = ""
    for line in text.splitlines(keepends=True):
        if match := re.match(r"([a-z_]+):", line):
            section = match[1]
            found[section] = waiting + line
            waiting = ""
        elif line.startswith(" "):
            found[section] += waiting + line
            waiting = ""
        else:
            waiting += line
            if not section and not line.strip():  # the head of the file ends at a blank line
                found[""] += waiting
                waiting = ""
    return found


def _with_value(block: str, entry: str, value: str | None) -> str:
    return re.sub(rf"^{entry}: .*$", lambda _: f"{entry}: {_scalar(value)}", block, count=1, flags=re.MULTILINE)


def _with_places(block: str, role: str, places: Mapping[str, str]) -> str:
    lines = "".join(f"    {_scalar(name)}: {_scalar(place)}\n" for name, place in places.items())
    return re.sub(rf"^  {role}:\n(    .*\n)+", lambda _: f"  {role}:\n{lines}", block, count=1, flags=re.MULTILINE)


def _scalar(value: str | None) -> str:
    """A value as YAML writes it in one line."""
    return yaml.safe_dump(value, allow_unicode=True, width=10**6).removesuffix("...\n").strip()


def write_configuration(path: str | os.PathLike, text: str) -> None:
    """Write a new configuration. RecipeError if there is one already, or if what was made is none: two presets may say
    the same."""
    path = Path(path)
    if path.exists() or path.is_symlink():
        raise RecipeError(f"{path}: is there already, and stays as it is; name another by OUT=, or move it away")
    with open_atomic(path) as file:
        file.write(text)
    try:
        recipe_config.refuse_repeated_names(path)
        checked = recipe_config.check(yaml.safe_load(text), str(path))
        recipe_config.runs(checked, str(path))
    except RecipeError:
        path.unlink()
        raise


def is_hub_model(model: str) -> bool:
    """Whether a model is one of the hub; RecipeError if it is neither that nor a directory of a model."""
    if Path(model).is_dir():
        source_kind(model)
        return False
    return source_kind(model, "0" * 40) == HUB
