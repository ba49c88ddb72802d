# Report: the table of models x test sets and everything behind it, as one HTML page.


def report_spec(folder):
    """What the report shows, as report.py's specification."""
    score = lambda mode, model, test: f"{EXP}/score/{mode}/hyp/{model}/{test}"
    return {
        "experiment": SETTINGS["experiment"],
        "config": SETTINGS,
        "models": MODELS,
        "tests": TESTS,
        "modes": MODES,
        "data": [
            {
                "role": role,
                "name": name,
                "manifest": f"{EXP}/data/{role}/{name}.jsonl",
                "rejects": f"{EXP}/data/{role}/{name}.rejects.tsv",
                "stats": f"{EXP}/stats/{role}/{name}/stats.json",
            }
            for role, name in SETS
        ],
        "runs": [
            {
                "name": run,
                "history": f"{EXP}/train/{run}/model/history.json",
                "recipe": f"{EXP}/train/{run}/model/recipe.json",
                "settings": SETTINGS["runs"][run],
            }
            for run in RUNS
        ],
        "scores": [
            {
                "model": model,
                "test": test,
                "mode": mode,
                "score": f"{score(mode, model, test)}/score.json",
                "utterances": f"{score(mode, model, test)}/utterances.jsonl",
                "details": f"{EXP}/decode/{model}/{test}/text.jsonl",
            }
            for mode in MODES
            for model in MODELS
            for test in TESTS
        ],
        "audio": {test: f"{data_dir('test', test)}/wav.scp" for test in TESTS},
    }


def show_summary():
    """Print the table of results, where the run made one."""
    summary = Path(f"{EXP}/report/summary.md")
    if summary.is_file():
        print(f"\n{summary.read_text(encoding='utf-8')}\nReport: {EXP}/report/report.html", file=sys.stderr)


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
        spec=lambda wildcards, output: json.dumps(report_spec(output[0]), indent=2, ensure_ascii=False),
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
        mem_mb=4000,
        runtime=60,
    params:
        script=script("report.py"),
        code=code("report.py"),
        folder=lambda wildcards, output: Path(output.html).parent,
    shell:
        "python {params.script:q} --spec {input.spec:q} --output-dir {params.folder:q} > {log:q} 2>&1"
