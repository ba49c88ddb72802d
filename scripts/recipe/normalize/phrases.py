"""Phrases of a text, that is sequences of its tokens, replaced by others."""

from collections.abc import Mapping, Sequence

Phrase = tuple[str, ...]  # tokens


class Phrases:
    """What each of some phrases is replaced by; a phrase may stay as it is, or go.

    They are kept as a tree of their tokens, so that a text is looked through once however many they are: the time is
    linear in its length."""

    def __init__(self, replacements: Mapping[Phrase, Phrase]):
        self._root: dict = {}
        for phrase, replacement in replacements.items():
            node = self._root
            for token in phrase:
                node = node.setdefault(token, {})
            node[None] = replacement  # no token is None

    def replace(self, text: str) -> str:
        """A text, tokens separated by single spaces, with its phrases replaced: from its start, at each place the
        longest that begins there, and nothing twice."""
        tokens = text.split(" ")
        if self._root.keys().isdisjoint(tokens):
            return text
        replaced: list[str] = []
        place = 0
        while place < len(tokens):
            end, replacement = self._longest(tokens, place)
            replaced += replacement
            place = end
        return " ".join(replaced)

    def _longest(self, tokens: Sequence[str], start: int) -> tuple[int, Sequence[str]]:
        """(end, replacement) of the longest phrase at a place; of none, of the token there, which stays."""
        found = start + 1, tokens[start : start + 1]
        node = self._root
        for place in range(start, len(tokens)):
            node = node.get(tokens[place])
            if node is None:
                break
            if None in node:
                found = place + 1, node[None]
        return found
