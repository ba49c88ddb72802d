# Training runs: their settings, the sets that they see, and what starts their processes.

from recipe.settings import train as train_settings

# Settings of a run that are not in its settings file: where it runs, how often it sees which data, and what leaves the
# model as it is.
LAUNCH = ("gpus", "nodes", "weights", *train_settings.INDIFFERENT)


def run_options(run):
    """Settings of a run that its settings file holds."""
    return {name: value for name, value in RUNS[run].items() if name not in LAUNCH}


def checked_options(run):
    try:
        return train_settings.from_mapping(run_options(run), f"runs.{run}")
    except RecipeError as error:
        raise WorkflowError(str(error))


OPTIONS = {run: checked_options(run) for run in RUNS}


def train_sets(run):
    """The training sets of a run with their weights; one of weight 0 is left out."""
    own = RUNS[run]["weights"]
    if unknown := sorted(set(own) - set(SETTINGS["data"]["train"])):
        raise WorkflowError(f"runs.{run}.weights: {', '.join(unknown)} is no set of data.train")
    kept = {name: weight for name, weight in {**train_weights(), **own}.items() if weight}
    if not kept:
        raise WorkflowError(f"runs.{run}.weights leave no training set")
    return kept


def train_processes(run):
    """Training processes a node."""
    return 1 if RUNS[run]["gpus"] == "auto" else max(1, RUNS[run]["gpus"])


def train_gpus(run):
    """GPUs of a run on each of its nodes."""
    return 0 if RUNS[run]["trainer"].get("use_cpu") else gpu_share(RUNS[run]["gpus"])


def launcher(run):
    """What starts the processes of a run: python or torchrun with GPUs of their own, or a torchrun on each node of a
    SLURM job (which has its GPUs), the first of which is the one that this command runs on.

    The number of GPUs is the shell's `gpus`: a parameter that named it would train again on another machine."""
    nodes, processes = RUNS[run]["nodes"], train_processes(run)
    own_gpus = f"python {shlex.quote(str(script('with_gpus.py')))} $gpus --"
    torchrun = f"python -m torch.distributed.run --nproc-per-node {processes}"
    if nodes == 1:
        return f"{own_gpus} {'python' if processes == 1 else f'{torchrun} --standalone'}"
    port = "${MASTER_PORT:-$((20000 + ${SLURM_JOB_ID:-0} % 20000))}"
    return (
        f"srun --overlap --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1 {torchrun} --nnodes {nodes}"
        f' --rdzv-backend c10d --rdzv-id "${{SLURM_JOB_ID:-0}}" --rdzv-endpoint "${{MASTER_ADDR:-$(hostname)}}:{port}"'
    )
