"""A Slurm cluster of two nodes on this machine: its daemons with all their files in one folder, ended with the test."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

NODES = "asr1", "asr2"
DAEMONS = "munged", "slurmctld", "slurmd"
# Snakemake's plugin takes all SLURM_* out of a job's environment: it must be where Slurm looks by itself.
CONFIGURATION = Path("/etc/slurm/slurm.conf")
PORTS = {"slurmctld": 26817, "asr1": 26818, "asr2": 26819}


def skip_unless_possible():
    """Skip the test where Slurm is not installed, or another one is set up."""
    if missing := [name for name in (*DAEMONS, "srun", "sbatch", "scancel") if not shutil.which(name, path=_path())]:
        pytest.skip(f"needs {', '.join(missing)} (packages slurmctld, slurmd, slurm-client and munge)")
    if os.geteuid():
        pytest.skip("needs root, by which the daemons are started")
    if CONFIGURATION.exists():
        pytest.skip(f"there is a Slurm here already: {CONFIGURATION}")


def _path():
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _configuration(folder):
    """No accounting and no cgroups; jobs are killed a minute after they were told to end."""
    host, processors = os.uname().nodename, os.cpu_count()
    memory = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20 * 0.9)
    lines = {
        "ClusterName": "here", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmUser": "root", "SlurmdUser": "root",
        "AuthType": "auth/munge", "AuthInfo": f"socket={folder}/munge/socket", "CredType": "cred/munge",
        "SlurmctldPort": PORTS["slurmctld"], "SlurmctldPidFile": f"{folder}/slurmctld.pid",
        "SlurmctldLogFile": f"{folder}/slurmctld.log", "StateSaveLocation": f"{folder}/state",
        "SlurmdPidFile": f"{folder}/%n.pid", "SlurmdLogFile": f"{folder}/%n.log",
        "SlurmdSpoolDir": f"{folder}/spool.%n", "SlurmdParameters": "config_overrides",
        "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "SwitchType": "switch/none",
        "MpiDefault": "none", "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_CPU_Memory",
        "SchedulerType": "sched/backfill", "SchedulerParameters": "sched_interval=1,bf_interval=1",
        "ReturnToService": "2", "MinJobAge": "3600", "KillWait": "60", "JobCompType": "jobcomp/none",
        "AccountingStorageType": "accounting_storage/none", "JobAcctGatherType": "jobacct_gather/none",
    }  # fmt: skip
    nodes = [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={PORTS[name]} CPUs={processors} "
        f"RealMemory={memory} State=UNKNOWN"
        for name in NODES
    ]
    partition = f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP"
    return "\n".join([*(f"{name}={value}" for name, value in lines.items()), *nodes, partition, ""])


def _begin(folder):
    for name in ("munge", "state", *(f"spool.{name}" for name in NODES)):
        (folder / name).mkdir()
    folder.chmod(0o755)
    munge = folder / "munge"
    munge.chmod(0o711)
    (munge / "key").write_bytes(os.urandom(1024))
    (munge / "key").chmod(0o400)
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    commands = [
        ["munged", "--force", *(f"--{flag}={munge / file}" for flag, file in files.items())],
        ["slurmctld", "-c"],
    ]
    commands += [["slurmd", "-c", "-N", name] for name in NODES]
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.write_text(_configuration(folder))
    for command in commands:
        subprocess.run(command, check=True, env=os.environ | {"PATH": _path()})
    deadline = time.monotonic() + 60
    while (told := said("sinfo", "--noheader", "--format=%T %D").split()) != ["idle", str(len(NODES))]:
        assert time.monotonic() < deadline, f"the nodes are {told}"
        time.sleep(0.5)


def said(*command):
    """What a command of Slurm's prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def cluster(folder):
    """Two nodes with all processors and memory of the machine each."""
    skip_unless_possible()
    try:
        _begin(folder)
        yield
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            said("scancel", "--user", "root", "--signal", "KILL", "--full")
            deadline = time.monotonic() + 30
            while said("squeue", "--noheader") and time.monotonic() < deadline:
                time.sleep(0.5)
        for file in [*(folder / f"{name}.pid" for name in (*NODES, "slurmctld")), folder / "munge/pid"]:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(file.read_text()), 15)
        CONFIGURATION.unlink()
