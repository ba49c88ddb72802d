"""Steps of a normalizer, with names: run one after the other, and told of where somebody wants to know what changed."""

from collections.abc import Callable, Iterable

Step = tuple[str, Callable[[str], str]]  # its name, and what it makes of a text
Note = Callable[[str, str, str], None]  # told the name of a step that changed a text, the text before and after


def take(steps: Iterable[Step], text: str, note: Note | None = None) -> str:
    """What steps make of a text, each of what the one before it made; `note` is told of those that changed it."""
    for name, work in steps:
        before, text = text, work(text)
        if note and text != before:
            note(name, before, text)
    return text
