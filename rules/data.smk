# Data stage: data directory (or JSONL) -> manifest (+ rejects) -> statistics.
# With data.shards over 1 a set is joined into as many slices, which are checked by as many jobs, and a last one puts
# together what they found. A slice that is the same as before is not written again, so that its job has nothing to do:
# slices are therefore no outputs, which Snakemake would delete, but come with those of a checkpoint.

from recipe.data.stats_plots import STATS_PLOTS

DATA_SHARDS = CONFIG.data.shards
CHECKS = words(CONFIG.data, but=("train", "valid", "test", "shards", "pack", "max_reject_ratio", "exclude"))


# Sets whose recordings are packed: what training reads in every epoch.
PACKED = [(role, name) for role, name in SETS if CONFIG.data.pack and role != "test"]


scattergather:
    shard=DATA_SHARDS,


checkpoint scp2jsonl_split:
    input:
        lambda wildcards: SET_FILES[wildcards.role, wildcards.set],
    output:
        order=f"{EXP}/data/{{role}}/{{set}}.slices/order",
        problems=f"{EXP}/data/{{role}}/{{set}}.slices/problems",
    log:
        f"{EXP}/logs/scp2jsonl_split/{{role}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/scp2jsonl_split/{{role}}.{{set}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=240,
    params:
        version=versions.MANIFEST,
        source=lambda wildcards: sets.data_source(CONFIG, wildcards.role, wildcards.set),
        settings=words(CONFIG.data, "prompt", "verify", "fetch", "allow_commands"),
        purpose=lambda wildcards: sets.purpose(CONFIG, wildcards.role),
        folder=lambda wildcards, output: Path(output.order).parent,
        slices=DATA_SHARDS,
    message:
        "scp2jsonl: {wildcards.role}/{wildcards.set} is split into {params.slices} slices"
    shell:
        'python "$RECIPE/scripts/scp2jsonl.py" {params.source:q} --slices-dir {params.folder:q}'
        " --slices {params.slices} {params.purpose:q} {params.settings:q} > {log:q} 2>&1"


rule scp2jsonl_shard:
    input:
        entries=slice_of,
        model=base_files,
    output:
        f"{EXP}/data/{{role}}/{{set}}.shards/{{scatteritem}}",
    log:
        f"{EXP}/logs/scp2jsonl_shard/{{role}}.{{set}}.{{scatteritem}}.log",
    benchmark:
        f"{EXP}/benchmarks/scp2jsonl_shard/{{role}}.{{set}}.{{scatteritem}}.jsonl"
    conda:
        ENVIRONMENT
    threads: CONFIG.data.workers
    resources:
        mem_mb=memory(2000),
        runtime=240,
    params:
        version=versions.MANIFEST,
        source=lambda wildcards: sets.data_source(CONFIG, wildcards.role, wildcards.set),
        tokenizer=lambda wildcards: BASE_DIR,
        settings=CHECKS,
        purpose=lambda wildcards: sets.purpose(CONFIG, wildcards.role),
    message:
        "scp2jsonl: part {wildcards.scatteritem} of {wildcards.role}/{wildcards.set}"
    shell:
        'python "$RECIPE/scripts/scp2jsonl.py" {params.source:q} --slice-file {input.entries:q}'
        " --checked-file {output:q} --tokenizer {params.tokenizer:q} {params.purpose:q} {params.settings:q}"
        " --workers {threads} > {log:q} 2>&1"


