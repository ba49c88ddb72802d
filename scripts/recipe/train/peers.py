"""Whom a process of a training no longer hears: hosts fail and networks are cut. What the libraries then say is which
operation took how long; who is to mend it has to know the host.
"""

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import torch

from recipe.files import RecipeError
from recipe.train.processes import gathered, processes, rank

_ANSWER = 10.0  # seconds within which the others say that they are there
_PAUSE = 0.1  # between two looks
# Libraries that exchange tensors; gloo's errors have no class of their own.
_LIBRARIES = re.compile(r"\b(gloo|nccl)\b", re.IGNORECASE)


class Unheard(RecipeError):
    """A training whose processes no longer hear each other."""


@contextlib.contextmanager
def naming_the_silent() -> Iterator[None]:
    """Turn the error of an exchange that broke off or took too long into an Unheard that names the processes which do
    not answer, and their hosts. Every process of the run has to enter, once they are connected."""
    if not torch.distributed.is_initialized():
        yield
        return
    hosts = gathered(socket.gethostname())
    try:
        yield
    except RecipeError:
        raise
    except RuntimeError as error:
        if not _is_of_an_exchange(error):
            raise
        raise Unheard(
            f"process {rank()} on {hosts[rank()]}: {_silent(hosts)} ({' '.join(str(error).split())}); see to the hosts "
            "and the network between them, then call the same command: training goes on from its last checkpoint"
        ) from error


def _is_of_an_exchange(error: RuntimeError) -> bool:
    """Whether it is the connection to other processes that failed."""
    return isinstance(error, torch.distributed.DistError) or bool(_LIBRARIES.search(str(error)))


def _silent(hosts: list[str]) -> str:
    """Who does not answer, in words. Each process leaves word in the store by which torchrun brought them together; who
    does not reach that misses the host where it is kept, the first process's."""
    try:
        missing = _missing()
    except (OSError, torch.distributed.DistError):
        missing = [0]
    if not missing:
        return "the exchange with the other processes failed, though all of them answer by now"
    return "no answer from " + ", ".join(f"process {number} on {hosts[number]}" for number in missing)


def _missing() -> list[int]:
    """Numbers of the processes that leave no word in time."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # Asked first, because the store fills the screen with what it tries.
    socket.create_connection((address, port), timeout=_ANSWER).close()
    store = torch.distributed.TCPStore(address, port, is_master=False, timeout=timedelta(seconds=_ANSWER))
    # The store outlives a restart by torchrun (--max-restarts).
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store.set(f"unheard/{attempt}/{rank()}", "here")
    missing, deadline = list(range(processes())), time.monotonic() + _ANSWER
    while missing and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        missing = [number for number in missing if not store.check([f"unheard/{attempt}/{number}"])]
    return missing
