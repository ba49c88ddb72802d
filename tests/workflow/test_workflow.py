"""The workflow: everything runs, nothing runs twice, and a change runs exactly what depends on it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, fake_gpus
from small_workflow import planned, refused, snakemake

from recipe.files import RecipeError
from recipe.workflow import code, config, parsed


def test_everything_is_made_and_nothing_runs_again(finished):
    exp = finished / "exp" / "e"
    assert (exp / "report" / "report.html").stat().st_size > 1000
    assert (exp / "score/faithful/hyp/tuned/s/cer.txt").is_file()
    score = json.loads((exp / "score/faithful/hyp/tuned/s/score.json").read_text())
    assert score["utterances"]["ref"] == 4
    assert "Nothing to be done" in snakemake(finished, "eval")
    assert planned(finished) == set()


def test_until_train_stops_there(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, ignore=shutil.ignore_patterns("exp", ".snakemake"))
    checks = {"check_model", "scp2jsonl", "check_leaks", "check_data"}
    assert planned(copy, "--until", "train") == checks | {"run_settings", "train"}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "model: {base: x}\ndata: {tets: {}}\ntrain: {learning_rate: fast}\nruns: {a: }\n",
            [
                "unknown setting data.tets",
                'train.learning_rate is "fast", expected a number over 0',
                "runs.a is null, expected a mapping",
            ],
        ),
        ("model: {base: x}\ndata: {}\nruns: {a: {epoch: 2}}\n", ["data.train names no set", "runs: {}"]),
        ("data: {}\n", ["model is missing"]),
        (
            "model: {base: x}\ndata: {train: {s: {dri: d}}}\ntrain: {batch_seconds: much}\n",
            ["unknown setting data.train.s.dri", 'train.batch_seconds is "much", expected auto or a number over 0'],
        ),
        (
            "model: {base: x}\ndata: {test: {a: d}}\ndata: {test: {b: d}}\n",
            ["bad.yaml:3: data stands here"],
        ),
        (
            "model: {base: model}\ndata: {test: {s: nowhere}}\nruns: {}\n",
            ["data.test.s: nowhere/wav.scp does not exist"],
        ),
        (
            "model: {base: model}\ndata: {test: {s: 'a {b} c'}}\nruns: {}\n",
            ["data.test.s: a {b} c: Snakemake cannot have braces", "link to it"],
        ),
        ("model: {base: x\n", ["Config file is not valid JSON or YAML"]),
        ("- a\n", ["with keys at top level"]),
    ],
)
def test_wrong_settings_are_named_at_once(finished, text, messages):
    (finished / "bad.yaml").write_text(text)
    found = refused(finished, "all", settings="bad.yaml")
    for message in messages:
        assert message in found


@pytest.mark.parametrize(
    ("train", "run", "message"),
    [
        ({}, {"epoch": 2}, r"runs\.a: unknown setting epoch"),
        ({}, {"epochs": "many"}, r'runs\.a: epochs is "many", expected a number'),
        ({}, {"freeze": ["encoder", "adaptor", "llm"]}, r"runs\.a: freeze names every part"),
        ({"select": "last"}, {"average": 2}, r"runs\.a: average is 2"),
        ({"decode_utterances": 0}, {}, r"runs\.a: select: cer needs decode_utterances"),
        ({}, {"lora": {"rank": 0}}, r"runs\.a: lora\.rank is 0, expected a whole number of 1 or more"),
    ],
)
def test_settings_of_a_run_that_cannot_be_are_found_before_anything_runs(train, run, message):
    values = {"model": {"base": "x"}, "data": {"train": {"s": "d"}, "valid": {"s": "d"}}, "train": train}
    with pytest.raises(RecipeError, match=message):
        config.runs(config.check(values | {"runs": {"a": run}}))


def gpus_of_decode(finished, devices, *arguments):
    """GPUs that a decoding job is given on a machine with these devices."""
    environ = {"CUDA_VISIBLE_DEVICES": devices, "PATH": fake_gpus(finished / "bin", 2)}
    target = ["exp/e/decode/base/s/text", "--force", "--dry-run", "--printshellcmds"]
    text = snakemake(finished, *target, *arguments, environ=environ)
    return re.findall(r'with_gpus\.py" (\d+) --', text)


def test_a_job_gets_a_gpu_where_there_is_one(finished):
    assert gpus_of_decode(finished, "") == ["0"]
    assert gpus_of_decode(finished, "0,1") == ["1"]
    assert gpus_of_decode(finished, "0,1", "--resources", "gpu=0") == ["0"]
    asked = ["exp/e/decode/base/s/text", "--force", "--dry-run", "--resources", "gpu=3"]
    environ = {"CUDA_VISIBLE_DEVICES": "0,1", "PATH": fake_gpus(finished / "bin", 2)}
    text = refused(finished, *asked, environ=environ)
    assert "gpu: 3 are asked for, nvidia-smi or CUDA_VISIBLE_DEVICES shows 2" in text
    assert gpus_of_decode(finished, "", "--jobs", "2") == ["1"], "a cluster is asked for one"


@pytest.mark.parametrize(("devices", "cores", "threads"), [("", 64, 1), ("0,1", 8, 4), ("0,1", 64, 13)])
def test_a_job_on_a_gpu_has_threads_for_those_who_read(finished, devices, cores, threads):
    settings = yaml.safe_load((finished / "settings.yaml").read_text())
    settings["decode"] = settings.get("decode", {}) | {"workers": "auto"}
    (finished / "readers.yaml").write_text(yaml.safe_dump(settings))
    environ = {"CUDA_VISIBLE_DEVICES": devices, "PATH": fake_gpus(finished / "bin", 2)}
    target = ["exp/e/decode/base/s/text", "--force", "--dry-run", "--printshellcmds", "--cores", str(cores)]
    text = snakemake(finished, *target, settings="readers.yaml", environ=environ)
    assert f"--workers auto --threads {threads} >" in text


def test_all_stages_that_read_recordings_are_told_what_may_be_done_for_those_elsewhere(finished):
    settings = yaml.safe_load((finished / "settings.yaml").read_text())
    settings["data"] |= {"allow_commands": True, "fetch": {"timeout": 7.0}}
    (finished / "elsewhere.yaml").write_text(yaml.safe_dump(settings))
    printed = snakemake(finished, "all", "--forceall", "--dry-run", "--printshellcmds", settings="elsewhere.yaml")
    for script in ("scp2jsonl.py", "fbank_stats.py", "train.py", "decode.py"):
        commands = [line for line in printed.splitlines() if f'/{script}" ' in line]
        assert commands and all("--fetch-timeout=7.0 " in line and "--allow-commands" in line for line in commands)


def test_every_committed_configuration_fits_the_schema():
    files = [ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))]
    for file in files:
        checked = config.check(yaml.safe_load(file.read_text(encoding="utf-8")), file.name)
        assert config.runs(checked)


def test_exponents_are_numbers_however_they_are_written():
    values = yaml.safe_load(
        "{model: {base: x}, data: {train: {s: d}, valid: {s: d}}, train: {learning_rate: 2e-5},"
        " runs: {a: {learning_rate: 1E-4}}}"
    )
    checked = config.check(values)
    assert checked.train.learning_rate == 2e-5
    assert config.runs(checked)["a"].learning_rate == 1e-4


def test_a_run_may_not_take_the_name_of_the_base_model():
    data = {"train": {"s": "d"}, "valid": {"s": "d"}}
    checked = config.check({"model": {"base": "x"}, "data": data, "runs": {"base": {}}})
    with pytest.raises(RecipeError, match=r"runs\.base"):
        config.runs(checked)


@pytest.fixture
def scripts(tmp_path):
    """A copy of the scripts, whose code may be changed."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "scripts"


