# What files there are: inputs, outputs of each stage, and the flags that settings become.


from recipe.data import datadir
from recipe.data.stats_plots import STATS_PLOTS


def data_dir(role, name):
    """A set's data directory (or JSONL file) as the configuration gives it; a training set may have a weight too."""
    entry = SETTINGS["data"][role][name]
    return entry if isinstance(entry, str) else entry["dir"]


def train_weights():
    """How often each training set is seen, by name: 1 where nothing is said."""
    entries = SETTINGS["data"]["train"].items()
    return {name: 1.0 if isinstance(entry, str) else entry["weight"] for name, entry in entries}


def data_files(role, name):
    """The files that a manifest is made of: wav.scp, text, then what else a data directory has; or a JSONL file."""
    folder = data_dir(role, name)
    if datadir.is_jsonl(folder):
        return [folder]
    found = {table: datadir.find(folder, table) for table in ("wav.scp", "text", *datadir.OPTIONAL)}
    for required in ("wav.scp", "text"):
        if found[required] is None:
            raise WorkflowError(f"data.{role}.{name}: {folder}/{required} does not exist")
    return [path for path in found.values() if path]


def reference_file(test):
    """The transcripts of a test set: text, or its JSONL."""
    files = data_files("test", test)
    return files[0] if datadir.is_jsonl(files[0]) else files[1]


def data_source(role, name):
    """Flags of scp2jsonl.py that say what a set is made of."""
    files = data_files(role, name)
    if datadir.is_jsonl(files[0]):
        return ["--input-jsonl", files[0]]
    return ["--scp-file", files[0], "--transcript-file", files[1]]


def shard_flag(scatteritem):
    """scp2jsonl.py's I/N, counted from 0, of Snakemake's I-of-N."""
    part, _, parts = scatteritem.partition("-of-")
    return f"{int(part) - 1}/{parts}"


def limit_flags():
    """What scp2jsonl.py checks."""
    data = SETTINGS["data"]
    names = (
        "min_seconds",
        "max_seconds",
        "min_tokens_per_second",
        "max_tokens_per_second",
        "verify",
        "silence_db",
        "max_clipped",
        "non_nfc",
        "channel",
    )
    flags = [f"--{name.replace('_', '-')}={data[name]}" for name in names]
    return " ".join([*flags, elsewhere_flags()])


def base_kind():
    """What `model.base` is: an HF directory, a toolkit directory, or a model of the hub."""
    try:
        return model_dir.source_kind(SETTINGS["model"]["base"], SETTINGS["model"]["revision"])
    except RecipeError as error:
        raise WorkflowError(f"model.base: {error}")


# An HF directory is used where it is; all else becomes one first, which every stage then uses.
BASE_DIR = SETTINGS["model"]["base"] if base_kind() == model_dir.HF else f"{EXP}/base"


def base_files():
    """Files of the base model's directory; of one that was there before, those that change what a stage makes of it."""
    if BASE_DIR != SETTINGS["model"]["base"]:
        return [f"{BASE_DIR}/{name}" for name in BASE_FILES]
    names = ("config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json", "recipe.json")
    return [file for name in names if Path(file := f"{BASE_DIR}/{name}").is_file()]


def base_source_files():
    """Files that a base model's directory is converted from; of a model of the hub there are none before."""
    folder = Path(SETTINGS["model"]["base"])
    names = ("config.yaml", "model.pt", "Qwen3-0.6B/config.json", "Qwen3-0.6B/tokenizer.json")
    return [str(folder / name) for name in names if (folder / name).is_file()]


def model_files(model):
    """What a decoding needs of a model."""
    return base_files() if model == BASE else [f"{EXP}/train/{model}/model/{name}" for name in MODEL_FILES]


def model_folder(model):
    """Directory of a model."""
    return BASE_DIR if model == BASE else f"{EXP}/train/{model}/model"


def prompt_flags():
    """The instruction's settings as flags of scp2jsonl.py and decode.py."""
    prompt = SETTINGS["data"]["prompt"]
    language = f" --language {prompt['language']}" if prompt["language"] else ""
    return f"--wording {prompt['wording']}{language}{'' if prompt['itn'] else ' --no-itn'}"


