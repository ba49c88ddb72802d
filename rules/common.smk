# What all rules share: the checked configuration, where things lie, and how scripts are run.

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import filelock
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")

# Paths of the recipe's own files count from the Snakefile, so that the workflow also works from another folder.
ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "scripts"))

from recipe import config as recipe_config
from recipe import provenance, recordings
from recipe.files import RecipeError, read_map

# Jobs start `python`: the one that runs snakemake, unless a conda environment puts its own before it.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))

if not workflow.configfiles:

    configfile: ROOT / "config.yaml"


def load_settings():
    """The checked configuration with all defaults, and the settings of each run."""
    try:
        schema = recipe_config.load_schema(ROOT / "schemas/config.schema.yaml")
        checked = recipe_config.check(config, schema)
        return checked, recipe_config.runs(checked, schema)
    except RecipeError as error:
        raise WorkflowError(str(error))


report: "captions/workflow.rst"


SETTINGS, RUNS = load_settings()
EXP = f"exp/{SETTINGS['experiment']}"
BASE = recipe_config.BASELINE
MODELS = [BASE, *RUNS]
TESTS = list(SETTINGS["data"]["test"])
MODES = SETTINGS["score"]["modes"]
DECODE_SHARDS = range(1, SETTINGS["decode"]["shards"] + 1)
SETS = [(role, name) for role in ("train", "valid", "test") for name in SETTINGS["data"][role]]
MODEL_FILES = ["config.json", "model.safetensors", "tokenizer.json", "recipe.json", "history.json"]


def one_of(names):
    """A wildcard constraint that takes these names and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    role="train|valid|test",
    set=one_of(name for _, name in SETS),
    run=one_of(RUNS),
    model=one_of(MODELS),
    test=one_of(TESTS),
    mode=one_of(MODES),
    name=one_of(SETTINGS["transcribe"]),
    shard="[0-9]+",


def script(name):
    """Path of a stage's script."""
    return ROOT / "scripts" / name


@cache
def code(name):
    """Hash of a stage's script and of the library modules that it imports: as a parameter of a rule it makes the
    stage run again when that code changes, and only then."""
    return provenance.code_hash(script(name))


@cache
def gpus():
    """Number of GPUs of this machine."""
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return listed.stdout.count("GPU ") if listed.returncode == 0 else 0


_LOCK = filelock.FileLock(".snakemake/recipe.lock")


def hold_lock():
    """Keep a second snakemake out of this folder until this one ends, however it ends."""
    try:
        _LOCK.acquire(blocking=False)
    except filelock.Timeout:
        raise WorkflowError("another snakemake is at work in this folder; wait for it or stop it")
