"""A script that is forked from a process that has loaded PyTorch does what `python SCRIPT` does."""

import os
import signal
import subprocess
import sys
import time

import preloaded
import pytest

SCRIPT = """\
import os, sys, time
print("out", sys.argv[1:], os.getcwd(), os.environ.get("ONE"), __name__, "torch" in sys.modules)
print("err", sys.stdin.read(), file=sys.stderr)
if "wait" in sys.argv:
    open("pid", "w").write(str(os.getpid()))
    time.sleep(60)
sys.exit(3)
"""


@pytest.fixture(scope="module")
def python():
    """The small program of a run with --preload, or of a server of this module's own."""
    if preloaded.PYTHON in os.environ:
        yield os.environ[preloaded.PYTHON]
        return
    with preloaded.server() as program:
        yield program


@pytest.fixture
def script(tmp_path):
    (tmp_path / "decode.py").write_text(SCRIPT)
    return tmp_path / "decode.py"


def _run(python, *words, **how):
    return subprocess.run([python, *map(str, words)], capture_output=True, text=True, input="given", **how)


def test_words_folder_environment_streams_and_status_are_those_of_the_call(python, script, tmp_path):
    done = _run(python, script, "a b", "", cwd=tmp_path, env={**os.environ, "ONE": "1"})
    assert (done.returncode, done.stderr) == (3, "err given\n")
    assert done.stdout == f"out ['a b', ''] {tmp_path} 1 __main__ True\n"


def test_what_is_read_while_modules_load_needs_a_python_of_its_own(python, script, tmp_path):
    done = _run(python, script, cwd=tmp_path, env={**os.environ, "PYTHONPATH": "elsewhere"})
    assert done.returncode == 3 and done.stdout.endswith("__main__ False\n")
    other = script.rename(tmp_path / "other.py")
    assert _run(python, other, cwd=tmp_path).stdout.endswith("__main__ False\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_both(python, script, tmp_path, number):
    process = subprocess.Popen([python, script, "wait"], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait() == -number
    for _ in range(100):
        if not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text()}"):
            return
        time.sleep(0.05)
    pytest.fail("the script still runs")
