"""Japanese."""


def rewrite(text: str) -> str:
    """Numerals as digits, and what belongs to them in one form."""
    return text
