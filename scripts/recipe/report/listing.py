"""The utterances of a report in a compact form, for the page's script to search, sort and show.

    {test: {"keys": [...], "seconds": [...], "labels": {"speaker": [...], ...}, "written": [transcript, ...],
            "refs": {mode: ["tokens joined by spaces", ...]},
            "hyps": {model: {"written": [...], "modes": {mode: {"edits": [[...], ...], "flags": [[...], ...]}}}},
            "left_out": number of utterances not listed}}

Lists have one entry per utterance, in the order of the references. An edit is ["S", place, token], ["D", place] or
["I", place, token]: substituted, deleted or inserted at that place among the reference tokens.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from recipe.data import manifest
from recipe.files import RecipeError, json_line, read_json_lines
from recipe.report.spec import ScoreFiles, Spec

LABELS = ("speaker", "language", "group")
_ADVICE = "other models were scored on; score all models on the same references of"


def collect(spec: Spec, limit: int) -> dict[str, Any]:
    """The utterances of all test sets that were scored; if they take more than `limit` bytes those that are worth
    reading: of each set, those with the most errors and the largest differences between models. RecipeError where files
    do not belong together."""
    found = {test: listed for test in spec.tests if (listed := _Set(spec, test)).keys}
    kept: dict[str, list[int]] = {}
    left = limit
    # What a small set leaves of its share is for the larger ones.
    for test in sorted(found, key=lambda test: len(found[test].keys)):
        kept[test], size = found[test].worth_reading(left // (len(found) - len(kept)))
        left -= size
    return {test: listed.result(kept[test]) for test, listed in found.items()}


class _Set:
    """One test set, read file by file; of each scored utterance only the compact form is kept."""

    def __init__(self, spec: Spec, test: str):
        self.keys: list[str] = []
        self._labels: dict[str, list[str | None]] = {}
        self._refs: dict[str, list[str]] = {}  # by mode
        self._edits: dict[tuple[str, str], list[list]] = {}  # by model and mode, as the flags
        self._flags: dict[tuple[str, str], list[list[str]]] = {}
        self._texts: dict[str, dict[str, str]] = {}  # by model, then key
        self._seconds: dict[str, float] = {}
        for files in spec.scores:
            if files.test == test:
                self._read_utterances(files)
                if files.details and files.model not in self._texts:
                    self._read_details(files)
        self._transcripts = _transcripts(spec, test)

    def _read_utterances(self, files: ScoreFiles) -> None:
        keys, refs, found, flags = [], [], [], []
        labels: dict[str, list[str | None]] = {name: [] for name in LABELS}
        for _, row in read_json_lines(files.utterances):
            keys.append(row["key"])
            refs.append(" ".join(ref for _, ref, _ in row["alignment"] if ref))
            found.append(list(edits(row["alignment"])))
            flags.append(row.get("flags", []))
            for name, values in labels.items():
                values.append(row.get(name))
        if self._edits and keys != self.keys:
            raise RecipeError(f"{files.utterances}: holds other utterances than those that {_ADVICE} {files.test}")
        if self._refs.setdefault(files.mode, refs) != refs:
            raise RecipeError(f"{files.utterances}: has other references than those that {_ADVICE} {files.test}")
        self.keys, self._labels = keys, self._labels or labels
        self._edits[files.model, files.mode] = found
        self._flags[files.model, files.mode] = flags

    def _read_details(self, files: ScoreFiles) -> None:
        texts = self._texts[files.model] = {}
        for _, row in read_json_lines(files.details):
            texts[row["key"]] = row.get("text")
            self._seconds.setdefault(row["key"], round(row.get("duration") or 0, 2))

    def result(self, kept: list[int]) -> dict[str, Any]:
        """The compact form of the utterances at some places."""
        keys = [self.keys[i] for i in kept]
        hyps: dict[str, Any] = {}
        for (model, mode), found in self._edits.items():
            texts, flags = self._texts.get(model, {}), self._flags[model, mode]
            hyp = hyps.setdefault(model, {"written": [texts.get(key) for key in keys], "modes": {}})
            hyp["modes"][mode] = {"edits": [found[i] for i in kept], "flags": [flags[i] for i in kept]}
        return {
            "keys": keys,
            "seconds": [self._seconds.get(key) or None for key in keys],
            "labels": {name: [values[i] for i in kept] for name, values in self._labels.items() if any(values)},
            "written": [self._transcripts.get(key) for key in keys],
            "refs": {mode: [refs[i] for i in kept] for mode, refs in self._refs.items()},
            "hyps": hyps,
            "left_out": len(self.keys) - len(kept),
        }

    def worth_reading(self, limit: int) -> tuple[list[int], int]:
        """Places of the utterances to list within `limit` bytes, at least of one, and their bytes."""
        kept, size = [], 0
        for place in sorted(range(len(self.keys)), key=self._worth, reverse=True):
            size_of_this = self._size(place)
            if kept and size + size_of_this > limit:
                break
            kept.append(place)
            size += size_of_this
        return sorted(kept), size

    def _worth(self, place: int) -> tuple[int, int]:
        """What an utterance has to tell: errors of the model that makes the most, and how many fewer another makes.
        Of as much worth, the earlier one."""
        errors = [len(found[place]) for found in self._edits.values()]
        return max(errors) + max(errors) - min(errors), -place

    def _size(self, place: int) -> int:
        """Bytes of an utterance on the page."""
        key = self.keys[place]
        texts = [self._transcripts.get(key), *(texts.get(key) for texts in self._texts.values())]
        columns = chain(self._refs.values(), self._edits.values(), self._flags.values())
        shown = [key, *texts, *(column[place] for column in columns)]
        return len(json_line(shown).encode("utf-8", "replace"))


def _transcripts(spec: Spec, test: str) -> dict[str, str]:
    """Transcripts as they were written, before normalization."""
    manifests = (data.manifest for data in spec.of_role("test") if data.name == test and data.manifest)
    return {utterance.key: utterance.text for path in manifests for utterance in manifest.read(path)}


def edits(alignment: Iterable[tuple[str, str, str]]) -> Iterable[list]:
    """The edits of an alignment of (operation, reference token, hypothesis token)."""
    place = 0
    for operation, _, hyp in alignment:
        if operation != "C":
            yield [operation, place] if operation == "D" else [operation, place, hyp]
        place += operation != "I"
