# The learning curve: runs on nested fractions of the training data, and what twice the data would likely give. Trained,
# decoded and scored as every model is; without `curve` in the configuration there is nothing here to be made.


rule fit_curve:
    input:
        models=lambda wildcards: curve_scores(wildcards),
        facts=lambda wildcards: curve_facts(wildcards.run),
    output:
        json=f"{EXP}/score/{{mode}}/curve/{{run}}/{{test}}.json",
        record=f"{EXP}/records/fit_curve/{{mode}}.{{run}}.{{test}}.json",
    log:
        f"{EXP}/logs/fit_curve/{{mode}}.{{run}}.{{test}}.log",
    benchmark:
        f"{EXP}/benchmarks/fit_curve/{{mode}}.{{run}}.{{test}}.jsonl"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        code=code("fit_curve.py"),
        settings=words(CONFIG.score, "bootstrap"),
        points=lambda wildcards: curve_points(wildcards),
    message:
        "fit_curve: {wildcards.run} on {wildcards.test} ({wildcards.mode})"
    shell:
        'RECIPE_RECORD={output.record:q} python "$RECIPE/scripts/fit_curve.py" {output.json:q} {params.points:q}'
        " --facts {input.facts:q} {params.settings:q} > {log:q} 2>&1"


CURVE_OUTPUTS = expand(patterns(rules.fit_curve), mode=MODES, run=CURVES, test=TESTS)


rule curve:
    input:
        curve_asked_for,
        CURVE_OUTPUTS,
    message:
        "all learning curves are there"


localrules:
    curve,
