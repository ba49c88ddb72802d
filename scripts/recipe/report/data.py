"""The data of an experiment: what was accepted and rejected, and what test sets share with the training data."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from recipe.data import manifest
from recipe.files import RecipeError, read_json, read_lines, sha256
from recipe.report.spec import DataSet, Spec

EXAMPLES = 20  # rejected entries, and remarks, shown per set
LEDGER_COLUMNS = 4


@dataclass
class DataCard:
    """A set of utterances: counts, statistics (contents of stats.json) and the ledger of rejected entries."""

    role: str
    name: str
    accepted: int | None = None
    stats: dict[str, Any] = field(default_factory=dict)
    rejected: Counter = field(default_factory=Counter)  # by (stage, reason)
    remarked: Counter = field(default_factory=Counter)  # accepted utterances by (stage, remark)
    examples: list[tuple[str, ...]] = field(default_factory=list)  # of rejects: (key, stage, reason, detail)
    noted: list[tuple[str, ...]] = field(default_factory=list)  # of remarks, likewise
    sha256: str | None = None

    @property
    def entries(self) -> int:
        return (self.accepted or 0) + self.rejected.total()


def read_card(data: DataSet) -> DataCard:
    """Read what belongs to a set."""
    made = DataCard(data.role, data.name)
    if data.manifest:
        made.accepted = sum(1 for _, line in read_lines(data.manifest) if line.strip())
        made.sha256 = sha256(data.manifest)
    if data.stats:
        made.stats = read_json(data.stats)
        if made.accepted is None:
            made.accepted = made.stats.get("utterances")
    if data.rejects:
        _read_ledger(data.rejects, made.rejected, made.examples)
    if data.remarks:
        _read_ledger(data.remarks, made.remarked, made.noted)
    return made


def _read_ledger(path: str, counts: Counter, examples: list[tuple[str, ...]]) -> None:
    for number, line in read_lines(path):
        values = tuple(line.split("\t"))
        if len(values) != LEDGER_COLUMNS:
            raise RecipeError(f"{path}:{number}: expected {LEDGER_COLUMNS} columns, found {len(values)}")
        if number > 1:  # the first line is the header
            counts[values[1:3]] += 1
            if len(examples) < EXAMPLES:
                examples.append(values)


OVERLAPS = {"key": "keys", "source": "recordings", "speaker": "speakers", "text": "transcripts"}


def overlaps(spec: Spec) -> dict[str, dict[str, tuple[int, int]]]:
    """For every test set: how many of its utterances have a key, recording, speaker or transcript that is also in the
    training data, out of how many where that is known. Empty without manifests of both."""
    tests = {entry.name: [_values(u) for u in _utterances([entry])] for entry in spec.of_role("test")}
    # The training data may be large: it is read as a stream, and only what the test sets have too is kept.
    wanted = {name: {values[name] for rows in tests.values() for values in rows} - {None} for name in OVERLAPS}
    shared: dict[str, set] = {name: set() for name in OVERLAPS}
    trained = False
    for utterance in _utterances(spec.of_role("train")):
        trained = True
        for name, value in _values(utterance).items():
            if value in wanted[name]:
                shared[name].add(value)
    return {test: _counts(rows, shared) for test, rows in tests.items() if rows and trained}


def _counts(rows: list[dict[str, Any]], shared: dict[str, set]) -> dict[str, tuple[int, int]]:
    known = {name: [row[name] for row in rows if row[name] is not None] for name in OVERLAPS}
    return {
        name: (sum(value in shared[name] for value in values), len(values)) for name, values in known.items() if values
    }


def _utterances(sets: list[DataSet]) -> Iterator[manifest.Utterance]:
    return (utterance for entry in sets if entry.manifest for utterance in manifest.read(entry.manifest))


def _values(utterance: manifest.Utterance) -> dict[str, Any]:
    # Segments of one recording are different recordings.
    return {name: getattr(utterance, name) for name in OVERLAPS} | {"source": (utterance.source, utterance.start)}
