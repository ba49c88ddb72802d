"""Japanese text to its reading in katakana, by Open JTalk (package pyopenjtalk-plus, an optional extra)."""

import functools
from types import ModuleType

from recipe.files import RecipeError

_LENGTH = 100  # the published normalizer reads longer texts in pieces of so many characters


@functools.cache
def _library() -> ModuleType:
    try:
        import pyopenjtalk
    except ImportError:
        raise RecipeError(
            "the kana option needs a package: uv pip install --group kana (or pip install pyopenjtalk-plus)"
        ) from None
    return pyopenjtalk


def to_kana(text: str) -> str:
    """The reading of a text in katakana; punctuation is kept."""
    library = _library()
    pieces = [text[start : start + _LENGTH] for start in range(0, len(text), _LENGTH)]
    return " ".join(library.g2p(piece, kana=True) for piece in pieces)
