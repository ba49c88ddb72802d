# Report: the table of models x test sets and everything behind it, as one HTML page.


localrules:
    provenance,
    report_spec,


STAGES = ("scp2jsonl", "fbank_stats", "train", "decode", "normalize", "compute_wer", "report")


# What goes in, and by what it is worked on. The commit and the machine are those of the time when this is made: which
# is when an input, a setting or the code of a stage changes, as for the results.
rule provenance:
    input:
        lambda wildcards: sorted({file for role, name in SETS for file in data_files(role, name)}),
        base_files(),
    output:
        f"{EXP}/provenance.json",
    log:
        f"{EXP}/logs/provenance.log",
    conda:
        "../envs/recipe.yaml"
    params:
        script=script("provenance.py"),
        code=code("provenance.py"),
        record=lambda wildcards: json.dumps(
            {"settings": SETTINGS, "code": {stage: code(f"{stage}.py") for stage in STAGES}}, ensure_ascii=False
        ),
    message:
        "provenance: what the results are made of"
    shell:
        "printf '%s' {params.record:q} | python {params.script:q} {output:q} --inputs {input:q} > {log:q} 2>&1"


rule report_spec:
    output:
        f"{EXP}/report/spec.json",
    log:
        f"{EXP}/logs/report_spec.log",
    conda:
        "../envs/recipe.yaml"
    params:
        spec=lambda wildcards: json.dumps(report_spec(), indent=2, ensure_ascii=False),
    message:
        "what the report shows"
    shell:
        "printf '%s\\n' {params.spec:q} > {output:q} 2> {log:q}"


rule report:
    input:
        data_outputs(),
        model_outputs(),
        decode_outputs(),
        score_outputs(),
        spec=rules.report_spec.output,
        provenance=rules.provenance.output,
    output:
        html=report(
            f"{EXP}/report/report.html", caption="captions/report.rst", category="Results", labels={"file": "report"}
        ),
        tsv=report(
            f"{EXP}/report/summary.tsv", caption="captions/summary.rst", category="Results", labels={"file": "table"}
        ),
        md=report(
            f"{EXP}/report/summary.md", caption="captions/summary.rst", category="Results", labels={"file": "summary"}
        ),
    log:
        f"{EXP}/logs/report.log",
    benchmark:
        f"{EXP}/benchmarks/report.jsonl"
    conda:
        "../envs/recipe.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        script=script("report.py"),
        code=code("report.py"),
        folder=lambda wildcards, output: Path(output.html).parent,
    message:
        "report"
    shell:
        "python {params.script:q} --spec {input.spec:q} --output-dir {params.folder:q} > {log:q} 2>&1"
