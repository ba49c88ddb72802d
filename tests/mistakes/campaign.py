"""Drawing mistakes, putting them into projects, running these, and saying of each mistake how its run ended."""

import json
import random
import shutil
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from mistakes import audio, commands, jsonl, judge, lines, running, settings, tables
from mistakes.judge import Verdict
from mistakes.kinds import KINDS, LIGHT, OUTSIDE, REFUSED, RESULT, Kind, Mistake, NotHere
from mistakes.project import EXPERIMENT, SET, SIZES, Project

MAKERS = (audio, commands, jsonl, lines, settings, tables)  # modules that register kinds
FAULT, NOT_HERE = "fault", "not here"
ROOM = {"train": 4, "valid": 2, "test": 4}  # mistakes in lines that a set has room for
SHARES = {"config": 0.3, "command": 0.2, "file": 0.1, "fine": 0.04}  # the rest: in lines
SMALL = {"train": 6, "valid": 4, "test": 6}


@dataclass
class Job:
    """What one project is made for: kinds of mistakes, each with the role of the set that it is made in."""

    number: int
    family: str  # lines, file, config or command
    kinds: list[tuple[Kind, str]]
    forms: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether a model is trained."""
        return "train" in self.forms


@dataclass
class Outcome:
    """How the run with a mistake ended: result, refused, fault, snakemake or not here."""

    kind: str
    end: str
    job: int
    about: dict
    words: str = ""
    folder: str = ""


# --- Drawing ----------------------------------------------------------------------------------------------------------


def draws(draw: random.Random, kinds: list[Kind], count: int) -> list[Kind]:
    """So many kinds, each about equally often, in a random order."""
    found: list[Kind] = []
    while kinds and len(found) < count:
        found += draw.sample(kinds, len(kinds))
    return found[:count]


def family(kind: Kind) -> str:
    """The part of a plan that a kind belongs to."""
    if kind.family == "data":
        return kind.form if kind.form in ("file", "fine") else "lines"
    return kind.family


def plan(count: int, seed: int, only: str = "") -> list[Job]:
    """The jobs of a campaign; `only`: kinds whose name has this in it."""
    draw = random.Random(f"{seed}:plan")
    groups = defaultdict(list)
    for kind in KINDS.values():
        if only in kind.name:
            groups[family(kind)].append(kind)
    present = {name: share for name, share in {**SHARES, "lines": 1 - sum(SHARES.values())}.items() if groups[name]}
    total = sum(present.values())
    counts = {name: round(count * share / total) for name, share in present.items()}
    if counts:
        counts[max(counts, key=counts.get)] += count - sum(counts.values())
    drawn = {name: draws(draw, groups[name], number) for name, number in counts.items()}
    jobs = [
        Job(0, name, [(kind, "")], table_forms(draw, kind))
        for name in ("file", "config", "command")
        for kind in drawn.get(name, [])
    ]
    jobs += packed(draw, drawn.get("lines", []), drawn.get("fine", []))
    draw.shuffle(jobs)
    for number, job in enumerate(jobs, 1):
        job.number = number
    return jobs


def table_forms(draw: random.Random, kind: Kind) -> dict[str, str]:
    """What the sets of a project for a mistake with a whole file, or in the configuration, are made of."""
    if kind.form == LIGHT:
        return {"test": "kaldi"}
    forms = {
        role: draw.choice(["kaldi", "kaldi", "jsonl"]) if family(kind) in ("file", "fine") else "kaldi" for role in ROOM
    }
    return forms | ({"test": "jsonl"} if "array" in kind.name else {"train": "kaldi"})


def packed(draw: random.Random, kinds: list[Kind], fine: list[Kind]) -> list[Job]:
    """Jobs that hold several mistakes in lines each, and up to two of whole files that mean nothing."""
    waiting = defaultdict(list)
    for kind in kinds:
        waiting[kind.form].append(kind)
    jobs = []
    while any(waiting.values()) or fine:
        roles = list(ROOM) if draw.random() < 0.7 else ["test"]
        job = Job(0, "lines", [])
        for role in roles:
            sizes = [len(found) for found in waiting.values()]
            form = draw.choices(list(waiting), sizes)[0] if any(sizes) else "kaldi"
            job.forms[role] = form
            job.kinds += [(waiting[form].pop(), role) for _ in range(min(ROOM[role], len(waiting[form])))]
        tables = list(job.forms.values()).count("kaldi")
        job.kinds += [(fine.pop(), "") for _ in range(min(2, tables, len(fine)))]
        jobs.append(job)
    return jobs


# --- Running ----------------------------------------------------------------------------------------------------------


class Campaign:
    """Runs jobs in folders below `keep`; folders of faults stay there."""

    def __init__(self, seed: int, keep: Path, limit: float = 240.0):
        self.seed, self.keep, self.limit = seed, keep, limit
        self.finished = keep / "finished"
        self.runs: Counter[int] = Counter()  # by job
        self._lock = threading.Lock()

    def start(self) -> Verdict:
        """Run a project without any mistake: all that comes after is judged against it, and command lines use it."""
        project = Project(self.finished, random.Random(self.seed), dict.fromkeys(ROOM, "kaldi"), sizes=SMALL)
        project.copy_model()
        project.write()
        return judge.judge(project, [], running.workflow(project, self.limit))

    def folder(self, job: Job) -> Path:
        """A new folder for a run of a job."""
        with self._lock:
            self.runs[job.number] += 1
            return self.keep / f"{job.number:03d}.{self.runs[job.number]}"

    def settle(self, job: Job) -> list[Outcome]:
        """How each of a job's mistakes ended, in as many runs as that needs."""
        try:
            if job.family == "command":
                return self._command(job)
            return self._workflow(job, list(range(len(job.kinds))))
        except Exception:  # noqa: BLE001 - a defect of the harness is told with the job that shows it
            return [
                Outcome(kind.name, FAULT, job.number, {}, f"harness: {traceback.format_exc()[-600:]}")
                for kind, _ in job.kinds
            ]

    def _command(self, job: Job) -> list[Outcome]:
        kind, folder = job.kinds[0][0], self.folder(job)
        bench = commands.Bench(self.finished, folder)
        mistake = kind.make(random.Random(f"{self.seed}:{job.number}:0"), bench)
        mistake.kind = kind.name
        verdict = commands.judged(bench, mistake, self.limit)
        return self._outcomes(job, folder, verdict, [mistake])

    def _workflow(self, job: Job, places: list[int]) -> list[Outcome]:
        """Run those of a job's mistakes; what the run says nothing of is run again without the others."""
        folder = self.folder(job)
        sizes = SMALL if job.family in ("config", "file") else SIZES
        project = Project(folder, random.Random(f"{self.seed}:{job.number}"), job.forms, job.runs, sizes)
        made, outcomes = self._make(project, job, places)
        if not made:
            shutil.rmtree(folder, ignore_errors=True)
            return outcomes
        project.write()
        mistakes = [mistake for _, mistake in made]
        verdict = judge.judge(project, mistakes, running.workflow(project, self.limit), is_plain(project))
        told, rest = divide(verdict, made)
        outcomes += self._outcomes(job, project.folder, verdict, told)
        for part in rest:
            outcomes += self._workflow(job, part)
        return outcomes

    def _make(self, project: Project, job: Job, places: list[int]) -> tuple[list[tuple[int, Mistake]], list[Outcome]]:
        """Make mistakes in a project: those made, with their places, and the outcomes of those that could not be."""
        made, outcomes = [], []
        if job.family == "lines":
            vary(project, random.Random(f"{self.seed}:{job.number}:settings"))
        for place in places:
            kind, role = job.kinds[place]
            draw = random.Random(f"{self.seed}:{job.number}:{place}")
            try:
                mistake = kind.make(draw, project.sets[role] if role else project)
            except NotHere as reason:
                outcomes.append(Outcome(kind.name, NOT_HERE, job.number, {}, str(reason)))
                continue
            mistake.kind = kind.name
            made.append((place, mistake))
        return made, outcomes

    def _outcomes(self, job: Job, folder: Path, verdict: Verdict, told: list[Mistake]) -> list[Outcome]:
        """The outcomes of the mistakes that a run tells about; its folder goes if nothing is wrong."""
        outcomes = []
        for mistake in told:
            faults = [fault for fault, of in verdict.faults if of is mistake or of is None]
            end = FAULT if faults else verdict.end
            words = "; ".join(faults) if faults else " | ".join(verdict.lines)
            outcomes.append(Outcome(mistake.kind, end, job.number, mistake.about, words, str(folder) if faults else ""))
        if any(outcome.end == FAULT for outcome in outcomes):
            about = [{"kind": o.kind, "about": o.about, "end": o.end, "words": o.words} for o in outcomes]
            (folder / "mistakes.json").write_text(json.dumps(about, indent=2, default=str, ensure_ascii=True))
        else:
            shutil.rmtree(folder, ignore_errors=True)
        return outcomes


