"""What mistakes are made in: a few utterances of the bundled corpus as train, valid and test set, a model, settings."""

import json
import os
import random
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import yaml

from mistakes.kinds import NotHere

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/tiny"
SIZES = {"train": 14, "valid": 8, "test": 12}
EXPERIMENT, SET, RUN = "e", "home", "tuned"
EXP = f"exp/{EXPERIMENT}"
TABLES = ("wav.scp", "text", "utt2spk", "utt2lang")
SYSTEM = "You are a helpful assistant."
PROMPT = "语音转写："


@cache
def bundled(role: str) -> dict[str, dict[str, str]]:
    """The bundled corpus's tables by name, each by key."""
    tables = {}
    for name in TABLES:
        lines = (ROOT / "data" / role / name).read_text(encoding="utf-8").splitlines()
        tables[name] = dict(line.split(" ", 1) for line in lines)
    return tables


def split(line: bytes) -> tuple[bytes, bytes]:
    """Key and value of a line of a table, as the documentation says: spaces and tabs separate."""
    first, *rest = re.split(rb"[ \t]+", line.strip(b" \t\r\n"), maxsplit=1)
    return first, rest[0] if rest else b""


class DataSet:
    """A set as lines of tables (or of a JSONL file), before they are written. Mistakes change the lines."""

    def __init__(self, place: Path, role: str, form: str, draw: random.Random, size: int):
        self.role, self.form = role, form
        self.spoiled = False  # whether a whole file of it is wrong
        self.commands = False  # whether commands in wav.scp may run
        self.place = place  # the project's folder
        self.folder = f"data/{role}"
        self.path = f"{self.folder}.jsonl" if form == "jsonl" else self.folder
        self.keys = sorted(draw.sample(sorted(bundled(role)["text"]), size))
        self.free = list(self.keys)
        self.tables: dict[str, list[bytes]] = {}
        (place / self.folder / "wav").mkdir(parents=True)
        getattr(self, f"_as_{form}")()
        self.original = {name: list(lines) for name, lines in self.tables.items()}

    @property
    def primary(self) -> str:
        """Name of the table whose lines are the entries."""
        return {"kaldi": "wav.scp", "segments": "segments", "jsonl": "jsonl"}[self.form]

    def _copy(self, key: str) -> str:
        source = ROOT / "data" / self.role / bundled(self.role)["wav.scp"][key]
        shutil.copyfile(source, self.place / self.folder / "wav" / source.name)
        return f"wav/{source.name}"

    def _fill(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.tables[name] = [f"{key} {bundled(self.role)[name][key]}".encode() for key in self.keys]

    def _as_kaldi(self) -> None:
        self._fill(TABLES)
        for key in self.keys:
            self._copy(key)

    def _as_segments(self) -> None:
        """Recordings of four utterances each, half a second apart."""
        self._fill(TABLES[1:])
        self.tables |= {"wav.scp": [], "segments": []}
        for start in range(0, len(self.keys), 4):
            recording, parts, position = f"rec{start // 4}", [], 0.0
            for key in self.keys[start : start + 4]:
                samples, rate = soundfile.read(ROOT / "data" / self.role / bundled(self.role)["wav.scp"][key])
                end = position + len(samples) / rate
                self.tables["segments"].append(f"{key} {recording} {position:.3f} {end:.3f}".encode())
                parts += [samples, np.zeros(rate // 2)]
                position = end + 0.5
            soundfile.write(self.place / self.folder / "wav" / f"{recording}.wav", np.concatenate(parts), rate)
            self.tables["wav.scp"].append(f"{recording} wav/{recording}.wav".encode())

    def _as_jsonl(self) -> None:
        lines = []
        for key in self.keys:
            source = f"{self.folder}/{self._copy(key)}"
            roles = (
                ("system", SYSTEM),
                ("user", f"{PROMPT}<|startofspeech|>!{source}<|endofspeech|>"),
                ("assistant", bundled(self.role)["text"][key]),
            )
            messages = [{"role": role, "content": content} for role, content in roles]
            record = {"messages": messages, "speech_length": 150, "text_length": 9, "key": key}
            lines.append(json.dumps(record, ensure_ascii=False).encode())
        self.tables["jsonl"] = lines

    # --- What mistakes use --------------------------------------------------------------------------------------------

    def take(self, draw: random.Random) -> str:
        """A key that no mistake has touched yet."""
        if not self.free:
            raise NotHere(f"no key of {self.role} is left")
        return self.free.pop(draw.randrange(len(self.free)))

    def index(self, table: str, key: str) -> int:
        """Place of the line of a key."""
        if table == "jsonl":
            return next(i for i, line in enumerate(self.tables[table]) if f'"key": "{key}"'.encode() in line)
        return next(i for i, line in enumerate(self.tables[table]) if split(line)[0] == key.encode())

    def value(self, table: str, key: str) -> str:
        """What a table says of a key."""
        return split(self.tables[table][self.index(table, key)])[1].decode()

    def set(self, table: str, key: str, line: bytes | str) -> None:
        """Replace the line of a key."""
        self.tables[table][self.index(table, key)] = line.encode() if isinstance(line, str) else line

    def insert(self, draw: random.Random, table: str, line: bytes | str) -> None:
        """Put a line anywhere into a table."""
        lines = self.tables.setdefault(table, [])
        lines.insert(draw.randint(0, len(lines)), line.encode() if isinstance(line, str) else line)

    def file(self, name: str) -> Path:
        """Path of a file in the set's folder."""
        return self.place / self.folder / name

    def write(self) -> None:
        """Write the tables."""
        for name, lines in self.tables.items():
            path = self.place / self.path if name == "jsonl" else self.file(name)
            path.write_bytes(b"".join(line + b"\n" for line in lines))


class Project:
    """A folder with sets and settings that the workflow runs in."""

    def __init__(self, folder: Path, draw: random.Random, forms: dict[str, str], runs: bool = True, sizes=SIZES):
        self.folder = folder
        folder.mkdir(parents=True)
        self.sets = {role: DataSet(folder, role, form, draw, sizes[role]) for role, form in forms.items()}
        self.settings = {
            "experiment": EXPERIMENT,
            "model": {"base": str(MODEL)},
            "data": {role: {SET: data.path} for role, data in self.sets.items()},
            "runs": {RUN: {}} if runs else {},
            "train": {"max_steps": 1, "batch_seconds": 12.0, "evaluations": 1, "decode_utterances": 2, "workers": 0},
            "score": {"modes": ["faithful"], "bootstrap": 20},
        }
        self.settings["data"] |= {"fetch": {"timeout": 5.0, "megabytes": 5.0, "retries": 1}}
        self.raw_settings: bytes | None = None  # instead of the settings, as they lie in the file
        self.arguments = ["--configfile", "settings.yaml"]
        self.after: list = []  # functions that change what was written
        self.moved: Path | None = None  # where the folder goes when all is written

    def copy_model(self) -> Path:
        """A model directory of this project's own, that may be damaged."""
        target = self.folder / "model"
        shutil.copytree(MODEL, target)
        self.settings["model"]["base"] = "model"
        return target

    def write(self) -> None:
        """Write sets and settings."""
        for data in self.sets.values():
            data.write()
        text = self.raw_settings
        if text is None:
            text = yaml.safe_dump(self.settings, allow_unicode=True, sort_keys=False).encode()
        (self.folder / "settings.yaml").write_bytes(text)
        for change in self.after:
            change()
        if self.moved:
            self.folder = self.folder.rename(self.moved)


def is_root() -> bool:
    """Whether nothing is forbidden to this process."""
    return os.geteuid() == 0
