"""The data of an experiment: what was accepted and rejected, and what test sets share with the training data."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from recipe import manifest
from recipe.files import RecipeError, read_json, read_lines, sha256
from recipe.report.spec import DataSet, Spec

EXAMPLES = 20  # rejected entries shown per set
REJECTS_COLUMNS = 4


@dataclass
class Card:
    """A set of utterances: counts, statistics (contents of stats.json) and the ledger of rejected entries."""

    role: str
    name: str
    accepted: int | None = None
    stats: dict[str, Any] = field(default_factory=dict)
    rejected: Counter = field(default_factory=Counter)  # by (stage, reason)
    examples: list[tuple[str, ...]] = field(default_factory=list)  # (key, stage, reason, detail)
    sha256: str | None = None

    @property
    def entries(self) -> int:
        return (self.accepted or 0) + self.rejected.total()


def card(data: DataSet) -> Card:
    """Read what belongs to a set."""
    made = Card(data.role, data.name)
    if data.manifest:
        made.accepted = sum(1 for _, line in read_lines(data.manifest) if line.strip())
        made.sha256 = sha256(data.manifest)
    if data.stats:
        made.stats = read_json(data.stats)
        if made.accepted is None:
            made.accepted = made.stats.get("utterances")
    if data.rejects:
        _read_rejects(data.rejects, made)
    return made


def _read_rejects(path: str, made: Card) -> None:
    for number, line in read_lines(path):
        values = tuple(line.split("\t"))
        if len(values) != REJECTS_COLUMNS:
            raise RecipeError(f"{path}:{number}: expected {REJECTS_COLUMNS} columns, found {len(values)}")
        if number > 1:  # the first line is the header
            made.rejected[values[1:3]] += 1
            if len(made.examples) < EXAMPLES:
                made.examples.append(values)


OVERLAPS = {"key": "keys", "source": "recordings", "speaker": "speakers", "text": "transcripts"}


def overlaps(spec: Spec) -> dict[str, dict[str, tuple[int, int]]]:
    """For every test set: how many of its utterances have a key, recording, speaker or transcript that is also in the
    training data, out of how many where that is known. Empty without manifests of both."""
    seen: dict[str, set] = {name: set() for name in OVERLAPS}
    for utterance in _utterances(spec.of_role("train")):
        for name, values in seen.items():
            values.add(_value(utterance, name))
    found = {}
    for data in spec.of_role("test"):
        shared, known = Counter(), Counter()
        for utterance in _utterances([data]):
            for name, values in seen.items():
                value = _value(utterance, name)
                known[name] += value is not None
                shared[name] += value is not None and value in values
        if any(seen.values()) and known:
            found[data.name] = {name: (shared[name], known[name]) for name in OVERLAPS if known[name]}
    return found


def _utterances(sets: list[DataSet]):
    return (utterance for data in sets if data.manifest for utterance in manifest.read(data.manifest))


def _value(utterance: manifest.Utterance, name: str) -> object:
    # Segments of one recording are different recordings.
    return (utterance.source, utterance.start) if name == "source" else getattr(utterance, name)
