# What all rules share: the checked configuration, where things lie, and how scripts are run.

import atexit
import json
import os
import re
import shlex
import shutil
import sys
from functools import cache, partial
from pathlib import Path

import filelock
from snakemake.logging import logger

from recipe import normalize as normalization
from recipe import versions
from recipe.files import RecipeError
from recipe.model import directory as model_dir
from recipe.settings import flags
from recipe.settings.score import OWN_RULES
from recipe.settings.section import as_mapping, changed, indifferent
from recipe.settings.workers import MOST_WORKERS, workers_wanted
from recipe.workflow import code as stage_code
from recipe.workflow import config as recipe_config
from recipe.workflow import devices, machine, pseudo, sets, trainings
from recipe.workflow.origins import Origins

# For --software-deployment-method conda. Braces in the folder's name would be wildcards.
ENVIRONMENT = re.sub("[{}]", r"\g<0>\g<0>", str(ROOT / "envs/recipe.yaml"))


# For --software-deployment-method apptainer: an image made with Containerfile. A path of this machine would make
# everything again where the clone is moved, and one with white space is none to Snakemake, whatever the method.
IMAGE = os.path.relpath(ROOT / "envs/recipe.sif")

if not re.search(r"\s", IMAGE):

    container: IMAGE


# Jobs start `python`: the one that runs snakemake, unless a conda environment puts its own before it. They find the
# scripts by $RECIPE: the path of the clone in a command or a parameter would make everything again where it is moved.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]), RECIPE=str(ROOT))


def told(function, *arguments, about=""):
    """What a function of the library gives; its error as one of Snakemake's, `about` a setting."""
    try:
        return function(*arguments)
    except RecipeError as error:
        raise Refused(ORIGINS.located(f"{about}{error}"))


# The configuration of a module is a part of the outer workflow's, whose files say nothing of ours.
IS_MODULE = workflow.modifier.skip_configfile
if not IS_MODULE:
    # Some time before a scheduler kills a job it sends SIGTERM to all of its processes, and training keeps a checkpoint
    # then. The shell and tee, which would end at once, wait for it. A prefix, because other commands make all again.
    shell.prefix("set -euo pipefail; trap : TERM; tee() {{ trap '' TERM; exec tee \"$@\"; }}; ")
COMMAND_LINE = {} if IS_MODULE else dict(workflow.config_settings.config or {})
CONFIG_FILES = [] if IS_MODULE else [*workflow.configfiles] or [ROOT / "config.yaml"]
ORIGINS = Origins([], {})
for file in CONFIG_FILES:
    told(recipe_config.refuse_repeated_names, file)
ORIGINS = Origins(CONFIG_FILES, COMMAND_LINE)

if not workflow.configfiles:

    configfile: ROOT / "config.yaml"


report: "captions/workflow.rst"


CONFIG = told(recipe_config.check, recipe_config.merged(config, COMMAND_LINE), ORIGINS.place)
told(sets.refuse_odd_paths, CONFIG)
told(recipe_config.refuse_impossible, CONFIG)
RUNS = told(recipe_config.runs, CONFIG, ORIGINS.place)  # a run's seeds are trainings of their own
if not IS_MODULE:  # rules of the outer workflow may make them
    told(sets.refuse_missing_augmentation, RUNS)
PARTS = told(trainings.curve_parts, CONFIG, RUNS)  # those on fractions of the data, for the learning curve
TRAININGS = RUNS | {name: part.settings for name, part in PARTS.items()}
CURVES = told(trainings.curve_runs, CONFIG, CONFIG.runs)
told(pseudo.check, CONFIG, RUNS)
EXP = f"exp/{CONFIG.experiment}"
BASE = recipe_config.BASELINE
MODELS = [BASE, *RUNS]
ALL_MODELS = [BASE, *TRAININGS]  # those of the curve's fractions are scored too
TESTS = list(CONFIG.data.test)
MODES = list(CONFIG.score.modes)
SETS = [(role, name) for role in ("train", "valid", "test") for name in getattr(CONFIG.data, role)]
# Training sets that models transcribe; they come after those that are given, which models are trained on first.
PSEUDO = [("train", name) for name in CONFIG.pseudo]
# Looked for at once: what is missing is told in a line before anything is planned.
SET_FILES = {(role, name): told(sets.data_files, CONFIG, role, name) for role, name in [*SETS, *PSEUDO]}
BASE_FILES = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "recipe.json",
    "README.md",
]
MODEL_FILES = [*BASE_FILES, "history.json"]


