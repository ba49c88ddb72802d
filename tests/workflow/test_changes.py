"""What runs again after a change: what depends on it, and nothing else."""

import contextlib
import os
import re
import shutil

import pytest
import yaml
from conftest import write_data
from small_workflow import plan, refused, snakemake

# Jobs of a stage for all models and sets, and those that follow from it. There are the models base and tuned, the sets
# train, valid and test, and one mode.
REPORT = {"report": 1}
RECORD = {"provenance": 1, **REPORT}  # of inputs, settings, and what each job ran with; the report shows it
SPEC = {"report_spec": 1, **RECORD}
SCORE = {"compute_wer": 2, **RECORD}
NORMALIZE = {"normalize_reference": 1, "normalize": 2, **SCORE}
DECODE = {"decode": 2, "normalize": 2, **SCORE}
# Of the trained model alone. A score of the base model stands beside it, but is not made again.
REDECODE = {"decode_settings": 1, **DECODE}  # with other settings or code
TRAIN = {"train": 1, "decode": 1, "normalize": 1, "compute_wer": 1, **RECORD}
# A manifest, of which one of test sets is decoded and its references are scored.
LEAKS = {"check_leaks": 1, "check_data": 1}
# What a run asks of the model is tried again; no training for that.
RUN = {"run_settings": 1, "check_model": 1, "check_data": 1}
SET = {"scp2jsonl": 1, "fbank_stats": 1, **LEAKS}
TEST_SET = {"normalize_reference": 1, **SET, **DECODE}
DATA = {**TEST_SET, "scp2jsonl": 3, "fbank_stats": 3, "train": 1}


def jobs(project, settings="settings.yaml"):
    return plan(project, "all", settings=settings)


@contextlib.contextmanager
def restored(path):
    """A file that may be changed or deleted; afterwards it is as it was, its time included."""
    content, before = path.read_bytes(), path.stat()
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_nothing_runs_when_nothing_changed(finished):
    assert jobs(finished) == {}


def test_what_sets_share_was_said_before_training(finished):
    """There, the validation set is the training set."""
    said = (finished / "exp/e/logs/check_data.log").read_text()
    assert said.startswith("WARNING: valid set s: 8 of 8 (100.0 %) utterances are also in train set s, with the same")
    assert said == (finished / "exp/e/data/leaks.txt").read_text()
    assert "8 of 8 (100.0 %) utterances are also in train set s" in (finished / "exp/e/report/report.html").read_text()
    trained, checked = (finished / "exp/e" / name for name in ("train/tuned/model/history.json", "data/leaks.txt"))
    assert checked.stat().st_mtime_ns <= trained.stat().st_mtime_ns


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("data/train/s.jsonl", {**SET, **TRAIN}),
        ("data/test/s.rejects.tsv", TEST_SET),
        ("stats/test/s/stats.json", {"fbank_stats": 1, **RECORD}),
        ("data/leaks.json", {**LEAKS, **RECORD}),
        ("train/tuned/model/model.safetensors", TRAIN),
        ("decode/tuned/s/text", {"decode": 1, "normalize": 1, "compute_wer": 1, **RECORD}),
        ("score/faithful/ref/s.txt", {"normalize_reference": 1, **SCORE}),
        ("score/faithful/hyp/tuned/s/hyp.txt", {"normalize": 1, "compute_wer": 1, **RECORD}),
        ("score/faithful/hyp/tuned/s/cer.txt", {"compute_wer": 1, **RECORD}),
        ("report/report.html", REPORT),
    ],
)
def test_a_deleted_output(finished, output, expected):
    path = finished / "exp/e" / output
    with restored(path):
        path.unlink()
        assert jobs(finished) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("data.max_seconds: 30.0", DATA | SPEC),
        ("data.prompt: {wording: en}", DATA | SPEC),
        ("stats.sample: 4", {"fbank_stats": 3} | SPEC),
        ("train.learning_rate: 0.001", RUN | TRAIN | SPEC),
        ("train.workers: 1", SPEC),
        ("train.log_every: 1", SPEC),
        ("train.report_to: []", SPEC),
        ("decode.beams: 2", REDECODE | SPEC),
        ("decode.hotwords: [light]", {"normalize_hotwords": 1, "decode_settings": 1} | TEST_SET | SPEC),
        ("score.bootstrap: 30", SCORE | SPEC),
        ("score.modes: [faithful, compatible]", NORMALIZE | SPEC),
        ("score.fillers: [um]", NORMALIZE | SPEC),
        ("transcribe.talks: data", SPEC),
        ("runs: {tuned: {epochs: 1.0}}", RUN | TRAIN | SPEC),
        ("runs: {tuned: {}, more: {epochs: 1.0}}", RUN | {"compare_runs": 1} | TRAIN | SPEC),
        ("runs: {}", {"check_model": 1, "check_data": 1} | SPEC),
        ("data.test: {s: heldout, t: more}", TEST_SET | SPEC),
    ],
)
def test_a_changed_setting(finished, change, expected):
    """A run or a test set more computes what is new, and nothing of what is there."""
    if not (finished / "more").exists():
        write_data(finished / "more", 3)
    settings = yaml.safe_load((finished / "settings.yaml").read_text())
    name, _, value = change.partition(": ")
    *sections, last = name.split(".")
    part = settings
    for section in sections:
        part = part.setdefault(section, {})
    part[last] = yaml.safe_load(value)
    (finished / "changed.yaml").write_text(yaml.safe_dump(settings))
    assert jobs(finished, "changed.yaml") == expected