rule scp2jsonl:
    input:
        tables=lambda wildcards: SET_FILES[wildcards.role, wildcards.set],
        model=base_files,
        split=list(rules.scp2jsonl_split.output) if DATA_SHARDS > 1 else [],
        shards=gather.shard(f"{EXP}/data/{{{{role}}}}/{{{{set}}}}.shards/{{scatteritem}}") if DATA_SHARDS > 1 else [],
    output:
        jsonl=f"{EXP}/data/{{role}}/{{set}}.jsonl",
        rejects=f"{EXP}/data/{{role}}/{{set}}.rejects.tsv",
        remarks=f"{EXP}/data/{{role}}/{{set}}.remarks.tsv",
        record=f"{EXP}/records/scp2jsonl/{{role}}.{{set}}.json",
    log:
        f"{EXP}/logs/scp2jsonl/{{role}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/scp2jsonl/{{role}}.{{set}}.jsonl"
    conda:
        ENVIRONMENT
    threads: CONFIG.data.workers if DATA_SHARDS == 1 else 1
    resources:
        mem_mb=memory(2000),
        runtime=240,
    params:
        version=versions.MANIFEST,
        source=lambda wildcards, input: (
            ["--slices-dir", Path(input.split[0]).parent, "--merge", *input.shards]
            if DATA_SHARDS > 1
            else sets.data_source(CONFIG, wildcards.role, wildcards.set)
        ),
        tokenizer=lambda wildcards: BASE_DIR,
        settings=CHECKS,
        purpose=lambda wildcards: sets.purpose(CONFIG, wildcards.role),
        ratio=words(CONFIG.data, "max_reject_ratio"),
    message:
        "scp2jsonl: {wildcards.role}/{wildcards.set}"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/scp2jsonl.py" {params.source:q}'
        " --jsonl-file {output.jsonl:q} --rejects-file {output.rejects:q} --remarks-file {output.remarks:q}"
        " --tokenizer {params.tokenizer:q} {params.purpose:q} {params.settings:q} {params.ratio:q} --workers {threads}"
        " > {log:q} 2>&1"


# Shards are no outputs: Snakemake would delete them where a job was interrupted, and it goes on with them.
rule pack:
    input:
        rules.scp2jsonl.output.jsonl,
    output:
        jsonl=f"{EXP}/packed/{{role}}/{{set}}.jsonl",
        rejects=f"{EXP}/packed/{{role}}/{{set}}.rejects.tsv",
        record=f"{EXP}/records/pack/{{role}}.{{set}}.json",
    log:
        f"{EXP}/logs/pack/{{role}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/pack/{{role}}.{{set}}.jsonl"
    conda:
        ENVIRONMENT
    threads: CONFIG.data.workers
    resources:
        mem_mb=memory(4000),
        runtime=1440,
    params:
        version=versions.PACKING,
        form="flac" if CONFIG.data.pack == "flac" else "as-is",
        settings=[*ELSEWHERE, *words(CONFIG.data, "max_reject_ratio")],
        folder=f"{EXP}/packed/{{role}}/{{set}}",
    message:
        "pack: {wildcards.role}/{wildcards.set}"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/pack.py" --jsonl-file {input:q}'
        " --shards-dir {params.folder:q} --packed-file {output.jsonl:q} --rejects-file {output.rejects:q}"
        " --form {params.form} {params.settings:q} --workers {threads} > {log:q} 2>&1"


# What a learning curve trains on. By a version, not the code, because trainings depend on it.
rule subset:
    input:
        lambda wildcards: TRAINED_ON.output.jsonl.format(role="train", set=wildcards.set),
    output:
        jsonl=f"{EXP}/curve/{{fraction}}/seed{{seed}}/{{set}}.jsonl",
        facts=f"{EXP}/curve/{{fraction}}/seed{{seed}}/{{set}}.json",
        record=f"{EXP}/records/subset/{{fraction}}.seed{{seed}}.{{set}}.json",
    log:
        f"{EXP}/logs/subset/{{fraction}}.seed{{seed}}.{{set}}.log",
    benchmark:
        f"{EXP}/benchmarks/subset/{{fraction}}.seed{{seed}}.{{set}}.jsonl"
    wildcard_constraints:
        fraction=one_of({f"{part.fraction:.12g}" for part in PARTS.values()}),
        seed="[0-9]+",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=240,
    params:
        version=versions.SUBSET,
    message:
        "subset: {wildcards.fraction} of {wildcards.set}, seed {wildcards.seed}"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/subset.py" --jsonl-file {input:q}'
        " --fraction {wildcards.fraction} --seed {wildcards.seed} --subset-file {output.jsonl:q}"
        " --facts-file {output.facts:q} > {log:q} 2>&1"


