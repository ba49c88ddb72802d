# Data stage: data directory -> manifest (+ rejects) -> statistics.


rule scp2jsonl:
    input:
        tables=lambda wildcards: data_files(wildcards.role, wildcards.set),
        model=base_files(),
    output:
        jsonl=f"{EXP}/data/{{role}}/{{set}}.jsonl",
        rejects=f"{EXP}/data/{{role}}/{{set}}.rejects.tsv",
    log:
        f"{EXP}/logs/scp2jsonl/{{role}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/scp2jsonl/{{role}}.{{set}}.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: SETTINGS["data"]["workers"]
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        script=script("scp2jsonl.py"),
        code=code("scp2jsonl.py"),
        tokenizer=lambda wildcards: model_dir(BASE),
        prompt=prompt_flags(),
        limits={name: SETTINGS["data"][name] for name in ("min_seconds", "max_seconds", "max_tokens_per_second")},
        ratio=SETTINGS["data"]["max_reject_ratio"],
        commands=commands_flag(),
    shell:
        "python {params.script:q} --scp-file {input.tables[0]:q} --transcript-file {input.tables[1]:q}"
        " --jsonl-file {output.jsonl:q} --rejects-file {output.rejects:q} --tokenizer {params.tokenizer:q}"
        " {params.prompt} --min-seconds {params.limits[min_seconds]} --max-seconds {params.limits[max_seconds]}"
        " --max-tokens-per-second {params.limits[max_tokens_per_second]} --max-reject-ratio {params.ratio}"
        " {params.commands} --workers {threads} > {log:q} 2>&1"


rule fbank_stats:
    input:
        jsonl=rules.scp2jsonl.output.jsonl,
    output:
        stats=f"{EXP}/stats/{{role}}/{{set}}/stats.json",
        cmvn=f"{EXP}/stats/{{role}}/{{set}}/cmvn.ark",
    log:
        f"{EXP}/logs/fbank_stats/{{role}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/fbank_stats/{{role}}.{{set}}.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        script=script("fbank_stats.py"),
        code=code("fbank_stats.py"),
        sample=SETTINGS["stats"]["sample"],
        folder=lambda wildcards, output: Path(output.stats).parent,
    shell:
        "python {params.script:q} --jsonl-file {input.jsonl:q} --output-dir {params.folder:q}"
        " --sample {params.sample} --workers {threads} > {log:q} 2>&1"