def test_a_users_own_rules_run_the_normalization_and_what_follows(finished, tmp_path):
    """Their file's name when it is set; and, where the scores are by it, its content."""
    settings = yaml.safe_load((finished / "settings.yaml").read_text())
    settings["score"]["equivalent"] = "own.txt"
    (finished / "own.yaml").write_text(yaml.safe_dump(settings))
    (finished / "own.txt").write_text("going to = gonna\n")
    assert jobs(finished, "own.yaml") == NORMALIZE | SPEC
    scored = tmp_path / "scored"
    shutil.copytree(finished, scored, symlinks=True)
    snakemake(scored, "all", settings="own.yaml")
    assert jobs(scored, "own.yaml") == {}
    (scored / "own.txt").write_text("going to = gonna = off to\n")
    assert jobs(scored, "own.yaml") == NORMALIZE | RECORD
    (scored / "own.txt").write_text("going to gonna\n")
    assert "own.yaml:" in (told := refused(scored, "all", "--dry-run", settings="own.yaml"))
    assert "score.equivalent: own.txt:1: 'going to gonna', expected FORM = SPELLING" in told


def test_several_changes_at_once_lose_none(finished):
    """A test set more has all sets checked again; what waits for that must not miss what else changed."""
    if not (finished / "more").exists():
        write_data(finished / "more", 3)
    settings = yaml.safe_load((finished / "settings.yaml").read_text())
    settings["data"]["test"] = {"s": "heldout", "t": "more"}
    settings["decode"] = {"beams": 2}
    settings["train"]["learning_rate"] = 0.001
    (finished / "changed.yaml").write_text(yaml.safe_dump(settings))
    expected = TEST_SET | SPEC | RUN | {"train": 1, "decode_settings": 1}
    assert jobs(finished, "changed.yaml") == expected | {"decode": 4, "normalize": 4, "compute_wer": 4}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("heldout/text", TEST_SET),
        ("heldout/wav.scp", TEST_SET),
        ("heldout/utt2spk", TEST_SET),
        ("data/text", SET | {"scp2jsonl": 2, "fbank_stats": 2} | TRAIN),
        ("model/config.json", {"check_model": 1} | DATA),
        ("exp/e/decode/tuned/s/text", {"normalize": 1, "compute_wer": 1, **RECORD}),
    ],
)
def test_a_changed_file(finished, file, expected):
    path = finished / file
    with restored(path):
        path.write_text(path.read_text() + "\n")
        assert jobs(finished) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        # What leads to training goes by versions.
        ("scripts/scp2jsonl.py", {}),
        ("scripts/recipe/data/prepare.py", {}),
        ("scripts/train.py", {}),
        ("scripts/recipe/train/trainer.py", {}),
        ("scripts/recipe/train/batching.py", {}),
        ("scripts/check_leaks.py", {**LEAKS, **RECORD}),
        ("scripts/compare_runs.py", {}),  # of a single run there is none
        ("scripts/fbank_stats.py", {"fbank_stats": 3, **RECORD}),
        ("scripts/recipe/model/batches.py", REDECODE),
        ("scripts/recipe/model/generate.py", REDECODE),
        ("scripts/recipe/decode/subtitles.py", REDECODE),
        ("scripts/decode.py", REDECODE),
        ("scripts/recipe/normalize/faithful.py", NORMALIZE),
        ("scripts/recipe/score/align.py", SCORE),
        ("scripts/compute_wer.py", SCORE),
        ("scripts/recipe/report/page.py", REPORT),
        ("scripts/recipe/report/assets/page.css", REPORT),
        ("scripts/convert.py", {}),
        ("scripts/with_gpus.py", {}),
        ("rules/report.smk", {}),
    ],
)
def test_changed_code(finished, file, expected):
    path = finished / "recipe" / file
    with restored(path):
        path.write_text(path.read_text() + "\n_appended = 1\n")
        assert jobs(finished) == expected


