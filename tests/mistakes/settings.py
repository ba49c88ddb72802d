"""Mistakes in the configuration, in what it points to, and in the call of snakemake."""

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import yaml

from mistakes.kinds import EITHER, LIGHT, REFUSED, RESULT, Mistake, kind
from mistakes.project import EXP, MODEL, ROOT, RUN, SET, Project

ONLY_REFUSED, ONLY_RESULT = frozenset({REFUSED}), frozenset({RESULT})
TRAINED = "trained"  # a project with all sets


# --- Any setting, by the schema ---------------------------------------------------------------------------------------


@cache
def schema() -> dict:
    """The schema of config.yaml."""
    return yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text(encoding="utf-8"))


def resolved(part: dict) -> dict:
    """A part of the schema, with what it refers to; of several kinds the first that is not null."""
    for choice in part.get("anyOf", []):
        if choice.get("type") != "null" and "const" not in choice:
            return resolved(choice)
    return schema()["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def leaves(part: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """(path, schema) of every single setting."""
    for name, inner in resolved(part).get("properties", {}).items():
        below = resolved(inner)
        if "properties" in below:
            yield from leaves(inner, (*path, name))
        else:
            yield (*path, name), inner


def any_setting(draw: random.Random, fits: Callable[[dict], bool] = lambda part: True) -> tuple[tuple[str, ...], dict]:
    """A setting whose (resolved) schema fits."""
    return draw.choice([(path, part) for path, part in leaves(schema()) if fits(resolved(part))])


def put(values: dict, path: tuple[str, ...], value) -> None:
    """Set what stands at a path, and make the sections on the way."""
    for name in path[:-1]:
        if not isinstance(values.get(name), dict):
            values[name] = {}
        values = values[name]
    values[path[-1]] = value


def made(path, value, ends=ONLY_REFUSED, *names: str) -> Mistake:
    """A mistake in a setting."""
    dotted = ".".join(path)
    short = str(value) if len(str(value)) < 80 else f"{str(value)[:70]}..."
    return Mistake({"setting": dotted, "value": short}, names=[dotted, path[-1], *names], ends=ends)


def is_number(part: dict) -> bool:
    """Whether a schema wants a number."""
    return part.get("type") in ("number", "integer")


def misspelled(draw: random.Random, name: str) -> str:
    """A name with a letter too many, too few, in another place or in another case."""
    place = draw.randrange(len(name))
    return draw.choice(
        [
            name[:place] + name[place + 1 :] + "x",
            name[:place] + name[place] + name[place:],
            name + "s",
            name.title(),
            name.replace("_", "-") + "-",
            name + " ",
            "_" + name,
        ]
    )


@kind("config")
def unknown_name(draw, project):
    """A setting that is spelled wrongly."""
    path, _ = any_setting(draw)
    wrong = misspelled(draw, path[-1])
    put(project.settings, (*path[:-1], wrong), draw.choice([1, "x", None, True]))
    if path[0] == "data" and len(path) == 1:
        return made((wrong,), "", EITHER)
    return made((*path[:-1], wrong), "")


@kind("config")
def unknown_section(draw, project):
    """A section that there is not."""
    name = misspelled(draw, draw.choice(["data", "train", "decode", "score", "runs", "model", "stats", "experiment"]))
    project.settings[name] = draw.choice([{}, None, {"x": 1}])
    return made((name,), "")


@kind("config")
def wrong_type(draw, project):
    """A value of another type."""
    path, part = any_setting(draw, lambda p: p.get("type") in ("number", "integer", "boolean", "array", "object"))
    kind_of = resolved(part)["type"]
    values = ["many", [1], {"a": 1}, "1,5", "10 s", "yes please", [[]]]
    wrong = draw.choice(
        [
            v
            for v in values
            if not (kind_of == "array" and isinstance(v, list)) and not (kind_of == "object" and isinstance(v, dict))
        ]
    )
    put(project.settings, path, wrong)
    return made(path, wrong)


@kind("config")
def out_of_range(draw, project):
    """A number outside its limits."""
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    path, part = any_setting(draw, lambda p: is_number(p) and any(b in p for b in bounds))
    found = resolved(part)
    values = [found[b] - d for b, d in (("minimum", 1), ("exclusiveMinimum", 0)) if b in found]
    values += [found[b] + d for b, d in (("maximum", 1), ("exclusiveMaximum", 0)) if b in found]
    value = draw.choice(values)
    put(project.settings, path, value)
    return made(path, value)


@kind("config")
def no_number(draw, project):
    """NaN or an infinity."""
    path, _ = any_setting(draw, is_number)
    value = float(draw.choice(["nan", "inf", "-inf"]))
    put(project.settings, path, value)
    return made(path, value)


@kind("config")
def fraction_for_a_whole_number(draw, project):
    """1.5 where whole numbers are allowed, or a truth value."""
    path, _ = any_setting(draw, lambda p: p.get("type") == "integer")
    value = draw.choice([1.5, True, "3", None])
    put(project.settings, path, value)
    return made(path, value)


@kind("config")
def unknown_choice(draw, project):
    """A word that is none of those allowed."""
    path, part = any_setting(draw, lambda p: "enum" in p)
    value = draw.choice(["best", "", "none", resolved(part)["enum"][0].upper(), resolved(part)["enum"][0] + " ", 1])
    put(project.settings, path, value)
    return made(path, value)


@kind("config")
def nothing_there(draw, project):
    """A section or setting without a value."""
    path, _ = any_setting(draw, lambda p: p.get("type") not in ("string", "null"))
    path = path[: draw.randint(1, len(path))]
    put(project.settings, path, None)
    return made(path, None, EITHER)


@kind("config")
def section_missing(draw, project):
    """A section that is needed."""
    name = draw.choice(["model", "data"])
    del project.settings[name]
    return made((name,), None)


@kind("config")
def section_of_another_kind(draw, project):
    """A list, a text or a number in a section's place."""
    name = draw.choice(["model", "data", "train", "decode", "score", "runs", "stats"])
    project.settings[name] = draw.choice([[], "x", 5, True, [{"a": 1}]])
    return made((name,), project.settings[name])


@kind("config")
def very_large_number(draw, project):
    """A number that nobody can mean."""
    paths = [
        ("data", "max_seconds"),
        ("train", "learning_rate"),
        ("train", "weight_decay"),
        ("train", "warmup"),
        ("train", "seed"),
        ("data", "fetch", "timeout"),
        ("decode", "max_tokens_per_second"),
        ("train", "batch_seconds"),
        ("stats", "sample"),
        ("decode", "shards"),
        ("data", "shards"),
    ]
    path = draw.choice(paths)
    value = draw.choice([10**30, 1e300, 2**63, 10**7] if path[-1] != "shards" else [0, 10**30])
    put(project.settings, path, value)
    return made(path, value, EITHER)


# --- Sets -------------------------------------------------------------------------------------------------------------


def sets(name: str, change: Callable[[random.Random, dict, Project], object], ends=ONLY_REFUSED, *names: str) -> None:
    """A kind of mistake in the section `data`."""

    def make(draw: random.Random, project: Project) -> Mistake:
        value = change(draw, project.settings["data"], project)
        named = [str(value)] if isinstance(value, str) and value.strip() else []
        return Mistake({"value": str(value)[:80]}, names=[*names, *named, "data."], ends=ends)

    kind("config", name=f"sets-{name}")(make)


def give(role_of, value_of):
    """Set a role's only set to something."""

    def change(draw, data, project):
        value = value_of(draw, project)
        data[role_of(draw)][SET] = value
        return value if isinstance(value, str) else str(value)

    return change


def anyone(draw):
    """A role."""
    return draw.choice(["train", "valid", "test"])


def named(draw, data, project):
    """A set under an odd name."""
    name = draw.choice(
        [
            "a b",
            "a/b",
            "",
            "..",
            "-x",
            "é",
            "录音",
            "x" * 300,
            "{x}",
            "a:b",
            "%s",
            "a'b",
            "a\nb",
            " ",
            "a.b",
            "_",
            "9",
            "con",
        ]
    )
    role = anyone(draw)
    data[role][name] = data[role].pop(SET)
    return name


def twice_the_folder(draw, data, project):
    """Two sets of one folder."""
    role = anyone(draw)
    data[role]["again"] = data[role][SET]
    return "again"


sets(
    "folder-missing",
    give(anyone, lambda d, p: d.choice(["data/nothing", "/nothing", "../data", "~/data", "data/tset", "$HOME"])),
)
sets("folder-is-a-file", give(anyone, lambda d, p: d.choice(["settings.yaml", "data/train/wav.scp", "data/test/text"])))
sets(
    "folder-empty",
    lambda d, data, p: ((p.folder / "hollow").mkdir(), data[anyone(d)].update({SET: "hollow"}), "hollow")[2],
)
sets(
    "path-of-another-kind",
    give(anyone, lambda d, p: d.choice(["", None, 5, [], ["data/train"], {"path": "data/train"}, {}, True])),
)
sets("path-with-braces", give(anyone, lambda d, p: "data/{role}"))
sets(
    "jsonl-missing", give(anyone, lambda d, p: d.choice(["data/x.jsonl", "data/x.jsonl.gz", "x.JSONL", "data/x.json"]))
)
sets("odd-name", named, EITHER)
sets(
    "folder-of-training-is-test",
    lambda d, data, p: data["test"].update({SET: data["train"][SET]}) or "data/train",
    ONLY_RESULT,
)
sets("folder-twice", twice_the_folder, ONLY_RESULT)
sets(
    "weight",
    lambda d, data, p: (
        data["train"].update(
            {SET: {"dir": "data/train", "weight": (w := d.choice([0, -1, "2", None, float("nan"), 1e-9, []]))}}
        )
        or f"weight {w}"
    ),
    EITHER,
    "weight",
)
sets("weight-alone", lambda d, data, p: data["train"].update({SET: {"weight": 2}}) or "dir", ONLY_REFUSED, "dir")
sets("weight-of-test", lambda d, data, p: data["test"].update({SET: {"dir": "data/test", "weight": 2}}) or SET)
sets(
    "unknown-in-weighted",
    lambda d, data, p: data["train"].update({SET: {"dir": "data/train", "wieght": 2}}) or "wieght",
)
sets("no-test", lambda d, data, p: data.update({"test": d.choice([{}, None])}) or "test", EITHER, "test")
sets(
    "no-training",
    lambda d, data, p: data.update({d.choice(["train", "valid"]): d.choice([{}, None])}) or "train",
    ONLY_REFUSED,
    "valid",
)
sets("list-of-folders", lambda d, data, p: data.update({"train": ["data/train"]}) or "train")
sets("folder-as-text", lambda d, data, p: data.update({"test": "data/test"}) or "test")
sets(
    "absolute-path",
    give(lambda d: "test", lambda d, p: f"{p.folder}/data/test{d.choice(['', '/', '//', '/.', '/../test'])}"),
    ONLY_RESULT,
)
sets("wav-scp-for-folder", give(anyone, lambda d, p: "data/train/wav.scp"))
sets(
    "output-for-input",
    lambda d, data, p: data["test"].update({SET: f"{EXP}/data/test/{SET}.jsonl"}) or SET,
    ONLY_REFUSED,
    EXP,
)


# --- Settings that contradict each other, or what there is ------------------------------------------------------------


def contrary(name: str, values: dict | list, ends=EITHER, *names: str, form: str = "") -> None:
    """A kind of mistake that sets several settings (dotted), or one of a list of such choices."""
    choices = values if isinstance(values, list) else [values]
    form = form or ("" if any(dotted.startswith("train.") for chosen in choices for dotted in chosen) else LIGHT)

    def make(draw: random.Random, project: Project) -> Mistake:
        chosen = draw.choice(choices)
        for dotted, value in chosen.items():
            put(project.settings, tuple(dotted.split(".")), copy.deepcopy(value))
        own = [dotted.rpartition(".")[2] for dotted in chosen]
        return Mistake({k: str(v)[:60] for k, v in chosen.items()}, names=[*own, *names], ends=ends)

    kind("config", form, name=name)(make)


contrary(
    "least-over-most",
    [
        {"data.min_seconds": 20, "data.max_seconds": 5},
        {"data.min_tokens_per_second": 30, "data.max_tokens_per_second": 2},
    ],
    EITHER,
    form=TRAINED,
)
contrary(
    "everything-rejected",
    [
        {"data.max_seconds": 0.3},
        {"data.min_seconds": 30},
        {"data.max_tokens_per_second": 0},
        {"data.verify": "full", "data.silence_db": 0},
        {"data.verify": "full", "data.max_clipped": 0, "data.silence_db": -1},
    ],
    EITHER,
    "max_reject_ratio",
    "no utterance",
    form=TRAINED,
)
contrary(
    "nothing-left",
    [
        {"data.max_seconds": 0.3, "data.max_reject_ratio": 1},
        {"data.min_tokens_per_second": 1e6, "data.max_reject_ratio": 1.0, "data.max_tokens_per_second": 1e7},
    ],
    ONLY_REFUSED,
    "no utterance",
    "all",
    "empty",
    form=TRAINED,
)
contrary("everything-frozen", {"train.freeze": ["encoder", "adaptor", "llm"]}, ONLY_REFUSED)
contrary(
    "freeze",
    [
        {"train.freeze": "encoder"},
        {"train.freeze": ["decoder"]},
        {"train.freeze": ["encoder", "encoder"]},
        {"train.freeze": []},
        {"train.freeze": "auto"},
        {"train.freeze": [None]},
    ],
)
contrary(
    "cache-without-frozen",
    [
        {"train.cache_frozen": True},
        {"train.cache_frozen": True, "train.freeze": ["encoder"], "train.augment": {"speeds": [0.9, 1.1]}},
    ],
)
contrary(
    "lora",
    [
        {"train.lora": {"rank": 0}},
        {"train.lora": {"targets": ["nothing_proj"]}},
        {"train.lora": {"targets": []}},
        {"train.lora": {"rank": 4}, "train.freeze": ["llm"]},
        {"train.lora": {"rank": 100000}},
        {"train.lora": True},
        {"train.lora": {"r": 16}},
    ],
)
contrary(
    "select",
    [
        {"train.decode_utterances": 0, "train.select": "cer"},
        {"train.average": 9},
        {"train.select": "last", "train.average": 3},
        {"train.early_stopping": 5},
        {"train.select": "loss", "train.decode_utterances": 0},
    ],
)
contrary(
    "steps",
    [
        {"train.epochs": 0, "train.max_steps": 0},
        {"train.epochs": 1e-9, "train.max_steps": 0},
        {"train.evaluations": 50},
        {"train.warmup": 5000},
        {"train.accumulate": 1000},
        {"train.log_every": 10**6},
    ],
)
contrary(
    "batch",
    [
        {"train.batch_seconds": 0.01},
        {"train.batch_seconds": 1e9},
        {"decode.batch_seconds": 0.01},
        {"decode.batch_seconds": 1e9},
        {"decode.max_seconds": 2},
    ],
)
contrary(
    "learning-rate",
    [
        {"train.learning_rate": 1e6},
        {"train.learning_rates": {"decoder": 1e-4}},
        {"train.learning_rates": {"encoder": -1}},
        {"train.learning_rates": {"encoder": 1e-4}, "train.freeze": ["encoder"]},
        {"train.learning_rate": "2e-5"},
        {"train.learning_rate": "1/50000"},
    ],
)
contrary(
    "scheduler",
    [
        {"train.scheduler": name}
        for name in (
            "linear",
            "constant_with_warmup",
            "cosine_with_min_lr",
            "polynomial",
            "inverse_sqrt",
            "cosine_with_restarts",
            "none",
            "reduce_lr_on_plateau",
        )
    ],
)
contrary(
    "speeds",
    [
        {"train.augment.speeds": [0]},
        {"train.augment.speeds": []},
        {"train.augment.speeds": 1.1},
        {"train.augment.speeds": [0.9, "1.0"]},
        {"train.augment.snr_db": [25, 5]},
        {"train.augment.snr_db": [5]},
        {"train.augment.time_share": 1},
        {"train.augment.frequency_masks": 1000},
    ],
    EITHER,
    "augment",
)
contrary(
    "noise",
    [
        {"train.augment.noise": ["nothing"]},
        {"train.augment.noise": ["data/train/text"]},
        {"train.augment.noise": ["data"]},
        {"train.augment.reverb": ["gone"]},
        {"train.augment.noise": "data/train"},
        {"train.augment.hotwords": {"file": "gone.txt", "share": 0.5}},
    ],
    ONLY_REFUSED,
    "augment",
    "wav.scp",
    "gone",
    "nothing",
    "data",
)
contrary(
    "noise-that-fits",
    [
        {"train.augment.noise": ["data/valid"]},
        {"train.augment.hotwords": {"share": 1.0}},
        {"train.augment.reverb": ["data/valid"]},
    ],
    ONLY_RESULT,
)
contrary("gpus", [{"train.gpus": 4}, {"train.gpus": 1}, {"train.gpus": -1}, {"train.gpus": "all"}], ONLY_REFUSED, "gpu")
contrary("nodes", [{"train.nodes": 2}, {"train.nodes": 0}], ONLY_REFUSED, "srun", "SLURM")
contrary(
    "precision",
    [
        {"train.precision": "bf16"},
        {"train.precision": "fp16"},
        {"train.precision": 16},
        {"train.gradient_checkpointing": True},
    ],
)
contrary(
    "trainer-unknown",
    [
        {"train.trainer": {"lerning_rate": 1}},
        {"train.trainer": {"x": None}},
        {"train.trainer": []},
        {"train.trainer": {5: 5}},
    ],
    ONLY_REFUSED,
    "trainer",
)
contrary(
    "trainer-ours",
    [
        {"train.trainer": {name: value}}
        for name, value in (
            ("learning_rate", 1),
            ("output_dir", "x"),
            ("num_train_epochs", 3),
            ("per_device_train_batch_size", 8),
            ("bf16", True),
            ("remove_unused_columns", True),
            ("resume_from_checkpoint", "x"),
            ("seed", 3),
        )
    ],
    EITHER,
    "trainer",
)
contrary(
    "trainer-values",
    [
        {"train.trainer": {name: value}}
        for name, value in (
            ("use_cpu", "yes"),
            ("optim", "adamx"),
            ("adam_beta1", "x"),
            ("lr_scheduler_type", "none"),
            ("deepspeed", "gone.json"),
            ("fsdp", "full_shard"),
            ("report_to", "nobody"),
            ("optim", "adamw_bnb_8bit"),
            ("adam_epsilon", -1),
            ("label_smoothing_factor", 5),
            ("push_to_hub", True),
            ("torch_compile_backend", "x"),
        )
    ],
    EITHER,
    "trainer",
)
contrary("engine", {"decode.engine": "funasr"}, EITHER, "funasr")
contrary(
    "hotwords",
    [
        {"decode.hotwords": ["a,b"]},
        {"decode.hotwords": ['"a"']},
        {"decode.hotwords": [""]},
        {"decode.hotwords": "word"},
        {"decode.hotwords": [5]},
        {"decode.hotwords": [None]},
        {"decode.hotwords": ["a\nb"]},
        {"decode.hotwords": ["<|im_end|>"]},
        {"decode.hotwords": [" "]},
        {"decode.hotwords": {"a": 1}},
    ],
)
contrary(
    "hotwords-many", [{"decode.hotwords": [f"word{i}" for i in range(n)]} for n in (2000, 20000)], EITHER, "hotword"
)
contrary(
    "language",
    [
        {"data.prompt.language": value}
        for value in (
            "klingon",
            "auto",
            "zh-CN",
            "ZH",
            "",
            "en_US",
            "Chinese",
            "xx",
            5,
            ["zh"],
            "中文",
            "<|im_end|>",
            "\n",
        )
    ],
    EITHER,
    "language",
)
contrary("language-of-each", {"data.prompt.language": "utt2lang"}, EITHER, "utt2lang", "mix")
contrary("wording", [{"data.prompt.wording": value} for value in ("de", "", None, "ZH", "请转写：")], ONLY_REFUSED)
contrary("channel", [{"data.channel": value} for value in ("left", -1, 1.5, "0", 7, None, [0])], EITHER)
contrary(
    "modes",
    [
        {"score.modes": value}
        for value in ([], ["faithfull"], "faithful", ["raw", "raw"], [None], ["compatible", "faithful", "compatible"])
    ],
    EITHER,
)
contrary("bootstrap", [{"score.bootstrap": value} for value in (-1, 0, 1, 2.5, "many")], EITHER)
contrary(
    "workers",
    [
        {"data.workers": 64},
        {"stats.workers": 64},
        {"data.workers": 0},
        {"decode.workers": 30},
        {"train.workers": 30},
        {"data.shards": 40},
        {"decode.shards": 40},
    ],
    EITHER,
    "shards",
)
contrary(
    "fetch",
    [
        {"data.fetch": {"timeout": 0}},
        {"data.fetch": {"retries": -1}},
        {"data.fetch": {"megabytes": "5 MB"}},
        {"data.fetch": 60},
        {"data.allow_commands": "yes"},
    ],
    ONLY_REFUSED,
    "fetch",
)
contrary(
    "transcribe",
    [
        {"transcribe": {"x": "gone"}},
        {"transcribe": {"x": ""}},
        {"transcribe": {"a b": "data/test"}},
        {"transcribe": ["data/test"]},
        {"transcribe": {"x": None}},
        {"transcribe": "data/test"},
    ],
    EITHER,
    "transcribe",
)
contrary(
    "experiment",
    [
        {"experiment": value}
        for value in (
            "",
            "a b",
            "../x",
            "a/b",
            "é",
            ".hidden",
            "-x",
            None,
            5,
            ["e"],
            "x" * 300,
            "{e}",
            "e\n",
            "e ",
            "con",
            "2026-11-28",
        )
    ],
    EITHER,
)


def run(name: str, values: list, ends=ONLY_REFUSED, *names: str) -> None:
    """A kind of mistake in `runs`, which is set to one of the values."""

    def make(draw: random.Random, project: Project) -> Mistake:
        project.settings["runs"] = copy.deepcopy(draw.choice(values))
        return Mistake({"runs": str(project.settings["runs"])[:80]}, names=["runs", *names], ends=ends)

    kind("config", name=f"runs-{name}")(make)


run(
    "name",
    [
        {name: {}}
        for name in ("base", "a b", "", "a/b", "..", "é", "{x}", "x" * 300, "-a", "a\nb", "a'b", "test", "x.y")
    ],
    EITHER,
)
run("of-another-kind", [[], ["tuned"], "tuned", 5, {"a": []}, {"a": "x"}, {"a": 5}])
run("empty", [{"a": None}, None], EITHER)
run(
    "overrides-nonsense",
    [
        {"a": {"epoch": 3}},
        {"a": {"train": {"epochs": 3}}},
        {"a": {"decode": {"beams": 2}}},
        {"a": {"model": "x"}},
        {"a": {"experiment": "b"}},
        {"a": {"epochs": "many"}},
        {"a": {"freeze": "all"}},
        {"a": {"augment": None}},
        {"a": {"weights": []}},
    ],
)
run(
    "weights",
    [
        {"a": {"weights": {"nobody": 1}}},
        {"a": {"weights": {SET: 0}}},
        {"a": {"weights": {SET: -1}}},
        {"a": {"weights": {SET: "x"}}},
        {"a": {"weights": {SET: None}}},
    ],
    ONLY_REFUSED,
    "weights",
)
run("equal", [{"a": {}, "b": {}}])
run("names-that-are-numbers", [{1: {}}, {True: {}}, {None: {}}, {1.5: {}}, {"1e5": {}}], EITHER)


# --- Models -----------------------------------------------------------------------------------------------------------


def base(name: str, value: Callable[[random.Random, Project], object], ends=ONLY_REFUSED) -> None:
    """A kind of mistake in `model.base`."""

    def make(draw: random.Random, project: Project) -> Mistake:
        chosen = project.settings["model"]["base"] = value(draw, project)
        return Mistake({"base": str(chosen)[:80]}, names=["model", str(chosen)], ends=ends)

    kind("config", name=f"model-{name}")(make)


def folder(project: Project, *files: str) -> str:
    """A folder that has these files, with nothing in them."""
    (project.folder / "model").mkdir()
    for name in files:
        (project.folder / "model" / name).write_text("")
    return "model"


base(
    "missing",
    lambda d, p: d.choice(["nothing", "/nothing", "~/model", "models/tiny", "./x/y/z", "C:\\model", "model.pt"]),
)
base("of-another-kind", lambda d, p: d.choice([None, 5, [], {}, True, "", " ", ["a"]]))
base("file", lambda d, p: d.choice([str(MODEL / "config.json"), str(MODEL / "model.safetensors"), "settings.yaml"]))
base("empty-folder", lambda d, p: folder(p))
base(
    "empty-files",
    lambda d, p: folder(
        p,
        *d.choice(
            [["config.json"], ["config.yaml"], ["config.yaml", "model.pt"], ["config.json", "model.safetensors"]]
        ),
    ),
)
base("hub-without-revision", lambda d, p: d.choice(["FunAudioLLM/Fun-ASR-Nano-2512-hf", "openai/whisper-small", "a/b"]))
base("odd-path", lambda d, p: odd_model(d, p), ONLY_RESULT)


def odd_model(draw, project) -> str:
    """The model under a path of odd characters."""
    name = draw.choice(["my model", "模型", "it's", "a;b", "m$x", "(m)", "m&n", "m#1", "a'b\"c", "m%20", "m*"])
    shutil.copytree(MODEL, project.folder / name)
    return draw.choice([name, f"./{name}/", str(project.folder / name)])


@kind("config")
def model_revision(draw, project):
    """A revision that is none, or of a directory, or of a hub that is not reached."""
    revision = draw.choice(["main", "v1", "abc123", "0" * 39, "g" * 40, "0" * 40, 5, ""])
    name = draw.choice(["a/b", str(MODEL)]) if revision != "0" * 40 else "a/b"
    project.settings["model"] = {"base": name, "revision": revision}
    ends = EITHER if revision == "" and name != "a/b" else ONLY_REFUSED
    return Mistake({"base": name, "revision": revision}, names=["revision", name], ends=ends)


def damage(name: str, change: Callable[[random.Random, Path], object], ends=ONLY_REFUSED, *names: str) -> None:
    """A kind of mistake in a model directory: `change` gets a copy of the bundled one."""

    def make(draw: random.Random, project: Project) -> Mistake:
        model = project.copy_model()
        what = change(draw, model)
        return Mistake({"what": str(what)[:80]}, names=["model", *names], ends=ends)

    kind("config", name=f"model-{name}")(make)


def without(*names: str):
    """Remove one of the files."""

    def change(draw, model):
        name = draw.choice(names)
        (model / name).unlink()
        return name

    return change


def spoiled(*names: str):
    """Empty one of the files, cut it, or fill it with something else."""

    def change(draw, model):
        path = model / draw.choice(names)
        raw = path.read_bytes()
        how = draw.choice(["empty", "cut", "garbage", "html", "lfs", "folder", "utf-16"])
        new = {
            "empty": b"",
            "cut": raw[: len(raw) // 2],
            "garbage": draw.randbytes(500),
            "html": b"<html>404</html>",
            "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
            "utf-16": "{}".encode("utf-16"),
        }
        path.unlink()
        path.mkdir() if how == "folder" else path.write_bytes(new[how])
        return f"{path.name} {how}"

    return change


def edited(name: str, *changes: dict):
    """Change values of a JSON file, dotted names."""

    def change(draw, model):
        values = json.loads((model / name).read_text())
        chosen = draw.choice(changes)
        for dotted, value in chosen.items():
            put(values, tuple(dotted.split(".")), value)
        (model / name).write_text(json.dumps(values))
        return chosen

    return change


def weights(change: Callable[[random.Random, dict], object]):
    """Change the model's tensors."""

    def inner(draw, model):
        from safetensors import numpy as safetensors

        tensors = safetensors.load_file(model / "model.safetensors")
        what = change(draw, tensors)
        safetensors.save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
        return what

    return inner


def one_tensor(draw, tensors) -> str:
    """The name of a tensor that is a matrix."""
    return draw.choice(sorted(name for name, value in tensors.items() if value.ndim == 2))


def poison(draw, tensors):
    """A tensor of NaN."""
    name = one_tensor(draw, tensors)
    tensors[name][0, 0] = float("nan")
    return name


def resize(draw, tensors):
    """A tensor that lacks a row."""
    name = one_tensor(draw, tensors)
    tensors[name] = tensors[name][:-1].copy()
    return name


damage("config-missing", without("config.json"), ONLY_REFUSED, "config.json")
damage("weights-missing", without("model.safetensors"), ONLY_REFUSED, "model.safetensors")
damage("tokenizer-missing", without("tokenizer.json"), ONLY_REFUSED, "tokenizer")
damage(
    "processor-missing",
    without("processor_config.json", "tokenizer_config.json"),
    EITHER,
    "processor",
    "tokenizer_config",
)
damage(
    "small-file-missing",
    without("generation_config.json", "chat_template.jinja", "README.md", "recipe.json"),
    EITHER,
    "recipe.json",
)
damage("config-spoiled", spoiled("config.json"), ONLY_REFUSED, "config.json")
damage("weights-spoiled", spoiled("model.safetensors"), ONLY_REFUSED, "model.safetensors")
damage("tokenizer-spoiled", spoiled("tokenizer.json"), ONLY_REFUSED, "tokenizer.json")
damage(
    "other-file-spoiled",
    spoiled(
        "processor_config.json", "tokenizer_config.json", "recipe.json", "generation_config.json", "chat_template.jinja"
    ),
    EITHER,
    "processor_config",
    "tokenizer_config",
    "recipe.json",
    "generation_config",
    "chat_template",
)
damage(
    "other-architecture",
    edited("config.json", {"model_type": "whisper"}, {"model_type": None}, {"model_type": "qwen3"}),
    ONLY_REFUSED,
    "model_type",
)
damage(
    "other-sizes",
    edited(
        "config.json",
        {"text_config.hidden_size": 64},
        {"text_config.num_hidden_layers": 40},
        {"text_config.vocab_size": 100},
        {"audio_config.num_hidden_layers": 50},
        {"text_config.num_attention_heads": 7},
        {"text_config": {}},
        {"text_config": None},
        {"text_config.num_hidden_layers": 1},
    ),
    ONLY_REFUSED,
    "config.json",
    "safetensors",
)
damage(
    "more-in-config",
    edited("config.json", {"author": "me"}, {"x.y": [1, 2]}, {"transformers_version": "9.9.9"}),
    ONLY_RESULT,
)
damage(
    "recipe-values",
    edited(
        "recipe.json",
        {"audio_tokens": "half"},
        {"audio_tokens": None},
        {"audio_tokens": 5},
        {"format": 99},
        {"base": "x"},
    ),
    EITHER,
    "recipe.json",
    "audio_tokens",
)
damage("weights-nan", weights(poison), EITHER, "safetensors", "finite", "nan", "NaN")
damage("weights-of-other-size", weights(resize), ONLY_REFUSED, "safetensors", "size", "shape")
damage(
    "weights-renamed",
    weights(lambda d, t: [t.update({f"module.{name}": t.pop(name)}) for name in list(t)] and "module."),
    ONLY_REFUSED,
    "safetensors",
    "missing",
    "weights",
)
damage(
    "weights-fewer",
    weights(lambda d, t: (name := one_tensor(d, t), t.pop(name))[0]),
    ONLY_REFUSED,
    "safetensors",
    "missing",
    "weights",
)
damage("weights-more", weights(lambda d, t: t.update(extra=next(iter(t.values())).copy()) or "extra"), EITHER, "extra")


@kind("config", name="model-other-tokenizer")
def other_tokenizer(draw, project):
    """A tokenizer that lacks the special tokens, or has other tokens than the model."""
    model = project.copy_model()
    path = model / "tokenizer.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    how = draw.choice(["no special tokens", "more tokens", "no vocabulary"])
    if how == "no special tokens":
        values["added_tokens"] = [
            t for t in values["added_tokens"] if t["content"] not in ("<|im_end|>", "<|object_ref_start|>")
        ]
        path.write_text(
            json.dumps(values).replace("<|im_end|>", "<|xx_end|>").replace("<|object_ref_start|>", "<|yy|>")
        )
    elif how == "more tokens":
        last = max(t["id"] for t in values["added_tokens"])
        values["added_tokens"].append({**values["added_tokens"][0], "id": last + 5000, "content": "<|zz|>"})
        path.write_text(json.dumps(values))
    else:
        values["model"]["vocab"] = [] if isinstance(values["model"].get("vocab"), list) else {}
        path.write_text(json.dumps(values))
    return Mistake({"how": how}, names=["tokenizer", "model"], ends=EITHER if how == "more tokens" else ONLY_REFUSED)


# --- YAML -------------------------------------------------------------------------------------------------------------


def written(name: str, change: Callable[[random.Random, str], str | bytes], ends=ONLY_REFUSED, *names: str) -> None:
    """A kind of mistake in the file of settings itself: `change` gets its text."""

    def make(draw: random.Random, project: Project) -> Mistake:
        text = yaml.safe_dump(project.settings, allow_unicode=True, sort_keys=False)
        raw = change(draw, text)
        project.raw_settings = raw if isinstance(raw, bytes) else raw.encode()
        return Mistake(
            {"tail": repr(project.raw_settings[-60:])},
            names=["settings.yaml", "configuration", "Config file", *names],
            ends=ends,
        )

    kind("config", "" if name == "anchors" else LIGHT, name=f"yaml-{name}")(make)


def repeat(draw: random.Random, text: str) -> str:
    """A name that stands twice."""
    return text + draw.choice(
        ["train:\n  seed: 3\n", "experiment: other\n", "score:\n  modes: [raw]\n  modes: [faithful]\n"]
    )


def indented(draw: random.Random, text: str) -> str:
    """A line that is indented otherwise."""
    found = text.splitlines(keepends=True)
    inner = [i for i, line in enumerate(found) if line.startswith("  ")]
    place = draw.choice(inner)
    found[place] = draw.choice([" ", "      "]) + found[place]
    return "".join(found)


written("name-twice", repeat, ONLY_REFUSED, "second time")
written("tabs", lambda d, text: text.replace("  ", "\t"), ONLY_REFUSED)
written(
    "not-closed",
    lambda d, text: (
        text
        + d.choice(
            [
                "x: [1, 2\n",
                "x: {a: 1\n",
                'x: "open\n',
                "x: 'open\n",
                "x: |bad\n",
                "- y\n",
                "x: : y\n",
                "%x\n",
                "x: *nobody\n",
                "x: @y\n",
            ]
        )
    ),
    ONLY_REFUSED,
)
written("indentation", indented, EITHER, "data", "model", "train", "score", "runs")
written("bad-bytes", lambda d, text: text.encode() + b"# \xff\xfe caf\xe9\n", ONLY_REFUSED)
written("utf-16", lambda d, text: text.encode("utf-16"), EITHER)
written("byte-order-mark", lambda d, text: b"\xef\xbb\xbf" + text.encode(), ONLY_RESULT)
written("crlf", lambda d, text: text.replace("\n", "\r\n"), ONLY_RESULT)
written(
    "nothing", lambda d, text: d.choice(["", "# nothing\n", "---\n", "null\n", "{}\n"]), ONLY_REFUSED, "model", "Config"
)
written(
    "not-a-mapping",
    lambda d, text: d.choice(["- a\n", "text\n", "5\n", "[]\n", '"x"\n']),
    ONLY_REFUSED,
    "top level",
    "Config",
)
written("documents", lambda d, text: text + "---\nexperiment: b\n", ONLY_REFUSED)
written("python-object", lambda d, text: text + "x: !!python/object/apply:os.system ['true']\n", ONLY_REFUSED)
written(
    "anchors",
    lambda d, text: text.replace("  train:\n", "  train: &set\n", 1).replace(
        "  valid:\n    home: data/valid\n", "  valid: *set\n", 1
    ),
    ONLY_RESULT,
)
written(
    "words-that-are-values",
    lambda d, text: (
        text
        + d.choice(
            [
                "transcribe: {on: data/test}\n",
                "transcribe: {2026-11-28: data/test}\n",
                "transcribe: {1:30: data/test}\n",
                "transcribe: {~: data/test}\n",
                "transcribe: {010: data/test}\n",
            ]
        )
    ),
    EITHER,
    "transcribe",
)
written("json-with-comments", lambda d, text: json.dumps(yaml.safe_load(text)) + "\n// done\n", ONLY_REFUSED)
written("json", lambda d, text: json.dumps(yaml.safe_load(text)), ONLY_RESULT)
written("full-width-colon", lambda d, text: text.replace("experiment:", "experiment：", 1), ONLY_REFUSED, "experiment")
written("deep", lambda d, text: text + "x: " + "[" * 3000 + "]" * 3000 + "\n", ONLY_REFUSED)
written(
    "control-character", lambda d, text: text + d.choice(["x: a\x01b\n", "x: \x00\n", "x: \x1b[0m\n"]), ONLY_REFUSED
)


# --- The call of snakemake --------------------------------------------------------------------------------------------


def called(name: str, arguments: list[list[str]], ends=ONLY_REFUSED, *names: str) -> None:
    """A kind of mistake in the arguments of snakemake: one of these is added."""

    def make(draw: random.Random, project: Project) -> Mistake:
        chosen = draw.choice(arguments)
        project.arguments = [*project.arguments, *chosen]
        return Mistake(
            {"arguments": chosen}, names=[*names, *(word for word in chosen if not word.startswith("-"))], ends=ends
        )

    kind("config", LIGHT, name=f"call-{name}")(make)


called(
    "config-unknown",
    [["--config", "epochs=3"], ["--config", "Experiment=x"], ["--config", "train.seed=3"], ["--config", "x="]],
    ONLY_REFUSED,
    "epochs",
    "Experiment",
    "train.seed",
    "x",
)
called(
    "config-of-another-kind",
    [
        ["--config", "train=5"],
        ["--config", "data=data/train"],
        ["--config", "runs=[]"],
        ["--config", "score=faithful"],
        ["--config", "decode={beams: x}"],
    ],
    ONLY_REFUSED,
    "train",
    "data",
    "runs",
    "score",
    "beams",
)
called(
    "config-odd",
    [
        ["--config", "experiment=a b"],
        ["--config", "experiment="],
        ["--config", "experiment={x}"],
        ["--config", "experiment=../x"],
        ["--config", "experiment"],
        ["--config", "=x"],
    ],
    EITHER,
    "experiment",
)
called(
    "config-that-fits",
    [
        ["--config", "experiment=e", "runs={}"],
        ["--config", "score={bootstrap: 10, modes: [raw]}"],
        ["--config", "stats={sample: 3}"],
    ],
    EITHER,
    "score",
    "stats",
    "experiment",
    "runs",
)
called(
    "option-unknown",
    [["--core", "x"], ["--nosuch"], ["-Z"], ["--forceal", "x"]],
    ONLY_REFUSED,
    "unrecognized",
    "ambiguous",
    "argument",
)
called(
    "configfile-missing",
    [["--configfile", "gone.yaml"], ["--configfile", "data"], ["--configfile", "data/test/text"]],
    ONLY_REFUSED,
    "gone.yaml",
    "data",
)
called(
    "target-unknown",
    [
        ["--", "evl"],
        ["--", "exp/e/nothing"],
        ["--", "exp/x/report/report.html"],
        ["--", "train"],
        ["--", "exp/e/train/x/model/config.json"],
    ],
    EITHER,
)
called("rule-unknown", [["--until", "nosuchrule"], ["--omit-from", "nosuchrule"], ["--forcerun", "nosuchrule"]], EITHER)
called("cores", [["--cores", "0"], ["--cores", "many"], ["--cores", "-1"]], ONLY_REFUSED, "cores")
called("resources", [["--resources", "gpu=9"], ["--resources", "gpu=x"], ["--resources", "gpu"]], ONLY_REFUSED, "gpu")


@kind("config", name="call-results-in-the-way")
def in_the_way(draw, project):
    """Where results go there is something else."""
    what = draw.choice(
        ["exp is a file", "exp/e is a file", "exp is a link to nothing", "data is a file", "logs is a file"]
    )
    place = project.folder / {
        "exp/e is a file": EXP,
        "data is a file": f"{EXP}/data",
        "logs is a file": f"{EXP}/logs",
    }.get(what, "exp")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to("gone/away") if "link" in what else place.write_text("in the way\n")
    return Mistake({"what": what}, names=["exp"], ends=EITHER if "link" in what else ONLY_REFUSED)


@kind("config", name="call-leftovers")
def leftovers(draw, project):
    """Results that another experiment, or another hand, left there."""
    name = draw.choice(
        [
            f"{EXP}/train/{RUN}/state/x",
            f"{EXP}/data/train/{SET}.jsonl.tmp",
            f"{EXP}/decode/base/{SET}/.text.x.tmp",
            f"{EXP}/train/{RUN}/model/checkpoint-5/x",
            f"{EXP}/old/report.html",
        ]
    )
    place = project.folder / name
    place.parent.mkdir(parents=True)
    place.write_text("old\n")
    return Mistake({"what": name}, names=[name], ends=EITHER)


@kind("config", LIGHT, name="call-odd-folder")
def odd_folder(draw, project):
    """The whole project in a folder of odd characters."""
    name = draw.choice(
        [
            "my project",
            "项目",
            "it's",
            'a"b',
            "a;b",
            "p$HOME",
            "(p)",
            "p&q",
            "{p}",
            "p#1",
            "p%s",
            "-p",
            "p'q r\"",
            "p\\q",
            "p*",
        ]
    )
    moved = project.folder.with_name(f"{project.folder.name}-{name}")
    project.moved = moved
    return Mistake({"folder": name}, ends=EITHER, names=[name])


@kind("config", name="call-second-file")
def second_file(draw, project):
    """A second file of settings that says something else."""
    (project.folder / "second.yaml").write_text(
        draw.choice(
            [
                "train: {max_steps: 2}\n",
                "experiment: e\n",
                "train: {max_step: 2}\n",
                "runs: {other: {}}\n",
                "data: {test: {home: data/valid}}\n",
            ]
        )
    )
    project.arguments = [*project.arguments, "second.yaml"]
    return Mistake({"second": (project.folder / "second.yaml").read_text()}, names=["max_step"], ends=EITHER)