for folder in (Path.cwd(), Path("exp").resolve(), Path(EXP).resolve()):
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder}: is a file; results go to {EXP} in the folder where snakemake runs")
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise Refused(f"{folder}: cannot be written to; results go to {EXP} in the folder where snakemake runs")


def one_of(names):
    """A wildcard constraint that takes these names and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    role="train|valid|test",
    set=one_of(name for _, name in [*SETS, *PSEUDO]),
    run=one_of(TRAININGS),
    model=one_of(ALL_MODELS),
    test=one_of(TESTS),
    mode=one_of(MODES),
    name=one_of(CONFIG.transcribe),
    pseudo=one_of(CONFIG.pseudo),
    opinion=one_of([pseudo.CLEAN, pseudo.NOISY]),
    shard="[0-9]+",


@cache
def code(name):
    """Hash of a stage's script and of the library modules that it imports: as a parameter of a rule it makes the
    stage run again when that code changes, and only then."""
    return stage_code.code_hash(ROOT / "scripts" / name)


def words(section, *names, but=()):
    """Settings of a section, all `but` some where none is named, as flags of a stage's script; those that do not change
    its results are left out."""
    left_out = {*but, *indifferent(type(section))}
    return flags.words(section, [name for name in names or as_mapping(section) if name not in left_out])


def own_rules(wildcards):
    """A user's own rules of normalization as flags; raw texts stay as they are."""
    return [] if wildcards.mode == "raw" else words(CONFIG.score, *OWN_RULES)


def own_file(wildcards):
    """Their file, where there is one."""
    return [] if wildcards.mode == "raw" or not CONFIG.score.equivalent else [CONFIG.score.equivalent]


def check_own_rules():
    """Refused, before anything is planned, if their file cannot be used in one of the modes."""
    if CONFIG.score.equivalent and workflow.is_main_process:
        for mode in MODES:
            if mode != "raw":
                given = {"equivalent": CONFIG.score.equivalent, "fillers": CONFIG.score.fillers}
                told(partial(normalization.own_rules, mode, **given), about="score.equivalent: ")


def told_languages(wildcards, input):
    """Where normalize.py finds the languages of utterances; only one mode asks for them."""
    return ["--utt2lang", input.manifest] if wildcards.mode == "faithful" else []


def set_flags(named_sets):
    """Manifests of sets, (role, name) each, as flags: --train NAME=FILE ... --valid ..."""
    return [
        word
        for role in dict.fromkeys(role for role, _ in named_sets)
        for word in (
            f"--{role}",
            *(f"{name}={EXP}/data/{role}/{name}.jsonl" for kind, name in named_sets if kind == role),
        )
    ]


LONGEST_TEXT = 100_000  # bytes that a shell's command can hand over, with room for the rest of it (Linux: 128 KiB)


def handed_over(value, what):
    """A value as JSON for a shell's command. Refused before anything runs if that is too long for one."""
    text = json.dumps(value, ensure_ascii=False)
    if (size := len(text.encode())) > LONGEST_TEXT:
        raise Refused(f"{what}: {size} bytes, at most {LONGEST_TEXT} fit into a command; shorten what is longest")
    return text


# What may be done for recordings that are no local files.
ELSEWHERE = words(CONFIG.data, "fetch", "allow_commands")


def patterns(*rules):
    """The output files of rules, as they are written there."""
    return [str(file) for rule in rules for file in rule.output]


def gpus_here():
    """Number of GPUs that jobs on this machine may use. A cluster's jobs have those of its nodes."""
    try:
        return len(devices.visible(os.environ))
    except RecipeError as error:
        if workflow.nodes is None:
            raise Refused(str(error))
        return 0


GPUS = gpus_here()


def on_cluster():
    """Whether jobs run elsewhere. Known once the workflow is executed; a dry run goes by `--jobs`."""
    return workflow.nodes is not None and (workflow.dryrun or not workflow.local_exec)


def gpu_share(wanted="auto"):
    """GPUs of a job; auto is one, or none on a machine without any (a cluster is always asked for it). To be called when
    resources are asked for, by a function in the rule."""
    if on_cluster():
        return 1 if wanted == "auto" else wanted
    # Without a limit of Snakemake's, all jobs would start at once; jobs that ask for more than it get less.
    workflow.global_resources.setdefault("gpu", GPUS)
    return min(1, GPUS) if wanted == "auto" else wanted


