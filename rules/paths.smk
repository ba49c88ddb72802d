# Where models lie.


# An HF directory is used where it is, unless it is to state other audio tokens; all else becomes one first, which every
# stage then uses.
BASE_KIND = told(model_dir.source_kind, CONFIG.model.base, CONFIG.model.revision, about="model.base: ")
BASE_AS_IT_IS = BASE_KIND == model_dir.HF and CONFIG.model.audio_tokens in (
    "auto",
    told(model_dir.stated_audio_tokens, CONFIG.model.base, about="model.base: "),
)
BASE_DIR = CONFIG.model.base if BASE_AS_IT_IS else f"{EXP}/base"
told(recipe_config.refuse_hotwords, CONFIG, BASE_DIR)


def base_files(wildcards=None):
    """Files of the base model's directory; of one that was there before, those that change what a stage makes of it.
    Rules name the function: braces in names that it gives are no wildcards."""
    if BASE_DIR != CONFIG.model.base:
        return [f"{BASE_DIR}/{name}" for name in BASE_FILES]
    names = (
        "config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "recipe.json",
        *model_dir.BRANCH_FILES,
    )
    return [file for name in names if Path(file := f"{BASE_DIR}/{name}").is_file()]


def model_folder(model):
    """Directory of a model."""
    return BASE_DIR if model == BASE else f"{EXP}/train/{model}/model"


def model_files(model):
    """What a decoding needs of a model."""
    return base_files() if model == BASE else [f"{model_folder(model)}/{name}" for name in MODEL_FILES]


def decoded_model_dir(wildcards):
    """Directory of a model as the decoding engine wants it."""
    exported = CONFIG.decode.engine == "funasr"
    return f"{EXP}/export/{wildcards.model}/{model_dir.TOOLKIT}" if exported else model_folder(wildcards.model)


def decoded_model(wildcards):
    """Files of a model as the decoding engine wants it."""
    if CONFIG.decode.engine == "funasr":
        return exported_files(wildcards.model, model_dir.TOOLKIT)
    return model_files(wildcards.model)


def calibration(wildcards):
    """What says how far confidences are to be trusted, if that is asked for."""
    return expand(rules.calibrate.output, model=wildcards.model) if CONFIG.decode.calibrate else []


def calibrated(files):
    """Flags that name the calibration among a job's input files."""
    return ["--calibration", files.calibration] if files.calibration else []


def exported_files(model, kind):
    """Files of a model as a directory of another kind."""
    return [f"{EXP}/export/{model}/{kind}/{name}" for name in model_dir.WRITTEN[kind]]


def all_exports(wildcards):
    """Files of all that `export` names, and of the merged weights of its runs."""
    exports = planned(CONFIG.export.of_runs, CONFIG.runs, RUNS)
    if workflow.is_main_process and not jobs_are_elsewhere() and not on_cluster():
        kinds = dict.fromkeys(kind for kinds in exports.values() for kind in kinds)
        planned(machine.refuse_exports, kinds, CONFIG.export.python)
    return [
        file for run, kinds in exports.items() for kind in (model_dir.HF, *kinds) for file in exported_files(run, kind)
    ]


def exports_to_check():
    """Flags that name each run, its kinds of exports, merged weights among them, and its audio token setting."""
    exports = told(CONFIG.export.of_runs, CONFIG.runs, RUNS)
    return [
        word
        for run, kinds in exports.items()
        for word in ("--run", run, ",".join([model_dir.HF, *kinds]), RUNS[run].audio_tokens)
    ]


def transcripts(wildcards):
    """Texts of all recordings without references, by every run's model, the first seed's (without runs, the base's)."""
    planned(recipe_config.refuse_nothing_to_transcribe, CONFIG)
    wanted = dict(model=list(CONFIG.runs) or [BASE], name=CONFIG.transcribe)
    texts = expand(rules.transcribe_set.output.text, **wanted)
    # A part that was deleted is made again, too.
    return texts + (expand(rules.transcribe_shard.output.text, shard=DECODE_SHARDS, **wanted) if SHARDED else [])


def slice_of(wildcards):
    """The slice of a set's tables that a shard checks."""
    order = checkpoints.scp2jsonl_split.get(role=wildcards.role, set=wildcards.set).output.order
    return Path(order).with_name(wildcards.scatteritem.partition("-of-")[0])


def to_transcribe(wildcards):
    """Flags that name the recordings of a part of `transcribe`."""
    return sets.decode_source(planned(sets.transcribed, CONFIG, wildcards.name))