def decoded_model(wildcards):
    """Files of a model as the decoding engine wants it."""
    if SETTINGS["decode"]["engine"] == "funasr":
        return [f"{EXP}/export/{wildcards.model}/{name}" for name in ("model.pt", "config.yaml")]
    return model_files(wildcards.model)


def decoded_model_dir(wildcards):
    """Directory of a model as the decoding engine wants it."""
    exported = SETTINGS["decode"]["engine"] == "funasr"
    return f"{EXP}/export/{wildcards.model}" if exported else model_folder(wildcards.model)


def decode_flags():
    """Settings of `decode` as flags of decode.py."""
    settings = SETTINGS["decode"]
    graphs = settings["cuda_graph"] and settings["engine"] == "transformers"
    switches = {"strict": settings["strict"], "cuda_graph": graphs}
    names = ["batch_seconds", "beams", "max_tokens_per_second", "max_seconds", "engine", "workers"]
    flags = [f"--{name.replace('_', '-')} {settings[name]}" for name in names]
    flags += [f"--{name.replace('_', '-')}" for name, on in switches.items() if on]
    flags += [f"--hotwords {shlex.quote(','.join(settings['hotwords']))}"] if settings["hotwords"] else []
    flags += [f"--channel {SETTINGS['data']['channel']}"]
    return " ".join([prompt_flags(), elsewhere_flags(), *flags])


def decode_files(source):
    """The files that decode.py reads of a data directory, wav.scp, JSONL file or folder of recordings; wav.scp first."""
    if Path(source).is_dir():
        scp = datadir.find(source, "wav.scp")
        if scp is None:
            return list(recordings.find(source).values())
        source = scp
    if datadir.is_jsonl(source):
        return [source]
    return [source, *datadir.tables(source, ["segments", "utt2prompt", "utt2hotwords", "utt2lang"]).values()]


def decode_source(source):
    """The same as a flag of decode.py. Rules must not make it of an `input`: Snakemake leaves parameters that are made
    of input files out when it looks for changed settings."""
    if datadir.is_jsonl(source):
        return f"--input-jsonl {shlex.quote(source)}"
    if Path(source).is_dir() and datadir.find(source, "wav.scp") is None:
        return f"--audio-dir {shlex.quote(source)}"
    return f"--scp-file {shlex.quote(decode_files(source)[0])}"


def hotwords_table(test):
    """A test set's own hotwords, where it has some."""
    table = datadir.find(data_dir("test", test), "utt2hotwords")
    return [table] if table else []


def scored_hotwords(mode, test):
    """The hotwords of a test set's utterances, normalized as its texts are, where there are some."""
    given = SETTINGS["decode"]["hotwords"] or hotwords_table(test)
    return [f"{EXP}/score/{mode}/ref/{test}.hotwords.txt"] if given else []


def decode_parts(end):
    """The parts of a decoding, in order; `end` is that of the file's name."""
    return [f"{EXP}/decode/{{model}}/{{test}}/shards/{part}{end}" for part in DECODE_SHARDS]


TRANSCRIBED = list(RUNS) or [BASE]  # models that `transcribe` uses


def transcribe_outputs():
    """Texts and subtitles of what has no references."""
    names = SETTINGS["transcribe"]
    return [f"{EXP}/transcribe/{model}/{name}/text" for model in TRANSCRIBED for name in names]


def transcribe_source(name):
    """What `transcribe` names."""
    source = SETTINGS["transcribe"][name]
    if not Path(source).exists():
        raise WorkflowError(f"transcribe.{name}: {source} does not exist")
    return source


def elsewhere_flags():
    """What may be done for recordings that are no local files."""
    flags = [f"--fetch-{name}={value}" for name, value in SETTINGS["data"]["fetch"].items()]
    if SETTINGS["data"]["allow_commands"]:
        flags.append("--allow-commands")
    return " ".join(flags)


def data_outputs():
    """Manifest, rejects and statistics of every set."""
    manifests = [f"{EXP}/data/{role}/{name}.{end}" for role, name in SETS for end in ("jsonl", "rejects.tsv")]
    files = ["stats.json", "cmvn.ark", *(f"{name}.svg" for name in STATS_PLOTS)]
    stats = [f"{EXP}/stats/{role}/{name}/{file}" for role, name in SETS for file in files]
    return manifests + stats


