"""Running a process as a user does, with a time limit, and gathering what it left to read."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mistakes.judge import Ended
from mistakes.project import ROOT, Project

# No mistake may reach the hub, whoever is logged in there.
ENVIRON = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "none"}
MOST_OF_A_LOG = 200_000  # bytes


def run(command: list[str], folder: Path, limit: float, given: bytes = b"") -> Ended:
    """Run a command in a folder for at most `limit` seconds; then it is killed with all that it started."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, **ENVIRON},
        )  # fmt: skip
        status = None
        try:
            process.communicate(given, timeout=limit)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Ended(status, text, seconds=time.monotonic() - started)


def workflow(project: Project, limit: float) -> Ended:
    """Run the whole workflow in a project."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", "all"]
    if "--" in project.arguments:  # another target
        command.pop()
    ended = run([*command, *project.arguments], project.folder, limit)
    ended.logs = logs(project.folder)
    (project.folder / "output.txt").write_text(ended.output, encoding="utf-8")
    return ended


def logs(folder: Path) -> dict[str, str]:
    """What the jobs' logs say, by name."""
    found = {}
    for path in sorted(folder.glob("exp/*/logs/**/*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()[-MOST_OF_A_LOG:].decode("utf-8", "replace")
    return found
