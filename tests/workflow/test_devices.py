"""GPUs: each is held by one command at a time, for as long as the command or a child of it lives."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, fake_gpus

from recipe.files import RecipeError
from recipe.workflow import devices

WITH_GPUS = [sys.executable, str(ROOT / "scripts/with_gpus.py")]
SHOW = [sys.executable, "-c", "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"]
# Says what it was given and goes on until its standard input is closed.
HOLD = [sys.executable, "-c", "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); sys.stdin.read()"]


@pytest.fixture
def environment(tmp_path):
    """Three GPUs, locks of their own, and no GPU of this machine."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "CUDA_"))}
    return plain | {"CUDA_VISIBLE_DEVICES": "0,1,2", "TMPDIR": str(tmp_path), "PATH": fake_gpus(tmp_path / "bin", 3)}


def start(environment, count, *command):
    """Start a command with `count` GPUs; returns the process, whose first line says which."""
    return subprocess.Popen(
        [*WITH_GPUS, str(count), "--", *command],
        env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(*processes):
    for process in processes:
        process.communicate(timeout=20)


def given(environment, count):
    done = subprocess.run([*WITH_GPUS, str(count), "--", *SHOW], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def nvidia_smi(folder, output, status=0):
    """A PATH on which nvidia-smi prints `output`."""
    folder.mkdir()
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{output}'\nexit {status}\n")
    (folder / "nvidia-smi").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_commands_that_run_at_once_get_different_devices_and_the_next_one_waits(environment):
    first, second = start(environment, 2, *HOLD), start(environment, 1, *HOLD)
    held = first.stdout.readline().strip().split(",") + second.stdout.readline().strip().split(",")
    assert sorted(held) == ["0", "1", "2"]
    third = start(environment, 1, *SHOW)
    assert "waiting for 1 of the GPUs 0, 1, 2" in third.stderr.readline()
    assert third.poll() is None
    finish(second)
    assert third.communicate(timeout=20)[0].strip() == held[2]
    finish(first)


def test_one_that_needs_many_gets_them_before_those_that_came_later(environment):
    small = start(environment, 1, *HOLD)
    small.stdout.readline()
    large = start(environment, 3, *HOLD)
    large.stderr.readline()
    later = start(environment, 1, *SHOW)
    assert "waiting in line" in later.stderr.readline()
    finish(small)
    assert large.stdout.readline().strip() == "0,1,2"
    assert later.poll() is None
    finish(large, later)


def test_a_killed_command_frees_its_devices_and_one_whose_child_lives_on_does_not(environment):
    killed = start(environment, 3, *HOLD)
    killed.stdout.readline()
    killed.kill()
    assert given(environment, 3) == "0,1,2"
    parent = start(environment, 3, "sh", "-c", "sleep 30 & echo $!; wait")
    child = int(parent.stdout.readline())
    parent.kill()
    waiting = start(environment, 1, *SHOW)
    assert "waiting for" in waiting.stderr.readline()
    assert waiting.poll() is None
    os.kill(child, signal.SIGKILL)
    finish(waiting)


def test_exit_status_and_signals_are_the_commands_own(environment):
    assert subprocess.run([*WITH_GPUS, "1", "--", "sh", "-c", "exit 7"], env=environment).returncode == 7
    asked = start(environment, 1, "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    asked.stdout.readline()
    asked.terminate()
    assert asked.wait(timeout=20) == 9


def test_without_gpus_nothing_is_done_and_none_of_some_hides_them(environment):
    assert given(environment, 0) == ""
    del environment["CUDA_VISIBLE_DEVICES"]
    environment["PATH"] = os.path.dirname(sys.executable)
    assert given(environment, 0) == "None"


def test_more_than_there_are_is_an_error(environment):
    done = subprocess.run([*WITH_GPUS, "4", "--", *SHOW], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "4 GPU(s) are needed, 3 can be seen (0, 1, 2)" in done.stderr


def test_fewer_than_none_is_an_error(environment):
    done = subprocess.run([*WITH_GPUS, "-1", "--", *SHOW], env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "expected a whole number of 0 or more" in done.stderr


def test_a_command_that_does_not_exist_is_an_error(environment):
    done = subprocess.run([*WITH_GPUS, "1", "--", "no-such"], env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "no-such: No such file" in done.stderr


def test_locks_of_a_slurm_job_are_its_own(environment):
    """Each job may count its devices from 0."""
    outside = start(environment, 3, *HOLD)
    outside.stdout.readline()
    started = time.monotonic()
    assert given(environment | {"SLURM_JOB_ID": "17"}, 3) == "0,1,2"
    assert time.monotonic() - started < 10
    finish(outside)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2,3", ["2", "3"]),
        ("GPU-8932f937, 1", ["GPU-8932f937", "1"]),
        ("MIG-GPU-8932f937-1111/1/0", ["MIG-GPU-8932f937-1111/1/0"]),
        ("MIG-5c2f", ["MIG-5c2f"]),
        ("0,-1,1", ["0"]),
        ("", []),
        ("NoDevFiles", []),
        ("0,7", "there is no GPU 7 here (nvidia-smi lists 0, 1, 2, 3)"),
        ("GPU-77", "there is no GPU GPU-77 here"),
        ("MIG-77,0", "there is no GPU MIG-77 here"),
        ("10", "there is no GPU 10 here"),
    ],
)
def test_the_devices_to_choose_from_are_those_that_cuda_reads(value, expected, tmp_path):
    """One that is not there is an error: CUDA would pass over it, and the job run on the CPU."""
    listed = "GPU 0: Some GPU (UUID: GPU-8932f937-1111)\\n  MIG 1g.10gb Device 0: (UUID: MIG-5c2f-2222)\\n"
    (tmp_path / "nvidia-smi").write_text(
        f"#!/bin/sh\nif [ $1 = -L ]; then printf '{listed}'; else printf '0\\n1\\n2\\n3\\n'; fi\n"
    )
    (tmp_path / "nvidia-smi").chmod(0o755)
    environ = {"CUDA_VISIBLE_DEVICES": value, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    if isinstance(expected, str):
        with pytest.raises(RecipeError, match=re.escape(expected)):
            devices.visible(environ)
    else:
        assert devices.visible(environ) == expected


def test_devices_that_are_named_where_there_are_none_are_an_error(tmp_path):
    broken = nvidia_smi(tmp_path / "broken", "no driver", 9)
    with pytest.raises(RecipeError, match=r"CUDA_VISIBLE_DEVICES is 0, .*nvidia-smi says: no driver"):
        devices.visible({"CUDA_VISIBLE_DEVICES": "0", "PATH": broken})
    assert devices.visible({"CUDA_VISIBLE_DEVICES": "", "PATH": broken}) == []


def test_without_a_choice_they_are_all_of_the_machine(tmp_path):
    assert devices.visible({"PATH": nvidia_smi(tmp_path / "two", "0\\n1\\n")}) == ["0", "1"]
    assert devices.visible({"PATH": nvidia_smi(tmp_path / "broken", "no driver", 9)}) == []
    assert devices.visible({"PATH": str(tmp_path)}) == []


def test_names_of_devices_are_file_names_too(tmp_path):
    assert devices.take(1, ["MIG-GPU-89/1/0"], tmp_path) == ["MIG-GPU-89/1/0"]
    with pytest.raises(RecipeError, match="2 GPU"):
        devices.take(2, ["0"], tmp_path)
