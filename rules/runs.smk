# Training runs: the sets that they see, and what starts their processes.

from recipe.settings.train import TrainSettings

# Settings of a run that its settings file has: those of its training that may change its results and are not the default.
TRAINED = [name for name in as_mapping(TrainSettings()) if name not in indifferent(TrainSettings)]
RUN_SETTINGS = {run: {name: value for name, value in changed(RUNS[run]).items() if name in TRAINED} for run in RUNS}
TRAIN_SETS = {run: told(sets.weights, CONFIG, RUNS[run], f"runs.{run}") for run in RUNS}


def told_how(run):
    """Steps between log lines; but for the usual ones, the trackers and the time between checkpoints; and of several
    runs the name that lines begin with: in one resource, since a change of the rule's command would train every model
    again."""
    name = ["--name", run] if len(RUNS) > 1 else []
    return " ".join([str(RUNS[run].log_every), *flags.words(RUNS[run], ["report_to", "checkpoint_minutes"]), *name])


def train_threads(run):
    """CPU threads of a training. On GPUs all, so that nothing else is read or decoded beside it; on a CPU the runs
    share them: a batch of a model that trains there gains little from a second thread, and two runs gain all."""
    return workflow.cores if train_gpus(run) else max(1, workflow.cores // len(RUNS))


def train_processes(run):
    """Training processes a node."""
    return 1 if RUNS[run].gpus == "auto" else max(1, RUNS[run].gpus)


def train_gpus(run):
    """GPUs of a run on each of its nodes."""
    return 0 if RUNS[run].trainer.get("use_cpu") else gpu_share(RUNS[run].gpus)


FIRST_PROCESS, GPU_PROCESS, WORKER = 15000, 7000, 500  # MB of memory


def training_memory(wildcards, input, attempt):
    """Memory in MB of a training job on each node: of the processes with their workers (docs/scale.md), and what is mapped
    and kept of the manifests, about a fifth of their size; as much again at each further attempt."""
    run = RUNS[wildcards.run]
    processes, on_gpus = train_processes(wildcards.run), train_gpus(wildcards.run)
    # The first process writes checkpoints and averages them; on a CPU all of a model and its optimizer is in memory.
    own = FIRST_PROCESS + (processes - 1) * (GPU_PROCESS if on_gpus else FIRST_PROCESS)
    manifests = sum(os.path.getsize(file) for file in input.train if os.path.exists(file))
    return attempt * round(own + processes * run.workers * WORKER + manifests / 5e6)


def launcher(run):
    """What starts the processes of a run: python or torchrun with GPUs of their own, or a torchrun on each node of a
    SLURM job (which has its GPUs), the first of which is the one that this command runs on.

    The number of GPUs is the shell's `gpus`: a parameter that named it would train again on another machine."""
    nodes, processes = RUNS[run].nodes, train_processes(run)
    own_gpus = 'python "$RECIPE/scripts/with_gpus.py" $gpus --'
    torchrun = f"python -m torch.distributed.run --nproc-per-node {processes}"
    if nodes == 1:
        return f"{own_gpus} {'python' if processes == 1 else f'{torchrun} --standalone'}"
    port = "${MASTER_PORT:-$((20000 + ${SLURM_JOB_ID:-0} % 20000))}"
    return (
        f"srun --overlap --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1 {torchrun} --nnodes {nodes}"
        f' --rdzv-backend c10d --rdzv-id "${{SLURM_JOB_ID:-0}}" --rdzv-endpoint "${{MASTER_ADDR:-$(hostname)}}:{port}"'
    )


# Models of folds, which judge transcripts.
FOLD_RUN = told(recipe_config.fold_settings, CONFIG, ORIGINS.place)
FOLD_SETTINGS = {name: value for name, value in changed(FOLD_RUN).items() if name in TRAINED}
FOLD_KINDS = ("train", "valid", "held_out") if CONFIG.suspects.folds else ("held_out",)


def fold_model(wildcards):
    """Directory of the model that judges a fold."""
    return f"{EXP}/suspects/models/{wildcards.fold}" if CONFIG.suspects.folds else BASE_DIR


def fold_model_files(wildcards):
    """Its files."""
    return [f"{fold_model(wildcards)}/{name}" for name in MODEL_FILES] if CONFIG.suspects.folds else base_files()


def something_to_judge(wildcards):
    """No files; the end if there is nothing to judge, or nothing to train the models of folds on."""
    planned(recipe_config.refuse_nothing_to_judge, CONFIG)
    return []
