"""Every command in the documentation works: the recipe's own are tried, other programs are known by name.

snakemake plans (--dry-run) on data that only looks like it, scripts read their command line and stop, make prints what
it would do. A command that none of this covers makes a test fail.
"""

import argparse
import re
import runpy
import shlex
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT, fake_gpus
from small_workflow import call

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("models/*/*.md"), *ROOT.glob("docs/*/*.md")])
OWN = ("snakemake", "python", "make")
# Known programs that are not run: they install, build or fetch, or are everybody's.
OTHERS = (
    "apptainer",
    "build/bin/llama-funasr-cli",
    "cmake",
    "docker",
    "hf",
    "modelscope",
    "pip",
    "rm",
    "tail",
    "tensorboard",
    "uv",
)
ELSEWHERE = ("python docs/settings.py",)  # tests/test_workflow.py compares what it makes
# Options of plugins and programs that need not be here, each with one value or none (tests/test_slurm.py has the rest).
PLUGINS = ("--profile", "--executor", "--software-deployment-method", "--apptainer-args")


def words(line):
    """Words of a command, without prompt, comment and variables set before it."""
    found = shlex.split(line.strip().removeprefix("$ "), comments=True)
    while found and re.match(r"[A-Z_]+=", found[0]):
        found.pop(0)
    return found


def program(command):
    """Name of a command's program."""
    name = command[0]
    return name.rpartition("/")[2] if name.startswith(".venv/bin/") else name


def commands(page):
    """(place, words) of each command in a page: all lines of blocks that are marked as shell, lines with a prompt or an
    own program in other blocks, and own programs quoted in a sentence."""
    language, found = None, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(\w*)", line)
        if fence:
            language = fence[1] if language is None else None
            continue
        if language is None:
            lines = re.findall(rf"`((?:[A-Z_]+=\S+ )?(?:{'|'.join(OWN)}) [^`]+)`", line)
        elif language in ("sh", "bash") or line.startswith("$ ") or line.startswith(tuple(f"{own} " for own in OWN)):
            lines = [line]
        else:
            lines = []
        found += [(f"{page.relative_to(ROOT)}:{number}", words(command)) for command in lines if words(command)]
    return found


COMMANDS = [entry for page in PAGES for entry in commands(page)]


def of(name):
    """The different commands of a program, each with its (first) place as the test's name."""
    chosen = {}
    for place, command in COMMANDS:
        inner = command[command.index("--") + 1 :] if "scripts/with_gpus.py" in command else []
        for one in (command, inner):
            if one and program(one) == name and shlex.join(one) not in ELSEWHERE:
                chosen.setdefault(tuple(one), place)
    return pytest.mark.parametrize("command", [pytest.param([*key], id=place) for key, place in chosen.items()])


def test_every_program_is_known():
    unknown = {place: command for place, command in COMMANDS if program(command) not in (*OWN, *OTHERS)}
    assert unknown == {}, "say in tests/test_docs.py how these are tested"
    assert len(COMMANDS) > 40


def test_the_readme_has_the_same_commands_in_both_languages():
    english, chinese = (
        [shlex.join(command) for _, command in commands(ROOT / name)] for name in ("README.md", "README.zh.md")
    )
    assert english == chinese


class Understood(BaseException):
    """A script has read its command line without an error."""


@of("python")
def test_a_script_understands_its_command_line(command, monkeypatch):
    original = argparse.ArgumentParser.parse_args

    def parse(self, *args, **kwargs):
        original(self, *args, **kwargs)
        raise Understood

    script = ROOT / command[1]
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.setattr(sys, "argv", command[1:])
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])
    with pytest.raises((Understood, SystemExit)) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.type is Understood or (ended.value.code == 0 and "--help" in command)


@of("make")
def test_a_target_of_make_exists(command):
    done = subprocess.run([*command, "--just-print"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder to run snakemake in, with the bundled data and model."""
    folder = tmp_path_factory.mktemp("sandbox")
    for name in ("config", "data", "models"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def write_configuration(file, folder):
    """Make up a configuration that a page speaks of, and data for it that look like data."""
    if not file.exists():
        settings = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
        file.write_text(
            yaml.safe_dump(settings | {"experiment": "mine", "runs": {"run1": {}, "full": {"epochs": 1.0}}})
        )
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    for role in ("train", "valid", "test"):
        for entry in settings.get("data", {}).get(role, {}).values():
            data = folder / (entry if isinstance(entry, str) else entry["dir"])
            if not data.exists():
                data.mkdir(parents=True)
                (data / "wav.scp").write_text("a a.wav\n")
                (data / "text").write_text("a text\n")


def without_plugins(arguments):
    kept = [*arguments]
    for option in PLUGINS:
        if option in kept:
            del kept[kept.index(option) : kept.index(option) + 2]
    return kept


@of("snakemake")
def test_snakemake_can_plan_it(command, sandbox):
    arguments = without_plugins(command[1:])
    if "--report" in arguments:  # of a finished run; here the run itself is planned
        place = arguments.index("--report")
        del arguments[place : place + 2]
    files = [word for word in arguments if word.endswith(".yaml")]
    if any(word.startswith("exp/mine/") for word in arguments):
        files = ["mine.yaml"]
        arguments += ["--configfile", "mine.yaml"]
    for name in files:
        write_configuration(sandbox / name, sandbox)
    if "transcribe" in arguments:  # pages say before what it is to transcribe
        arguments += ["--config", "transcribe={talks: data/test}"]
    environ = {"CUDA_VISIBLE_DEVICES": "0,1", "PATH": fake_gpus(sandbox / "bin", 4)}
    status, text = call(sandbox, "--dry-run", *arguments, environ=environ)
    assert status == 0, text
