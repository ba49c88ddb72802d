"""The workflow: everything runs, nothing runs twice, and a change runs exactly what depends on it."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import yaml
from conftest import ROOT, SENTENCES, tone

from recipe import config, provenance
from recipe.files import RecipeError

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
DOWNSTREAM = {
    "scp2jsonl": {"scp2jsonl", "fbank_stats", "train", "decode", "normalize", "compute_wer", "report"},
    "train": {"train", "decode", "normalize", "compute_wer", "report"},
    "decode": {"decode", "normalize", "compute_wer", "report"},
    "normalize": {"normalize", "compute_wer", "report"},
    "compute_wer": {"compute_wer", "report"},
    "report": {"report"},
}
RECORDS = {"report_spec", "provenance"}  # they hold all settings


def snakemake(project, *arguments, settings="settings.yaml"):
    done = subprocess.run(
        [*SNAKEMAKE, *arguments, "--configfile", settings], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(project, *arguments, settings="settings.yaml"):
    """Names of the rules that a call would run."""
    text = snakemake(project, "--dry-run", *arguments, settings=settings)
    table = text.partition("Job stats:")[2]
    return set(re.findall(r"^(\w+) +\d+$", table, re.MULTILINE)) - {"all", "eval", "total"}


@pytest.fixture(scope="module")
def project(tmp_path_factory, full_model):
    """A finished run of the whole workflow on eight made-up recordings with a random model."""
    folder = tmp_path_factory.mktemp("project")
    data = folder / "data"
    (data / "wav").mkdir(parents=True)
    keys = [f"spk{i % 2}-utt{i}" for i in range(8)]
    for i, key in enumerate(keys):
        soundfile.write(data / "wav" / f"{key}.wav", tone(0.8 + 0.2 * i, i), 16000)
    (data / "wav.scp").write_text("".join(f"{key} wav/{key}.wav\n" for key in keys))
    (data / "text").write_text("".join(f"{key} {SENTENCES[i % 5]}\n" for i, key in enumerate(keys)))
    (data / "utt2spk").write_text("".join(f"{key} {key[:4]}\n" for key in keys))
    settings = {
        "experiment": "e",
        "model": {"base": str(full_model)},
        "data": {role: {"s": "data"} for role in ("train", "valid", "test")},
        "train": {"max_steps": 2, "batch_seconds": 5.0, "evaluations": 1, "decode_utterances": 2, "workers": 0},
        "score": {"modes": ["faithful"], "bootstrap": 20},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    snakemake(folder, "all")
    return folder


def change(project, section, key, value):
    """Write another settings file with one value changed; returns its name."""
    settings = yaml.safe_load((project / "settings.yaml").read_text())
    settings.setdefault(section, {})[key] = value
    (project / "changed.yaml").write_text(yaml.safe_dump(settings))
    return "changed.yaml"


def test_everything_is_made_and_nothing_runs_again(project):
    exp = project / "exp" / "e"
    assert (exp / "report" / "report.html").stat().st_size > 1000
    assert (exp / "score/faithful/hyp/tuned/s/cer.txt").is_file()
    score = json.loads((exp / "score/faithful/hyp/tuned/s/score.json").read_text())
    assert score["utterances"]["ref"] == 8
    assert "Nothing to be done" in snakemake(project, "eval")
    assert planned(project) == set()


@pytest.mark.parametrize(
    ("output", "stage"),
    [
        ("data/train/s.jsonl", "scp2jsonl"),
        ("stats/test/s/stats.json", "fbank_stats"),
        ("train/tuned/model/model.safetensors", "train"),
        ("decode/base/s/text", "decode"),
        ("score/faithful/hyp/base/s/hyp.txt", "normalize"),
        ("score/faithful/hyp/tuned/s/cer.txt", "compute_wer"),
        ("report/report.html", "report"),
    ],
)
def test_deleting_an_output_runs_its_stage_and_what_follows(project, output, stage):
    path = project / "exp/e" / output
    kept = path.with_name(path.name + ".kept")
    os.rename(path, kept)
    try:
        expected = {"fbank_stats", "report"} if stage == "fbank_stats" else DOWNSTREAM[stage]
        assert planned(project) == expected
    finally:
        os.rename(kept, path)
    assert planned(project) == set()


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("train", "learning_rate", 0.001, {"run_settings", *RECORDS, *DOWNSTREAM["train"]}),
        ("decode", "max_tokens_per_second", 5.0, {*RECORDS, *DOWNSTREAM["decode"]}),
        ("score", "bootstrap", 30, {*RECORDS, *DOWNSTREAM["compute_wer"]}),
    ],
)
def test_changing_a_setting_runs_the_stages_that_use_it(project, section, key, value, expected):
    assert planned(project, settings=change(project, section, key, value)) == expected


def test_until_train_stops_there(project, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("exp", ".snakemake"))
    assert planned(copy, "--until", "train") == {"scp2jsonl", "run_settings", "train"}


def test_wrong_settings_are_named_at_once(project):
    (project / "bad.yaml").write_text("model: {base: x}\ndata: {tets: {}}\ntrain: {learning_rate: fast}\n")
    done = subprocess.run([*SNAKEMAKE, "--configfile", "bad.yaml"], cwd=project, capture_output=True, text=True)
    assert done.returncode != 0
    assert "unknown setting data.tets" in done.stderr and "train.learning_rate: 'fast'" in done.stderr


def test_every_committed_configuration_fits_the_schema():
    schema = config.load_schema(ROOT / "schemas/config.schema.yaml")
    files = [ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))]
    for file in files:
        checked = config.check(yaml.safe_load(file.read_text(encoding="utf-8")), schema, file.name)
        assert config.runs(checked, schema)


def test_schema_and_training_settings_agree():
    """Every setting of `train:` is one of TrainSettings, with the same default."""
    from recipe.settings import TrainSettings

    schema = config.load_schema(ROOT / "schemas/config.schema.yaml")
    filled = config.check({"model": {"base": "x"}, "data": {}}, schema)["train"]
    assert filled == json.loads(json.dumps(dataclasses.asdict(TrainSettings())))


def test_exponents_are_numbers_however_they_are_written():
    schema = config.load_schema(ROOT / "schemas/config.schema.yaml")
    values = yaml.safe_load(
        "{model: {base: x}, data: {}, train: {learning_rate: 2e-5}, runs: {a: {learning_rate: 1E-4}}}"
    )
    checked = config.check(values, schema)
    assert checked["train"]["learning_rate"] == 2e-5
    assert config.runs(checked, schema)["a"]["learning_rate"] == 1e-4


def test_a_run_may_not_take_the_name_of_the_base_model():
    schema = config.load_schema(ROOT / "schemas/config.schema.yaml")
    checked = config.check({"model": {"base": "x"}, "data": {}, "runs": {"base": {}}}, schema)
    with pytest.raises(RecipeError, match=r"runs\.base"):
        config.runs(checked, schema)


def test_a_stage_depends_on_the_code_that_it_imports_and_on_no_other(tmp_path):
    scripts = tmp_path / "scripts"
    shutil.copytree(ROOT / "scripts", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    stages = ["scp2jsonl.py", "train.py", "decode.py", "compute_wer.py"]
    before = {stage: provenance.code_hash(scripts / stage) for stage in stages}
    with open(scripts / "recipe" / "batching.py", "a") as file:
        file.write("# changed\n")
    changed = {stage for stage in stages if provenance.code_hash(scripts / stage) != before[stage]}
    assert changed == {"train.py", "decode.py"}


def test_the_page_of_settings_is_that_of_the_schema():
    sys.path.insert(0, str(ROOT / "docs"))
    import settings as page

    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == page.page() + "\n"


def test_every_stage_script_explains_itself():
    for script in sorted((ROOT / "scripts").glob("*.py")):
        done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and "usage:" in done.stdout, script


def test_the_conda_environment_has_the_pins_of_the_lock_file():
    lock = (ROOT / "requirements.lock").read_text().split()
    environment = yaml.safe_load((ROOT / "envs/recipe.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == lock


def test_lock_files_hold_no_addresses():
    for lock in ROOT.glob("requirements*.lock"):
        assert not re.search(r"://|--index|--find-links", Path(lock).read_text()), lock
