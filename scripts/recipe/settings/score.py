"""Settings of normalization and scoring."""

from typing import Annotated, Literal

from pydantic import Field

from recipe.settings.data import NonEmpty
from recipe.settings.section import section, setting

# Those that a user's own rules of normalization are made of.
OWN_RULES = ("equivalent", "fillers")


@section
class ScoreSettings:
    """Normalization and scoring."""

    modes: tuple[Literal["faithful", "compatible", "raw"], ...] = setting(
        ("faithful", "compatible", "raw"),
        "Normalizations to score with, raw being none; the first is the report's headline.",
        min_length=1,
    )
    equivalent: NonEmpty | None = setting(
        None,
        "File of spellings that count as one: a line for each form, which stands first, e.g. going to = gonna; in all "
        "normalizations but raw (docs/normalization.md).",
    )
    fillers: tuple[Annotated[str, Field(pattern=r"^[^,]*[^,\s][^,]*$")], ...] = setting(
        (),
        "Words or phrases to leave out on both sides, in all normalizations but raw, e.g. [uh, um, er, hm, 嗯, 呃].",
    )
    error_groups: bool = setting(
        False,
        "Group the errors of every model on every test set by word, numbers, names, hotwords, speaker, duration, "
        "level, noise and language switch, with what a fix of each would bring (docs/errors.md).",
    )
    bootstrap: int = setting(1000, "Resamples behind the 95 % intervals; 0 gives none.", ge=0)

    def __post_init__(self):
        if len(set(self.modes)) < len(self.modes):
            raise ValueError(f"modes is {list(self.modes)}, expected each once")
