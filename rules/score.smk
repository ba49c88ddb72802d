# Scoring: references and hypotheses are normalized in every mode, then compared.


# Test sets whose utterances have hotwords.
WITH_HOTWORDS = [test for test in TESTS if CONFIG.decode.hotwords or sets.has_hotwords(CONFIG, test)]
# The manifest of a test set says in which language each utterance is.
TEST_MANIFEST = rules.scp2jsonl.output.jsonl.replace("{role}", "test").replace("{set}", "{test}")

check_own_rules()


rule normalize_reference:
    input:
        texts=TEST_MANIFEST,
        manifest=TEST_MANIFEST,
        equivalent=own_file,
    output:
        text=f"{EXP}/score/{{mode}}/ref/{{test}}.txt",
        record=f"{EXP}/records/normalize/{{mode}}.ref.{{test}}.json",
    log:
        f"{EXP}/logs/normalize/{{mode}}.ref.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/normalize/{{mode}}.ref.{{test}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=60,
    params:
        code=code("normalize.py"),
        # Apart from what asks for inputs: of such parameters a change is not seen.
        flags=own_rules,
        languages=told_languages,
    message:
        "normalize: references of {wildcards.test} ({wildcards.mode})"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/normalize.py" --mode {wildcards.mode} {params.flags:q}'
        " {params.languages:q} {input.texts:q} {output.text:q} > {log:q} 2>&1"


use rule normalize_reference as normalize with:
    input:
        texts=rules.decode.output.text,
        manifest=TEST_MANIFEST,
        equivalent=own_file,
    output:
        text=f"{EXP}/score/{{mode}}/hyp/{{model}}/{{test}}/hyp.txt",
        record=f"{EXP}/records/normalize/{{mode}}.{{model}}.{{test}}.json",
    log:
        f"{EXP}/logs/normalize/{{mode}}.{{model}}.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/normalize/{{mode}}.{{model}}.{{test}}.jsonl"
    message:
        "normalize: {wildcards.test} of {wildcards.model} ({wildcards.mode})"


# What decoding was told to expect: the lists in the prompts of the manifest.
use rule normalize_reference as normalize_hotwords with:
    output:
        text=f"{EXP}/score/{{mode}}/ref/{{test}}.hotwords.txt",
        record=f"{EXP}/records/normalize/{{mode}}.hotwords.{{test}}.json",
    log:
        f"{EXP}/logs/normalize/{{mode}}.hotwords.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/normalize/{{mode}}.hotwords.{{test}}.jsonl"
    params:
        code=code("normalize.py"),
        flags=lambda wildcards: ["--lists", *own_rules(wildcards)],
        languages=told_languages,
    message:
        "normalize: hotwords of {wildcards.test} ({wildcards.mode})"


rule compute_wer:
    input:
        manifest=TEST_MANIFEST,
        rejects=rules.scp2jsonl.output.rejects.replace("{role}", "test").replace("{set}", "{test}"),
        ref=rules.normalize_reference.output.text,
        hyp=rules.normalize.output.text,
        details=rules.decode.output.details,
        hotwords=lambda wildcards: (
            expand(rules.normalize_hotwords.output.text, **wildcards) if wildcards.test in WITH_HOTWORDS else []
        ),
        # Every model is compared with the untouched one.
        base=lambda wildcards: (
            [] if wildcards.model == BASE else f"{EXP}/score/{wildcards.mode}/hyp/{BASE}/{wildcards.test}/hyp.txt"
        ),
        equivalent=own_file,
    output:
        cer=report(
            f"{EXP}/score/{{mode}}/hyp/{{model}}/{{test}}/cer.txt",
            caption="captions/score.rst",
            category="Scores",
            subcategory="{mode}",
            labels={"model": "{model}", "test set": "{test}", "file": "cer.txt"},
        ),
        score=report(
            f"{EXP}/score/{{mode}}/hyp/{{model}}/{{test}}/score.json",
            caption="captions/score.rst",
            category="Scores",
            subcategory="{mode}",
            labels={"model": "{model}", "test set": "{test}", "file": "score.json"},
        ),
        utterances=f"{EXP}/score/{{mode}}/hyp/{{model}}/{{test}}/utterances.jsonl",
        record=f"{EXP}/records/compute_wer/{{mode}}.{{model}}.{{test}}.json",
    log:
        f"{EXP}/logs/compute_wer/{{mode}}.{{model}}.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/compute_wer/{{mode}}.{{model}}.{{test}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        code=code("compute_wer.py"),
        settings=lambda wildcards: [*words(CONFIG.score, "bootstrap"), *own_rules(wildcards)],
        hotwords=lambda wildcards, input: f"--hotwords {shlex.join(input.hotwords)}" if input.hotwords else "",
        base=lambda wildcards, input: f"--compare {shlex.quote(input.base)}" if input.base else "",
    message:
        "compute_wer: {wildcards.test} of {wildcards.model} ({wildcards.mode})"
    shell:
        # References are those of the manifest: what the data stage rejected is counted, and not scored.
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/compute_wer.py" {input.ref:q} {input.hyp:q}'
        " {output.cer:q} --json {output.score:q} --utterances {output.utterances:q} --mode {wildcards.mode}"
        " --utt2spk {input.manifest:q} --utt2lang {input.manifest:q} --utt2group {input.manifest:q}"
        " --rejects {input.rejects:q} --hyp-jsonl {input.details:q} --durations {input.details:q} {params.hotwords}"
        " {params.base} {params.settings:q} > {log:q} 2>&1"


