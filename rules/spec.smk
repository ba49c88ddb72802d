# What the report shows, of all stages before it.

STAGE_OUTPUTS = [
    *DATA_OUTPUTS,
    *MODEL_OUTPUTS,
    *DECODE_OUTPUTS,
    *SCORE_OUTPUTS,
    *SUBSET_OUTPUTS,
    *CURVE_OUTPUTS,
    *PSEUDO_OUTPUTS,
]
# What each job of theirs says that it ran with.
RECORDS = [file for file in STAGE_OUTPUTS if "/records/" in file]


def report_spec():
    """What the report shows, as report.py's specification."""
    return {
        "experiment": CONFIG.experiment,
        "config": as_mapping(CONFIG),
        "models": MODELS,
        "tests": TESTS,
        "modes": MODES,
        "data": [
            {
                "role": role,
                "name": name,
                "manifest": rules.scp2jsonl.output.jsonl.format(role=role, set=name),
                "rejects": rules.scp2jsonl.output.rejects.format(role=role, set=name),
                **(
                    {"lost": rules.pack.output.rejects.format(role=role, set=name)}
                    if CONFIG.data.pack and role != "test"
                    else {}
                ),
                "remarks": rules.scp2jsonl.output.remarks.format(role=role, set=name),
                "stats": rules.fbank_stats.output.stats.format(role=role, set=name),
            }
            for role, name in [*SETS, *PSEUDO]
        ],
        "runs": [
            {
                "name": run,
                "history": f"{model_folder(run)}/history.json",
                "recipe": f"{model_folder(run)}/recipe.json",
                "settings": recipe_config.not_default(RUNS[run]),
            }
            for run in RUNS
        ],
        "scores": [
            {
                **scored,
                "score": rules.compute_wer.output.score.format(**scored),
                "utterances": rules.compute_wer.output.utterances.format(**scored),
                "details": rules.decode.output.details.format(**scored),
                **({"groups": rules.group_errors.output.tsv.format(**scored)} if CONFIG.score.error_groups else {}),
            }
            for mode in MODES
            for model in MODELS
            for test in TESTS
            for scored in [{"model": model, "test": test, "mode": mode}]
        ],
        "compared": [
            {"test": test, "mode": mode, "file": rules.compare_runs.output.json.format(test=test, mode=mode)}
            for mode in MODES
            for test in TESTS
            if len(RUNS) > 1
        ],
        "curves": [
            {**curve, "file": rules.fit_curve.output.json.format(**curve)}
            for mode in MODES
            for run in CURVES
            for test in TESTS
            for curve in [{"run": run, "test": test, "mode": mode}]
        ],
        # The report itself looks at what sets share, where models transcribed some of them.
        "leaks": None if PSEUDO else rules.check_leaks.output.json,
        "timings": timings(),
        "provenance": f"{EXP}/provenance.json",
    }


def timings():
    """The benchmark files of the stages, as the report wants them; it looks at those that are there."""

    def entry(stage, name, names, **more):
        return {
            "stage": stage,
            "name": name,
            "benchmarks": [f"{EXP}/benchmarks/{file}.jsonl" for file in names],
            **more,
        }

    def stats(role, name):
        return [rules.fbank_stats.output.stats.format(role=role, set=name)]

    parts = gather.shard("{scatteritem}") if DATA_SHARDS > 1 else []
    shards = [f".{shard}" for shard in DECODE_SHARDS] if SHARDED else [""]
    pairs = [(model, test) for model in MODELS for test in TESTS]
    scored = [f"{mode}.{model}.{test}" for mode in MODES for model, test in pairs]
    checks = {
        (role, name): [f"scp2jsonl/{role}.{name}", *(f"scp2jsonl_shard/{role}.{name}.{part}" for part in parts)]
        for role, name in [*SETS, *PSEUDO]
    }
    return [
        *(
            entry("scp2jsonl", f"{role}, {name}", checks[role, name], stats=stats(role, name))
            for role, name in [*SETS, *PSEUDO]
        ),
        *(
            entry("fbank_stats", f"{role}, {name}", [f"fbank_stats/{role}.{name}"], stats=stats(role, name))
            for role, name in [*SETS, *PSEUDO]
        ),
        *(entry("pack", f"{role}, {name}", [f"pack/{role}.{name}"], stats=stats(role, name)) for role, name in PACKED),
        entry("check_leaks", "all", ["check_leaks"]),
        *(entry("train", run, [f"train/{run}"], history=f"{model_folder(run)}/history.json") for run in RUNS),
        *(entry("train", f"{run}, fractions", [f"train/{part}" for part in parts_of(run)]) for run in CURVES),
        *(
            entry(
                "decode", f"{model}, {test}", [f"decode/{model}.{test}{s}" for s in shards], stats=stats("test", test)
            )
            for model, test in pairs
        ),
        *(
            entry(
                "decode",
                f"{run}, fractions",
                [f"decode/{part}.{test}{s}" for part in parts_of(run) for test in TESTS for s in shards],
            )
            for run in CURVES
        ),
        entry("normalize", "all", [f"normalize/{name}" for name in scored]),
        entry("compute_wer", "all", [f"compute_wer/{name}" for name in scored]),
        *(
            [entry("compare_runs", "all", [f"compare_runs/{mode}.{test}" for mode in MODES for test in TESTS])]
            if len(RUNS) > 1
            else []
        ),
    ]


def show_summary():
    """Print the table of results if this call made it, or found it up to date; never one that is older than what was
    asked for, or that was not asked for."""
    summary = Path(f"{EXP}/report/summary.md")
    executed = workflow.is_main_process and not workflow.dryrun and workflow.scheduler is not None
    if not executed or any(workflow.dag.needrun_jobs()):
        return
    if any(str(summary) in map(str, job.output) for job in workflow.dag.jobs) and summary.is_file():
        print(f"\n{summary.read_text(encoding='utf-8')}\nReport: {EXP}/report/report.html", file=sys.stderr)
