"""How a run ended, seen from outside: a result whose counts add up, or one clear line before the first long stage.

Nothing of the recipe is used here. Entries are counted in the tables that the mistakes were made in, not in what the
recipe says of them.
"""

import csv
import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mistakes.kinds import ACCEPTED, NOTED, OUTSIDE, REFUSED, REJECTED, RESULT, Mistake, Touched
from mistakes.project import EXP, ROOT, SET, DataSet, Project, bundled, split

LONGEST_LINE = 3000  # characters of an error that is still a clear line
# An error of ours; Snakemake's own, whose message follows on the next lines; and one of a command line.
OURS = re.compile(r"^.*?\w+\.py: error: .*$", re.MULTILINE)
WORKFLOW_ERROR = re.compile(
    r"^(?:WorkflowError|MissingRuleException)(?: in .*)?:\n(?!At least one job did not complete)(?:.+(?:\n|$))+",
    re.MULTILINE,
)
USAGE = re.compile(r"^(?:snakemake|__main__\.py|usage): ?error: .*$|^Error: .*$", re.MULTILINE)
TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|^Fatal Python error|^Segmentation fault|core dumped", re.MULTILINE
)
# Snakemake shows an exception in rules as `KeyError in file ..., line ...`.
UNCAUGHT = re.compile(
    r"^(?!WorkflowError|MissingRule|CalledProcessError|RuleException)"
    r"\w+(?:Error|Exception|Exit)\b in (?:file|rule|line) .*$",
    re.MULTILINE,
)
FILES_MISSING = "completed successfully, but some output files are missing"


@dataclass
class Ended:
    """How a process ended: exit status (None: it was stopped at the time limit), what it printed, all logs by name."""

    status: int | None
    output: str
    logs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def everything(self) -> str:
        """Output and logs as one text."""
        return "\n".join([self.output, *self.logs.values()])


