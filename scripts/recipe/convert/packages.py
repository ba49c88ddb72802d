"""Packages that only conversions for other runtimes need."""

import importlib.util

from recipe.files import RecipeError

REQUIREMENTS = "requirements-export.txt"


def needed(package: str, what: str) -> None:
    """RecipeError if a package is not installed with which `what` is written."""
    if importlib.util.find_spec(package) is None:
        raise RecipeError(
            f"{what} are written with the package {package}, which is not installed here: pip install -r {REQUIREMENTS}"
        )
