"""The data of an experiment: what was accepted and rejected, and what its sets share."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from recipe.data import index, leaks
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
        known = index.left_by_data_stage(data.manifest)
        made.accepted = len(known) if known else sum(1 for _, line in read_lines(data.manifest) if line.strip())
        made.sha256 = known.sha256 if known else sha256(data.manifest)
    if data.stats:
        made.stats = read_json(data.stats)
        if made.accepted is None:
            made.accepted = made.stats.get("utterances")
    if data.rejects:
        _read_ledger(data.rejects, made.rejected, made.examples)
    if data.lost:
        before = made.rejected.total()
        _read_ledger(data.lost, made.rejected, made.examples)
        made.accepted = (made.accepted or 0) - (made.rejected.total() - before)
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


def shared(spec: Spec) -> dict[str, Any]:
    """What sets share, as leaks.json has it."""
    if spec.leaks:
        return read_json(spec.leaks)
    named = [entry for entry in spec.data if entry.manifest]
    return leaks.compare([leaks.CheckedSet(entry.role, entry.name, entry.manifest) for entry in named])
