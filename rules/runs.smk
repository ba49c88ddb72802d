# Training runs: the sets that they see, and what starts their processes.

from recipe.settings.train import TrainSettings

# Settings of a run that its settings file has: those of its training that may change its results and are not the default.
TRAINED = [name for name in as_mapping(TrainSettings()) if name not in indifferent(TrainSettings)]
RUN_SETTINGS = {
    run: {name: value for name, value in changed(settings).items() if name in TRAINED}
    for run, settings in TRAININGS.items()
}
TRAIN_SETS = {run: told(sets.weights, CONFIG, settings, f"runs.{run}") for run, settings in TRAININGS.items()}
SEEDS_OF = {run: trainings.seeds_of(CONFIG, run, RUNS) for run in CURVES}


def training_manifests(run):
    """Manifests of the sets that a training sees; of a set that it is to see a fraction of, that fraction."""
    part = PARTS.get(run)
    return [
        (
            subset_file("jsonl", part, name)
            if part and name in part.cut
            else TRAINED_ON.output.jsonl.format(role="train", set=name)
        )
        for name in TRAIN_SETS[run]
    ]


def subset_file(kind, part, name):
    """A file that the rule `subset` makes of a set, for a training on a fraction."""
    return getattr(rules.subset.output, kind).format(
        fraction=f"{part.fraction:.12g}", seed=part.settings.seed, set=name
    )


def told_how(run):
    """Steps between log lines; but for the usual ones, the trackers and the time between checkpoints; and of several
    runs the name that lines begin with: in one resource, since a change of the rule's command would train every model
    again."""
    name = ["--name", run] if len(TRAININGS) > 1 else []
    return " ".join(
        [str(TRAININGS[run].log_every), *flags.words(TRAININGS[run], ["report_to", "checkpoint_minutes"]), *name]
    )


def train_threads(run):
    """CPU threads of a training. On GPUs all, so that nothing else is read or decoded beside it; on a CPU the runs
    share them: a batch of a model that trains there gains little from a second thread, and two runs gain all."""
    return workflow.cores if train_gpus(run) else max(1, workflow.cores // len(TRAININGS))


def train_processes(run):
    """Training processes a node."""
    return 1 if TRAININGS[run].gpus == "auto" else max(1, TRAININGS[run].gpus)


def train_gpus(run):
    """GPUs of a run on each of its nodes."""
    return 0 if TRAININGS[run].trainer.get("use_cpu") else gpu_share(TRAININGS[run].gpus)


FIRST_PROCESS, GPU_PROCESS, WORKER = 15000, 7000, 500  # MB of memory


def training_memory(wildcards, input, attempt):
    """Memory in MB of a training job on each node: of the processes with their workers (docs/scale.md), and what is mapped
    and kept of the manifests, about a fifth of their size; as much again at each further attempt."""
    run = TRAININGS[wildcards.run]
    processes, on_gpus = train_processes(wildcards.run), train_gpus(wildcards.run)
    # The first process writes checkpoints and averages them; on a CPU all of a model and its optimizer is in memory.
    own = FIRST_PROCESS + (processes - 1) * (GPU_PROCESS if on_gpus else FIRST_PROCESS)
    manifests = sum(os.path.getsize(file) for file in input.train if os.path.exists(file))
    workers = workers_wanted(run.workers, bool(on_gpus), workflow.cores, processes)
    return attempt * round(own + processes * workers * WORKER + manifests / 5e6)


def launcher(run):
    """What starts the processes of a run: python or torchrun with GPUs of their own, or a torchrun on each node of a
    SLURM job (which has its GPUs), the first of which is the one that this command runs on.

    The number of GPUs is the shell's `gpus`: a parameter that named it would train again on another machine."""
    nodes, processes = TRAININGS[run].nodes, train_processes(run)
    own_gpus = 'python "$RECIPE/scripts/with_gpus.py" $gpus --'
    torchrun = f"python -m torch.distributed.run --nproc-per-node {processes}"
    if nodes == 1:
        return f"{own_gpus} {'python' if processes == 1 else f'{torchrun} --standalone'}"
    port = "${MASTER_PORT:-$((20000 + ${SLURM_JOB_ID:-0} % 20000))}"
    return (
        f"srun --overlap --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1 {torchrun} --nnodes {nodes}"
        f' --rdzv-backend c10d --rdzv-id "${{SLURM_JOB_ID:-0}}" --rdzv-endpoint "${{MASTER_ADDR:-$(hostname)}}:{port}"'
    )


def parts_of(run):
    """Names of the trainings of a run on fractions of the data."""
    return [name for name, part in PARTS.items() if part.run == run]


def curve_models(run):
    """(fraction, training) of each point of a run's learning curve and each of its seeds, in this order."""
    of_parts = [(f"{PARTS[name].fraction:.12g}", name) for name in parts_of(run)]
    return of_parts + [("1", name) for name in SEEDS_OF[run]]


def curve_scores(wildcards):
    """What scoring says of each utterance, of every model of a learning curve."""
    models = [name for _, name in curve_models(wildcards.run)]
    return expand(rules.compute_wer.output.utterances, mode=wildcards.mode, test=wildcards.test, model=models)


def curve_points(wildcards):
    """The same files, each with its fraction before it."""
    fractions = [fraction for fraction, _ in curve_models(wildcards.run)]
    return [f"{part}={file}" for part, file in zip(fractions, curve_scores(wildcards), strict=True)]


def curve_facts(run):
    """How much data the points of a learning curve have."""
    parts = [PARTS[name] for name in parts_of(run)]
    return list(dict.fromkeys(subset_file("facts", part, name) for part in parts for name in part.cut))


def curve_asked_for(wildcards):
    """No files; the end if the configuration has no learning curve."""
    planned(trainings.refuse_no_curve, CONFIG)
    return []


def checked_pseudo(wildcards):
    """What says that the sets of `pseudo` that a run sees are checked; like those that are given, they train nothing
    again when they are checked again."""
    return [ancient(f"{EXP}/pseudo/{name}/checked") for name in TRAIN_SETS[wildcards.run] if name in CONFIG.pseudo]


def opinion_files(wildcards, place, kind):
    """Files of a kind (details, rejects) of the first or second opinion of recordings without transcripts."""
    opinion, model = pseudo.opinions(CONFIG.pseudo[wildcards.pseudo])[place]
    return expand(
        getattr(rules.pseudo_decode.output, kind),
        pseudo=wildcards.pseudo,
        opinion=opinion,
        model=model,
        shard=DECODE_SHARDS,
    )


def told_noise(wildcards):
    """Flags of decode.py for the noise of a second opinion."""
    return ["--noise-db", CONFIG.pseudo[wildcards.pseudo].noise_db] if wildcards.opinion == pseudo.NOISY else []


def told_models(wildcards):
    """Flags of select_pseudo.py that name both opinions and where their models lie."""
    entry = CONFIG.pseudo[wildcards.pseudo]
    found = []
    for place, (opinion, model) in zip(["first", "second"], pseudo.opinions(entry)):
        name = model if opinion == pseudo.CLEAN else f"{model}, noise at {entry.noise_db:g} dB"
        found += [f"--{place}-name", name, f"--{place}-model", model_folder(model)]
    return found


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
