"""The whole workflow in seconds: eight made-up recordings, a random model, two training steps."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from conftest import ROOT, write_data

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
RECIPE = ["Snakefile", "rules", "scripts", "schemas", "envs", "profiles"]  # what the workflow is made of


def copy_recipe(folder):
    """A copy of the workflow, whose code may be changed."""
    for name in RECIPE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def write_project(folder, model):
    """Data and settings.yaml for a small experiment `e` in `folder`; returns the settings."""
    write_data(folder / "data")
    settings = {
        "experiment": "e",
        "model": {"base": str(model)},
        "data": {role: {"s": "data"} for role in ("train", "valid", "test")},
        "train": {"max_steps": 2, "batch_seconds": 5.0, "evaluations": 1, "decode_utterances": 2, "workers": 0},
        "score": {"modes": ["faithful"], "bootstrap": 20},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return settings


def finish(folder, model):
    """Run the whole workflow with a copy of the recipe, a base model and a test set that are in the folder too."""
    settings = write_project(folder, model)
    write_data(folder / "heldout", 4)
    shutil.copytree(model, folder / "model")
    settings["data"]["test"] = {"s": "heldout"}
    settings["model"]["base"] = "model"
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    copy_recipe(folder / "recipe")
    snakemake(folder, "all")


def call(folder, *arguments, environ=None):
    """Run snakemake in a folder, by the copy of the recipe if there is one; returns its exit status and what it
    printed. Targets stand before options."""
    copy = Path(folder, "recipe/Snakefile")
    snakefile = str(copy if copy.exists() else ROOT / "Snakefile")
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2", *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as output:  # what is left behind by a job would keep a pipe open
        done = subprocess.run(command, cwd=folder, env=os.environ | (environ or {}), stdout=output, stderr=output)
        output.seek(0)
        return done.returncode, output.read()


def snakemake(folder, *arguments, settings="settings.yaml", environ=None):
    """A call that must succeed; returns what it printed."""
    status, text = call(folder, *arguments, "--configfile", settings, environ=environ)
    assert status == 0, text
    return text


def refused(folder, *arguments, settings="settings.yaml", environ=None):
    """A call that must fail; returns what it printed."""
    status, text = call(folder, *arguments, "--configfile", settings, environ=environ)
    assert status != 0, text
    return text


def plan(folder, *arguments, settings="settings.yaml"):
    """Number of jobs of each rule that a call would run."""
    text = snakemake(folder, "--dry-run", *arguments, settings=settings).partition("Job stats:")[2]
    jobs = re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)
    return {rule: int(number) for rule, number in jobs if rule not in ("all", "eval", "total")}


def planned(folder, *arguments, settings="settings.yaml"):
    """Names of the rules that a call would run."""
    return set(plan(folder, *arguments, settings=settings))
