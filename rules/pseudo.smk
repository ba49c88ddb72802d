# Recordings without transcripts: a model transcribes them, a second opinion is asked, and what is good enough becomes a
# training set of the runs that give it a weight. No part of `data`: a run's model is to be trained first.

PSEUDO_PARTS = dict(shard=DECODE_SHARDS, allow_missing=True)
# Confidences are corrected by what was right in the validation sets, where the engine tells any.
TELLS_CONFIDENCE = CONFIG.decode.engine == "transformers" and CONFIG.decode.beams == 1 and bool(CONFIG.data.valid)


localrules:
    pseudo_settings,


# A file, and a version in place of the code: see decode_settings, and train.
rule pseudo_settings:
    output:
        f"{EXP}/pseudo/{{pseudo}}/settings.json",
    log:
        f"{EXP}/logs/pseudo_settings/{{pseudo}}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: json.dumps(
            {
                "version": versions.PSEUDO,
                "decode": [*DECODING, *ASKED],
                "noise_db": CONFIG.pseudo[wildcards.pseudo].noise_db,
            }
        ),
    message:
        "settings of transcribing {wildcards.pseudo}"
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


use rule decode as pseudo_decode with:
    input:
        settings=rules.pseudo_settings.output,
        recordings=lambda wildcards: sets.decode_files(CONFIG.pseudo[wildcards.pseudo].audio),
        calibration=lambda wildcards: (
            expand(rules.calibrate.output, model=wildcards.model) if TELLS_CONFIDENCE else []
        ),
        model=decoded_model,
    output:
        text=f"{EXP}/pseudo/{{pseudo}}/{{opinion}}/{{model}}/{{shard}}/text",
        details=f"{EXP}/pseudo/{{pseudo}}/{{opinion}}/{{model}}/{{shard}}/text.jsonl",
        rejects=f"{EXP}/pseudo/{{pseudo}}/{{opinion}}/{{model}}/{{shard}}/rejects.tsv",
        record=f"{EXP}/records/pseudo_decode/{{pseudo}}.{{opinion}}.{{model}}.{{shard}}.json",
    log:
        f"{EXP}/logs/pseudo_decode/{{pseudo}}.{{opinion}}.{{model}}.{{shard}}.log",
    benchmark:
        f"{EXP}/benchmarks/pseudo_decode/{{pseudo}}.{{opinion}}.{{model}}.{{shard}}.jsonl"
    params:
        source=lambda wildcards, input, output: [
            *sets.decode_source(CONFIG.pseudo[wildcards.pseudo].audio),
            *calibrated(input),
            *("--shard", f"{wildcards.shard}/{len(DECODE_SHARDS)}", "--rejects-file", output.rejects),
            *told_noise(wildcards),
        ],
        model=decoded_model_dir,
        settings=[*DECODING, *ASKED],
    message:
        "pseudo: {wildcards.pseudo} with {wildcards.model} ({wildcards.opinion}), part {wildcards.shard}"


rule select_pseudo:
    input:
        recordings=lambda wildcards: sets.decode_files(CONFIG.pseudo[wildcards.pseudo].audio),
        first=lambda wildcards: opinion_files(wildcards, 0, "details"),
        rejects=lambda wildcards: opinion_files(wildcards, 0, "rejects"),
        second=lambda wildcards: opinion_files(wildcards, 1, "details"),
    output:
        jsonl=f"{EXP}/pseudo/{{pseudo}}/selected.jsonl",
        kept=f"{EXP}/pseudo/{{pseudo}}/kept.tsv",
        rejects=f"{EXP}/pseudo/{{pseudo}}/rejects.tsv",
        counts=f"{EXP}/pseudo/{{pseudo}}/selection.json",
        record=f"{EXP}/records/select_pseudo/{{pseudo}}.json",
    log:
        f"{EXP}/logs/select_pseudo/{{pseudo}}.log",
    benchmark:
        f"{EXP}/benchmarks/select_pseudo/{{pseudo}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=120,
    params:
        version=versions.PSEUDO,
        source=lambda wildcards: sets.decode_source(CONFIG.pseudo[wildcards.pseudo].audio),
        models=lambda wildcards: told_models(wildcards),
        settings=lambda wildcards: [*pseudo.told(CONFIG.pseudo[wildcards.pseudo]), *words(CONFIG.data, "prompt")],
    message:
        "pseudo: what is kept of {wildcards.pseudo}"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/select_pseudo.py" {params.source:q}'
        " --first {input.first:q} --second {input.second:q} --decode-rejects {input.rejects:q} {params.models:q}"
        " --jsonl-file {output.jsonl:q} --kept-file {output.kept:q} --rejects-file {output.rejects:q}"
        " --counts-file {output.counts:q} {params.settings:q} > {log:q} 2>&1"


# What such a set shares with the others is said before anything is trained on it, as of all sets.
use rule check_leaks as check_pseudo_leaks with:
    input:
        rules.check_leaks.input,
        f"{EXP}/data/train/{{pseudo}}.jsonl",
    output:
        json=f"{EXP}/pseudo/{{pseudo}}/leaks.json",
        text=f"{EXP}/pseudo/{{pseudo}}/leaks.txt",
        record=f"{EXP}/records/check_pseudo_leaks/{{pseudo}}.json",
    log:
        f"{EXP}/logs/check_pseudo_leaks/{{pseudo}}.log",
    benchmark:
        f"{EXP}/benchmarks/check_pseudo_leaks/{{pseudo}}.jsonl"
    params:
        code=code("check_leaks.py"),
        sets=lambda wildcards: set_flags([*SETS, ("train", wildcards.pseudo)]),
    message:
        "check_leaks: what {wildcards.pseudo} shares with other sets"


rule check_pseudo:
    input:
        rules.check_pseudo_leaks.output.text,
    output:
        touch(f"{EXP}/pseudo/{{pseudo}}/checked"),
    log:
        f"{EXP}/logs/check_pseudo/{{pseudo}}.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.pseudo} is checked"
    shell:
        "tee {log:q} < {input:q} >&2"


rule pseudo:
    input:
        lambda wildcards: PSEUDO_OUTPUTS,
    message:
        "all recordings without transcripts are transcribed, and what is kept is checked"


localrules:
    check_pseudo,
    pseudo,


PSEUDO_OUTPUTS = [
    *expand(patterns(rules.select_pseudo, rules.check_pseudo_leaks), pseudo=CONFIG.pseudo),
    *(
        file
        for name in CONFIG.pseudo
        for opinion, model in pseudo.opinions(CONFIG.pseudo[name])
        for file in expand(
            patterns(rules.pseudo_decode), pseudo=name, opinion=opinion, model=model, shard=DECODE_SHARDS
        )
    ),
    *(
        file
        for role, name in PSEUDO
        for file in expand(
            patterns(rules.scp2jsonl, rules.fbank_stats, *([rules.pack] if CONFIG.data.pack else [])),
            role=role,
            set=name,
        )
    ),
]