def test_changed_code_everywhere_trains_nothing(finished):
    with contextlib.ExitStack() as stack:
        for path in sorted((finished / "recipe/scripts").rglob("*.py")):
            if path.name != "versions.py":
                stack.enter_context(restored(path))
                path.write_text(path.read_text() + "\n_appended = 1\n")
        assert jobs(finished) == {"check_model": 1, **LEAKS, "fbank_stats": 3} | NORMALIZE | REDECODE


def test_comments_and_docstrings_run_nothing(finished):
    with contextlib.ExitStack() as stack:
        for path in sorted((finished / "recipe/scripts").rglob("*.py")):
            stack.enter_context(restored(path))
            path.write_text("# a comment\n" + path.read_text().replace('."""', '. And so on."""') + "\n# changed\n")
        assert jobs(finished) == {}


@pytest.mark.parametrize(
    ("version", "expected"), [("MANIFEST", DATA), ("TRAINING", RUN | TRAIN), ("CONVERSION", {})]
)  # the base model here needs no conversion
def test_a_version_counted_up(finished, version, expected):
    path = finished / "recipe/scripts/recipe/versions.py"
    with restored(path):
        path.write_text(re.sub(rf"^({version}) = \d+", r"\1 = 99", path.read_text(), flags=re.MULTILINE))
        assert jobs(finished) == expected


def test_a_folder_that_was_moved_and_is_seen_under_another_path_runs_nothing(finished, tmp_path):
    """Its name has all that a shell, Snakemake or a page may stumble over; times are kept, as `mv` and `cp -a` do."""
    moved = tmp_path / 'it\'s {a} "new" 文件夹'
    shutil.copytree(finished, moved, symlinks=True)
    assert jobs(moved) == {}
    (tmp_path / "link").symlink_to(moved)
    assert jobs(tmp_path / "link") == {}


def test_a_changed_command_of_a_rule(finished):
    path = finished / "recipe/rules/score.smk"
    with restored(path):
        path.write_text(
            path.read_text().replace(
                "{params.base} {params.settings:q}", "{params.base} --extra ignore {params.settings:q}"
            )
        )
        assert jobs(finished) == SCORE
