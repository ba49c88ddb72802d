"""Learning curves: charts of the error against hours of training data, and what twice the data would likely give."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from recipe import charts
from recipe.charts import Estimate
from recipe.files import RecipeError, read_json
from recipe.report.spec import CurveFile, Spec

_DRAWN = 40  # points of the law's line


@dataclass(frozen=True)
class LearningCurve:
    """A run's curve on one test set in one mode; `found` is what fit_curve.py wrote."""

    run: str
    test: str
    mode: str
    found: dict[str, Any]

    @property
    def points(self) -> list[dict[str, Any]]:
        """The points, by rising hours."""
        return self.found["points"]

    @property
    def law(self) -> str | None:
        """The fitted law in words; None where none was fitted."""
        law = self.found["law"]
        if not law:
            return None
        floor = f" + {100 * law['c']:.2f} %" if law["c"] else ""
        return f"error = {100 * law['a']:.3g} % × hours^{-law['b']:.3f}{floor}".replace("^-", "^−")

    @property
    def told(self) -> str:
        """What twice the data would likely give, or why that is not said."""
        prediction, last = self.found["prediction"], self.points[-1]
        if prediction["rate"] is None:
            return f"No prediction for twice the data: {self.found['refused']}."
        low, high = prediction["ci"]
        return (
            f"Twice the data ({prediction['hours']:.3g} h) would likely give {100 * prediction['rate']:.2f} % "
            f"[{100 * low:.2f}, {100 * high:.2f}], where {last['hours']:.3g} h give {100 * last['rate']:.2f} %."
        )

    @property
    def chart(self) -> Markup:
        """Points with intervals, the law, and the prediction; "" without rates."""
        trained = [(point["hours"], _estimate("trained", point, 0)) for point in self.points if point["rate"]]
        prediction, law = self.found["prediction"], self.found["law"]
        predicted = (prediction["hours"], _estimate("prediction", prediction, 2)) if prediction["rate"] else None
        line = []
        if law:
            end = predicted[0] if predicted else self.points[-1]["hours"]
            hours = np.geomspace(self.points[0]["hours"], end, _DRAWN).tolist()
            line = [(one, 100 * (law["a"] * one ** -law["b"] + law["c"])) for one in hours]
        label = f"Error rate of {self.run} on {self.test} by hours of training data ({self.mode})"
        return charts.power_law(label, "training data, hours", "error rate (MER), %", trained, line, predicted)


def _estimate(name: str, found: dict[str, Any], style: int) -> Estimate:
    ends = tuple(100 * end for end in found["ci"]) if found["ci"] else None
    return Estimate(name, 100 * found["rate"], ends, style)


def load(spec: Spec) -> list[LearningCurve]:
    """The curves that a specification names."""
    return [_read(entry) for entry in spec.curves]


def _read(entry: CurveFile) -> LearningCurve:
    found = read_json(entry.file)
    if not isinstance(found, dict) or not {"points", "law", "prediction", "refused"} <= found.keys():
        raise RecipeError(f"{entry.file}: not a learning curve of fit_curve.py")
    return LearningCurve(entry.run, entry.test, entry.mode, found)


def sentences(spec: Spec) -> Iterator[str]:
    """What the curves of the first mode say of twice the data, a line each, for the small table."""
    for curve in load(spec):
        if curve.mode == spec.modes[0]:
            yield f"{curve.test}, {curve.mode}, more data for {curve.run}: {curve.told}"
