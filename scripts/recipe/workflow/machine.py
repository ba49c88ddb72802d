"""What is asked of this machine, compared with what it has, before anything runs."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from recipe.files import RecipeError
from recipe.settings.export import PACKAGES, needed
from recipe.settings.section import AUTO
from recipe.settings.train import RunSettings, check_trackers


def refuse_runs(runs: Mapping[str, RunSettings], there: int, limit: int | None, environ: Mapping[str, str]) -> None:
    """RecipeError if a run wants more GPUs on this machine than there are, or than Snakemake's limit (None: no limit)
    leaves it, or several nodes where nothing starts processes on them."""
    for name, run in runs.items():
        if run.nodes > 1:
            _refuse_nodes(name, run, environ)
        elif run.gpus != AUTO and not run.trainer.get("use_cpu"):
            _refuse_gpus(name, run.gpus, there, limit)


def _refuse_gpus(name: str, wanted: int, there: int, limit: int | None) -> None:
    # A run that wants one is not refused where somebody says: the CPU.
    most = there if limit is None else 1 if limit == 0 and wanted == 1 else limit
    if wanted > most:
        has = f"this machine has {there}" if limit is None else f"--resources gpu={limit} allows {limit}"
        raise RecipeError(
            f"runs.{name}.gpus: {wanted} GPUs are asked for, {has} (nvidia-smi or CUDA_VISIBLE_DEVICES); ask for "
            "fewer, or for auto"
        )


def _refuse_nodes(name: str, run: RunSettings, environ: Mapping[str, str]) -> None:
    if shutil.which("srun", path=environ.get("PATH")) is None:
        raise RecipeError(
            f"runs.{name}.nodes: {run.nodes} nodes are those of a SLURM job, and there is no srun here; set nodes: 1, "
            "or start snakemake where SLURM is (docs/clusters.md)"
        )


def refuse_trackers(runs: Mapping[str, RunSettings]) -> None:
    """RecipeError if the package of a tracker that a run reports to is not installed."""
    for name, run in runs.items():
        try:
            check_trackers(run)
        except RecipeError as error:
            raise RecipeError(f"runs.{name}.{error}") from None


def refuse_exports(kinds: Iterable[str], interpreters: Mapping[str, str]) -> None:
    """RecipeError if a package is missing that kinds of exports are written with, or an interpreter of `export.python`
    in whose environment one of them is to be proven."""
    for kind in kinds:
        python = interpreters.get(kind)
        if kind in PACKAGES:
            needed(PACKAGES[kind], f"export.to: {kind} is")
        if python and shutil.which(python) is None:
            raise RecipeError(
                f"export.python.{kind}: {python} is no program; name the Python of an environment that is there, or "
                "leave the line out (then nothing is proven)"
            )


def refuse_wrong_kinds(outputs: Iterable[str]) -> None:
    """RecipeError if a folder is where one of these files is to be written, or a file where one of their folders is."""
    folders: dict[Path, None] = {}
    for output in map(Path, outputs):
        if output.is_dir():
            raise RecipeError(f"{output}: is a folder, and a result of this name is to be written; move it away")
        folders |= dict.fromkeys(reversed(output.parents))
    for folder in folders:
        if folder.exists() and not folder.is_dir():
            raise RecipeError(
                f"{folder}: is a file, and results are to be written to a folder of this name; move it away"
            )
