"""The judge of random mistakes: it finds what is made up here, and nothing where nothing is wrong."""

import json
import random

import pytest
from conftest import ROOT

from mistakes import campaign, commands, jsonl, lines
from mistakes.judge import Ended, entries, judge
from mistakes.kinds import EITHER, KINDS, REFUSED, RESULT, WRONG, Mistake, NotHere, Touched
from mistakes.project import EXP, RUN, SET, Project, bundled

FORMS = {"train": "kaldi", "valid": "kaldi", "test": "kaldi"}
SIZES = {"train": 5, "valid": 3, "test": 4}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def json_text(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


class Finished:
    """A project with results as the workflow would write them, of which each may be spoiled."""

    def __init__(self, folder, rejected=()):
        self.project = Project(folder / "p", random.Random(1), FORMS, sizes=SIZES)
        self.project.write()
        self.exp = self.project.folder / EXP
        for role, data in self.project.sets.items():
            kept = [key for key in data.keys if key not in rejected]
            self.manifest(role, kept)
            self.rejects(role, [(key, "transcript-empty") for key in data.keys if key in rejected])
        kept = [key for key in self.project.sets["test"].keys if key not in rejected]
        for model in ("base", RUN):
            self.decoding(model, self.project.sets["test"].keys)
            self.score(model, kept, extra=len(rejected), rejected=len(rejected))
        counts = [{"role": role, "name": SET, "utterances": SIZES[role]} for role in ("train", "valid")]
        write(self.exp / "train" / RUN / "model/recipe.json", json.dumps({"sets": counts}))
        write(self.exp / "train" / RUN / "model/history.json", json.dumps([{"loss": 1.0}]))
        write(self.exp / "report/summary.tsv", f"model\tmer\nbase\t1\n{RUN}\t1\n")
        write(self.exp / "report/report.html", "x")

    def manifest(self, role, keys, text=None):
        texts = [(key, text or bundled(role)["text"][key]) for key in keys]
        lines = [{"key": key, "messages": [{"role": "assistant", "content": own}]} for key, own in texts]
        write(self.exp / f"data/{role}/{SET}.jsonl", json_text(lines))

    def rejects(self, role, rows):
        table = "".join(f"{key}\tscp2jsonl\t{reason}\tsomething\n" for key, reason in rows)
        write(self.exp / f"data/{role}/{SET}.rejects.tsv", "key\tstage\treason\tdetail\n" + table)

    def decoding(self, model, keys):
        write(self.exp / f"decode/{model}/{SET}/text", "".join(f"{key}\thello\n" for key in keys))
        write(self.exp / f"decode/{model}/{SET}/text.jsonl", json_text({"key": key} for key in keys))

    def score(self, model, keys, extra=0, missing=0, rejected=0, rate=0.5):
        folder = self.exp / f"score/faithful/hyp/{model}/{SET}"
        counts = {"ref": len(keys), "scored": len(keys), "missing": missing, "extra": extra, "rejected": rejected}
        write(folder / "score.json", json.dumps({"mer": {"n": 3 * len(keys), "rate": rate}, "utterances": counts}))
        write(folder / "utterances.jsonl", json_text({"key": key, "n": 3} for key in keys))

    def faults(self, *mistakes, status=0, output="", logs=None):
        verdict = judge(self.project, list(mistakes), Ended(status, output, logs or {}))
        return [fault for fault, _ in verdict.faults]


@pytest.fixture
def finished(tmp_path):
    return Finished(tmp_path)


def touching(key, role="test", fates=WRONG, ends=EITHER):
    return Mistake({"role": role}, [Touched(role, (key,), fates)], [key], ends)


def test_a_result_whose_counts_add_up_has_no_faults(finished, tmp_path):
    assert finished.faults() == []
    key = finished.project.sets["test"].keys[1]
    other = Finished(tmp_path / "other", rejected=[key])
    assert other.faults(touching(key)) == []


def test_what_must_never_be_is_found_in_output_and_logs(finished):
    trace = 'Traceback (most recent call last):\n  File "x.py", line 3, in f\nKeyError: 5\n'
    for status in (0, 1):
        assert "traceback: KeyError: 5" in finished.faults(status=status, output=f"Building DAG\n{trace}")
        assert "traceback: KeyError: 5" in finished.faults(status=status, logs={"a.log": f"ok\n{trace}more"})
    assert finished.faults(status=None)[0].startswith("hangs")
    assert finished.faults(status=-9)[0] == "killed by signal 9"
    missing = "Job 3 completed successfully, but some output files are missing. Missing files ..."
    assert any("output files are missing" in fault for fault in finished.faults(status=1, output=missing))
    assert not any(fault.startswith("uncaught") for fault in finished.faults(status=1, output=SNAKEMAKE))
    uncaught = "KeyError in file \"rules/data.smk\", line 5:\n'x'\n"
    assert any(fault.startswith("uncaught: KeyError") for fault in finished.faults(status=1, output=uncaught))


def test_what_snakemake_does_before_it_reads_the_recipe_is_told_apart(finished):
    frame = f'  File "{ROOT}/scripts/recipe/workflow/config.py", line 3, in f\n'
    for frames, end in (("", "snakemake"), (frame, REFUSED)):
        output = f'Traceback (most recent call last):\n  File "snakemake/cli.py"\n{frames}ValueError: 5\n'
        assert judge(finished.project, [], Ended(1, output)).end == end


def spoil_manifest(it):
    it.manifest("train", it.project.sets["train"].keys[1:])


def spoil_manifest_twice(it):
    it.manifest("train", it.project.sets["train"].keys[:1] * 2 + it.project.sets["train"].keys[2:])


def spoil_text(it):
    it.manifest("valid", it.project.sets["valid"].keys, "of another")


def spoil_reason(it):
    it.manifest("train", it.project.sets["train"].keys[1:])
    it.rejects("train", [(it.project.sets["train"].keys[0], "")])


def spoil_untouched(it):
    it.manifest("train", it.project.sets["train"].keys[1:])
    it.rejects("train", [(it.project.sets["train"].keys[0], "text-empty")])


def spoil_columns(it):
    write(it.exp / f"data/valid/{SET}.rejects.tsv", "key\tstage\treason\tdetail\na\tb\n")


def spoil_hypothesis(it):
    it.decoding("base", it.project.sets["test"].keys[1:])


def spoil_hypothesis_silently(it):
    it.decoding("base", it.project.sets["test"].keys[1:])
    it.score("base", it.project.sets["test"].keys[1:])


def spoil_scored(it):
    it.score(RUN, it.project.sets["test"].keys[1:], extra=1)


def spoil_rejected(it):
    it.score(RUN, it.project.sets["test"].keys, rejected=2)


def spoil_number(it):
    it.score("base", it.project.sets["test"].keys, rate=float("nan"))


def spoil_history(it):
    write(it.exp / "train" / RUN / "model/history.json", '[{"loss": NaN}]')


def spoil_training(it):
    write(
        it.exp / "train" / RUN / "model/recipe.json",
        json.dumps({"sets": [{"role": "train", "name": SET, "utterances": 4}]}),
    )


def spoil_report(it):
    (it.exp / "report/report.html").unlink()


def spoil_folder(it):
    write(it.exp / "data/.x.tmp", "")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_manifest, "lost"),
        (spoil_manifest_twice, "2 times in the manifest"),
        (spoil_text, "has another text: 'of another'"),
        (spoil_reason, "without a reason"),
        (spoil_untouched, "which nothing touched"),
        (spoil_columns, "has 2 columns"),
        (spoil_hypothesis, "not decoded"),
        (spoil_hypothesis_silently, "not scored"),
        (spoil_scored, "not scored"),
        (spoil_rejected, "2 rejected in the score, 0"),
        (spoil_number, "mer.rate is not a number"),
        (spoil_history, "history[0].loss is not a number"),
        (spoil_training, "trained on 4"),
        (spoil_report, "no report"),
        (spoil_folder, "left behind"),
    ],
)
def test_a_result_that_lacks_something_is_a_fault(finished, spoil, words):
    spoil(finished)
    assert any(words in fault for fault in finished.faults())


