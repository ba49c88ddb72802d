"""What errors cost by group: the dearest groups of the base model and of the best one, with links to utterances."""

from typing import NamedTuple
from urllib.parse import urlencode

from recipe.files import RecipeError, read_lines
from recipe.report.results import Results
from recipe.report.spec import ScoreFiles, Spec
from recipe.score.grouped import HEADER

ROWS = 12  # of a table; the files have all
TEST_SETS = 20  # that have tables, the first ones
_VIEW = "#view?"  # what the page's script takes for a view of utterances
_LABELS = ("speaker", "group", "language")  # kinds that the list of utterances can be filtered by


class CostRow(NamedTuple):
    """A group as the table shows it: points, rate and shares, all as fractions, and (text, link) of utterances."""

    kind: str
    name: str
    excess: float
    low: float | None
    high: float | None
    all_points: float
    rate: float | None
    token_share: float
    error_share: float
    links: list[tuple[str, str]]


class CostTable(NamedTuple):
    """The dearest of so many groups of a model's errors on a test set in a mode."""

    mode: str
    test: str
    model: str
    groups: int
    rows: list[CostRow]


class Costs(NamedTuple):
    """All tables, and how many test sets have none for want of room."""

    tables: list[CostTable]
    left_out: int


def collect(spec: Spec, results: Results) -> Costs:
    """The tables of the scores whose errors were grouped: of each test set the base model's and the best one's."""
    tests = list(dict.fromkeys(files.test for files in spec.scores if files.groups))
    shown = set(tests[:TEST_SETS])
    tables = []
    for files in spec.scores:
        best = results.best(files.test, files.mode)
        wanted = {spec.baseline, best.model if best else spec.baseline}
        if files.groups and files.test in shown and files.model in wanted:
            tables.append(_table(files))
    return Costs(tables, len(tests) - len(shown))


def _table(files: ScoreFiles) -> CostTable:
    groups, rows = 0, []
    for number, line in read_lines(files.groups):
        cells = line.split("\t")
        if number == 1:
            if line != HEADER:
                raise RecipeError(f"{files.groups}: not a table of group_errors.py; run it again")
            continue
        groups += 1
        row = dict(zip(HEADER.split("\t"), cells, strict=True))
        # The table is sorted by it, and what fares better than the rest is no cost.
        if len(rows) < ROWS and row["excess_points"] and float(row["excess_points"]) > 0:
            rows.append(_row(row, files))
    return CostTable(files.mode, files.test, files.model, groups, rows)


def _row(row: dict[str, str], files: ScoreFiles) -> CostRow:
    view = {"test": files.test, "model": files.model, "mode": files.mode}
    links = [(key, _VIEW + urlencode(view | {"search": key})) for key in row["examples"].split()]
    if row["kind"] in _LABELS:
        links.insert(0, ("all", _VIEW + urlencode(view | {row["kind"]: row["name"]})))
    points = [_number(row[name]) for name in ("excess_points", "low", "high", "all_points")]
    excess, low, high, all_points = (None if value is None else value / 100 for value in points)
    return CostRow(
        row["kind"], row["name"], excess, low, high, all_points,
        _number(row["rate"]), float(row["token_share"]), float(row["error_share"]), links,
    )  # fmt: skip


def _number(cell: str) -> float | None:
    return float(cell) if cell else None
