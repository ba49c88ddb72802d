# Conversion: a trained model as the toolkit's directory, for funasr, its vLLM path and llama.cpp. Not part of `all`:
#   snakemake --cores all exp/<experiment>/export/<run>/model.pt


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
        "../envs/recipe.yaml"
    threads: 1
    resources:
        mem_mb=memory(12000),
        runtime=60,
    params:
        script=script("convert.py"),
        code=code("convert.py"),
        source=lambda wildcards: model_dir(wildcards.model),
        folder=lambda wildcards, output: Path(output.weights).parent,
    shell:
        "python {params.script:q} --to toolkit {params.source:q} {params.folder:q} > {log:q} 2>&1"
