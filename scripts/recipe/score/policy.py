"""How a score is made: what is done about keys that do not match, and how intervals are drawn."""

from dataclasses import dataclass

from recipe.files import RecipeError


@dataclass(frozen=True)
class Settings:
    """`missing`: "deletions" or "error"; `extra`: "error" or "ignore"; `bootstrap`: samples, 0 for no intervals;
    `mode`: the name of the normalization that the texts went through."""

    missing: str = "deletions"
    extra: str = "error"
    bootstrap: int = 1000
    seed: int = 0
    mode: str | None = None
    remove_tags: bool = False

    def __post_init__(self):
        for name, known in (("missing", ("deletions", "error")), ("extra", ("error", "ignore"))):
            if getattr(self, name) not in known:
                raise RecipeError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}")
        if self.bootstrap < 0:
            raise RecipeError(f"bootstrap is {self.bootstrap}, expected the number of samples, or 0 for no intervals")
