"""Settings of the search for wrong transcripts."""

from typing import Any, Literal

from recipe.settings.section import section, setting

Role = Literal["train", "valid", "test"]


@section
class SuspectsSettings:
    """The search for wrong transcripts, by `snakemake suspects` (docs/suspects.md)."""

    folds: int = setting(
        3,
        "Parts that the utterances are divided into: each is judged by a model that was trained on the others. 0 lets "
        "the base model judge all.",
        ge=0,
        le=20,
    )
    sets: tuple[Role, ...] = setting(
        ("train", "valid", "test"), "Roles of the sets whose transcripts are judged.", min_length=1
    )
    utterances: int = setting(
        50_000, "What the model of a fold is trained on, at most; of more utterances, so many are drawn.", ge=1
    )
    seed: int = setting(1, "What utterances are dealt out by.", ge=0)
    train: dict[str, Any] = setting(
        dict, "Settings of the folds' trainings that differ from those of `train`; their last checkpoint is taken."
    )

    def __post_init__(self):
        if self.folds == 1:
            raise ValueError("folds is 1, expected 0 (the base model judges) or 2 or more: one fold leaves no others")