def vary(project: Project, draw: random.Random) -> None:
    """Settings of a project for mistakes in lines: their number ends no run, and they meet all ways to read."""
    project.settings["data"] |= {
        "max_reject_ratio": 1.0,
        "allow_commands": draw.random() < 0.5,
        "shards": draw.choice([1, 1, 1, 2]),
        "non_nfc": draw.choice(["reject", "convert"]),
        **draw.choice([{}, {"verify": "header"}, {"verify": "full"}]),
    }
    project.settings["score"]["modes"] = draw.choice([["faithful"], ["compatible"], ["raw"]])
    for data in project.sets.values():
        data.commands = project.settings["data"]["allow_commands"]


def is_plain(project: Project) -> bool:
    """Whether a project's results lie where they usually do."""
    values = project.settings
    sets = {role: {SET: data.path} for role, data in project.sets.items()}
    data = values.get("data")
    given = {role: data.get(role) for role in sets} if isinstance(data, dict) else None
    usual = project.raw_settings is None and project.arguments == ["--configfile", "settings.yaml"]
    return usual and values.get("experiment") == EXPERIMENT and given == sets


def divide(verdict: Verdict, made: list[tuple[int, Mistake]]) -> tuple[list[Mistake], list[list[int]]]:
    """The mistakes that a run tells about, and lists of places of the others, which are to be run again."""
    everyone = [mistake for _, mistake in made]
    if len(made) == 1:
        return everyone, []
    if any(of is None for _, of in verdict.faults):  # nobody knows whose fault it is: each half alone
        blamed = [m for m in everyone if any(of is m for _, of in verdict.faults)]
        others = [place for place, mistake in made if mistake not in blamed] if blamed else None
        if others:
            return blamed, [others]
        half = len(made) // 2
        return [], [[place for place, _ in made[:half]], [place for place, _ in made[half:]]]
    if verdict.end == RESULT:
        return everyone, []
    told = [m for m in everyone if any(of is m for _, of in verdict.faults)]
    if verdict.end == REFUSED and not told:
        told = [m for line in verdict.lines for m in judge.naming(line, everyone)]
        told = [m for m in everyone if m in told] or everyone[:1]
    others = [place for place, mistake in made if mistake not in told]
    return told, [others] if others else []


