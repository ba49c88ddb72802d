# Report: the table of models x test sets and everything behind it, as one HTML page.


localrules:
    report_spec,


ALL_SETTINGS = handed_over(as_mapping(CONFIG), "configuration")
SPEC = handed_over(
    report_spec(), f"what the report shows of {len(MODELS)} models, {len(TESTS)} test sets, {len(MODES)} modes"
)


rule report_spec:
    output:
        f"{EXP}/report/spec.json",
    log:
        f"{EXP}/logs/report_spec.log",
    conda:
        ENVIRONMENT
    params:
        spec=lambda wildcards: SPEC,
    message:
        "what the report shows"
    shell:
        "printf '%s\\n' {params.spec:q} > {output:q} 2> {log:q}"


# What goes in, and what each job ran with, as it said then.
rule provenance:
    input:
        records=RECORDS,
        given=lambda wildcards: sorted(
            {*(file for files in SET_FILES.values() for file in files), *filter(None, [CONFIG.score.equivalent])}
        ),
        base=base_files,
        # For the settings in it: a changed parameter is not seen while a decoding waits for what is to be checked.
        spec=rules.report_spec.output,
    output:
        f"{EXP}/provenance.json",
    log:
        f"{EXP}/logs/provenance.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=60,
    params:
        code=code("provenance.py"),
        settings=lambda wildcards: ALL_SETTINGS,
    message:
        "provenance: what the results are made of"
    shell:
        "printf '%s' {params.settings:q} |"
        ' python "$RECIPE/scripts/provenance.py" {output:q} --inputs {input.given:q} {input.base:q}'
        " --records {input.records:q} > {log:q} 2>&1"


rule report:
    input:
        STAGE_OUTPUTS,
        base_files,
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
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        code=code("report.py"),
        folder=lambda wildcards, output: Path(output.html).parent,
    message:
        "report"
    shell:
        'python "$RECIPE/scripts/report.py" --spec {input.spec:q} --output-dir {params.folder:q} > {log:q} 2>&1'
