"""What a stage is made with: the commit, the packages and the machine, as they are when it runs."""

import logging
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import recipe
from recipe.files import write_json

logger = logging.getLogger(__name__)
_assumptions: dict[str, None] = {}  # of this process, in their order


def assume(what: str) -> None:
    """Say loudly, and keep for the record, what a stage takes for granted because nothing states it."""
    if what not in _assumptions:
        logger.warning("ASSUMED: %s", what)
    _assumptions[what] = None


def write(path: str | os.PathLike) -> None:
    """Write the record of the process that calls: JSON with the recipe's version and commit, every installed package's
    version, the machine, and what was assumed, if anything. The same code on the same machine gives the same bytes."""
    write_json(
        path,
        {
            "stage": Path(sys.argv[0]).stem,
            "recipe": recipe.__version__,
            **_commit(Path(recipe.__file__).parent),
            "machine": _machine(),
            "packages": {name: version for _, name, version in sorted(_packages())},
            **({"assumed": list(_assumptions)} if _assumptions else {}),
        },
    )


def _commit(folder: Path) -> dict[str, Any]:
    """The git commit of the code, and whether files that git knows differ from it; None outside a repository."""
    commit = _output(["git", "-C", os.fspath(folder), "rev-parse", "HEAD"])
    changes = _output(["git", "-C", os.fspath(folder), "status", "--porcelain", "--untracked-files=no"])
    return {"commit": commit or None, "changed": bool(changes) if commit else None}


def _packages() -> set[tuple[str, str, str]]:
    """(name for sorting, name, version) of what is installed."""
    found = ((package.metadata["Name"], package.version) for package in metadata.distributions())
    return {(name.lower(), name, version) for name, version in found if name}


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpus": _gpus(),
    }


def _gpus() -> list[str]:
    """Names of the GPUs that this process can use; a stage that never loaded torch uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def usable_processors() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    """Its name where the system tells, as Linux does; else its architecture."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _output(command: list[str]) -> str:
    """What a command prints; nothing if it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
