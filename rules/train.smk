# Training: manifests -> model directory, once per entry of `runs`.
# Only the final model is an output. Checkpoints lie in state/, which no rule declares: an interrupted training goes on
# from them when snakemake is called again.

from recipe import settings as train_settings

# Settings of a run that its script is not told: where it runs, and how often it sees which data.
LAUNCH = ("gpus", "nodes", "weights")


def run_options(run):
    """Settings of a run that its script is told."""
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


localrules:
    run_settings,


rule run_settings:
    output:
        f"{EXP}/train/{{run}}/settings.yaml",
    log:
        f"{EXP}/logs/run_settings/{{run}}.log",
    conda:
        "../envs/recipe.yaml"
    params:
        settings=lambda wildcards: json.dumps(run_options(wildcards.run), indent=2),
    message:
        "settings of run {wildcards.run}"
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


rule train:
    input:
        settings=rules.run_settings.output,
        train=lambda wildcards: [f"{EXP}/data/train/{name}.jsonl" for name in train_sets(wildcards.run)],
        valid=manifests("valid"),
        model=base_files(),
        augment=lambda wildcards: OPTIONS[wildcards.run].augment.files,
    output:
        [f"{EXP}/train/{{run}}/model/{name}" for name in MODEL_FILES if name != "history.json"],
        report(
            f"{EXP}/train/{{run}}/model/history.json",
            caption="captions/train.rst",
            category="Training",
            labels={"run": "{run}", "file": "history"},
        ),
    log:
        f"{EXP}/logs/train/{{run}}.log",
    benchmark:
        f"{EXP}/benchmarks/train/{{run}}.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: workflow.cores
    resources:
        gpu=lambda wildcards: RUNS[wildcards.run]["nodes"] * train_gpus(wildcards.run),
        nodes=lambda wildcards: RUNS[wildcards.run]["nodes"],
        tasks=lambda wildcards: RUNS[wildcards.run]["nodes"],
        mem_mb=memory(16000),
        runtime=2880,
    params:
        script=script("train.py"),
        code=code("train.py"),
        model=BASE_DIR,
        launcher=lambda wildcards: launcher(wildcards.run),
        weights=lambda wildcards: list(train_sets(wildcards.run).values()),
        commands=commands_flag(),
        folder=lambda wildcards: f"{EXP}/train/{wildcards.run}/model",
        state=lambda wildcards: f"{EXP}/train/{wildcards.run}/state",
    message:
        "train: {wildcards.run}"
    shell:
        "gpus={resources.gpu}; {params.launcher} {params.script:q} --config {input.settings:q} --train-jsonl {input.train:q}"
        " --train-weights {params.weights} {params.commands} --valid-jsonl {input.valid:q}"
        " --model {params.model:q} --output-dir {params.folder:q}"
        " --state-dir {params.state:q} --threads {threads} 2>&1 | tee {log:q}"
