"""The specification of a report: which models, test sets and files it is made of."""

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recipe.files import RecipeError, read_json

ROLES = ("train", "valid", "test")


@dataclass(frozen=True)
class DataSet:
    """A set of utterances; `stats` is the stats.json of fbank_stats.py, `lost` the rejects of pack.py."""

    role: str
    name: str
    manifest: str | None = None
    rejects: str | None = None
    remarks: str | None = None
    stats: str | None = None
    lost: str | None = None


@dataclass(frozen=True)
class Run:
    """A trained model; `settings` are those that are not what they are by default."""

    name: str
    history: str | None = None
    recipe: str | None = None
    settings: dict = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreFiles:
    """What scoring a model on a test set in a mode gave, the decoder's details, and errors by group."""

    model: str
    test: str
    mode: str
    score: str
    utterances: str
    details: str | None = None
    groups: str | None = None


@dataclass(frozen=True)
class ComparedModels:
    """What compare_runs.py says of all models on a test set in a mode."""

    test: str
    mode: str
    file: str


@dataclass(frozen=True)
class CurveFile:
    """What fit_curve.py says of a run on a test set in a mode."""

    run: str
    test: str
    mode: str
    file: str


@dataclass(frozen=True)
class Timing:
    """How long a stage took: Snakemake's benchmark files of its jobs. Its speed comes from the stats.json of the sets
    that it went through, or from a training's history."""

    stage: str
    name: str
    benchmarks: list
    stats: list = field(default_factory=list)
    history: str | None = None


@dataclass(frozen=True)
class Spec:
    """Everything a report is made of. The first model is the baseline, the first mode is shown first. `leaks` is what
    check_leaks.py says of the sets; without it, the manifests of `data` are looked at."""

    experiment: str
    models: list
    tests: list
    modes: list
    scores: list
    config: dict = field(default_factory=dict)
    data: list = field(default_factory=list)
    runs: list = field(default_factory=list)
    compared: list = field(default_factory=list)
    curves: list = field(default_factory=list)
    leaks: str | None = None
    embed_audio_mb: int | float = 5
    timings: list = field(default_factory=list)
    provenance: str | None = None

    @property
    def baseline(self) -> str:
        return self.models[0]

    def of_role(self, role: str) -> list[DataSet]:
        return [data for data in self.data if data.role == role]

    def in_domain(self, test: str) -> bool:
        """Whether a test set has the name of a training set; where none has, the first test set counts as such."""
        trained = {data.name for data in self.of_role("train")}
        return test in trained if trained.intersection(self.tests) else test == self.tests[0]


NESTED = {
    "data": DataSet,
    "runs": Run,
    "scores": ScoreFiles,
    "compared": ComparedModels,
    "curves": CurveFile,
    "timings": Timing,
}


def load(path: str | os.PathLike) -> Spec:
    """Read and check a specification. RecipeError names the entry that is wrong, or all the files that are missing."""
    spec = _make(Spec, read_json(path), str(path))
    nested = {
        name: [_make(kind, entry, f"{path}: {name}[{i}]") for i, entry in enumerate(getattr(spec, name))]
        for name, kind in NESTED.items()
    }
    spec = dataclasses.replace(spec, **nested)
    _check_names(spec, str(path))
    _check_files(spec, str(path))
    return spec


def _make(kind: type, value: Any, where: str) -> Any:
    """An instance of a dataclass from a JSON object, by the names and types of its fields."""
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: expected an object, found {type(value).__name__}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name, content in value.items():
        if name not in fields:
            raise RecipeError(f"{where}: unknown key {name!r}; known: {', '.join(fields)}")
        if not isinstance(content, fields[name].type):
            expected = getattr(fields[name].type, "__name__", str(fields[name].type))
            raise RecipeError(f"{where}: {name} is {content!r}, expected {expected}")
    required = [
        field.name
        for field in fields.values()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing := [name for name in required if name not in value]:
        raise RecipeError(f"{where}: missing: {', '.join(missing)}")
    return kind(**value)


def _check_names(spec: Spec, where: str) -> None:
    for name in ("models", "tests", "modes"):
        values = getattr(spec, name)
        if not values or len(set(map(str, values))) < len(values) or not all(isinstance(v, str) for v in values):
            raise RecipeError(f"{where}: {name} is {values!r}, expected different names, at least one")
    for data in spec.data:
        if data.role not in ROLES:
            raise RecipeError(f"{where}: data: {data.name} has the role {data.role!r}, expected {', '.join(ROLES)}")
    seen = set()
    for score in spec.scores:
        place = (score.model, score.test, score.mode)
        known = score.model in spec.models and score.test in spec.tests and score.mode in spec.modes
        if not known or place in seen:
            problem = "appears twice" if known else "is not among the models, tests and modes"
            raise RecipeError(f"{where}: scores: {' / '.join(place)} {problem}")
        seen.add(place)


def _check_files(spec: Spec, where: str) -> None:
    paths = [getattr(data, name) for data in spec.data for name in ("manifest", "rejects", "remarks", "stats", "lost")]
    paths += [getattr(run, name) for run in spec.runs for name in ("history", "recipe")]
    paths += [getattr(score, name) for score in spec.scores for name in ("score", "utterances", "details")]
    paths += [spec.provenance, spec.leaks, *(entry.file for entry in (*spec.compared, *spec.curves))]
    paths += [path for timing in spec.timings for path in (*timing.stats, timing.history)]
    missing = [path for path in dict.fromkeys(paths) if path is not None and not Path(path).is_file()]
    if missing:
        raise RecipeError(f"{where}: missing files: {', '.join(missing)}; run the stages that make them")
