"""How a score is made: what is done about keys that do not match, and how intervals are drawn."""

from dataclasses import dataclass

from recipe.files import RecipeError

# Normalizations that join digits which were said or written apart.
SINGLE_DIGITS = ("faithful",)


@dataclass(frozen=True)
class ScoringPolicy:
    """How texts are scored; a value that is not known is a RecipeError.

    `missing`: a reference without hypothesis counts as "deletions", or is an "error"; `extra`: a hypothesis without
    reference is an "error", or is left out ("ignore"). `bootstrap`: samples for the intervals, 0 for none; `seed`: of
    their random numbers. `mode`: the name of the normalization that the texts went through, recorded; for those
    in SINGLE_DIGITS every digit is a token. `fillers`: what a user's own rules of it left out, recorded likewise.
    `remove_tags`: spans of `<...>` are no content.
    """

    missing: str = "deletions"
    extra: str = "error"
    bootstrap: int = 1000
    seed: int = 0
    mode: str | None = None
    fillers: tuple[str, ...] = ()
    remove_tags: bool = False

    def __post_init__(self):
        for name, known in (("missing", ("deletions", "error")), ("extra", ("error", "ignore"))):
            if getattr(self, name) not in known:
                raise RecipeError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}")
        if self.bootstrap < 0:
            raise RecipeError(f"bootstrap is {self.bootstrap}, expected the number of samples, or 0 for no intervals")

    @property
    def single_digits(self) -> bool:
        """Whether every digit of a number is a token, so that one wrong digit of eight is one error of eight."""
        return self.mode in SINGLE_DIGITS