def hashes(scripts):
    code._module_hash.cache_clear()
    code._cache.cache_clear()
    return {path.stem: code.code_hash(path) for path in scripts.glob("*.py")}


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("recipe/train/batching.py", {"train"}),
        ("recipe/decode/subtitles.py", {"decode"}),
        ("recipe/score/align.py", {"compute_wer", "report"}),
        ("recipe/normalize/faithful.py", {"normalize", "compute_wer"}),
        ("recipe/report/assets/page.css", {"report"}),
        ("recipe/normalize/english_spelling.json", {"normalize", "compute_wer"}),
    ],
)
def test_a_stage_depends_on_the_code_that_it_imports_and_on_no_other(scripts, file, stages):
    before = hashes(scripts)
    with open(scripts / file, "a") as changed:
        changed.write("\n_appended = 1\n")
    after = hashes(scripts)
    changed = {stage for stage in before if before[stage] != after[stage]}
    assert stages <= changed and "train" not in changed - stages, changed


def test_what_python_does_not_see_changes_no_hash(scripts):
    """Comments, docstrings, blank lines, and a folder's other name."""
    before = hashes(scripts)
    for path in scripts.rglob("*.py"):
        text = path.read_text()
        path.write_text("# a comment\n\n" + text.replace('"""\n', ' More words."""\n', 1) + "\n# another\n")
    assert hashes(scripts) == before
    (scripts / "recipe/score").rename(scripts / "recipe/rates")
    for path in scripts.rglob("*.py"):
        path.write_text(path.read_text().replace("recipe.score", "recipe.rates"))
    assert hashes(scripts) == before


