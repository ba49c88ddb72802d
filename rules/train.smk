# Training: manifests -> model directory, once per entry of `runs` and seed, and per point of a learning curve.
# Only the final model is an output. Checkpoints lie in state/, which no rule declares: an interrupted training goes on
# from them when snakemake is called again.


TRAINED_ON = rules.pack if CONFIG.data.pack else rules.scp2jsonl


localrules:
    run_settings,


rule run_settings:
    input:
        augment=lambda wildcards: TRAININGS[wildcards.run].augment.files,
    output:
        f"{EXP}/train/{{run}}/settings.yaml",
    log:
        f"{EXP}/logs/run_settings/{{run}}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: json.dumps(RUN_SETTINGS[wildcards.run], indent=2),
        # Not written, but causes of a training: see decode_settings.
        version=versions.TRAINING,
        weights=lambda wildcards: list(TRAIN_SETS[wildcards.run].values()),
        elsewhere=ELSEWHERE,
    message:
        "settings of run {wildcards.run}"
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


rule train:
    input:
        possible_training,
        settings=rules.run_settings.output,
        train=lambda wildcards: training_manifests(wildcards.run),
        valid=expand(TRAINED_ON.output.jsonl, role="valid", set=CONFIG.data.valid),
        model=base_files,
        checked=ancient(rules.check_data.output),
        pseudo=checked_pseudo,
        augment=lambda wildcards: TRAININGS[wildcards.run].augment.files,
    output:
        [f"{EXP}/train/{{run}}/model/{name}" for name in MODEL_FILES if name != "history.json"],
        record=f"{EXP}/records/train/{{run}}.json",
        history=report(
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
        ENVIRONMENT
    threads: lambda wildcards: train_threads(wildcards.run)
    resources:
        gpu=lambda wildcards: TRAININGS[wildcards.run].nodes * train_gpus(wildcards.run),
        nodes=lambda wildcards: TRAININGS[wildcards.run].nodes,
        tasks=lambda wildcards: TRAININGS[wildcards.run].nodes,
        # Resources, not parameters: with another number of these the model is the same, and is not trained again.
        readers=lambda wildcards: TRAININGS[wildcards.run].workers,
        log_every=lambda wildcards: told_how(wildcards.run),
        mem_mb=training_memory,
        runtime=2880,
    params:
        # Not the code: an update that leaves the numbers alone trains nothing again.
        version=versions.TRAINING,
        model=lambda wildcards: BASE_DIR,
        launcher=lambda wildcards: launcher(wildcards.run),
        weights=lambda wildcards: list(TRAIN_SETS[wildcards.run].values()),
        elsewhere=ELSEWHERE,
        folder=lambda wildcards: f"{EXP}/train/{wildcards.run}/model",
        state=lambda wildcards: f"{EXP}/train/{wildcards.run}/state",
    message:
        "train: {wildcards.run}"
    shell:
        "export RECIPE_RECORD={output.record:q}; gpus={resources.gpu};"
        ' {params.launcher} "$RECIPE/scripts/train.py" --config {input.settings:q} --train-jsonl {input.train:q}'
        " --train-weights {params.weights} {params.elsewhere:q} --valid-jsonl {input.valid:q}"
        " --model {params.model:q} --output-dir {params.folder:q}"
        " --state-dir {params.state:q} --workers {resources.readers} --log-every {resources.log_every}"
        " --threads {threads} 2>&1 | tee {log:q}"


MODEL_OUTPUTS = expand(patterns(rules.train), run=TRAININGS)
