"""The small table: summary.tsv for programs, summary.md for people and terminals."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recipe.report import curves
from recipe.report.results import RATE, Result, Results, SeedMean
from recipe.report.spec import Spec
from recipe.score.cer_txt import width

RATES = ("cer", "wer", "ser")
TEXT_FLAGS = ("empty_hypothesis", "text_without_reference", "text_on_silence", "looping")
COLUMNS = (
    "mode", "test", "model", "utterances", "tokens", "errors", "mer", "mer_low", "mer_high", "cer", "wer", "ser",
    "change", "difference", "difference_low", "difference_high", "p", "verdict", "truncated", "error", "missing",
    "extra", *TEXT_FLAGS, "hotword_recall", "hotword_precision", "seeds", "spread", "own_rules",
    "remarks",
)  # fmt: skip
_COUNTED = 4 + len(TEXT_FLAGS) + 2  # columns from `truncated` to `hotword_precision`
MARKS = {"better": " *", "worse": " *"}
# What a verdict about two models is about, and what it is not.
SEEDS = "of several seeds the mean ± their sample standard deviation, and with it the chance of other seeds"
CHANCE = "more than the chance of this test set; another training, with another seed, may differ as well"


def percent(value: float | None, digits: int = 2) -> str:
    """A share as a number of percent; empty if there is none."""
    return "" if value is None else f"{100 * value:.{digits}f}"


def signed_percent(value: float | None, digits: int = 1) -> str:
    """A share as percent with its sign; of None what stands for nothing."""
    return "" if value is None else f"{100 * value:+.{digits}f}"


def tsv_lines(results: Results) -> Iterator[str]:
    """One line per mode, test set and model, and one for the mean of each run with several seeds. Rates, spread, change
    (relative) and difference (absolute) are in percent."""
    yield "\t".join(COLUMNS)
    for result in results:
        for mean in results.means(result.test, result.mode):
            if mean.models[0] == result.model:
                yield _tsv_line(mean, [mean.mean_of(name) for name in RATES], [""] * _COUNTED)
        yield _tsv_line(result, [result.score.get(name, {}).get("rate") for name in RATES], _counted(result))


def _tsv_line(result: Result | SeedMean, rates: Sequence[float | None], counted: Sequence[str]) -> str:
    low, high = result.interval or (None, None)
    difference = result.difference
    difference_low, difference_high = difference.get("ci") or (None, None)
    changes = (result.change, difference.get("value"), difference_low, difference_high)
    return "\t".join(
        [
            *(result.mode, result.test, result.model),
            *(f"{count:g}" if isinstance(count, float) else str(count)
              for count in (result.utterances, result.tokens, result.errors)),
            *(percent(value, 3) for value in (result.rate, low, high, *rates, *changes)),
            "" if result.p is None else f"{result.p:.3g}",
            result.verdict or "",
            *counted,
            str(len(result.models)),
            percent(result.spread, 3),
            result.own_rules or "",
            result.caution or "",
        ]
    )  # fmt: skip


def _counted(result: Result) -> list[str]:
    """What is counted of a model alone, not of a mean."""
    return [
        *(str(result.flagged(name)) for name in ("truncated", "error", "missing")),
        str(result.extra),
        *(str(result.flagged(name)) for name in TEXT_FLAGS),
        *(percent(result.hotwords.get(name), 3) for name in ("recall", "precision")),
    ]


def markdown_lines(spec: Spec, results: Results) -> Iterator[str]:
    """A table per mode: a row per model, a column per test set. Cells are padded, to be read on a terminal as well."""
    yield f"Error rate ({RATE.upper()}) in percent, with its 95 % interval and the change relative to {spec.baseline};"
    yield f"* where the difference is significant: {CHANCE}."
    if len(results.rows) < len(spec.models):
        yield f"A row is a run, {SEEDS}."
    for mode in spec.modes:
        rows = [[_escape(row), *(_cell(results.get(row, test, mode)) for test in spec.tests)]
                for row in results.rows]  # fmt: skip
        yield ""
        name = f"{mode}, own rules" if results.own_rules(mode) else mode
        yield from _table([_escape(name), *map(_escape, spec.tests)], rows)
    remarks = [*_own_rules(spec, results), *_cautions(spec, results), *_runs(spec, results), *_seeds(spec, results),
               *curves.sentences(spec)]  # fmt: skip
    if remarks:
        yield ""
        yield from (f"- {remark}" for remark in remarks)


def _own_rules(spec: Spec, results: Results) -> Iterator[str]:
    """What figures of other experiments must have been scored by as well, to be compared with these."""
    by_rules: dict[str, list[str]] = {}
    for mode in spec.modes:
        if rules := results.own_rules(mode):
            by_rules.setdefault(rules, []).append(_escape(mode))
    for rules, modes in by_rules.items():
        yield f"{', '.join(modes)}: scored by own rules, {_escape(rules)}."


def _cautions(spec: Spec, results: Results) -> Iterator[str]:
    for test in spec.tests:
        if caution := results.caution(test, spec.modes[0]):
            yield f"{_escape(test)}: {caution}."


def _runs(spec: Spec, results: Results) -> Iterator[str]:
    """Runs against each other, a line for each test set; the table has what the base is compared with."""
    for test in spec.tests:
        compared = results.compared(test, spec.modes[0])
        pairs = [pair for pair in compared if spec.baseline not in pair["models"]]
        better = [_better_words(pair) for pair in pairs if pair["better"]]
        if pairs:
            number = sum(pair["p"] is not None for pair in compared)
            about = f"(p corrected for {number} comparisons; of {chances(pairs)})"
            words = f"{'; '.join(better) or 'no significant difference'} {about}"
            if results.caution(test, spec.modes[0]):
                words = "too few speakers or utterances to call a difference significant"
            yield f"{_escape(test)}, {spec.modes[0]}, runs against each other: {words}."


def _seeds(spec: Spec, results: Results) -> Iterator[str]:
    """The rates of single seeds."""
    mode = spec.modes[0]
    for test in spec.tests:
        for mean in results.means(test, mode):
            rates = ", ".join(f"{_escape(seed.model)} {percent(seed.rate)}" for seed in mean.seeds)
            yield f"{_escape(test)}, {mode}, each seed: {rates}."


def chances(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Which chance the comparisons of `pairs` know of."""
    if any(len(runs) > 1 for pair in pairs for runs in pair.get("runs", [])):
        return "the chance of this test set, and of training where a setting has several seeds"
    return "the chance of this test set alone"