def model_outputs():
    """The files of every model."""
    return [file for model in MODELS for file in model_files(model)]


def manifests(role):
    return [f"{EXP}/data/{role}/{name}.jsonl" for name in SETTINGS["data"][role]]


def decode_outputs():
    """Hypotheses of every model on every test set, and of its parts where there are some."""
    names = ["text", *(f"shards/{part}" for part in DECODE_SHARDS if len(DECODE_SHARDS) > 1)]
    names += [f"{name}.jsonl" for name in names]
    return [f"{EXP}/decode/{model}/{test}/{name}" for model in MODELS for test in TESTS for name in names]


SCORE_FILES = ["cer.txt", "score.json", "utterances.jsonl"]


def score_dir(mode, model, test):
    """Folder of a model's normalized hypotheses and scores on a test set."""
    return f"{EXP}/score/{mode}/hyp/{model}/{test}"


def score_outputs():
    """Normalized texts and scores of every mode, model and test set."""
    references = [f"{EXP}/score/{mode}/ref/{test}.txt" for mode in MODES for test in TESTS]
    references += [file for mode in MODES for test in TESTS for file in scored_hotwords(mode, test)]
    pairs = [score_dir(mode, model, test) for mode in MODES for model in MODELS for test in TESTS]
    return references + [f"{pair}/{file}" for pair in pairs for file in ["hyp.txt", *SCORE_FILES]]


def speaker_flags(test):
    """What the score of a test set is broken down by: a flag of compute_wer.py and its table; JSONL has all in one."""
    folder, names = data_dir("test", test), ("utt2spk", "utt2lang", "utt2group")
    if datadir.is_jsonl(folder):
        return dict.fromkeys(names, folder)
    found = {name: datadir.find(folder, name) for name in names}
    return {name: file for name, file in found.items() if file}


def report_spec():
    """What the report shows, as report.py's specification."""
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
                "score": f"{score_dir(mode, model, test)}/score.json",
                "utterances": f"{score_dir(mode, model, test)}/utterances.jsonl",
                "details": f"{EXP}/decode/{model}/{test}/text.jsonl",
            }
            for mode in MODES
            for model in MODELS
            for test in TESTS
        ],
        # Players are found by wav.scp.
        "audio": {test: data_files("test", test)[0] for test in TESTS if not datadir.is_jsonl(data_dir("test", test))},
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
        return [f"{EXP}/stats/{role}/{name}/stats.json"]

    parts = gather.shard("{scatteritem}") if DATA_SHARDS > 1 else []
    shards = [f".{shard}" for shard in DECODE_SHARDS] if len(DECODE_SHARDS) > 1 else [""]
    pairs = [(model, test) for model in MODELS for test in TESTS]
    scored = [f"{mode}.{model}.{test}" for mode in MODES for model, test in pairs]
    checks = {
        (role, name): [f"scp2jsonl/{role}.{name}", *(f"scp2jsonl_shard/{role}.{name}.{part}" for part in parts)]
        for role, name in SETS
    }
    return [
        *(entry("scp2jsonl", f"{role}, {name}", checks[role, name], stats=stats(role, name)) for role, name in SETS),
        *(
            entry("fbank_stats", f"{role}, {name}", [f"fbank_stats/{role}.{name}"], stats=stats(role, name))
            for role, name in SETS
        ),
        *(entry("train", run, [f"train/{run}"], history=f"{EXP}/train/{run}/model/history.json") for run in RUNS),
        *(
            entry(
                "decode", f"{model}, {test}", [f"decode/{model}.{test}{s}" for s in shards], stats=stats("test", test)
            )
            for model, test in pairs
        ),
        entry("normalize", "all", [f"normalize/{name}" for name in scored]),
        entry("compute_wer", "all", [f"compute_wer/{name}" for name in scored]),
    ]


def show_summary():
    """Print the table of results, where the run made one."""
    summary = Path(f"{EXP}/report/summary.md")
    if summary.is_file():
        print(f"\n{summary.read_text(encoding='utf-8')}\nReport: {EXP}/report/report.html", file=sys.stderr)
