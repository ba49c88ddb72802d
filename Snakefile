# Fine-tune and evaluate Fun-ASR-Nano:
#   scp2jsonl -> fbank_stats -> train -> decode -> normalize -> compute_wer -> report
# Settings: config.yaml (or --configfile). Results: exp/<experiment>/. The rules are in rules/, one file a stage.


include: "rules/environment.smk"
include: "rules/common.smk"
include: "rules/paths.smk"
include: "rules/runs.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/decode.smk"
include: "rules/pseudo.smk"
include: "rules/suspects.smk"
include: "rules/score.smk"
include: "rules/curve.smk"
include: "rules/spec.smk"
include: "rules/report.smk"
include: "rules/convert.smk"


# The targets ask for the outputs of EVERY stage, not only of the last: so a deleted file is made again, and a stage
# that failed leaves no stale score behind it.
rule all:
    default_target: True
    input:
        something_to_score,
        rules.report.output,
        rules.provenance.output,
        STAGE_OUTPUTS,
        base_files,
    message:
        "all results are there"


rule eval:
    input:
        rules.all.input,
    message:
        "all results are there"


rule data:
    input:
        DATA_OUTPUTS,
    message:
        "all sets are checked and measured"


localrules:
    all,
    eval,
    data,


refuse_wrong_kinds()


onstart:
    hold_lock()
    refuse_impossible_jobs()


onerror:
    tell_place()
    tell_free_space()


# Not in onsuccess, which is not called when there was nothing to be done.
atexit.register(show_summary)