def _better_words(pair: Mapping[str, Any]) -> str:
    """A significant difference of two models in words."""
    better = pair["better"]
    worse = next(model for model in pair["models"] if model != better)
    low, high = sorted(abs(end) for end in pair["ci"])
    points = f"{percent(abs(pair['difference']))} points [{percent(low)}, {percent(high)}]"
    return f"{_escape(better)} is better than {_escape(worse)} by {points}, {p_value(pair['p_corrected'])}"


def p_value(p: float) -> str:
    """A p-value for reading."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _cell(result: Result | SeedMean | None) -> str:
    if result is None or result.rate is None:
        return "-"
    parts = [percent(result.rate) + (f" ± {percent(result.spread)}" if result.spread is not None else "")]
    if result.interval:
        parts.append("[{}, {}]".format(*map(percent, result.interval)))
    if result.change is not None:
        parts.append(f"{signed_percent(result.change)} %{MARKS.get(result.verdict, '')}")
    return " ".join(parts)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(_columns(row[i]) for row in [header, *rows]) for i in range(len(header))]
    rule = [":" + "-" * (size - 1) for size in widths]
    for row in (header, rule, *rows):
        cells = (cell + " " * (size - _columns(cell)) for cell, size in zip(row, widths, strict=True))
        yield f"| {' | '.join(cells)} |"


def _columns(cell: str) -> int:
    """Columns of a cell on a terminal. Unicode leaves open how wide ± is: one column, but on old East Asian ones."""
    return width(cell) - cell.count("±")


def _escape(name: str) -> str:
    return name.replace("|", "\\|").replace("<", "&lt;")
