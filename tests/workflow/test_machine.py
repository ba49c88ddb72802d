"""What this machine lacks is told before anything runs."""

import dataclasses
import subprocess
import sys

import pytest
from conftest import ROOT

from recipe import environment
from recipe.files import RecipeError
from recipe.settings.train import RunSettings
from recipe.workflow import machine

RUN = RunSettings()


def refuse(run, there, limit=None, path="/nowhere"):
    machine.refuse_runs({"a": dataclasses.replace(RUN, **run)}, there, limit, {"PATH": path})


@pytest.mark.parametrize(
    ("run", "there", "limit"),
    [
        ({}, 0, None),
        ({"gpus": 0}, 0, None),
        ({"gpus": 2}, 2, None),
        ({"gpus": 1}, 1, 0),
        ({"gpus": 4, "trainer": {"use_cpu": True}}, 0, None),
    ],
)
def test_what_can_be_trained_is_not_refused(run, there, limit):
    refuse(run, there, limit)


@pytest.mark.parametrize(
    ("run", "there", "limit", "message"),
    [
        ({"gpus": 4}, 1, None, r"runs\.a\.gpus: 4 GPUs are asked for, this machine has 1"),
        ({"gpus": 1}, 0, None, r"this machine has 0"),
        ({"gpus": 2}, 4, 1, r"--resources gpu=1 allows 1"),
        ({"gpus": 2}, 4, 0, r"--resources gpu=0 allows 0"),
        ({"nodes": 2}, 8, None, r"runs\.a\.nodes: 2 nodes .* no srun here"),
    ],
)
def test_what_cannot_be_trained_here_is_refused(run, there, limit, message):
    with pytest.raises(RecipeError, match=message):
        refuse(run, there, limit)


def test_several_nodes_need_srun(tmp_path):
    (tmp_path / "srun").touch(0o755)
    refuse({"nodes": 2, "gpus": 8}, 0, None, str(tmp_path))


def test_a_trackers_package_that_is_missing_is_named_with_its_run(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"runs\.a\.report_to: the package of mlflow is .* mlflow-skinny\), or take"):
        machine.refuse_trackers({"a": dataclasses.replace(RUN, report_to=("mlflow",))})


def test_a_folder_in_an_outputs_place_and_a_file_in_a_folders(tmp_path):
    machine.refuse_wrong_kinds([f"{tmp_path}/exp/e/data/s.jsonl"])
    (tmp_path / "exp/e/data/s.jsonl").mkdir(parents=True)
    with pytest.raises(RecipeError, match=r"s\.jsonl: is a folder, and a result of this name"):
        machine.refuse_wrong_kinds([f"{tmp_path}/exp/e/data/s.jsonl"])
    (tmp_path / "exp/e/logs").write_text("")
    with pytest.raises(RecipeError, match=r"exp/e/logs: is a file, and results are to be written to a folder"):
        machine.refuse_wrong_kinds([f"{tmp_path}/exp/e/logs/train/a.log"])


@pytest.mark.parametrize("version", [(3, 6), (3, 9), (3, 10)])
def test_an_old_python_is_told_in_one_line(version):
    assert "3.11 or newer is needed" in environment.wrong_python(version)


def test_an_environment_that_an_old_python_began_is_told(tmp_path):
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.9.18\n")
    assert f"{tmp_path} was begun by Python 3.9" in environment.wrong_python((3, 11), str(tmp_path))
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.12.1.final.0\n")
    assert environment.wrong_python((3, 11), str(tmp_path)) == ""
    assert environment.wrong_python((3, 13), str(tmp_path / "nothing")) == ""


def test_an_environment_without_our_packages_says_what_to_do(tmp_path):
    assert environment.wrong_environment(environment.PLANNING + environment.JOBS) == ""
    assert ". .venv/bin/activate" in environment.wrong_environment(("yaml", "no_such_package"))


def test_the_check_of_python_reads_with_old_ones():
    """No syntax that came after 3.6, and no import of the recipe that has any."""
    import ast

    for name in ("scripts/check_python.py", "scripts/recipe/environment.py", "scripts/recipe/__init__.py"):
        ast.parse((ROOT / name).read_text(), feature_version=(3, 6))
    done = subprocess.run(
        [sys.executable, "-S", "-E", ROOT / "scripts/check_python.py", ".venv"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
