# Every model, the untouched base included, decodes every test set; in parts, if `decode.shards` says so.

DECODE_SHARDS = range(1, CONFIG.decode.shards + 1)
# A manifest has prompts, hotwords and channels in its lines; recordings without one are asked for in the same words.
DECODING = [*words(CONFIG.decode, but=["shards", "calibrate"]), *ELSEWHERE]
ASKED = words(CONFIG.data, "prompt", "channel")
CALIBRATION = [
    *words(CONFIG.decode, "batch_seconds", "max_tokens_per_second", "max_seconds", "marks", "cuda_graph"),
    *words(CONFIG.data, "channel"),
    *ELSEWHERE,
]


localrules:
    decode_settings,


# A file, because Snakemake looks neither at parameters nor at source files of a job while what it waits for (below,
# `ancient`) is to be made: what a decoding or a training goes by has to reach it by files that jobs make.
rule decode_settings:
    output:
        f"{EXP}/decode/settings.txt",
    log:
        f"{EXP}/logs/decode_settings.log",
    conda:
        ENVIRONMENT
    params:
        code=code("decode.py"),
        settings=DECODING,
    message:
        "settings of decoding"
    shell:
        "printf '%s\\n' {params.code:q} {params.settings:q} > {output:q} 2> {log:q}"


# How far the model's confidences are to be trusted, by the validation sets.
rule calibrate:
    input:
        settings=rules.decode_settings.output,
        valid=expand(rules.scp2jsonl.output.jsonl, role="valid", set=CONFIG.data.valid),
        model=decoded_model,
        checked=ancient(rules.check_data.output),
    output:
        f"{EXP}/decode/{{model}}/calibration.json",
    log:
        f"{EXP}/logs/calibrate/{{model}}.log",
    benchmark:
        f"{EXP}/benchmarks/calibrate/{{model}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=lambda wildcards: gpu_share(),
        mem_mb=memory(16000),
        runtime=120,
    params:
        code=code("calibrate.py"),
        model=decoded_model_dir,
        settings=CALIBRATION,
    message:
        "calibrate: confidences of {wildcards.model}"
    shell:
        'python "$RECIPE/scripts/with_gpus.py" {resources.gpu} -- python "$RECIPE/scripts/calibrate.py"'
        " --model-dir {params.model:q} --input-jsonl {input.valid:q} --output-file {output:q} {params.settings:q}"
        " --threads {threads} > {log:q} 2>&1"


rule decode:
    input:
        settings=rules.decode_settings.output,
        recordings=f"{EXP}/data/test/{{test}}.jsonl",
        calibration=calibration,
        model=decoded_model,
        checked=ancient(rules.check_data.output),
    output:
        text=f"{EXP}/decode/{{model}}/{{test}}/text",
        details=f"{EXP}/decode/{{model}}/{{test}}/text.jsonl",
        record=f"{EXP}/records/decode/{{model}}.{{test}}.json",
    log:
        f"{EXP}/logs/decode/{{model}}.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/decode/{{model}}.{{test}}.jsonl"
    conda:
        ENVIRONMENT
    threads: decoding_threads
    resources:
        gpu=lambda wildcards: gpu_share(),
        readers=CONFIG.decode.workers,
        mem_mb=memory(16000),
        runtime=720,
    params:
        code=code("decode.py"),
        source=lambda wildcards, input: ["--input-jsonl", input.recordings, *calibrated(input)],
        model=decoded_model_dir,
        settings=DECODING,
    message:
        "decode: {wildcards.test} with {wildcards.model}"
    shell:
        # Status 3 says that single recordings could not be read: the details and the report count them.
        "export RECIPE_RECORD={output.record:q};"
        ' python "$RECIPE/scripts/with_gpus.py" {resources.gpu} -- python "$RECIPE/scripts/decode.py"'
        " --model-dir {params.model:q} {params.source:q} --output-file {output.text:q} {params.settings:q}"
        " --workers {resources.readers} --threads {threads} > {log:q} 2>&1 || test $? -eq 3"


if len(DECODE_SHARDS) > 1:

    # Parts are jobs of their own; what is finished stays when others are interrupted.
    use rule decode as decode_shard with:
        output:
            text=f"{EXP}/decode/{{model}}/{{test}}/shards/{{shard}}",
            details=f"{EXP}/decode/{{model}}/{{test}}/shards/{{shard}}.jsonl",
            record=f"{EXP}/records/decode/{{model}}.{{test}}.{{shard}}.json",
        log:
            f"{EXP}/logs/decode/{{model}}.{{test}}.{{shard}}.log",
        benchmark:
            f"{EXP}/benchmarks/decode/{{model}}.{{test}}.{{shard}}.jsonl"
        params:
            code=code("decode.py"),
            source=lambda wildcards, input: [
                *("--input-jsonl", input.recordings, "--shard", f"{wildcards.shard}/{len(DECODE_SHARDS)}"),
                *calibrated(input),
            ],
            model=decoded_model_dir,
            settings=DECODING,
        message:
            "decode: part {wildcards.shard} of {wildcards.test} with {wildcards.model}"

    rule decode_gather:
        input:
            text=expand(rules.decode_shard.output.text, shard=DECODE_SHARDS, allow_missing=True),
            details=expand(rules.decode_shard.output.details, shard=DECODE_SHARDS, allow_missing=True),
        output:
            text=rules.decode.output.text,
            details=rules.decode.output.details,
        log:
            f"{EXP}/logs/decode_gather/{{model}}.{{test}}.log",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=memory(500),
            runtime=10,
        message:
            "decode: {wildcards.test} with {wildcards.model}, parts joined"
        shell:
            "{{ cat {input.text:q} > {output.text:q} && cat {input.details:q} > {output.details:q}; }} 2> {log:q}"

    localrules:
        decode_gather,

    ruleorder: decode_gather > decode