def test_an_entry_that_a_mistake_touched_is_where_it_may_be(finished, tmp_path):
    key = finished.project.sets["train"].keys[0]
    assert any("is accepted, expected rejected" in fault for fault in finished.faults(touching(key, "train")))
    assert any("neither in the manifest nor" in fault for fault in finished.faults(touching("nobody", "train")))
    assert finished.faults(touching(key, "train", EITHER | {"accepted"})) == []
    write(finished.exp / f"data/train/{SET}.notes.tsv", f"key\tnote\n{key}\tmarkup\n")
    assert finished.faults(touching(key, "train", frozenset({"noted"}))) == []


def test_a_result_where_only_a_refusal_is_right_is_a_fault(finished):
    assert finished.faults(touching("x", ends=frozenset({REFUSED}))) == ["accepted without a word"]


OURS = "scp2jsonl.py: error: data/test/text:5: key 'k5' is wrong; mend it\n"
SNAKEMAKE = """\
RuleException:
CalledProcessError in file "rules/data.smk", line 74:
Command ...
Error in rule decode:
    message: None
WorkflowError:
At least one job did not complete successfully.
"""


def test_a_refusal_that_names_what_was_touched_has_no_faults(tmp_path):
    project = Project(tmp_path / "p", random.Random(1), FORMS, sizes=SIZES)
    project.write()
    verdict = judge(project, [touching("k5")], Ended(1, SNAKEMAKE, {"a.log": OURS}))
    assert verdict.end == REFUSED and verdict.faults == [] and len(verdict.lines) == 1
    of_rules = 'WorkflowError in file "rules/common.smk", line 60:\nconfiguration: unknown setting k5\n'
    assert judge(project, [touching("k5")], Ended(1, of_rules)).faults == []
    assert (
        judge(project, [touching("k5")], Ended(1, "MissingRuleException:\nNo rule to produce k5 (if ...).\n")).faults
        == []
    )
    # A line of the file that the error points to says it too.
    line = project.sets["test"].tables["text"][4 - 1]
    by_line = touching(project.sets["test"].keys[3])
    assert line and judge(project, [by_line], Ended(1, "x.py: error: data/test/text:4: it is wrong")).faults == []


