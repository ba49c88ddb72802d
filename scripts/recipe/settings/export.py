"""Settings of what is made for those who serve a model."""

import importlib.util
from collections.abc import Iterable
from typing import Literal

from recipe.files import RecipeError
from recipe.settings.data import Name, NonEmpty
from recipe.settings.section import section, setting

# Kinds of directories that a run's model can be exported to, beside its merged weights in 16 bits (hf, always made).
Kind = Literal["toolkit", "vllm", "sherpa-onnx", "gguf"]
# The packages that only some are written with, and what names them all.
PACKAGES: dict[Kind, str] = {"sherpa-onnx": "onnx", "gguf": "gguf"}
REQUIREMENTS = "requirements-export.txt"


@section
class ExportSettings:
    """What `snakemake export` makes of the runs' models, beside their merged weights in 16 bits."""

    to: tuple[Kind, ...] | dict[Name, tuple[Kind, ...]] = setting(
        (),
        "Kinds of directories (docs/models.md) for every run, [toolkit], or for some, {lora: [toolkit, vllm]}; the "
        "merged weights in 16 bits are always made, of the runs that are named.",
    )
    python: dict[Kind, NonEmpty] = setting(
        dict,
        "Interpreters of environments in which what serves a kind is installed, {vllm: .venv-serving/bin/python}: it "
        "decodes a sample, which has to be as the recipe decodes it. Without one, only what is in the recipe's own.",
        indifferent=True,
    )

    def of_runs(self, runs: Iterable[str], seeds: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
        """The kinds to make, by run; of those that are named only, also `seeds` of runs. RecipeError for a run that
        there is not."""
        if not isinstance(self.to, dict):
            return dict.fromkeys(runs, self.to)
        names = dict.fromkeys([*runs, *seeds])
        for name in self.to:
            if name not in names:
                known = ", ".join(names) or "none"
                raise RecipeError(f"export.to.{name}: no run has this name; there are: {known}")
        return dict(self.to)


def needed(package: str, what: str) -> None:
    """RecipeError if a package is not installed with which `what` (a beginning: "GGUF files are") written."""
    if importlib.util.find_spec(package) is None:
        raise RecipeError(
            f"{what} written with the package {package}, which is not installed here: pip install -r {REQUIREMENTS} "
            "into this environment"
        )