def run_all(campaign: Campaign, jobs: list[Job], workers: int, tell=lambda outcome: None) -> list[Outcome]:
    """Settle all jobs, so many at a time."""
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(campaign.settle, job) for job in jobs]):
            outcomes += done.result()
            for outcome in done.result():
                tell(outcome)
    return outcomes


# --- What came of it --------------------------------------------------------------------------------------------------


def table(outcomes: Iterable[Outcome]) -> list[str]:
    """Kinds by outcomes, as lines of a TSV."""
    counts = defaultdict(Counter)
    for outcome in outcomes:
        counts[outcome.kind][outcome.end] += 1
    ends = (RESULT, REFUSED, OUTSIDE, FAULT, NOT_HERE)
    rows = ["\t".join([kind, *(str(counts[kind][end]) for end in ends)]) for kind in sorted(counts)]
    return ["\t".join(["kind", *ends]), *rows]


def sorts(outcomes: list[Outcome]) -> str:
    """Faults by what is wrong, the commonest first."""
    counts = Counter(outcome.words.partition(":")[0][:40] for outcome in outcomes if outcome.end == FAULT)
    return ", ".join(f"{number} {sort}" for sort, number in counts.most_common())


def summary(outcomes: list[Outcome], runs: int, started: float) -> str:
    """The campaign in a line."""
    ends = Counter(outcome.end for outcome in outcomes)
    kinds = len({outcome.kind for outcome in outcomes})
    tried, minutes = len(outcomes) - ends[NOT_HERE], (time.monotonic() - started) / 60
    return (
        f"{tried} mistakes of {kinds} kinds in {runs} runs, {minutes:.1f} min: {ends[RESULT]} ended in a result with "
        f"full counts, {ends[REFUSED]} in one clear line before the first long stage, {ends[FAULT]} in anything else "
        f"({ends[OUTSIDE]} in Snakemake before it read the recipe; {ends[NOT_HERE]} more could not be made here)"
    )