def decoding_threads(wildcards):
    """CPU threads of a job that decodes: one on a CPU, so that sets are decoded side by side; on a GPU those of the
    processes that read for it, too."""
    if not gpu_share():
        return 1
    return max(1, min(MOST_WORKERS + 1, workflow.cores // (1 if on_cluster() else GPUS)))


def refuse_impossible_calls():
    """Refused for what no job of this machine could do."""
    cores = workflow.global_resources["_cores"].value
    if isinstance(cores, int) and cores < 1:
        raise Refused(f"--cores {cores}: expected a number of 1 or more, or all")
    limit = gpu_limit()
    if workflow.nodes is None and limit is not None and limit > GPUS:
        raise Refused(f"gpu: {limit} are asked for, nvidia-smi or CUDA_VISIBLE_DEVICES shows {GPUS}")
    told(machine.refuse_trackers, RUNS)


def gpu_limit():
    """What `--resources gpu=N` says; None without it."""
    limit = workflow.global_resources.get("gpu")
    return None if limit is None else limit.value


LIMIT = gpu_limit()  # jobs are told one below, as if it were said
refuse_impossible_calls()


def planned(function, *arguments):
    """As `told`, for input functions: Snakemake shows their exceptions with wildcards and traceback, this one's end not."""
    try:
        return function(*arguments)
    except RecipeError as error:
        logger.error(f"Error: {ORIGINS.located(str(error))}")
        raise SystemExit(1)


def possible_training(wildcards):
    """No files; the end if a run that is not trained yet cannot be trained here."""
    trained = Path(f"{EXP}/train/{wildcards.run}/model/recipe.json").exists()
    if workflow.is_main_process and not trained and not on_cluster():
        planned(machine.refuse_runs, {wildcards.run: TRAININGS[wildcards.run]}, GPUS, LIMIT, os.environ)
    return []


def something_to_score(wildcards):
    """No files; the end if there is nothing to score, and scores are asked for."""
    if not workflow.dag_settings.until:
        planned(recipe_config.refuse_no_test, CONFIG)
    return []


def refuse_impossible_jobs():
    """Refused, before the first job, if a training is to be made again that cannot be made here."""
    names = [job.wildcards.run for job in workflow.dag.needrun_jobs() if job.rule.name == "train"]
    runs = {name: TRAININGS[name] for name in names}
    if not on_cluster():
        told(machine.refuse_runs, runs, GPUS, LIMIT, os.environ)


def refuse_wrong_kinds():
    """Refused if a folder is where an output is to be written, or the other way round."""
    kinds = ("logs", "benchmarks", "records", "report", "score", "decode", "data", "stats", "train", "pseudo")
    outputs = [
        *STAGE_OUTPUTS,
        *rules.report.output,
        *rules.provenance.output,
    ]
    states = [f"{EXP}/train/{run}/{name}/file" for run in TRAININGS for name in ("state", "tensorboard")]
    told(machine.refuse_wrong_kinds, [*map(str, outputs), *states, *(f"{EXP}/{kind}/file" for kind in kinds)])


def memory(megabytes):
    """Memory of a job in MB: as much again at each further attempt, where retries are allowed."""
    return lambda wildcards, attempt: megabytes * attempt


_LOCK = filelock.FileLock(".snakemake/recipe.lock")


def hold_lock():
    """Keep a second snakemake out of this folder until this one ends, however it ends."""
    try:
        _LOCK.acquire(blocking=False)
    except filelock.Timeout:
        raise Refused("another snakemake is at work in this folder; wait for it or stop it")


def tell_place():
    """After a failure of check_model: where in the configuration the setting stands that it names."""
    log = Path(f"{EXP}/logs/check_model.log")
    found = re.findall(r": error: (runs\..*)", log.read_text(encoding="utf-8")) if log.exists() else []
    for message in found:
        print(f"Error: {ORIGINS.located(message)}", file=sys.stderr)


def tell_free_space():
    """After a failure: whether the disk may be the reason. A job that cannot write may not even say so in its log."""
    folder = Path(EXP) if Path(EXP).exists() else Path.cwd()
    free = shutil.disk_usage(folder).free
    if free < 10e9:
        print(f"{folder}: {free / 1e6:,.1f} MB of disk space are left", file=sys.stderr)