# Recordings without references.
use rule decode as transcribe_set with:
    input:
        recordings=lambda wildcards: sets.decode_files(planned(sets.transcribed, CONFIG, wildcards.name)),
        calibration=calibration,
        model=decoded_model,
    output:
        text=f"{EXP}/transcribe/{{model}}/{{name}}/text",
        details=f"{EXP}/transcribe/{{model}}/{{name}}/text.jsonl",
        record=f"{EXP}/records/transcribe/{{model}}.{{name}}.json",
        subtitles=directory(f"{EXP}/transcribe/{{model}}/{{name}}/subtitles"),
        rejects=f"{EXP}/transcribe/{{model}}/{{name}}/rejects.tsv",
    log:
        f"{EXP}/logs/transcribe/{{model}}.{{name}}.log",
    benchmark:
        f"{EXP}/benchmarks/transcribe/{{model}}.{{name}}.jsonl"
    params:
        code=code("decode.py"),
        source=lambda wildcards, input, output: [
            *to_transcribe(wildcards),
            *calibrated(input),
            *("--subtitles-dir", output.subtitles),
            *("--rejects-file", output.rejects),
        ],
        model=decoded_model_dir,
        settings=[*DECODING, *ASKED],
    message:
        "transcribe: {wildcards.name} with {wildcards.model}"


if len(DECODE_SHARDS) > 1:

    use rule transcribe_set as transcribe_shard with:
        output:
            text=f"{EXP}/transcribe/{{model}}/{{name}}/shards/{{shard}}",
            details=f"{EXP}/transcribe/{{model}}/{{name}}/shards/{{shard}}.jsonl",
            record=f"{EXP}/records/transcribe/{{model}}.{{name}}.{{shard}}.json",
            rejects=f"{EXP}/transcribe/{{model}}/{{name}}/shards/{{shard}}.rejects.tsv",
        log:
            f"{EXP}/logs/transcribe/{{model}}.{{name}}.{{shard}}.log",
        benchmark:
            f"{EXP}/benchmarks/transcribe/{{model}}.{{name}}.{{shard}}.jsonl"
        params:
            code=code("decode.py"),
            source=lambda wildcards, input, output: [
                *to_transcribe(wildcards),
                *calibrated(input),
                *("--shard", f"{wildcards.shard}/{len(DECODE_SHARDS)}", "--check-subtitles"),
                *("--rejects-file", output.rejects),
            ],
            model=decoded_model_dir,
            settings=[*DECODING, *ASKED],
        message:
            "transcribe: part {wildcards.shard} of {wildcards.name} with {wildcards.model}"

    # What a single job writes, byte for byte.
    rule transcribe_gather:
        input:
            text=expand(rules.transcribe_shard.output.text, shard=DECODE_SHARDS, allow_missing=True),
            details=expand(rules.transcribe_shard.output.details, shard=DECODE_SHARDS, allow_missing=True),
            rejects=expand(rules.transcribe_shard.output.rejects, shard=DECODE_SHARDS, allow_missing=True),
        output:
            text=rules.transcribe_set.output.text,
            details=rules.transcribe_set.output.details,
            subtitles=directory(f"{EXP}/transcribe/{{model}}/{{name}}/subtitles"),
            rejects=rules.transcribe_set.output.rejects,
        log:
            f"{EXP}/logs/transcribe_gather/{{model}}.{{name}}.log",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=60,
        params:
            code=code("write_subtitles.py"),
        message:
            "transcribe: {wildcards.name} with {wildcards.model}, parts joined"
        shell:
            "{{ cat {input.text:q} > {output.text:q} && cat {input.details:q} > {output.details:q} &&"
            " awk 'NR == 1 || FNR > 1' {input.rejects:q} > {output.rejects:q} &&"
            ' python "$RECIPE/scripts/write_subtitles.py" --details-file {output.details:q}'
            " --subtitles-dir {output.subtitles:q}; }} > {log:q} 2>&1"

    localrules:
        transcribe_gather,

    ruleorder: transcribe_gather > transcribe_set


rule transcribe:
    input:
        transcripts,
    message:
        "all recordings are transcribed"


localrules:
    transcribe,


DECODED = dict(model=ALL_MODELS, test=TESTS)
SHARDED = len(DECODE_SHARDS) > 1
DECODE_OUTPUTS = expand([rules.decode.output.text, rules.decode.output.details], **DECODED)
DECODE_OUTPUTS += (
    expand(patterns(rules.decode_shard), shard=DECODE_SHARDS, **DECODED)
    if SHARDED
    else expand(rules.decode.output.record, **DECODED)
)
