"""Scripts that need PyTorch as children of one process that has loaded it: `pytest --preload`.

Loading PyTorch and transformers takes some seconds of processor time, and tests start two hundred such scripts. With
--preload, `sys.executable` of the tests, and `python` of the workflows that they run, is a small program that hands a
script of TORCH with its arguments, folder, environment and standard streams to a server, and ends as the script ends.
The server forks a child for it, which runs it as `python SCRIPT` would. Whatever else `python` is asked for is done by
the real one, and so is a script whose environment differs in what is read while modules load.
"""

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
from contextlib import suppress
from pathlib import Path

TORCH = {"align.py", "check_model.py", "convert.py", "decode.py", "fbank_stats.py", "suspects_judge.py", "train.py"}
PYTHON = "RECIPE_TEST_PYTHON"  # the variable that names the small program to the processes of the tests ...
_TORCHRUN_PYTHON = "PYTHON_EXEC"  # ... and to torchrun, for the processes that it starts
_AT_LOADING = ("PYTHON", "HF_", "TRANSFORMERS_", "ACCELERATE_", "LD_")
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class Preloaded:
    """The server while a run of the tests lasts."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="preloaded-")
        program = Path(self._folder.name) / "python"
        client = [sys.executable, "-I", "-S", __file__, "client", str(program.with_name("socket")), sys.executable]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(client)} "$@"\n')
        program.chmod(0o755)
        os.environ[PYTHON] = os.environ[_TORCHRUN_PYTHON] = str(program)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(program.with_name("socket")))
            listener.listen(64)
            environ = {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000", **os.environ}
            command = [sys.executable, __file__, "server", str(listener.fileno())]
            self._server = subprocess.Popen(
                command, pass_fds=[listener.fileno()], stdin=subprocess.PIPE, env=environ, stdout=subprocess.DEVNULL
            )

    def stop(self) -> None:
        """End the server, and with it whatever it still runs."""
        del os.environ[PYTHON], os.environ[_TORCHRUN_PYTHON]
        self._server.stdin.close()
        self._server.wait()
        self._folder.cleanup()


def client(path: str, python: str, words: list[str]) -> None:
    """Have the server run a script and end as it does; otherwise become the real Python."""
    server = socket.socket(socket.AF_UNIX)
    script = words[1:] if words[:1] == ["-u"] else words  # lines are not kept back here
    if script and os.path.basename(script[0]) in TORCH:
        server.connect(path)
        asked = {"argv": script, "cwd": os.getcwd(), "environ": dict(os.environ), "group": os.getpgrp()}
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
    import torch
    import torchaudio  # noqa: F401
    import transformers.trainer  # noqa: F401
    from transformers.models.qwen3 import modeling_qwen3  # noqa: F401

    assert not torch.cuda.is_initialized()


def _watch(child: int, client: socket.socket) -> int:
    """Hand a child the client's signals, and the client the child's status; a client that was killed takes it along."""
    ended = os.pidfd_open(child)
    while ended not in select.select([ended, client], [], [])[0]:
        number = client.recv(1)
        os.kill(child, number[0] if number else signal.SIGKILL)
        if not number:
            break
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        client.sendall(f"{status}\n".encode())
    return 0


def _become(asked: dict, streams: list[int]) -> None:
    """Be `python SCRIPT ...` as it was asked for."""
    import torch

    with suppress(OSError):  # the group of another session
        os.setpgid(0, asked["group"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    sys.argv = asked["argv"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    sys.stdout.reconfigure(line_buffering=True)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        serve(socket.socket(fileno=int(sys.argv[2])))
