# Training: manifests -> model directory, once per entry of `runs`.
# Only the final model is an output. Checkpoints lie in state/, which no rule declares: an interrupted training goes on
# from them when snakemake is called again.


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
        settings=lambda wildcards: json.dumps(RUNS[wildcards.run], indent=2),
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


rule train:
    input:
        settings=rules.run_settings.output,
        train=manifests("train"),
        valid=manifests("valid"),
        model=base_files(),
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
        gpu=min(1, gpus()),
        mem_mb=16000,
        runtime=2880,
    params:
        script=script("train.py"),
        code=code("train.py"),
        model=lambda wildcards: model_dir(BASE),
        weights=list(train_weights().values()),
        commands=commands_flag(),
        revision=f"--revision {SETTINGS['model']['revision']}" if SETTINGS["model"]["revision"] else "",
        folder=lambda wildcards: f"{EXP}/train/{wildcards.run}/model",
        state=lambda wildcards: f"{EXP}/train/{wildcards.run}/state",
    shell:
        "python {params.script:q} --config {input.settings:q} --train-jsonl {input.train:q}"
        " --train-weights {params.weights} {params.commands} --valid-jsonl {input.valid:q} --model {params.model:q} {params.revision} --output-dir {params.folder:q}"
        " --state-dir {params.state:q} --threads {threads} 2>&1 | tee {log:q}"