def test_the_schema_and_the_page_of_settings_are_those_of_the_classes():
    sys.path.insert(0, str(ROOT / "docs"))
    import settings as page

    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == page.page() + "\n"
    assert (ROOT / "schemas/config.schema.yaml").read_text(encoding="utf-8") == page.schema_file() + "\n"


def test_every_stage_script_explains_itself():
    for script in sorted((ROOT / "scripts").glob("*.py")):
        done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and "usage:" in done.stdout, script


def test_the_conda_environment_has_the_pins_of_the_lock_file():
    lock = (ROOT / "requirements.lock").read_text().split()
    environment = yaml.safe_load((ROOT / "envs/recipe.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == lock


def test_the_image_has_the_python_of_the_conda_environment_and_the_lock_file():
    environment = yaml.safe_load((ROOT / "envs/recipe.yaml").read_text())
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    recipe = (ROOT / "Containerfile").read_text()
    assert f"FROM python:{python.removeprefix('python=')}-" in recipe
    assert "--requirement /opt/recipe/requirements.lock" in recipe


def test_lock_files_hold_no_addresses():
    for lock in ROOT.glob("requirements*.lock"):
        assert not re.search(r"://|--index|--find-links", Path(lock).read_text()), lock


class TestParsed:
    """What is kept of parsing."""

    @pytest.fixture(autouse=True)
    def file(self, tmp_path, monkeypatch):
        monkeypatch.setattr(parsed, "FILE", tmp_path / "kept.json")
        monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def test_is_taken_by_the_text_alone_and_gives_the_same(self, scripts, tmp_path, monkeypatch):
        first, second = hashes(scripts), hashes(scripts)
        assert first == second and (tmp_path / "kept.json").is_file()
        with monkeypatch.context() as patched:
            patched.setattr(parsed, "_parse", lambda text: pytest.fail("parsed again"))
            assert hashes(scripts) == first
            with open(scripts / "recipe/files.py", "a") as changed:
                changed.write("\n_appended = 1\n")
            with pytest.raises(pytest.fail.Exception):
                hashes(scripts)
        assert not {name for name, value in hashes(scripts).items() if value == first[name]} - {"check_python"}

    @pytest.mark.parametrize("content", ["", "[]", "{", '["a"]'])
    def test_a_damaged_file_is_written_anew(self, scripts, tmp_path, content):
        first = hashes(scripts)
        whole = (tmp_path / "kept.json").read_text()
        (tmp_path / "kept.json").write_text(content)
        assert hashes(scripts) == first and (tmp_path / "kept.json").read_text() == whole

    def test_a_folder_that_cannot_be_written_costs_time_only(self, scripts, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(parsed, "FILE", tmp_path / "file/kept.json")
        assert hashes(scripts) == hashes(scripts)

    def test_nothing_is_written_where_python_is_not_to_write(self, scripts, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        assert hashes(scripts) and not (tmp_path / "kept.json").exists()
