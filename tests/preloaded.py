"""Programs that take long to load as children of one process that has loaded them: `pytest --preload`.

Loading PyTorch and transformers takes some seconds of processor time, Snakemake one, and tests start them hundreds of
times. With --preload, `sys.executable` of the tests, and `python` of the workflows that they run, is a small program
that hands `-m snakemake` or a script of TORCH with its arguments, folder, environment and standard streams to a server,
and ends as they end. The server forks a child for it, which runs it as `python` would. Whatever else `python` is asked
for is done by the real one, and so is what has an environment that differs in what is read while modules load.
"""

import gc
import json
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TORCH = {"align.py", "check_model.py", "convert.py", "decode.py", "fbank_stats.py", "suspects_judge.py", "train.py"}
SNAKEMAKE = ["-m", "snakemake"]
PYTHON = "RECIPE_TEST_PYTHON"  # the variable that names the small program to the processes of the tests ...
_TORCHRUN_PYTHON = "PYTHON_EXEC"  # ... and to torchrun, for the processes that it starts
_AT_LOADING = ("PYTHON", "HF_", "TRANSFORMERS_", "ACCELERATE_", "LD_")
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


@contextmanager
def server() -> Iterator[str]:
    """The path of the small program, while the server runs; what the server still runs at the end is ended with it."""
    with tempfile.TemporaryDirectory(prefix="preloaded-") as folder, socket.socket(socket.AF_UNIX) as listener:
        program, path = Path(folder) / "python", str(Path(folder) / "socket")
        words = shlex.join([sys.executable, "-I", "-S", __file__, "client", path, sys.executable])
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        listener.bind(path)
        listener.listen(64)
        os.environ[PYTHON] = os.environ[_TORCHRUN_PYTHON] = str(program)
        process = subprocess.Popen(
            [sys.executable, __file__, "server", str(listener.fileno())],
            env={"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000", **os.environ},
            pass_fds=[listener.fileno()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield str(program)
        finally:
            del os.environ[PYTHON], os.environ[_TORCHRUN_PYTHON]
            process.stdin.close()
            process.wait()


def client(path: str, python: str, words: list[str]) -> None:
    """Have the server run a script and end as it does; otherwise become the real Python."""
    server = socket.socket(socket.AF_UNIX)
    called = words[1:] if words[:1] == ["-u"] else words  # lines are not kept back here
    if called[:2] == SNAKEMAKE or (called and os.path.basename(called[0]) in TORCH):
        server.connect(path)
        asked = {"called": called, "cwd": os.getcwd(), "environ": dict(os.environ), "group": os.getpgrp()}
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(json.dumps(asked).encode() + b"\n")
        answers = server.makefile()
        if answers.readline() == "yes\n":
            for number in _FORWARDED:
                signal.signal(number, lambda number, frame: server.sendall(bytes([number])))
            status = int(answers.readline() or 1)
            if status < 0:
                signal.signal(-status, signal.SIG_DFL)
                os.kill(os.getpid(), -status)
            sys.exit(status)
    server.close()
    os.execv(python, [python, *words])


def serve(listener: socket.socket) -> None:
    """Run a child for each client until standard input is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    own = _at_loading(os.environ)
    loaded = False
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        client, _ = listener.accept()
        if not loaded:
            _load()
            loaded = True
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            _, streams, _, _ = socket.recv_fds(client, 1, 3)
            asked = json.loads(client.makefile().readline())
            if _at_loading(asked["environ"]) != own:
                client.sendall(b"no\n")
                os._exit(0)
            client.sendall(b"yes\n")
            if child := os.fork():
                os._exit(_watch(child, client))
            client.close()
            _become(asked, streams)
            return
        client.close()


def _at_loading(environ) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_AT_LOADING)}


def _load() -> None:
    import accelerate  # noqa: F401
    import snakemake.cli  # noqa: F401
    import torch
    import torchaudio  # noqa: F401
    import transformers.trainer  # noqa: F401
    import yte  # noqa: F401
    from smart_open import smart_open_lib  # noqa: F401
    from transformers.models.qwen3 import modeling_qwen3  # noqa: F401

    assert not torch.cuda.is_initialized()
    gc.collect()
    gc.freeze()  # children that collect garbage would copy all of it


def _watch(child: int, client: socket.socket) -> int:
    """Hand a child the client's signals, and the client the child's status; a client that was killed takes it along."""
    ended = os.pidfd_open(child)
    while ended not in select.select([ended, client], [], [])[0]:
        number = client.recv(1)
        if not number:
            (os.killpg if os.getpgid(child) == child else os.kill)(child, signal.SIGKILL)
            break
        os.kill(child, number[0])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        client.sendall(f"{status}\n".encode())
    return 0


def _become(asked: dict, streams: list[int]) -> None:
    """Be `python ...` as it was asked for."""
    import torch

    try:
        os.setpgid(0, asked["group"])
    except OSError:  # the group of another session: one of its own, which ends as a whole
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    sys.stdout.reconfigure(line_buffering=True)
    if asked["called"][:2] == SNAKEMAKE:
        sys.executable = os.environ[PYTHON]  # of its jobs
        sys.argv, sys.path[0] = asked["called"][1:], ""
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    else:
        sys.argv = asked["called"]
        sys.path[0] = os.path.dirname(sys.argv[0])
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        serve(socket.socket(fileno=int(sys.argv[2])))
