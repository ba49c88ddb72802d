"""GPUs of this machine, each held by one command at a time.

A device's lock is a file that the command and its children keep open: the system frees it when the last of them is
gone, however it ended. Locks are shared by everything that one user runs on one machine, experiments and folders alike.
"""

import fcntl
import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from recipe.files import RecipeError

logger = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL_SECONDS = 0.5


def visible(environ: Mapping[str, str]) -> list[str]:
    """Names of the devices that a command may use, as CUDA_VISIBLE_DEVICES takes them: what is given there, otherwise
    the numbers of all that nvidia-smi knows. RecipeError if one is given that this machine has not: CUDA would pass
    over it without a word, and the command run on the CPU."""
    if VISIBLE not in environ:
        return _numbers(environ)[0]
    given = _usable(environ[VISIBLE].split(","))
    if given:
        numbers, found = _numbers(environ)
        names = _unique_names(environ) if numbers and not all(map(str.isdigit, given)) else []
        if missing := [name for name in given if name not in numbers and not _names_one(name, names)]:
            raise RecipeError(
                f"{VISIBLE} is {environ[VISIBLE]}, but there is no GPU {', '.join(missing)} here ({found}); name "
                f"others, or set {VISIBLE}= for the CPU"
            )
    return given


def _numbers(environ: Mapping[str, str]) -> tuple[list[str], str]:
    """Numbers of this machine's GPUs, and in words what was found. Without nvidia-smi, as in some containers, they are
    those that the driver shows as files."""
    if shutil.which("nvidia-smi", path=environ.get("PATH")) is None:
        files = sorted(Path("/dev").glob("nvidia[0-9]*"))
        return [file.name.removeprefix("nvidia") for file in files], f"no nvidia-smi, {len(files)} files /dev/nvidia*"
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True, env=dict(environ))
    if listed.returncode:
        words = " ".join((listed.stdout + listed.stderr).split())
        return [], f"nvidia-smi says: {words}" if words else f"nvidia-smi ends with status {listed.returncode}"
    numbers = _usable(listed.stdout.split())
    return numbers, f"nvidia-smi lists {', '.join(numbers) or 'none'}"


def _unique_names(environ: Mapping[str, str]) -> list[str]:
    """Names of this machine's GPUs and of their MIG instances, e.g. GPU-8932f937-...; where nothing lists them, what
    any of them begins with."""
    if shutil.which("nvidia-smi", path=environ.get("PATH")) is None:
        return ["GPU-", "MIG-"]
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, env=dict(environ))
    return re.findall(r"UUID: ((?:GPU|MIG)-[^)\s]+)", listed.stdout)


def _names_one(name: str, known: Sequence[str]) -> bool:
    """Whether a name is that of a device, of which CUDA takes the beginning, too."""
    # Once MIG instances were called by the name of their GPU, with numbers behind it: MIG-GPU-8932f937.../1/0.
    whole = name.removeprefix("MIG-").partition("/")[0] if name.startswith("MIG-GPU-") else name
    return not name.isdigit() and any(one.startswith(whole) or one in ("GPU-", "MIG-") for one in known)


def _usable(names: Sequence[str]) -> list[str]:
    """The names up to the first that is no device's: CUDA reads the list so, and -1 hides what follows."""
    found = []
    for name in map(str.strip, names):
        if not re.fullmatch(r"\d+|(GPU|MIG)-[\w/-]+", name):
            break
        found.append(name)
    return found


def lock_folder(environ: Mapping[str, str]) -> Path:
    """Where locks lie. Slurm gives a job devices of its own and may count them from 0 in each: locks are per job."""
    folder = Path(tempfile.gettempdir()) / f"gpus-of-{os.getuid()}" / environ.get("SLURM_JOB_ID", "")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def take(count: int, names: Sequence[str], folder: Path) -> list[str]:
    """Wait for `count` of the devices `names` and hold them until this process and all that it starts have ended.

    One process chooses at a time, in the order in which they came: two that each hold a part of what they need would
    wait for ever, and one that needs many would never get them. RecipeError if there are fewer than `count` at all.
    """
    if count > len(names):
        shown = f" ({', '.join(names)})" if names else ""
        raise RecipeError(
            f"{count} GPU(s) are needed, {len(names)} can be seen{shown}: ask for fewer, or look at {VISIBLE}"
        )
    queue = _lock(folder / "queue")
    if queue is None:
        logger.info("waiting in line for %d of the GPUs %s", count, ", ".join(names))
        queue = _lock(folder / "queue", wait=True)
    taken = _take_free(count, names, folder)
    if len(taken) < count:
        logger.info("waiting for %d of the GPUs %s", count - len(taken), ", ".join(names))
    while len(taken) < count:
        time.sleep(POLL_SECONDS)
        taken += _take_free(count - len(taken), [name for name in names if name not in taken], folder)
    os.close(queue)
    return sorted(taken, key=names.index)


def _take_free(count: int, names: Sequence[str], folder: Path) -> list[str]:
    """Lock up to `count` devices that are free."""
    taken: list[str] = []
    for name in names:
        if len(taken) < count and (lock := _lock(folder / name.replace("/", "_"))) is not None:
            os.set_inheritable(lock, True)
            taken.append(name)
    return taken


def _lock(path: Path, wait: bool = False) -> int | None:
    """Lock a file for as long as the descriptor returned is open in some process; None if another has locked it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
