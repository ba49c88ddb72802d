# Suspects: transcripts that are likely wrong, on demand (`snakemake suspects`; docs/suspects.md). Utterances are divided
# into folds; a model that was trained on the others decodes each and says what it thinks of the transcripts.

SUSPECTS = f"{EXP}/suspects"
FOLDS = range(1, max(1, CONFIG.suspects.folds) + 1)
JUDGED_SETS = [(role, name) for role, name in SETS if role in CONFIG.suspects.sets]
# Those, and what the models of folds are trained on.
FOLDED_SETS = [(role, name) for role, name in SETS if role == "train" or (role, name) in JUDGED_SETS]
FOLD_DECODING = [
    *words(CONFIG.decode, "batch_seconds", "max_tokens_per_second", "max_seconds", "marks", "cuda_graph"),
    *words(CONFIG.data, "channel"),
    *ELSEWHERE,
]


wildcard_constraints:
    fold="[0-9]+",


localrules:
    suspects_settings,
    suspects,


rule suspects_folds:
    input:
        [f"{EXP}/data/{role}/{name}.jsonl" for role, name in FOLDED_SETS],
    output:
        [f"{SUSPECTS}/folds/{kind}.{fold}.jsonl" for kind in FOLD_KINDS for fold in FOLDS],
    log:
        f"{EXP}/logs/suspects/folds.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=240,
    params:
        code=code("suspects_folds.py"),
        sets=set_flags(FOLDED_SETS),
        judged=[f"{role}/{name}" for role, name in JUDGED_SETS],
        settings=words(CONFIG.suspects, "folds", "utterances", "seed"),
        folder=lambda wildcards, output: Path(output[0]).parent,
    message:
        "suspects: utterances are divided into folds"
    shell:
        'python "$RECIPE/scripts/suspects_folds.py" {params.sets:q} --judged {params.judged:q}'
        " --output-dir {params.folder:q} {params.settings:q} > {log:q} 2>&1"


rule suspects_settings:
    output:
        f"{SUSPECTS}/settings.yaml",
    log:
        f"{EXP}/logs/suspects/settings.log",
    conda:
        ENVIRONMENT
    params:
        settings=json.dumps(FOLD_SETTINGS, indent=2),
        version=versions.TRAINING,
    message:
        "settings of the folds' trainings"
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


rule suspects_train:
    input:
        settings=rules.suspects_settings.output,
        train=f"{SUSPECTS}/folds/train.{{fold}}.jsonl",
        valid=f"{SUSPECTS}/folds/valid.{{fold}}.jsonl",
        model=base_files,
        checked=ancient(rules.check_data.output),
        augment=FOLD_RUN.augment.files,
    output:
        [f"{SUSPECTS}/models/{{fold}}/{name}" for name in MODEL_FILES],
    log:
        f"{EXP}/logs/suspects/train.{{fold}}.log",
    conda:
        ENVIRONMENT
    threads: lambda wildcards: max(1, workflow.cores // len(FOLDS))
    resources:
        gpu=lambda wildcards: gpu_share(),
        readers=FOLD_RUN.workers,
        mem_mb=memory(16000),
        runtime=720,
    params:
        version=versions.TRAINING,
        model=lambda wildcards: BASE_DIR,
        elsewhere=ELSEWHERE,
        folder=lambda wildcards: f"{SUSPECTS}/models/{wildcards.fold}",
        state=lambda wildcards: f"{SUSPECTS}/states/{wildcards.fold}/state",
    message:
        "suspects: model of fold {wildcards.fold}"
    shell:
        'python "$RECIPE/scripts/with_gpus.py" {resources.gpu} -- python "$RECIPE/scripts/train.py"'
        " --config {input.settings:q} --train-jsonl {input.train:q} {params.elsewhere:q} --valid-jsonl {input.valid:q}"
        " --model {params.model:q} --output-dir {params.folder:q} --state-dir {params.state:q}"
        " --workers {resources.readers} --threads {threads} > {log:q} 2>&1"


rule suspects_decode:
    input:
        held_out=f"{SUSPECTS}/folds/held_out.{{fold}}.jsonl",
        model=fold_model_files,
        checked=ancient(rules.check_data.output),
    output:
        text=f"{SUSPECTS}/decode/{{fold}}/text",
        details=f"{SUSPECTS}/decode/{{fold}}/text.jsonl",
    log:
        f"{EXP}/logs/suspects/decode.{{fold}}.log",
    conda:
        ENVIRONMENT
    threads: decoding_threads
    resources:
        gpu=lambda wildcards: gpu_share(),
        readers=CONFIG.decode.workers,
        mem_mb=memory(16000),
        runtime=1440,
    params:
        code=code("decode.py"),
        model=fold_model,
        settings=FOLD_DECODING,
    message:
        "suspects: fold {wildcards.fold} is decoded"
    shell:
        # Status 3 says that single recordings could not be read: they are not judged.
        'python "$RECIPE/scripts/with_gpus.py" {resources.gpu} -- python "$RECIPE/scripts/decode.py"'
        " --model-dir {params.model:q} --input-jsonl {input.held_out:q} --output-file {output.text:q}"
        " {params.settings:q} --workers {resources.readers} --threads {threads} > {log:q} 2>&1 || test $? -eq 3"


rule suspects_judge:
    input:
        held_out=f"{SUSPECTS}/folds/held_out.{{fold}}.jsonl",
        details=rules.suspects_decode.output.details,
        model=fold_model_files,
    output:
        f"{SUSPECTS}/judge/{{fold}}.jsonl",
    log:
        f"{EXP}/logs/suspects/judge.{{fold}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=lambda wildcards: gpu_share(),
        mem_mb=memory(16000),
        runtime=1440,
    params:
        code=code("suspects_judge.py"),
        model=fold_model,
        settings=ELSEWHERE,
    message:
        "suspects: fold {wildcards.fold} is judged"
    shell:
        'python "$RECIPE/scripts/with_gpus.py" {resources.gpu} -- python "$RECIPE/scripts/suspects_judge.py"'
        " --model-dir {params.model:q} --input-jsonl {input.held_out:q} --details-file {input.details:q}"
        " --output-file {output:q} {params.settings:q} --threads {threads} > {log:q} 2>&1"


rule suspects_rank:
    input:
        held_out=expand(rules.suspects_judge.input.held_out, fold=FOLDS),
        details=expand(rules.suspects_decode.output.details, fold=FOLDS),
        judgements=expand(rules.suspects_judge.output, fold=FOLDS),
    output:
        suspects=f"{SUSPECTS}/suspects.tsv",
        ranking=f"{SUSPECTS}/ranking.tsv",
        json=f"{SUSPECTS}/suspects.json",
        page=report(
            f"{EXP}/report/suspects.html",
            caption="captions/suspects.rst",
            category="Data",
            labels={"file": "suspects"},
        ),
    log:
        f"{EXP}/logs/suspects/rank.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        code=code("suspects_rank.py"),
    message:
        "suspects: transcripts are ranked"
    shell:
        'python "$RECIPE/scripts/suspects_rank.py" --manifests {input.held_out:q} --details {input.details:q}'
        " --judgements {input.judgements:q} --suspects-file {output.suspects:q} --ranking-file {output.ranking:q}"
        " --json-file {output.json:q} --page {output.page:q} > {log:q} 2>&1"


rule suspects:
    input:
        something_to_judge,
        rules.suspects_rank.output,
    message:
        "transcripts are ranked"