# Runs against each other; with a single one, compute_wer has compared it with the base already.
rule compare_runs:
    input:
        expand(rules.compute_wer.output.utterances, model=MODELS, allow_missing=True),
    output:
        json=f"{EXP}/score/{{mode}}/compare/{{test}}.json",
        record=f"{EXP}/records/compare_runs/{{mode}}.{{test}}.json",
    log:
        f"{EXP}/logs/compare_runs/{{mode}}.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/compare_runs/{{mode}}.{{test}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        code=code("compare_runs.py"),
        settings=words(CONFIG.score, "bootstrap"),
        models=lambda wildcards, input: [f"{model}={file}" for model, file in zip(MODELS, input, strict=True)],
        seeds=" ".join(f"--seeds {shlex.join(names)}" for names in recipe_config.same_but_seed(RUNS)),
    message:
        "compare_runs: all models on {wildcards.test} ({wildcards.mode})"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/compare_runs.py" {output.json:q} {params.models:q}'
        " {params.seeds} {params.settings:q} > {log:q} 2>&1"


# What a fix of each group of errors would bring.
rule group_errors:
    input:
        utterances=rules.compute_wer.output.utterances,
        manifest=TEST_MANIFEST,
        sound=rules.fbank_stats.output.sound.replace("{role}", "test").replace("{set}", "{test}"),
        hotwords=rules.compute_wer.input.hotwords,
    output:
        tsv=f"{EXP}/score/{{mode}}/hyp/{{model}}/{{test}}/errors.tsv",
        record=f"{EXP}/records/group_errors/{{mode}}.{{model}}.{{test}}.json",
    log:
        f"{EXP}/logs/group_errors/{{mode}}.{{model}}.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/group_errors/{{mode}}.{{model}}.{{test}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=120,
    params:
        code=code("group_errors.py"),
        hotwords=lambda wildcards, input: f"--hotwords {shlex.join(input.hotwords)}" if input.hotwords else "",
    message:
        "group_errors: {wildcards.test} of {wildcards.model} ({wildcards.mode})"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/group_errors.py" {input.utterances:q} {output.tsv:q}'
        " --manifest {input.manifest:q} --sound {input.sound:q} {params.hotwords} > {log:q} 2>&1"


SCORE_OUTPUTS = [
    *expand(patterns(rules.normalize_reference), mode=MODES, test=TESTS),
    *expand(patterns(rules.normalize_hotwords), mode=MODES, test=WITH_HOTWORDS),
    *expand(patterns(rules.normalize, rules.compute_wer), mode=MODES, model=ALL_MODELS, test=TESTS),
    *(expand(patterns(rules.compare_runs), mode=MODES, test=TESTS) if len(RUNS) > 1 else []),
    *(expand(patterns(rules.group_errors), mode=MODES, model=MODELS, test=TESTS) if CONFIG.score.error_groups else []),
]
