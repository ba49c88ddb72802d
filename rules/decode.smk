# Every model, the untouched base included, decodes every test set; in parts, if `decode.shards` says so.


rule decode:
    input:
        recordings=lambda wildcards: decode_files(data_dir("test", wildcards.test)),
        # The data stage stops the run on a broken set before time is spent on decoding it.
        manifest=f"{EXP}/data/test/{{test}}.jsonl",
        model=decoded_model,
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
        gpu=lambda wildcards: gpu_share(),
        mem_mb=memory(16000),
        runtime=720,
    params:
        with_gpus=script("with_gpus.py"),
        script=script("decode.py"),
        code=code("decode.py"),
        source=lambda wildcards: decode_source(data_dir("test", wildcards.test)),
        model=decoded_model_dir,
        flags=decode_flags(),
    message:
        "decode: {wildcards.test} with {wildcards.model}"
    shell:
        # Status 1 says that single recordings could not be read: the details and the report count them.
        "python {params.with_gpus:q} {resources.gpu} -- python {params.script:q} --model-dir {params.model:q}"
        " {params.source} --output-file {output.text:q} {params.flags} --threads {threads} > {log:q} 2>&1 || test $? -eq 1"


if len(DECODE_SHARDS) > 1:

    # Parts are jobs of their own; what is finished stays when others are interrupted.
    use rule decode as decode_shard with:
        output:
            text=f"{EXP}/decode/{{model}}/{{test}}/shards/{{shard}}",
            details=f"{EXP}/decode/{{model}}/{{test}}/shards/{{shard}}.jsonl",
        log:
            f"{EXP}/logs/decode/{{model}}.{{test}}.{{shard}}.log",
        benchmark:
            f"{EXP}/benchmarks/decode/{{model}}.{{test}}.{{shard}}.jsonl"
        params:
            with_gpus=script("with_gpus.py"),
            script=script("decode.py"),
            code=code("decode.py"),
            source=lambda wildcards: (
                f"{decode_source(data_dir('test', wildcards.test))} --shard {wildcards.shard}/{len(DECODE_SHARDS)}"
            ),
            model=decoded_model_dir,
            flags=decode_flags(),
        message:
            "decode: part {wildcards.shard} of {wildcards.test} with {wildcards.model}"

    rule decode_gather:
        input:
            text=decode_parts(""),
            details=decode_parts(".jsonl"),
        output:
            text=rules.decode.output.text,
            details=rules.decode.output.details,
        log:
            f"{EXP}/logs/decode_gather/{{model}}.{{test}}.log",
        conda:
            "../envs/recipe.yaml"
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
        recordings=lambda wildcards: decode_files(transcribe_source(wildcards.name)),
        model=decoded_model,
    output:
        text=f"{EXP}/transcribe/{{model}}/{{name}}/text",
        details=f"{EXP}/transcribe/{{model}}/{{name}}/text.jsonl",
        subtitles=directory(f"{EXP}/transcribe/{{model}}/{{name}}/subtitles"),
    log:
        f"{EXP}/logs/transcribe/{{model}}.{{name}}.log",
    benchmark:
        f"{EXP}/benchmarks/transcribe/{{model}}.{{name}}.jsonl"
    params:
        with_gpus=script("with_gpus.py"),
        script=script("decode.py"),
        code=code("decode.py"),
        source=lambda wildcards, output: (
            f"{decode_source(transcribe_source(wildcards.name))} --subtitles-dir {shlex.quote(output.subtitles)}"
        ),
        model=decoded_model_dir,
        flags=decode_flags(),
    message:
        "transcribe: {wildcards.name} with {wildcards.model}"


rule transcribe:
    input:
        transcribe_outputs(),
