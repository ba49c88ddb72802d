"""Praat's TextGrids, long and short: what is not a number, a quoted text or a flag by itself says nothing in either."""

import re
from collections.abc import Iterator
from pathlib import Path

from recipe.files import RecipeError
from recipe.imports import labels
from recipe.imports.items import Found, Notes, NotImportable
from recipe.imports.labels import Labelled
from recipe.imports.options import ImportOptions

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(<\w+>|[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)|(?<!\S)![^\n]*|"')
# Names of tiers that hold what was said, where there are several.
_USUAL = (
    "utterance",
    "utterances",
    "sentence",
    "sentences",
    "transcript",
    "transcription",
    "text",
    "ort",
    "orthography",
)
EVERY = "all"
_INTERVALS, _POINTS = "IntervalTier", "TextTier"


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The intervals with text of a tier of each TextGrid: of --tier, otherwise of the only one or that with a usual
    name; `all` takes every tier of intervals, whose names are the speakers."""
    return labels.read(source, options, notes, (".textgrid",), _intervals)


def _intervals(text: str, path: Path, options: ImportOptions, notes: Notes) -> Iterator[Labelled]:
    if text.startswith("ooBinaryFile"):
        raise NotImportable("labels-invalid", "a binary TextGrid; save it as text")
    tiers = _tiers(_Tokens(text))
    for name, intervals in _chosen(tiers, path, options.tier):
        for number, (start, end, words) in enumerate(intervals, 1):
            if words.strip():
                yield Labelled(start, end, words, f"{name}:{number}", name if options.tier == EVERY else None)
            else:
                notes.add("intervals without text (silence), passed over")


def _chosen(tiers: list[tuple[str, list | None]], path: Path, wanted: str | None) -> list[tuple[str, list]]:
    there = ", ".join(name or '""' for name, _ in tiers) or "none"
    usable = [(name, intervals) for name, intervals in tiers if intervals is not None]
    if wanted == EVERY:
        return usable
    if wanted is not None:
        found = [tier for tier in usable if tier[0].casefold() == wanted.casefold()]
        if not found:
            raise NotImportable("tier-missing", f"no tier of intervals called {wanted}; there are {there}")
        return found[:1]
    if len(usable) == 1:
        return usable
    usual = [tier for tier in usable if tier[0].casefold() in _USUAL]
    if len(usual) == 1:
        return usual
    if not usable:
        raise NotImportable("tier-missing", f"no tier of intervals; there are {there}")
    raise RecipeError(f"{path}: several tiers ({there}); name one by --tier, or `all`, if they are speakers")


class _Tokens:
    """The texts, numbers and flags of a file, one after the other. NotImportable where another is there."""

    def __init__(self, text: str):
        self._found = (match for match in _TOKEN.finditer(text) if not match[0].startswith("!"))

    def _next(self) -> re.Match:
        if (match := next(self._found, None)) is None or match[0] == '"':
            raise NotImportable("labels-invalid", "ends early; is the TextGrid whole?")
        return match

    def text(self) -> str:
        match = self._next()
        if match[1] is None:
            raise NotImportable("labels-invalid", f"{match[0]} where a text is expected")
        return match[1].replace('""', '"')

    def number(self) -> float:
        match = self._next()
        if match[2] is None or match[2].startswith("<"):
            raise NotImportable("labels-invalid", f"{match[0]:.80} where a number is expected")
        return float(match[2])

    def flag(self) -> str:
        return self._next()[0]


def _tiers(tokens: _Tokens) -> list[tuple[str, list | None]]:
    """(name, intervals as begin, end and text) of each tier; None of one of points."""
    kind = tokens.text()
    if not kind.startswith("ooTextFile") or (kind := tokens.text()) != "TextGrid":
        raise NotImportable("labels-invalid", f"a file of type {kind!r:.60}, expected a TextGrid, long or short")
    tokens.number(), tokens.number()
    if tokens.flag() != "<exists>":
        return []
    tiers: list[tuple[str, list | None]] = []
    for _ in range(int(tokens.number())):
        kind, name = tokens.text(), tokens.text()
        tokens.number(), tokens.number()
        count = int(tokens.number())
        if kind == _INTERVALS:
            tiers.append((name, [(tokens.number(), tokens.number(), tokens.text()) for _ in range(count)]))
        elif kind == _POINTS:
            for _ in range(count):
                tokens.number(), tokens.text()
            tiers.append((name, None))
        else:
            raise NotImportable("labels-invalid", f"a tier of type {kind!r:.40}")
    return tiers