def test_refusals_that_are_none_are_faults(tmp_path):
    project = Project(tmp_path / "p", random.Random(1), FORMS, sizes=SIZES)
    project.write()

    def faults(*mistakes, output):
        return [fault for fault, _ in judge(project, list(mistakes), Ended(1, output)).faults]

    assert faults(touching("k5"), output=SNAKEMAKE)[0].startswith("no clear line")
    assert faults(touching("k6"), output=OURS)[0].startswith("names nothing")
    assert faults(touching("k5", ends=frozenset({RESULT})), output=OURS)[0].startswith("refused: ")
    assert any("characters" in fault for fault in faults(touching("k5"), output=f"x.py: error: k5 {'x' * 9000}\n"))
    assert faults(touching("k5"), output="x.py: error: k5 is \0wrong\n")[0].startswith("U+0000 in the error")
    write(project.folder / EXP / "logs/decode/base.home.log", "")
    assert faults(touching("k5"), output=OURS)[0].startswith("late: after e/logs/decode")


def test_what_a_run_does_not_tell_about_is_run_again():
    first, second, third = (touching(key) for key in ("k1", "k2", "k3"))
    made = [(0, first), (1, second), (2, third)]
    verdict = campaign.Verdict(REFUSED, [], ["x.py: error: k2 is wrong"])
    assert campaign.divide(verdict, made) == ([second], [[0, 2]])
    verdict = campaign.Verdict(REFUSED, [("traceback: x", None)])
    assert campaign.divide(verdict, made) == ([], [[0], [1, 2]])
    verdict = campaign.Verdict(RESULT, [("lost", third)])
    assert campaign.divide(verdict, made) == ([first, second, third], [])


def test_the_entries_of_a_set_are_counted_in_its_tables(tmp_path):
    project = Project(tmp_path / "p", random.Random(1), FORMS, sizes=SIZES)
    data = project.sets["train"]
    assert entries(data) == (5, 5)
    data.insert(random.Random(1), "text", "orphan text")
    data.insert(random.Random(1), "text", data.tables["text"][0])
    data.insert(random.Random(1), "wav.scp", " \t")
    low, high = entries(data)
    assert low == 6 and 6 < high <= 8


# --- Kinds ------------------------------------------------------------------------------------------------------------


def made(kind, folder, seed):
    """A mistake of a kind, made in a new project (or a copy of nothing, for a command line)."""
    draw = random.Random(seed)
    if kind.family == "command":
        write(folder / "base" / "model/config.json", "{}")
        write(folder / "base/data/test/wav/a.flac", "")
        for name in {value for words in commands.GOOD.values() for value in words.values()}:
            if not name.startswith("out/") and name not in ("model", "faithful", "toolkit"):
                write(folder / "base" / name, '{"a": {}}')
        for name in ("tokenizer.json", "model.safetensors"):
            write(folder / "base/model" / name, "{}")
        return kind.make(draw, commands.Bench(folder / "base", folder / "bench"))
    form = kind.form if kind.form in ("segments", "jsonl") else "kaldi"
    project = Project(folder / "p", draw, {**FORMS, "test": "jsonl" if "array" in kind.name else form}, sizes=SIZES)
    mistake = kind.make(draw, project.sets["test"] if campaign.family(kind) == "lines" else project)
    project.write()
    return mistake


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_makes_the_same_mistake_again(name, tmp_path):
    for seed in range(2):
        try:
            first, again = (made(KINDS[name], tmp_path / f"{place}{seed}", seed) for place in ("this", "that"))
        except NotHere as reason:
            pytest.skip(str(reason))
        assert str(first.about) == str(again.about).replace(f"that{seed}", f"this{seed}") and first.ends
        assert (
            first.names or first.touched or first.ends == {RESULT} or KINDS[name].form in ("kaldi", "jsonl", "segments")
        )


def test_a_plan_has_all_its_mistakes_and_is_the_same_again():
    def as_text(jobs):
        return [(job.number, job.forms, [(kind.name, role) for kind, role in job.kinds]) for job in jobs]

    for count in (1, 40, 500):
        jobs = campaign.plan(count, 7)
        assert sum(len(job.kinds) for job in jobs) == count
        assert as_text(jobs) == as_text(campaign.plan(count, 7))
    assert as_text(campaign.plan(40, 7)) != as_text(campaign.plan(40, 8))
    assert {kind.name for job in campaign.plan(9, 1, "odd-key") for kind, _ in job.kinds} == {"kaldi:odd-key"}
    assert len(KINDS) > 80 and lines.CONTROLS and jsonl.NO_TEXT
