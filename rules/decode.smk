# Every model, the untouched base included, decodes every test set.


rule decode:
    input:
        scp=lambda wildcards: data_files("test", wildcards.test)[0],
        # The data stage stops the run on a broken set before time is spent on decoding it.
        manifest=f"{EXP}/data/test/{{test}}.jsonl",
        model=lambda wildcards: model_files(wildcards.model),
    output:
        text=f"{EXP}/decode/{{model}}/{{test}}/text",
        details=f"{EXP}/decode/{{model}}/{{test}}/text.jsonl",
    log:
        f"{EXP}/logs/decode/{{model}}.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/decode/{{model}}.{{test}}.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: 1
    resources:
        gpu=min(1, gpus()),
        mem_mb=16000,
        runtime=720,
    params:
        script=script("decode.py"),
        code=code("decode.py"),
        model=lambda wildcards: model_dir(wildcards.model),
        prompt=prompt_flags(),
        settings=SETTINGS["decode"],
        commands=commands_flag(),
    shell:
        # Status 1 says that single recordings could not be read: the details and the report count them.
        "python {params.script:q} --model-dir {params.model:q} --scp-file {input.scp:q} --output-file {output.text:q}"
        " {params.prompt} --batch-seconds {params.settings[batch_seconds]} --beams {params.settings[beams]}"
        " --max-tokens-per-second {params.settings[max_tokens_per_second]} --workers {params.settings[workers]}"
        " {params.commands} --threads {threads} > {log:q} 2>&1 || test $? -eq 1"
