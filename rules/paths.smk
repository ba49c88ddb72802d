# What files there are: inputs, outputs of each stage, and the flags that settings become.


from recipe import datadir
from recipe.plots import STATS_PLOTS


def data_dir(role, name):
    """A set's data directory (or JSONL file) as the configuration gives it; a training set may have a weight too."""
    entry = SETTINGS["data"][role][name]
    return entry if isinstance(entry, str) else entry["dir"]


def train_weights():
    """How often each training set is seen, by name: 1 where nothing is said."""
    entries = SETTINGS["data"]["train"].items()
    return {name: 1.0 if isinstance(entry, str) else entry["weight"] for name, entry in entries}


def is_jsonl(path):
    return str(path).removesuffix(".gz").endswith(".jsonl")


def data_files(role, name):
    """The files of a data directory that a manifest is made of: wav.scp, text, then what else there is."""
    folder = data_dir(role, name)
    if is_jsonl(folder):
        if role == "test":
            raise WorkflowError(f"data.test.{name}: {folder} is JSONL; a test set is a folder with wav.scp and text")
        return [folder]
    found = {table: datadir.find(folder, table) for table in ("wav.scp", "text", *datadir.OPTIONAL)}
    for required in ("wav.scp", "text"):
        if found[required] is None:
            raise WorkflowError(f"data.{role}.{name}: {folder}/{required} does not exist")
    for table in ("segments", "utt2prompt"):
        if role == "test" and found[table]:
            raise WorkflowError(
                f"data.test.{name}: {found[table]} is there, but decoding reads whole recordings with one instruction; "
                "cut the recordings, or leave the table out"
            )
    return [path for path in found.values() if path]


def data_source(role, name):
    """Flags of scp2jsonl.py that say what a set is made of."""
    files = data_files(role, name)
    if is_jsonl(files[0]):
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
    flags += [f"--fetch-{name}={value}" for name, value in data["fetch"].items()]
    return " ".join([*flags, commands_flag()])


def base_files():
    """Files of the base model's directory; nothing for a hub id, which its revision pins."""
    folder = Path(SETTINGS["model"]["base"])
    return [str(folder / name) for name in ("config.json", "model.safetensors") if (folder / name).is_file()]


def model_files(model):
    """What a decoding needs of a model."""
    return base_files() if model == BASE else [f"{EXP}/train/{model}/model/{name}" for name in MODEL_FILES]


def model_dir(model):
    """Directory (or hub id) of a model."""
    return SETTINGS["model"]["base"] if model == BASE else f"{EXP}/train/{model}/model"


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
    return f"{EXP}/export/{wildcards.model}" if exported else model_dir(wildcards.model)


def decode_flags(hotwords):
    """Settings of `decode` as flags of decode.py; `hotwords` is the set's utt2hotwords where it has one.

    Rules must not hand this an `input`: Snakemake leaves parameters that are made of input files out when it looks for
    changed settings.
    """
    settings = SETTINGS["decode"]
    names = ["batch_seconds", "beams", "max_tokens_per_second", "max_seconds", "engine", "workers"]
    flags = [f"--{name.replace('_', '-')} {settings[name]}" for name in names]
    flags += [f"--{name.replace('_', '-')}" for name in ("strict", "cuda_graph") if settings[name]]
    flags += [f"--hotwords {shlex.quote(','.join(settings['hotwords']))}"] if settings["hotwords"] else []
    flags += [f"--utt2hotwords {shlex.quote(hotwords[0])}"] if hotwords else []
    flags += [f"--channel {SETTINGS['data']['channel']}"]
    return " ".join([prompt_flags(), commands_flag(), *flags])


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
    """What `transcribe` names, as a flag of decode.py."""
    source = SETTINGS["transcribe"][name]
    return f"{'--audio-dir' if Path(source).is_dir() else '--scp-file'} {shlex.quote(source)}"


def transcribe_files(name):
    """The file or, of a folder, the files that `transcribe` names."""
    source = SETTINGS["transcribe"][name]
    if not Path(source).exists():
        raise WorkflowError(f"transcribe.{name}: {source} does not exist")
    return list(recordings.find(source).values()) if Path(source).is_dir() else source


def commands_flag():
    return "--allow-commands" if SETTINGS["data"]["allow_commands"] else ""


def data_outputs():
    """Manifest, rejects and statistics of every set."""
    manifests = [f"{EXP}/data/{role}/{name}.{end}" for role, name in SETS for end in ("jsonl", "rejects.tsv")]
    files = ["stats.json", "cmvn.ark", *(f"{name}.svg" for name in STATS_PLOTS)]
    stats = [f"{EXP}/stats/{role}/{name}/{file}" for role, name in SETS for file in files]
    return manifests + stats


def model_outputs():
    """The files of every trained model."""
    return [file for run in RUNS for file in model_files(run)]


def manifests(role):
    return [f"{EXP}/data/{role}/{name}.jsonl" for name in SETTINGS["data"][role]]


def decode_outputs():
    """Hypotheses of every model on every test set."""
    return [f"{EXP}/decode/{model}/{test}/text{end}" for model in MODELS for test in TESTS for end in ("", ".jsonl")]


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
    """Tables of the test set that the score is broken down by."""
    found = {name: datadir.find(data_dir("test", test), name) for name in ("utt2spk", "utt2lang", "utt2group")}
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
        "audio": {test: data_files("test", test)[0] for test in TESTS},
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
