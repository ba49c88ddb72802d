"""Training runs: their curves, facts and settings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from recipe import charts
from recipe.charts import Point, Series
from recipe.files import RecipeError, read_json
from recipe.model.directory import ASSUMED
from recipe.report.spec import Run
from recipe.settings.section import as_mapping
from recipe.settings.train import RunSettings

GREY, ACCENT = 1, 0  # line styles
SECTIONS = ("augment", "augment.hotwords")  # within the settings of a run


@dataclass
class Training:
    """A run's name, its settings that are not what they are by default, its history (entries of the Trainer's log) and
    the contents of the model's recipe.json."""

    name: str
    settings: dict[str, Any]
    history: list[dict] = field(default_factory=list)
    recipe: dict[str, Any] = field(default_factory=dict)

    def bases(self) -> list[tuple[str, dict[str, str]]]:
        """The model that training started from, then those that it was converted from: names, hashes of the files."""
        found, origin = [], self.recipe.get("base")
        while origin:
            revision = f" at {origin['revision']}" if origin.get("revision") else ""
            found.append((origin["source"] + revision, origin["files"]))
            origin = origin.get("converted_from")
        return found

    @property
    def assumed(self) -> tuple[str, str] | None:
        """The base model and its audio token setting, if nothing stated it."""
        base = self.recipe.get("base") or {}
        return (base["source"], base[ASSUMED]) if base.get(ASSUMED) else None

    def points(self, name: str, factor: float = 1.0) -> list[Point]:
        """(step, value x factor) of a logged quantity. A value that is no number is not-a-number."""
        return [
            (entry["step"], factor * entry[name] if isinstance(entry[name], int | float) else math.nan)
            for entry in self.history
            if name in entry and "step" in entry
        ]

    def diverged_at(self) -> int | None:
        """The first step whose loss is no finite number."""
        losses = self.points("loss") + self.points("eval_loss")
        return min((step for step, value in losses if not math.isfinite(value)), default=None)

    def unreadable(self) -> dict[str, int]:
        """Utterances whose audio could not be read in training, by what they were for; none of those that all could."""
        found = self.recipe.get("unreadable", {})
        names = {"train": "training", "valid": "validation"}
        return {name: found[part] for part, name in names.items() if found.get(part)}

    def logged(self, name: str) -> float | None:
        """The last logged value of a quantity."""
        return next((entry[name] for entry in reversed(self.history) if name in entry), None)


def load(run: Run) -> Training:
    """What a run's history and recipe.json say of its training."""
    history = read_json(run.history) if run.history else []
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise RecipeError(f"{run.history}: expected a list of log entries")
    return Training(run.name, run.settings, history, read_json(run.recipe) if run.recipe else {})


def curves(training: Training) -> list[Markup]:
    """Charts of a run: loss, error rates on validation data, learning rate, gradient norm; those that were logged."""
    chosen = next(iter(training.recipe.get("selected_steps", [])), None)
    plots = [
        (
            "Loss per token",
            [
                Series("training", training.points("loss"), GREY),
                Series("validation", training.points("eval_loss"), ACCENT, dots=True),
            ],
        ),
        (
            "Validation error rate, %",
            [
                Series("CER", training.points("eval_cer", 100), ACCENT, dots=True),
                Series("WER", training.points("eval_wer", 100), GREY, dots=True),
            ],
        ),
        ("Learning rate", [Series("learning rate", training.points("learning_rate"), GREY)]),
        ("Gradient norm", [Series("gradient norm", training.points("grad_norm"), GREY)]),
    ]
    drawn = (
        charts.lines(f"{title} of {training.name} by step", "step", title, series, chosen) for title, series in plots
    )
    return [chart for chart in drawn if chart]


def comparison(trainings: list[Training]) -> list[Markup]:
    """Charts with all runs in one: what they reach on the validation data. Empty for a single run."""
    if len(trainings) < 2:
        return []
    plots = [("Validation CER, %", "eval_cer", 100.0), ("Validation loss per token", "eval_loss", 1.0)]
    drawn = (
        charts.lines(
            f"{title} of all runs by step",
            "step",
            title,
            [Series(t.name, t.points(name, factor), style, dots=True) for style, t in enumerate(trainings)],
        )
        for title, name, factor in plots
    )
    return [chart for chart in drawn if chart]


@dataclass(frozen=True)
class SettingRow:
    """A setting that some run has otherwise than by default: a (value, whether that is the default) of every run."""

    name: str
    cells: list[tuple[Any, bool]]

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return any(cell != self.cells[0] for cell in self.cells)


def settings_table(trainings: list[Training]) -> list[SettingRow]:
    """The settings that some run has otherwise than by default; first those in which runs differ. Of a setting that the
    schema does not know, a run that does not name it has None."""
    usual = _flat(as_mapping(RunSettings()))
    own = [_flat(training.settings) for training in trainings]
    names = dict.fromkeys(name for values in own for name, value in values.items() if value != usual.get(name))
    rows = [
        SettingRow(name, [(value := values.get(name, usual.get(name)), value == usual.get(name)) for values in own])
        for name in names
    ]
    return sorted(rows, key=lambda row: not row.differs)


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Settings of sections within sections by their dotted names; a mapping that is no section stays whole."""
    found = {}
    for name, value in settings.items():
        inner = f"{before}{name}"
        if isinstance(value, dict) and inner in SECTIONS:
            found |= _flat(value, f"{inner}.")
        else:
            found[inner] = value
    return found