rule fbank_stats:
    input:
        jsonl=rules.scp2jsonl.output.jsonl,
    output:
        stats=f"{EXP}/stats/{{role}}/{{set}}/stats.json",
        cmvn=f"{EXP}/stats/{{role}}/{{set}}/cmvn.ark",
        sound=f"{EXP}/stats/{{role}}/{{set}}/sound.tsv",
        record=f"{EXP}/records/fbank_stats/{{role}}.{{set}}.json",
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
        ENVIRONMENT
    threads: CONFIG.stats.workers
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        code=code("fbank_stats.py"),
        settings=[*words(CONFIG.stats, "sample"), *ELSEWHERE],
        folder=lambda wildcards, output: Path(output.stats).parent,
    message:
        "fbank_stats: {wildcards.role}/{wildcards.set}"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/fbank_stats.py" --jsonl-file {input.jsonl:q}'
        " --output-dir {params.folder:q} {params.settings:q} --workers {threads} > {log:q} 2>&1"


# What can stop a run is found before its first long stage, in every set, in the base model and in what the runs ask of it:
# no training and no decoding begins before. Nothing is trained again for this: see `ancient` there.
rule check_model:
    input:
        base_files,
        runs=lambda wildcards: expand(rules.run_settings.output, run=CONFIG.runs),
    output:
        touch(f"{EXP}/base.checked"),
    log:
        f"{EXP}/logs/check_model.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=30,
    params:
        code=code("check_model.py"),
        model=lambda wildcards: BASE_DIR,
    message:
        "check_model: the base model can be loaded and trained"
    shell:
        'python "$RECIPE/scripts/check_model.py" --model {params.model:q} --runs {input.runs:q} > {log:q} 2>&1'


# What sets share, and where transcripts are shifted against their recordings, is said before anything is trained on it;
# it never stops a run.
rule check_leaks:
    input:
        [f"{EXP}/data/{role}/{name}.jsonl" for role, name in SETS],
    output:
        json=f"{EXP}/data/leaks.json",
        text=f"{EXP}/data/leaks.txt",
        record=f"{EXP}/records/check_leaks/all.json",
    log:
        f"{EXP}/logs/check_leaks.log",
    benchmark:
        f"{EXP}/benchmarks/check_leaks.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=240,
    params:
        code=code("check_leaks.py"),
        sets=set_flags(SETS),
    message:
        "check_leaks: what the sets share"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/check_leaks.py" {params.sets:q}'
        " --json-file {output.json:q} --text-file {output.text:q} > {log:q} 2>&1"


# Keys of data.exclude that no set has are said, too.
rule check_excluded:
    input:
        table=sets.excluded_files(CONFIG),
        rejects=[f"{EXP}/data/{role}/{name}.rejects.tsv" for role, name in SETS],
    output:
        f"{EXP}/data/excluded.txt",
    log:
        f"{EXP}/logs/check_excluded.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=240,
    params:
        code=code("check_excluded.py"),
        table=CONFIG.data.exclude,
        rejects=[f"{role}/{name}={EXP}/data/{role}/{name}.rejects.tsv" for role, name in SETS],
    message:
        "check_excluded: whether all keys of data.exclude are found"
    shell:
        'python "$RECIPE/scripts/check_excluded.py" --exclude-file {params.table:q} --rejects {params.rejects:q}'
        " --text-file {output:q} > {log:q} 2>&1"


rule check_data:
    input:
        rules.check_model.output,
        [f"{EXP}/data/{role}/{name}.jsonl" for role, name in SETS],
        told=[
            rules.check_leaks.output.text,
            *(rules.check_excluded.output if CONFIG.data.exclude else []),
        ],
    output:
        touch(f"{EXP}/data/checked"),
    log:
        f"{EXP}/logs/check_data.log",
    conda:
        ENVIRONMENT
    message:
        "all sets are checked"
    shell:
        # To the log, and to the screen of whoever waits for the training.
        "cat {input.told:q} | tee {log:q} >&2"


localrules:
    check_data,


DATA_OUTPUTS = [
    *(
        file
        for role, name in SETS
        for file in expand(patterns(rules.scp2jsonl, rules.fbank_stats), role=role, set=name)
    ),
    *patterns(rules.check_leaks),
    *(patterns(rules.check_excluded) if CONFIG.data.exclude else []),
    *(file for role, name in PACKED for file in expand(patterns(rules.pack), role=role, set=name)),
]
SUBSET_OUTPUTS = list(
    dict.fromkeys(
        subset_file(kind, part, name)
        for part in PARTS.values()
        for name in part.cut
        for kind in ("jsonl", "facts", "record")
    )
)