@dataclass
class Verdict:
    """`end` is RESULT, REFUSED or OUTSIDE; `faults` are what is wrong, and `of` which mistake each is."""

    end: str
    faults: list[tuple[str, Mistake | None]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # the errors


def error_lines(text: str) -> list[str]:
    """The clear errors in what was printed, each on one line."""
    found = [*OURS.findall(text), *WORKFLOW_ERROR.findall(text), *USAGE.findall(text)]
    return list(dict.fromkeys(" ".join(line.split()) for line in found))


def never(ended: Ended) -> list[str]:
    """What must not be, however a run ends."""
    text, faults = ended.everything(), []
    if ended.status is None:
        faults.append("hangs: stopped at the time limit")
    elif ended.status < 0:
        faults.append(f"killed by signal {-ended.status}")
    if TRACEBACK.search(text):
        faults.append(f"traceback: {last_words(text)}")
    if found := UNCAUGHT.search(text):
        faults.append(f"uncaught: {found[0][:150]} {following(text, found.end())}")
    if FILES_MISSING in text:
        faults.append(f"'{FILES_MISSING}'")
    return faults


def last_words(text: str) -> str:
    """The exception that a traceback ends with."""
    tail = text[TRACEBACK.search(text).start() :]
    ends = re.search(
        r"^(?=\w)(?!Traceback)[\w.]+(?:Error|Exception|Interrupt|Exit|Failure)?\b(?::.*)?$", tail, re.MULTILINE
    )
    return (ends[0] if ends else tail.splitlines()[-1])[:200]


def following(text: str, place: int) -> str:
    """The line behind a place."""
    return text[place:].lstrip("\n").partition("\n")[0].strip()[:150]


# --- Refused ----------------------------------------------------------------------------------------------------------


def naming(line: str, mistakes: list[Mistake], project: Project | None = None) -> list[Mistake]:
    """The mistakes that an error names: a key, a file, a setting, or the line of a file that was touched."""
    texts = [line, *quoted_lines(line, project)]
    found = []
    for mistake in mistakes:
        names = {name for name in (*mistake.names, *mistake.keys) if name.strip()}
        spelled = {*names, *(ascii(name)[1:-1] for name in names), *(repr(name)[1:-1] for name in names)}
        if any(name in text for name in spelled for text in texts):
            found.append(mistake)
    return found


def quoted_lines(line: str, project: Project | None) -> list[str]:
    """The lines of the project's files that an error points to as `file:number`."""
    quoted = []
    for path, number in re.findall(r"([^\s'\"]+):(\d+)\b", line):
        file = (project.folder if project else Path()) / path
        if file.is_file():
            found = file.read_bytes().split(b"\n")
            quoted += [part.decode("utf-8", "replace") for part in found[int(number) - 1 : int(number)]]
    return quoted


def unclear(line: str) -> str:
    """What makes an error hard to read, if anything does."""
    if len(line) > LONGEST_LINE:
        return f"a line of {len(line)} characters: {line[:100]}..."
    if found := re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", line):
        return f"U+{ord(found[0]):04X} in the error: {ascii(line)[:200]}"
    return ""


def long_stages(project: Project) -> list[str]:
    """Trainings and decodings that were begun."""
    folder = project.folder / "exp"
    return sorted(
        str(log.relative_to(folder)) for stage in ("train", "decode") for log in folder.glob(f"*/logs/{stage}/*")
    )


def refused(project: Project, mistakes: list[Mistake], ended: Ended) -> Verdict:
    """A run that failed: one clear line, about a mistake that was made, before the first long stage."""
    lines = error_lines(ended.everything())
    if not lines:
        said = [line for line in ended.output.splitlines() if line.strip()][-3:]
        return Verdict(REFUSED, [(f"no clear line; it ends with: {' | '.join(said)[-300:]}", None)])
    verdict = Verdict(REFUSED, lines=lines)
    culprits = list({id(m): m for line in lines for m in naming(line, mistakes, project)}.values())
    only = culprits[0] if len(culprits) == 1 else None
    if not culprits:
        verdict.faults.append((f"names nothing that was touched: {lines[0][:300]}", None))
    if begun := long_stages(project):
        verdict.faults.append((f"late: after {', '.join(begun)}: {lines[0][:200]}", only))
    verdict.faults += [(fault, only) for line in lines if (fault := unclear(line))]
    verdict.faults += [(f"refused: {lines[0][:200]}", m) for m in culprits if REFUSED not in m.ends]
    return verdict


# --- A result ---------------------------------------------------------------------------------------------------------


def json_lines(path: Path) -> list[dict]:
    """The objects of a JSONL file; a line ends at a line feed and nowhere else."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line.strip()]


def rows(path: Path) -> list[list[str]]:
    """The rows of a TSV, without its heading."""
    lines = path.read_bytes().decode().split("\n")
    return [line.split("\t") for line in lines[1:] if line]


@dataclass
class Made:
    """What the data stage made of a set: transcripts in the manifest by key, in its order, (key, reason) rejected, keys
    with remarks."""

    accepted: dict[str, str]
    rejected: list[tuple[str, str]]
    noted: set[str]

    def fates(self, keys: tuple[str, ...]) -> set[str]:
        """What became of an entry, which may be spelled in any of these ways."""
        fates = {ACCEPTED} if any(key in self.accepted for key in keys) else set()
        fates |= {NOTED} if fates and any(key in self.noted for key in keys) else set()
        return fates | ({REJECTED} if any(key in keys for key, _ in self.rejected) else set())


def read_made(project: Project, role: str) -> tuple[Made | None, list[str]]:
    """What was made of a set, and what is wrong with the files that say it."""
    stem, faults = project.folder / EXP / "data" / role / SET, []
    try:
        records = json_lines(stem.with_suffix(".jsonl"))
        accepted = {record["key"]: record["messages"][-1]["content"] for record in records}
        table = rows(Path(f"{stem}.rejects.tsv"))
    except (OSError, ValueError, KeyError) as error:
        return None, [f"{role}: manifest or rejects cannot be read: {error!r}"]
    faults += [f"{role}: a row of the rejects has {len(row)} columns: {row}" for row in table if len(row) != 4]
    faults += [f"{role}: rejected without a reason: {row}" for row in table if len(row) == 4 and not row[2]]
    times = Counter(record["key"] for record in records)
    faults += [f"{role}: {key} is {n} times in the manifest" for key, n in times.items() if n > 1]
    notes = Path(f"{stem}.notes.tsv")
    noted = {row[0] for row in rows(notes)} if notes.exists() else set()
    return Made(accepted, [(row[0], row[2] if len(row) > 2 else "") for row in table], noted), faults


def is_blank(line: bytes) -> bool:
    """Whether a line has nothing that is seen, white space of any kind."""
    return not "".join(char for char in line.decode("utf-8", "replace") if char.isprintable()).strip()


def entries(data: DataSet) -> tuple[int, int]:
    """Least and largest number of entries that a set may count: the lines of its primary table, and those of others
    that belong to none of them; of lines that say a thing again, each may be counted or not."""

    def keys(table: str) -> list[bytes]:
        return [split(line)[0] for line in data.tables.get(table, []) if split(line)[0]]

    lines = [line for line in data.tables[data.primary] if line.strip(b" \t\r\n")]
    if data.form == "jsonl":
        return len(lines), len(lines)
    primary = set(keys(data.primary))
    orphans = [key for key in keys("text") if key not in primary]
    again = sum(Counter(keys("text")).values()) - len(set(keys("text")))
    recordings = len(keys("wav.scp")) if data.form == "segments" else 0
    # A line of white space other than space and tab may be one, or none.
    unclear = sum(is_blank(line) for table in data.tables.values() for line in table if line.strip(b" \t\r\n"))
    return len(lines) + len(set(orphans)) - unclear, len(lines) + len(orphans) + again + recordings + unclear


def entry_fault(entry: Touched, made: Made) -> str:
    """What is wrong with what became of an entry; nothing if it is where it may be."""
    fates, name = made.fates(entry.keys), f"{entry.role}: {ascii(entry.keys[0])[:99]}"
    if not fates:
        return f"{name} is neither in the manifest nor in the rejects"
    if fates & entry.fates:
        return ""
    return f"{name} is {'/'.join(sorted(fates))}, expected {'/'.join(sorted(entry.fates))}"


def set_faults(
    project: Project, data: DataSet, mistakes: list[Mistake], made: Made
) -> list[tuple[str, Mistake | None]]:
    """Whether the counts of a set add up, and each entry is where it may be."""
    faults, role = [], data.role
    own = [m for m in mistakes if any(t.role == role for t in m.touched) or m.about.get("role") == role]
    if any(m.whole_set == role for m in own):
        lost = lost_keys(project, data, made)
        return [(f"{role}: neither in the manifest nor in the rejects: {', '.join(lost)}", own[0])] if lost else []
    total = len(made.accepted) + len(made.rejected)
    least, most = entries(data)
    if not least <= total <= most:
        faults.append(
            (
                f"{role}: {len(made.accepted)} accepted + {len(made.rejected)} rejected, of {least} to {most} entries",
                None,
            )
        )
    faults += [
        (words, mistake)
        for mistake in own
        for entry in mistake.touched
        if entry.role == role and (words := entry_fault(entry, made))
    ]
    touched = {key for m in mistakes for key in m.keys}
    for key in set(data.keys) - touched:
        if ACCEPTED not in made.fates((key,)):
            reasons = [reason for other, reason in made.rejected if other == key]
            faults.append((f"{role}: {key}, which nothing touched, is {reasons or 'lost'}", None))
        elif made.accepted[key] != bundled(role)["text"][key]:
            faults.append((f"{role}: {key}, which nothing touched, has another text: {made.accepted[key]!r}", None))
    return faults


def lost_keys(project: Project, data: DataSet, made: Made) -> list[str]:
    """Keys that stand in a file of the set, as written, and in none of the two lists."""
    names = [project.folder / data.path] if data.form == "jsonl" else [data.file("wav.scp"), data.file("text")]
    raw = b"\n".join(path.read_bytes() for path in names if path.is_file())
    listed = {*made.accepted, *(key for key, _ in made.rejected)}
    if data.form == "jsonl":  # a key in a line that is not UTF-8 cannot be told: the line is listed by its number
        raw = b"\n".join(line for line in raw.split(b"\n") if line == line.decode(errors="ignore").encode())
    return [key for key in data.keys if key.encode() in raw and not any(key in other for other in listed)]


def score_faults(project: Project, model: str, mode: str, made: Made) -> list[str]:
    """Whether a score accounts for every reference and hypothesis of the test set."""
    where, exp = f"{model}, {mode}", project.folder / EXP
    score_dir = exp / "score" / mode / "hyp" / model / SET
    try:
        text = (exp / "decode" / model / SET / "text").read_bytes().decode()
        details = [record["key"] for record in json_lines(exp / "decode" / model / SET / "text.jsonl")]
        score = json.loads((score_dir / "score.json").read_text(encoding="utf-8"))
        scored = json_lines(score_dir / "utterances.jsonl")
    except (OSError, ValueError, KeyError) as error:
        return [f"{where}: no readable score: {error!r}"]
    hypotheses = [line.partition("\t")[0] for line in text.split("\n") if line]
    counts, keys = score["utterances"], [line["key"] for line in scored]
    faults = [f"{where}: {name} is not a number" for name in not_finite(score)]
    if hypotheses != details or len(set(details)) != len(details):
        faults.append(
            f"{where}: text has {len(hypotheses)} keys, text.jsonl {len(details)} ({len(set(details))} different)"
        )
    if counts["scored"] != len(keys) or len(set(keys)) != len(keys):
        faults.append(f"{where}: {counts['scored']} scored, but {len(set(keys))} utterances are listed")
    if len(hypotheses) != counts["scored"] - counts["missing"] + counts["extra"]:
        faults.append(f"{where}: {len(hypotheses)} hypotheses, but {counts}")
    if lost := sorted(set(made.accepted) - set(hypotheses)):
        faults.append(f"{where}: in the manifest and not decoded: {', '.join(lost)[:300]}")
    if lost := sorted(set(made.accepted) - set(keys)):
        faults.append(f"{where}: in the manifest and not scored: {', '.join(lost)[:300]}")
    if "rejected" in counts:
        faults += rejects_faults(where, counts, keys, made)
    if sum(line["n"] for line in scored) != score["mer"]["n"]:
        faults.append(f"{where}: the utterances' tokens do not add up to {score['mer']['n']}")
    return faults


def rejects_faults(where: str, counts: dict, keys: list[str], made: Made) -> list[str]:
    """Whether what the data stage rejected is left out of a score, and counted there."""
    faults = []
    orphans = sum(
        reason in ("key-without-audio", "duplicate-transcript", "recording-without-segments")
        for _, reason in made.rejected
    )
    if not len(made.rejected) - orphans <= counts["rejected"] <= len(made.rejected):
        faults.append(
            f"{where}: {counts['rejected']} rejected in the score, {len(made.rejected)} in the data stage's list"
        )
    if more := sorted(set(keys) - set(made.accepted)):
        faults.append(f"{where}: scored, but not in the manifest: {', '.join(more)[:300]}")
    return faults


def not_finite(value, path: str = "score") -> list[str]:
    """Places of numbers that are none."""
    if isinstance(value, dict):
        return [place for name, inner in value.items() for place in not_finite(inner, f"{path}.{name}")]
    if isinstance(value, list):
        return [place for i, inner in enumerate(value) for place in not_finite(inner, f"{path}[{i}]")]
    return [path] if isinstance(value, float) and not math.isfinite(value) else []


def training_faults(project: Project, run: str, made: dict[str, Made]) -> list[str]:
    """Whether a run says that it trained on all that was accepted, and its numbers are numbers."""
    folder = project.folder / EXP / "train" / run
    try:
        recipe = json.loads((folder / "model/recipe.json").read_text(encoding="utf-8"))
        history = json.loads((folder / "model/history.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"{run}: no model: {error!r}"]
    counts = {entry["role"]: entry["utterances"] for entry in recipe["sets"] if entry["name"] == SET}
    faults = [f"{run}: {name} is not a number" for name in not_finite(history, "history")]
    for role, number in counts.items():
        if role in made and number != len(made[role].accepted):
            faults.append(f"{run}: trained on {number} of {role}, the manifest has {len(made[role].accepted)}")
    return faults


def summary_faults(project: Project, models: list[str]) -> list[str]:
    """Whether the table of results has a figure for every model."""
    path = project.folder / EXP / "report/summary.tsv"
    if not path.exists() or not path.with_name("report.html").exists():
        return ["there is no report"]
    with open(path, encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    lacking = set(models) - {row["model"] for row in table}
    return [f"summary.tsv lacks {', '.join(sorted(lacking))}"] if lacking else []


def result(project: Project, mistakes: list[Mistake], plain: bool) -> Verdict:
    """A run that succeeded: all counts add up. `plain`: sets, experiment and runs have their usual names."""
    verdict = Verdict(RESULT)
    verdict.faults += [("accepted without a word", m) for m in mistakes if RESULT not in m.ends]
    if verdict.faults or not plain:
        return verdict
    made = {}
    for role, data in project.sets.items():
        found, faults = read_made(project, role)
        verdict.faults += [(fault, None) for fault in faults]
        if found:
            made[role] = found
            verdict.faults += set_faults(project, data, mistakes, found)
    runs = [str(run) for run in project.settings["runs"] or {}]  # YAML makes a number of some names
    for model in ["base", *runs] if "test" in made else []:
        for mode in project.settings["score"]["modes"]:
            verdict.faults += [(fault, None) for fault in score_faults(project, model, mode, made["test"])]
    for run in runs:
        verdict.faults += [(fault, None) for fault in training_faults(project, run, made)]
    verdict.faults += [(fault, None) for fault in summary_faults(project, ["base", *runs])]
    if left := sorted(str(path) for path in (project.folder / "exp").rglob("*.tmp")):
        verdict.faults.append((f"left behind: {', '.join(left)[:200]}", None))
    return verdict


def is_outside(ended: Ended) -> bool:
    """Whether an exception is of Snakemake alone: it has read nothing of the recipe, which can do nothing about it."""
    parts = [str(ROOT / name) for name in ("rules", "scripts")]
    begun = "Building DAG" in ended.output or ended.logs or any(part in ended.output for part in parts)
    return bool(TRACEBACK.search(ended.output)) and not begun


def judge(project: Project, mistakes: list[Mistake], ended: Ended, plain: bool = True) -> Verdict:
    """How a run of the workflow with these mistakes ended."""
    wrong = [(fault, None) for fault in never(ended)]
    if ended.status == 0:
        verdict = result(project, mistakes, plain)
    elif ended.status and is_outside(ended):
        return Verdict(OUTSIDE)
    elif wrong:
        verdict = Verdict(REFUSED, lines=error_lines(ended.everything()))
    else:
        verdict = refused(project, mistakes, ended)
    verdict.faults = [(fault, of or only_named(fault, mistakes)) for fault, of in wrong + verdict.faults]
    return verdict


def only_named(fault: str, mistakes: list[Mistake]) -> Mistake | None:
    """The mistake that a fault is about: the one whose key it names, or the only one."""
    if len(mistakes) == 1:
        return mistakes[0]
    found = [m for m in mistakes if any(len(key) > 3 and key in fault for key in m.keys)]
    return found[0] if len(found) == 1 else None
