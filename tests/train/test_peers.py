"""Whom a process of a training no longer hears: the others' names in its error."""

import os
import re
import socket
import subprocess
import sys

import pytest
from conftest import ROOT

from recipe.train import peers

# A run's connection, and an exchange in which the second process takes no part.
PROCESS = """
import os, signal, sys, time
from pathlib import Path
from recipe.files import RecipeError
from recipe.settings.train import TrainSettings
from recipe.train import peers, processes
from recipe.train.arguments import trainer_arguments

peers._ANSWER = 2.0
settings = TrainSettings(trainer={"use_cpu": True, "ddp_timeout": 20})
trainer_arguments(settings, Path(sys.argv[3]), "fp32")
try:
    with peers.naming_the_silent():
        if processes.rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == "killed" else time.sleep(600)
        getattr(processes, sys.argv[2])([1.0])
except RecipeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("what", "exchange", "reason"),
    [
        ("killed", "gathered", "closed by peer|reset by peer"),
        pytest.param("silent", "gathered", "Timed out waiting 20000ms", marks=pytest.mark.slow),
        ("silent", "added_up", "Timed out waiting 20000ms"),
    ],
)
def test_who_is_killed_or_silent_is_named_with_its_host(what, exchange, reason, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "PYTHONPATH": ROOT / "scripts"}
    first, second = (
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, what, exchange, tmp_path],
            env=os.environ | places | {"RANK": rank},
            stdout=subprocess.PIPE,
        )
        for rank in "01"
    )
    said = first.communicate(timeout=600)[0].decode()
    second.kill()
    second.communicate()
    host = socket.gethostname()
    assert said.startswith(f"process 0 on {host}: no answer from process 1 on {host} (") and re.search(reason, said)
    assert said.endswith("call the same command: training goes on from its last checkpoint\n")


def test_other_errors_pass(monkeypatch):
    """As they are: they are no one else's fault."""
    monkeypatch.setattr(peers.torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(peers, "gathered", lambda value: [value])
    with pytest.raises(RuntimeError, match="mat1 and mat2") as found, peers.naming_the_silent():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert not isinstance(found.value, peers.Unheard)
