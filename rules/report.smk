# Report: the table of models x test sets and everything behind it, as one HTML page.


localrules:
    report_spec,


rule report_spec:
    output:
        f"{EXP}/report/spec.json",
    log:
        f"{EXP}/logs/report_spec.log",
    conda:
        "../envs/recipe.yaml"
    params:
        spec=lambda wildcards: json.dumps(report_spec(), indent=2, ensure_ascii=False),
    shell:
        "printf '%s\\n' {params.spec:q} > {output:q} 2> {log:q}"


rule report:
    input:
        data_outputs(),
        model_outputs(),
        decode_outputs(),
        score_outputs(),
        spec=rules.report_spec.output,
    output:
        html=f"{EXP}/report/report.html",
        tsv=f"{EXP}/report/summary.tsv",
        md=f"{EXP}/report/summary.md",
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
    shell:
        "python {params.script:q} --spec {input.spec:q} --output-dir {params.folder:q} > {log:q} 2>&1"
