"""Settings of normalization and scoring."""

from typing import Literal

from recipe.settings.section import section, setting


@section
class ScoreSettings:
    """Normalization and scoring."""

    modes: tuple[Literal["faithful", "compatible", "raw"], ...] = setting(
        ("faithful", "compatible", "raw"),
        "Normalizations to score with, raw being none; the first is the report's headline.",
        min_length=1,
    )
    bootstrap: int = setting(1000, "Resamples behind the 95 % intervals; 0 gives none.", ge=0)

    def __post_init__(self):
        if len(set(self.modes)) < len(self.modes):
            raise ValueError(f"modes is {list(self.modes)}, expected each once")
