"""What a stage says when it cannot go on: one line for what a user can mend, a traceback for a defect of ours."""

import errno
import runpy
import subprocess
import sys

import pytest
from conftest import ROOT

from recipe.files import RecipeError, open_atomic


def python(code, *arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT / "scripts"), **environment},
        capture_output=True,
        text=True,
    )


def run_stage(error, folder):
    return python(f"from recipe.cli import run\ndef main():\n    raise {error}\nrun(main)", cwd=folder)


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EROFS", "EACCES"])
def test_what_the_machine_refuses_is_one_line(code, tmp_path):
    number = getattr(errno, code)
    done = run_stage(f"OSError({number}, 'refused', {str(tmp_path / 'out.jsonl')!r})", tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"error: {tmp_path}/out.jsonl: refused" in done.stderr and "start again" in done.stderr
    assert ("GB free" in done.stderr) == (code in ("ENOSPC", "EDQUOT"))


def test_a_full_disk_is_named_even_where_no_file_is(tmp_path):
    done = run_stage(f"OSError({errno.ENOSPC}, 'no space')", tmp_path)
    assert done.returncode == 2 and f"GB free in {tmp_path}" in done.stderr


def test_a_defect_keeps_its_traceback(tmp_path):
    done = run_stage("FileNotFoundError(2, 'lost', 'file')", tmp_path)
    assert done.returncode == 1 and "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("given", "count"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")]
)
def test_threads_that_wait_leave_the_processors_to_others(given, count):
    code = "import os\nfrom recipe.cli import run\nrun(lambda: print(os.environ.get('GOMP_SPINCOUNT')))"
    assert python(code, **given).stdout.split() == [count]


@pytest.mark.parametrize(
    "script", sorted(path.name for path in (ROOT / "scripts").glob("*.py") if path.name != "check_python.py")
)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--out", ""], "--out: its value is empty"), (["a", ""], "argument 2, behind a, is empty")],
)
def test_empty_values_are_refused_before_anything_is_read(script, arguments, words, tmp_path, monkeypatch, capsys):
    """As of variables of a shell that are not set; a path that is empty would be the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [script, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "scripts" / script), run_name="__main__")
    assert ended.value.code == 2 and not list(tmp_path.iterdir())
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"{script}: error: ") and words in last


def test_a_flag_with_nothing_behind_its_equals_sign_is_refused(tmp_path):
    done = python("from recipe.cli import run\nrun(lambda: print('ran'))", "--output-dir=", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "--output-dir: its value is empty" in done.stderr
    done = python(
        "from recipe.cli import run\nrun(lambda: print('ran'))", "--columns=text=b", "--dry-run", cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "ran\n")


def test_errors_with_values_of_any_length_show_what_is_around_them(tmp_path):
    done = run_stage(
        "__import__('recipe.files').files.RecipeError('a.yaml: is ' + 'x' * 9000 + ', expected y')", tmp_path
    )
    assert len(done.stderr) < 1600 and "a.yaml: is x" in done.stderr and done.stderr.endswith("x, expected y\n")


def test_no_script_loads_torch_before_its_main_runs():
    """Its threads read their settings when it loads, and --help should not wait for it."""
    code = (
        "import runpy, sys\n"
        "for script in sys.argv[1:]:\n    runpy.run_path(script, run_name='imported')\n"
        "print('torch' in sys.modules)"
    )
    done = python(code, *map(str, sorted((ROOT / "scripts").glob("*.py"))))
    assert done.stdout.split() == ["False"], done.stderr


def test_a_folder_in_the_place_of_an_output_is_told(tmp_path):
    for place in (tmp_path, tmp_path / "..", "."):
        with pytest.raises(RecipeError, match="is a folder, expected the name of a file to write"), open_atomic(place):
            pass
    assert not list(tmp_path.iterdir())
