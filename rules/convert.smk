# Conversion, before and after: the base model, where it is a toolkit directory or a model of the hub or is to state other
# audio tokens, as an HF directory; and models as what serves them wants them. The latter is not part of `all`:
#   snakemake --cores all export
#   snakemake --cores all exp/<experiment>/export/<run>/toolkit/model.pt


if not BASE_AS_IT_IS:

    rule convert_base:
        input:
            lambda wildcards: model_dir.source_files(CONFIG.model.base),
        output:
            base_files(),
        log:
            f"{EXP}/logs/convert_base.log",
        benchmark:
            f"{EXP}/benchmarks/convert_base.jsonl"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=12000,
            runtime=120,
        params:
            version=versions.CONVERSION,
            source=CONFIG.model.base,
            options=[
                *(["--revision", CONFIG.model.revision] if CONFIG.model.revision else []),
                *(["--audio-tokens", CONFIG.model.audio_tokens] if CONFIG.model.audio_tokens != "auto" else []),
            ],
            folder=BASE_DIR,
        message:
            "convert: the base model to a directory of transformers"
        shell:
            'python "$RECIPE/scripts/convert.py" --to hf {params.source:q} {params.options:q} {params.folder:q}'
            " > {log:q} 2>&1"


# A rule a kind, because their files differ. Merged weights are for those who serve, in 16 bits; the other kinds stay as the
# model is stored, and what serves them decodes a sample first.
for kind in model_dir.WRITTEN:

    rule:
        name:
            f"convert_{kind.replace('-', '_')}"
        input:
            lambda wildcards: model_files(wildcards.model),
        output:
            exported_files("{model}", kind),
        log:
            f"{EXP}/logs/convert_{kind}/{{model}}.log",
        benchmark:
            f"{EXP}/benchmarks/convert_{kind}/{{model}}.jsonl"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=memory(12000),
            runtime=60,
            interpreter=CONFIG.export.python.get(kind, "python"),
        params:
            code=code("convert.py"),
            source=lambda wildcards: model_folder(wildcards.model),
            options=["--to", kind, *(["--dtype", "bfloat16"] if kind == model_dir.HF else [])],
            folder=lambda wildcards, output: Path(output[0]).parent,
        message:
            f"convert: {{wildcards.model}} to {kind}"
        shell:
            'python "$RECIPE/scripts/convert.py" {params.options:q} --python {resources.interpreter:q}'
            " {params.source:q} {params.folder:q} > {log:q} 2>&1"


# Before anything long: what no training could change of a model that does not fit what is to serve it.
rule check_exports:
    input:
        base_files,
    output:
        touch(f"{EXP}/export/checked"),
    log:
        f"{EXP}/logs/check_exports.log",
    priority: 100
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        code=code("check_exports.py"),
        model=BASE_DIR,
        runs=exports_to_check(),
    message:
        "check: what the runs are to be exported to"
    shell:
        'python "$RECIPE/scripts/check_exports.py" --model {params.model:q} {params.runs:q} > {log:q} 2>&1'


rule export:
    input:
        rules.check_exports.output,
        all_exports,
    message:
        "all that is to be served is there"


localrules:
    export,
