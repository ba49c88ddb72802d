"""Settings of the learning curve: how the error falls with hours of training data."""

from typing import Annotated

from pydantic import Field

from recipe.settings.data import Name
from recipe.settings.section import section, setting

Fraction = Annotated[float, Field(gt=0, le=1)]
WHOLE = 1.0
MIN_POINTS = 3  # the whole included: through two points any law goes


@section
class CurveSettings:
    """Trainings on nested fractions of the data, and what twice the data would likely give (docs/curve.md)."""

    fractions: tuple[Fraction, ...] = setting(
        (),
        "Shares of the training data, by hours, that a run is trained on as well; each lies within the next larger "
        "one. The whole, 1, is always a point, and [] is no curve.",
    )
    runs: tuple[Name, ...] = setting((), "Runs to make a curve of; [] is the first one.")
    seeds: int = setting(
        3, "Seeds at each point; a run that has a curve has as many at least (`runs.NAME.seeds`).", ge=1, le=100
    )
    sets: tuple[Name, ...] = setting(
        (),
        "Training sets of which fractions are taken; [] are those with the name of a test set or, where none has, all. "
        "The others are seen whole.",
    )

    @property
    def parts(self) -> tuple[float, ...]:
        """The fractions below the whole, each once, the smallest first."""
        return tuple(sorted({fraction for fraction in self.fractions if fraction < WHOLE}))
