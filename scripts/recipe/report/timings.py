"""How long the stages took and what memory they needed, from Snakemake's benchmark files (JSON lines).

These files are looked at where they are: one that is missing (a stage that another computer ran, say) is left out.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from recipe.files import read_json, read_json_lines
from recipe.report.spec import Spec, Timing


@dataclass(frozen=True)
class TimingRow:
    """Sums over the jobs of a stage; `memory` is the largest resident set (MB), `speed` seconds of audio a second.
    Jobs of a moment end before Snakemake measures them: processor and memory are None then."""

    stage: str
    name: str
    jobs: int
    seconds: float
    cpu_seconds: float | None
    memory: float | None
    speed: float | None


def rows(spec: Spec) -> list[TimingRow]:
    """Timings of which there are benchmark files, in the order of the specification."""
    return [row for timing in spec.timings if (row := _row(timing))]


def _row(timing: Timing) -> TimingRow | None:
    # A file has a line per repetition of its job; the last is that of the outputs.
    found = [list(read_json_lines(path))[-1][1] for path in timing.benchmarks if _has_lines(path)]
    if not found:
        return None
    seconds = sum(job["s"] for job in found)
    measured = [job for job in found if _number(job.get("cpu_time"))]
    whole = len(found) == len(timing.benchmarks)  # otherwise there was more audio than this time stands for
    return TimingRow(
        timing.stage,
        timing.name,
        len(found),
        seconds,
        sum(job["cpu_time"] for job in measured) if measured else None,
        max(_number(job.get("max_rss")) for job in measured) if measured else None,
        _speed(timing, seconds) if whole else None,
    )


def _has_lines(path: str) -> bool:
    return Path(path).is_file() and Path(path).stat().st_size > 0


def _number(value: object) -> float:
    """What was not measured is "NA"."""
    return value if isinstance(value, int | float) else 0.0


def _speed(timing: Timing, seconds: float) -> float | None:
    if timing.history:
        logged = [
            entry["audio_hours_per_hour"] for entry in read_json(timing.history) if "audio_hours_per_hour" in entry
        ]
        return fmean(logged) if logged else None
    hours = sum(read_json(path)["hours"] for path in timing.stats)
    return hours * 3600 / seconds if hours and seconds else None
