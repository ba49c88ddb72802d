# Data stage: data directory (or JSONL) -> manifest (+ rejects) -> statistics.
# With data.shards over 1 the lines of a set are checked in as many jobs, and a last one joins what they found.

DATA_SHARDS = SETTINGS["data"]["shards"]


scattergather:
    shard=DATA_SHARDS,


rule scp2jsonl_shard:
    input:
        tables=lambda wildcards: data_files(wildcards.role, wildcards.set),
        model=base_files(),
    output:
        temp(f"{EXP}/data/{{role}}/{{set}}.shards/{{scatteritem}}"),
    log:
        f"{EXP}/logs/scp2jsonl_shard/{{role}}.{{set}}.{{scatteritem}}.log",
    benchmark:
        f"{EXP}/benchmarks/scp2jsonl_shard/{{role}}.{{set}}.{{scatteritem}}.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: SETTINGS["data"]["workers"]
    resources:
        mem_mb=memory(2000),
        runtime=240,
    params:
        script=script("scp2jsonl.py"),
        code=code("scp2jsonl.py"),
        source=lambda wildcards: data_source(wildcards.role, wildcards.set),
        shard=lambda wildcards: shard_flag(wildcards.scatteritem),
        tokenizer=lambda wildcards: BASE_DIR,
        prompt=prompt_flags(),
        limits=limit_flags(),
    message:
        "scp2jsonl: part {wildcards.scatteritem} of {wildcards.role}/{wildcards.set}"
    shell:
        "python {params.script:q} {params.source:q} --shard {params.shard} --checked-file {output:q}"
        " --tokenizer {params.tokenizer:q} {params.prompt} {params.limits} --workers {threads} > {log:q} 2>&1"


rule scp2jsonl:
    input:
        tables=lambda wildcards: data_files(wildcards.role, wildcards.set),
        model=base_files(),
        shards=gather.shard(f"{EXP}/data/{{{{role}}}}/{{{{set}}}}.shards/{{scatteritem}}") if DATA_SHARDS > 1 else [],
    output:
        jsonl=f"{EXP}/data/{{role}}/{{set}}.jsonl",
        rejects=f"{EXP}/data/{{role}}/{{set}}.rejects.tsv",
    log:
        f"{EXP}/logs/scp2jsonl/{{role}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/scp2jsonl/{{role}}.{{set}}.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: SETTINGS["data"]["workers"] if DATA_SHARDS == 1 else 1
    resources:
        mem_mb=memory(2000),
        runtime=240,
    params:
        script=script("scp2jsonl.py"),
        code=code("scp2jsonl.py"),
        source=lambda wildcards, input: (
            ["--merge", *input.shards] if DATA_SHARDS > 1 else data_source(wildcards.role, wildcards.set)
        ),
        tokenizer=lambda wildcards: BASE_DIR,
        prompt=prompt_flags(),
        limits=limit_flags(),
        ratio=SETTINGS["data"]["max_reject_ratio"],
    message:
        "scp2jsonl: {wildcards.role}/{wildcards.set}"
    shell:
        "python {params.script:q} {params.source:q} --jsonl-file {output.jsonl:q} --rejects-file {output.rejects:q}"
        " --tokenizer {params.tokenizer:q} {params.prompt} {params.limits} --max-reject-ratio {params.ratio}"
        " --workers {threads} > {log:q} 2>&1"


rule fbank_stats:
    input:
        jsonl=rules.scp2jsonl.output.jsonl,
    output:
        stats=f"{EXP}/stats/{{role}}/{{set}}/stats.json",
        cmvn=f"{EXP}/stats/{{role}}/{{set}}/cmvn.ark",
        plots=[
            report(
                f"{EXP}/stats/{{role}}/{{set}}/{name}.svg",
                caption="captions/stats.rst",
                category="Data",
                subcategory="{role}",
                labels={"set": "{set}", "plot": name.replace("_", " ")},
            )
            for name in STATS_PLOTS
        ],
    log:
        f"{EXP}/logs/fbank_stats/{{role}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/fbank_stats/{{role}}.{{set}}.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: SETTINGS["stats"]["workers"]
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        script=script("fbank_stats.py"),
        code=code("fbank_stats.py"),
        sample=SETTINGS["stats"]["sample"],
        elsewhere=elsewhere_flags(),
        folder=lambda wildcards, output: Path(output.stats).parent,
    message:
        "fbank_stats: {wildcards.role}/{wildcards.set}"
    shell:
        "python {params.script:q} --jsonl-file {input.jsonl:q} --output-dir {params.folder:q} {params.elsewhere}"
        " --sample {params.sample} --workers {threads} > {log:q} 2>&1"
