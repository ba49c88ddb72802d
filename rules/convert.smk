# Conversion, before and after: the base model, where it is a toolkit directory or a model of the hub or is to state other
# audio tokens, as an HF directory; and a model as the toolkit's directory, for funasr, its vLLM path and llama.cpp. The
# latter is not part of `all`:
#   snakemake --cores all exp/<experiment>/export/<run>/model.pt


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


rule convert:
    input:
        lambda wildcards: model_files(wildcards.model),
    output:
        weights=f"{EXP}/export/{{model}}/model.pt",
        config=f"{EXP}/export/{{model}}/config.yaml",
    log:
        f"{EXP}/logs/convert/{{model}}.log",
    benchmark:
        f"{EXP}/benchmarks/convert/{{model}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(12000),
        runtime=60,
    params:
        code=code("convert.py"),
        source=lambda wildcards: model_folder(wildcards.model),
        folder=lambda wildcards, output: Path(output.weights).parent,
    message:
        "convert: {wildcards.model} to the toolkit's format"
    shell:
        'python "$RECIPE/scripts/convert.py" --to toolkit {params.source:q} {params.folder:q} > {log:q} 2>&1'
