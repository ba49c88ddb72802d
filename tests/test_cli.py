"""What a stage says when it cannot go on: one line for what a user can mend, a traceback for a defect of ours."""

import errno
import subprocess
import sys

import pytest
from conftest import ROOT


def run_stage(error, folder):
    code = f"from recipe.cli import run\ndef main():\n    raise {error}\nrun(main)"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
    )


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
