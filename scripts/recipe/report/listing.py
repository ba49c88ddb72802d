"""The utterances of a report in a compact form, for the page's script to search, sort and show.

    {test: {"keys": [...], "seconds": [...], "labels": {"speaker": [...], ...}, "written": [transcript, ...],
            "refs": {mode: ["tokens joined by spaces", ...]},
            "hyps": {model: {"written": [...], "modes": {mode: {"edits": [[...], ...], "flags": [[...], ...]}}}},
            "left_out": number of utterances not listed}}

Lists have one entry per utterance, in the order of the references. An edit is ["S", place, token], ["D", place] or
["I", place, token]: substituted, deleted or inserted at that place among the reference tokens.
"""

from collections.abc import Iterable
from typing import Any

from recipe import manifest
from recipe.files import RecipeError, read_json_lines
from recipe.report.spec import ScoreFiles, Spec

MAX_LISTED = 20_000  # utterances per test set; of more, those with the most errors
LABELS = ("speaker", "language", "group")


def collect(spec: Spec) -> dict[str, Any]:
    """The utterances of all test sets that were scored. RecipeError where files do not belong together."""
    found = {test: _Set(spec, test) for test in spec.tests}
    return {test: listed.result() for test, listed in found.items() if listed.keys}


class _Set:
    """One test set: what is known of its utterances, by key."""

    def __init__(self, spec: Spec, test: str):
        self.keys: list[str] = []
        self._rows: dict[tuple[str, str], dict[str, dict]] = {}  # (model, mode) -> key -> scored utterance
        self._details: dict[str, dict[str, dict]] = {}
        for files in spec.scores:
            if files.test == test:
                self._add(files)
        self._transcripts = _transcripts(spec, test)
        self._left_out = self._limit()

    def _add(self, files: ScoreFiles) -> None:
        rows = {row["key"]: row for _, row in read_json_lines(files.utterances)}
        if self.keys and list(rows) != self.keys:
            raise RecipeError(
                f"{files.utterances}: holds other utterances than those that other models were scored on; "
                f"score all models on the same references of {files.test}"
            )
        self.keys = list(rows)
        self._rows[files.model, files.mode] = rows
        if files.details and files.model not in self._details:
            self._details[files.model] = {row["key"]: row for _, row in read_json_lines(files.details)}

    def _limit(self) -> int:
        """Leave out what is too much to list; returns how many utterances these are."""
        if len(self.keys) <= MAX_LISTED:
            return 0

        def errors(key: str) -> int:
            return max(row[key]["sub"] + row[key]["del"] + row[key]["ins"] for row in self._rows.values())

        kept = set(sorted(self.keys, key=errors, reverse=True)[:MAX_LISTED])
        left_out = len(self.keys) - len(kept)
        self.keys = [key for key in self.keys if key in kept]
        return left_out

    def result(self) -> dict[str, Any]:
        first = next(iter(self._rows.values()))
        refs: dict[str, list[str]] = {}
        hyps: dict[str, Any] = {}
        for (model, mode), rows in self._rows.items():
            chosen = [rows[key] for key in self.keys]
            tokens = [" ".join(ref for _, ref, _ in row["alignment"] if ref) for row in chosen]
            if refs.setdefault(mode, tokens) != tokens:
                raise RecipeError(f"{model}: was scored on other references than other models ({mode})")
            details = self._details.get(model, {})
            hyp = hyps.setdefault(model, {"written": _column(self.keys, details, "text"), "modes": {}})
            hyp["modes"][mode] = {
                "edits": [list(edits(row["alignment"])) for row in chosen],
                "flags": [row.get("flags", []) for row in chosen],
            }
        labels = {name: _column(self.keys, first, name) for name in LABELS}
        return {
            "keys": self.keys,
            "seconds": self._seconds(),
            "labels": {name: values for name, values in labels.items() if any(values)},
            "written": [self._transcripts.get(key) for key in self.keys],
            "refs": refs,
            "hyps": hyps,
            "left_out": self._left_out,
        }

    def _seconds(self) -> list[float | None]:
        details = next(iter(self._details.values()), {})
        return [round(seconds, 2) if seconds else None for seconds in _column(self.keys, details, "duration")]


def _column(keys: list[str], rows: dict[str, dict], name: str) -> list:
    return [rows.get(key, {}).get(name) for key in keys]


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
