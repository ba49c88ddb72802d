"""Mistakes on the command lines of the stage scripts, called in a copy of a finished project."""

import gzip
import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from mistakes import judge, running
from mistakes.kinds import EITHER, REFUSED, RESULT, Mistake, kind
from mistakes.project import EXP, ROOT, RUN, SET

ONLY_REFUSED, ONLY_RESULT = frozenset({REFUSED}), frozenset({RESULT})
MANIFEST = f"{EXP}/data/test/{SET}.jsonl"
BUSY = {"train.py": "step ", "decode.py": "decoded "}  # what only a long stage that was begun says
PARTLY = {"decode.py": (1, 3)}  # exit status of a result with recordings that could not be read


# Command lines that work: flags and values, positional arguments under names in angle brackets.
GOOD = {
    "scp2jsonl.py": {
        "--scp-file": "data/test/wav.scp",
        "--transcript-file": "data/test/text",
        "--jsonl-file": "out/set.jsonl",
        "--rejects-file": "out/set.tsv",
        "--tokenizer": "model",
    },
    "fbank_stats.py": {"--jsonl-file": MANIFEST, "--output-dir": "out/stats"},
    "train.py": {
        "--config": f"{EXP}/train/{RUN}/settings.yaml",
        "--train-jsonl": f"{EXP}/data/train/{SET}.jsonl",
        "--valid-jsonl": f"{EXP}/data/valid/{SET}.jsonl",
        "--model": "model",
        "--output-dir": "out/model",
    },
    "decode.py": {"--model-dir": "model", "--scp-file": "data/test/wav.scp", "--output-file": "out/text"},
    "normalize.py": {"--mode": "faithful", "<in>": "data/test/text", "<out>": "out/norm"},
    "compute_wer.py": {
        "<ref>": f"{EXP}/score/faithful/ref/{SET}.txt",
        "<hyp>": f"{EXP}/score/faithful/hyp/base/{SET}/hyp.txt",
        "<out>": "out/cer.txt",
        "--json": "out/score.json",
        "--utterances": "out/utterances.jsonl",
    },
    "report.py": {"--spec": f"{EXP}/report/spec.json", "--output-dir": "out/report"},
    "convert.py": {"--to": "toolkit", "<source>": "model", "<out>": "out/toolkit"},
    "init_model.py": {"--tokenizer": "model", "--output-dir": "out/model"},
    "provenance.py": {"<out>": "out/provenance.json", "--inputs": "data/test/text"},
}
FILES_IN = {
    "scp2jsonl.py": ["--scp-file", "--transcript-file"],
    "fbank_stats.py": ["--jsonl-file"],
    "decode.py": ["--scp-file"],
    "train.py": ["--config", "--train-jsonl", "--valid-jsonl"],
    "normalize.py": ["<in>"],
    "compute_wer.py": ["<ref>", "<hyp>"],
    "report.py": ["--spec"],
    "provenance.py": ["--inputs"],
}
MODELS_IN = {
    "scp2jsonl.py": "--tokenizer",
    "train.py": "--model",
    "decode.py": "--model-dir",
    "convert.py": "<source>",
    "init_model.py": "--tokenizer",
}
FILES_OUT = {
    "scp2jsonl.py": ["--jsonl-file", "--rejects-file"],
    "decode.py": ["--output-file"],
    "normalize.py": ["<out>"],
    "compute_wer.py": ["<out>", "--json", "--utterances"],
    "provenance.py": ["<out>"],
}
FOLDERS_OUT = {
    "fbank_stats.py": "--output-dir",
    "train.py": "--output-dir",
    "report.py": "--output-dir",
    "convert.py": "<out>",
    "init_model.py": "--output-dir",
}
NUMBERS = {
    "scp2jsonl.py": [
        "--workers",
        "--min-seconds",
        "--max-seconds",
        "--silence-db",
        "--max-clipped",
        "--max-reject-ratio",
        "--fetch-timeout",
        "--fetch-retries",
        "--max-tokens-per-second",
    ],
    "fbank_stats.py": ["--sample", "--workers", "--fetch-megabytes"],
    "decode.py": ["--beams", "--batch-seconds", "--max-seconds", "--workers", "--threads", "--max-tokens-per-second"],
    "train.py": ["--threads", "--workers", "--log-every", "--train-weights"],
    "normalize.py": ["--workers"],
    "compute_wer.py": ["--bootstrap"],
    "init_model.py": ["--seed"],
}
CHOICES = {
    "scp2jsonl.py": ["--verify", "--non-nfc", "--wording", "--channel"],
    "decode.py": ["--dtype", "--engine", "--channel", "--wording"],
    "normalize.py": ["--mode"],
    "compute_wer.py": ["--missing", "--extra"],
    "convert.py": ["--to", "--dtype", "--audio-tokens"],
    "init_model.py": ["--audio-tokens"],
}
OPTIONAL = {"--json", "--utterances", "--inputs"}


class Bench:
    """A copy of a finished project, and a script's command line that is to be spoiled there."""

    def __init__(self, finished: Path, folder: Path):
        shutil.copytree(finished, folder, symlinks=True, ignore=shutil.ignore_patterns(".snakemake"))
        (folder / "out").mkdir()
        self.folder = folder
        self.script = ""
        self.words: dict[str, str | None] = {}
        self.more: list[str] = []  # further words at the end
        self.given = b"{}"  # on standard input

    def choose(self, draw: random.Random, among) -> None:
        """A script and the command line of it that works."""
        self.script = draw.choice(sorted(among))
        self.words = dict(GOOD[self.script])

    def command(self) -> list[str]:
        """The command line as it is now; a value of None is left out, with its flag where that has no value either."""
        words = []
        for name, value in self.words.items():
            words += [] if name.startswith("<") else [name]
            words += [] if value is None else [value]
        return [sys.executable, str(ROOT / "scripts" / self.script), *words, *self.more]

    def state(self) -> dict[str, str]:
        """SHA-256 of every file by name."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def outputs(self) -> list[Path]:
        """Files and folders that the command line asks for."""
        if "--checked-file" in self.words:
            return [self.folder / "out/checked"]
        flags = [*FILES_OUT.get(self.script, []), *([FOLDERS_OUT[self.script]] if self.script in FOLDERS_OUT else [])]
        return [self.folder / self.words[flag] for flag in flags if self.words.get(flag)]


def judged(bench: Bench, mistake: Mistake, limit: float) -> judge.Verdict:
    """Run the spoiled command line and say how it ended."""
    before = bench.state()
    ended = running.run(bench.command(), bench.folder, limit, given=bench.given)
    faults = judge.never(ended)
    done = ended.status == 0 or ended.status in PARTLY.get(bench.script, ())
    faults += result_faults(bench, mistake) if done else refusal_faults(bench, mistake, ended, before)
    after = bench.state()
    (bench.folder / "output.txt").write_text(f"{bench.command()}\n{ended.output}", encoding="utf-8")
    changed = [name for name, value in before.items() if after.get(name) != value]
    if changed and not (done and mistake.about.get("over")):
        faults.append(f"changed or removed {', '.join(changed[:5])}")
    if left := [name for name in after if name.endswith(".tmp")]:
        faults.append(f"left behind: {', '.join(left)}")
    return judge.Verdict(
        RESULT if done else REFUSED, [(fault, mistake) for fault in faults], judge.error_lines(ended.output)
    )


def result_faults(bench: Bench, mistake: Mistake) -> list[str]:
    """What is wrong with a call that says it succeeded."""
    if RESULT not in mistake.ends:
        return ["accepted without a word"]
    return [f"no {path.name}" for path in bench.outputs() if not path.exists() and "no outputs" not in mistake.about]


def refusal_faults(bench: Bench, mistake: Mistake, ended: judge.Ended, before: dict) -> list[str]:
    """What is wrong with a call that failed."""
    lines = judge.error_lines(ended.output)
    if ended.status is None or judge.TRACEBACK.search(ended.output):
        return []
    if not lines:
        said = [line for line in ended.output.splitlines() if line.strip()][-2:]
        return [f"no clear line, exit status {ended.status}: {' | '.join(said)[-300:]}"]
    faults = [] if judge.naming(" ".join(lines), [mistake]) else [f"names nothing that was touched: {lines[0][:300]}"]
    if REFUSED not in mistake.ends:
        faults.append(f"refused: {lines[0][:200]}")
    faults += filter(None, map(judge.unclear, lines))
    if bench.script in BUSY and BUSY[bench.script] in ended.output:
        faults.append(f"late: {lines[0][:200]}")
    if bench.script == "scp2jsonl.py":  # its lists are there to be looked at
        return faults
    new = [path for path in bench.outputs() if path.is_file() and str(path.relative_to(bench.folder)) not in before]
    return faults + [f"wrote {path.name} all the same" for path in new]


def call(name: str, scripts, change: Callable[[random.Random, Bench], object], ends=ONLY_REFUSED) -> None:
    """A kind of mistake on the command line of one of the scripts: `change` returns what an error may name."""

    def make(draw: random.Random, bench: Bench) -> Mistake:
        bench.choose(draw, scripts)
        names = change(draw, bench)
        return Mistake(
            {"script": bench.script, "command": " ".join(bench.command()[2:])[:200]},
            names=[str(n) for n in names],
            ends=ends,
        )

    kind("command", name=name)(make)


# --- Flags ------------------------------------------------------------------------------------------------------------


def flag_misspelled(draw, bench):
    """A flag with a letter too many."""
    flag = draw.choice([name for name in bench.words if name.startswith("--")] or ["--verbose"])
    bench.words = {f"{name}x" if name == flag else name: value for name, value in bench.words.items()}
    return [flag, "arguments"]


def flag_unknown(draw, bench):
    """A flag that there is not."""
    bench.more = draw.choice(
        [["--nosuch"], ["--verbose", "3"], ["-q"], ["--gpu", "0"], ["--device=cuda"], ["—threads", "1"]]
    )
    return [*bench.more, "arguments"]


def flag_missing(draw, bench):
    """A flag or argument that is needed."""
    name = draw.choice([name for name in bench.words if name not in OPTIONAL])
    del bench.words[name]
    return [name, name.strip("<>").upper(), "arguments", name.strip("-").replace("_", "-"), "--help"]


def value_missing(draw, bench):
    """A flag without its value."""
    flag = draw.choice([name for name in bench.words if name.startswith("--")] or ["--x"])
    bench.words = {**{n: v for n, v in bench.words.items() if n != flag}, flag: None}
    return [flag, "arguments"]


def value_empty(draw, bench):
    """An empty value, as of a variable that is not set."""
    name = draw.choice([name for name in bench.words if name not in OPTIONAL])
    bench.words[name] = ""
    return [name, name.strip("<>").upper(), name.strip("-"), "''", '""', "arguments", "directory", ": is a", "no such"]


def bad_number(draw, bench):
    """A number that is none, or outside its limits."""
    flag = draw.choice(NUMBERS[bench.script])
    value = draw.choice(["abc", "-1", "nan", "inf", "1e400", "", "1,5", "0x10", "None", "-5.5"])
    bench.words[f"{flag}={value}"] = None
    return [flag, flag.strip("-").replace("-", "_"), "train-weights", "weight"]


def bad_choice(draw, bench):
    """A word that is none of those allowed."""
    flag = draw.choice(CHOICES[bench.script])
    value = draw.choice(["best", "", "none", "AUTO", "5x"])
    bench.words.pop(flag, None)
    bench.words[f"{flag}={value}"] = None
    return [flag, flag.strip("-").replace("-", "_")]


def argument_too_many(draw, bench):
    """A word too many."""
    bench.more = [draw.choice(["more", "data/test/text", "*", "&&"])]
    return [*bench.more, "arguments"]


ALL = tuple(GOOD)
call("flag-misspelled", ALL, flag_misspelled)
call("flag-unknown", ALL, flag_unknown)
call("flag-missing", ALL, flag_missing)
call("value-missing", [s for s in ALL if s != "provenance.py"], value_missing)
call("value-empty", ALL, value_empty)
call("bad-number", NUMBERS, bad_number, EITHER)
call("bad-choice", CHOICES, bad_choice)
call("argument-too-many", [s for s in ALL if s not in ("train.py", "provenance.py")], argument_too_many)


# --- Files that go in -------------------------------------------------------------------------------------------------


def spoiled(make: Callable[[random.Random, Path], None]):
    """Give a script a file of its own making in an input's place."""

    def change(draw, bench):
        flag = draw.choice(FILES_IN[bench.script])
        path = bench.folder / ("odd" + Path(bench.words[flag]).suffix)
        shutil.copyfile(bench.folder / bench.words[flag], path)
        make(draw, path)
        bench.words[flag] = path.name
        return [path.name]

    return change


def replaced(*others: str):
    """Give a script another file of the project in an input's place."""

    def change(draw, bench):
        flag = draw.choice(FILES_IN[bench.script])
        bench.words[flag] = draw.choice([name for name in others if name != bench.words[flag]])
        return [bench.words[flag], Path(bench.words[flag]).name]

    return change


SPOILABLE = [script for script in FILES_IN if script != "provenance.py"]
call("input-missing", FILES_IN, replaced("gone", "data/test/gone.scp", "~/text", "", "data/test/text.gz"))
call("input-folder", FILES_IN, replaced("data/test", "exp", "."))
call("input-empty", SPOILABLE, spoiled(lambda d, path: path.write_bytes(b"")), EITHER)
call("input-blank-lines", SPOILABLE, spoiled(lambda d, path: path.write_bytes(b"\n \n\n")), EITHER)
call("input-binary", SPOILABLE, spoiled(lambda d, path: path.write_bytes(b"\xff\xfe" + d.randbytes(3000))))
call("input-zeros", SPOILABLE, spoiled(lambda d, path: path.write_bytes(bytes(3000))))
call(
    "input-utf-16",
    SPOILABLE,
    spoiled(lambda d, path: path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))),
)
call("input-gzip-cut", SPOILABLE, spoiled(lambda d, path: path.write_bytes(gzip.compress(path.read_bytes())[:60])))
call(
    "input-half",
    SPOILABLE,
    spoiled(lambda d, path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
    EITHER,
)
call("input-html", SPOILABLE, spoiled(lambda d, path: path.write_text("<html>\n<body>404</body>\n</html>\n")))
call(
    "input-json",
    [s for s in SPOILABLE if s != "report.py"],
    spoiled(lambda d, path: path.write_text(d.choice(["[]\n", "{}\n", "null\n", '{"a": 1}\n', "[1]\n", '"x"\n']))),
    EITHER,
)
call("input-link-to-itself", FILES_IN, spoiled(lambda d, path: (path.unlink(), path.symlink_to(path.name))))
call(
    "audio-for-a-table",
    FILES_IN.keys() - {"provenance.py"},
    lambda d, bench: replaced(*[f"data/test/wav/{p.name}" for p in (bench.folder / "data/test/wav").iterdir()])(
        d, bench
    ),
)
call(
    "table-for-another",
    ["scp2jsonl.py", "decode.py"],
    lambda d, bench: (bench.words.update({FILES_IN[bench.script][0]: "data/test/text"}), ["data/test/text"])[1],
    EITHER,
)
call(
    "table-for-jsonl",
    ["fbank_stats.py", "train.py"],
    lambda d, bench: (bench.words.update({FILES_IN[bench.script][-1]: "data/test/text"}), ["data/test/text"])[1],
)
call(
    "jsonl-for-a-table",
    ["scp2jsonl.py", "decode.py", "compute_wer.py"],
    lambda d, bench: (bench.words.update({FILES_IN[bench.script][0]: MANIFEST}), [MANIFEST])[1],
    EITHER,
)
call(
    "model-missing",
    MODELS_IN,
    lambda d, bench: (
        bench.words.update({MODELS_IN[bench.script]: d.choice(["gone", "~/model", "models/x", "../model/"])}),
        ["gone", "model"],
    )[1],
)
call(
    "model-is-a-file",
    MODELS_IN,
    lambda d, bench: (
        bench.words.update(
            {MODELS_IN[bench.script]: d.choice(["model/config.json", "model/model.safetensors", "data/test/text"])}
        ),
        ["model/", "data/test/text"],
    )[1],
)
call(
    "model-is-another-folder",
    MODELS_IN,
    lambda d, bench: (
        bench.words.update({MODELS_IN[bench.script]: (v := d.choice(["data/test", "exp/e", "."]))}),
        [v, "config.json", "tokenizer"],
    )[1],
)


def model_spoiled(draw, bench):
    """A file of the model directory that is spoiled."""
    name = draw.choice(["config.json", "tokenizer.json", "model.safetensors"])
    path = bench.folder / "model" / name
    raw = path.read_bytes()
    path.write_bytes(draw.choice([b"", raw[: len(raw) // 2], b"{}", b"[]", draw.randbytes(99)]))
    return ["model"]


call("model-spoiled", MODELS_IN, model_spoiled, EITHER)


# --- Files that come out ----------------------------------------------------------------------------------------------


def output_flag(draw, bench) -> str:
    """An output of the script."""
    return draw.choice(
        [*FILES_OUT.get(bench.script, []), *([FOLDERS_OUT[bench.script]] if bench.script in FOLDERS_OUT else [])]
    )


def output_onto_input(draw, bench):
    """An output in the place of an input."""
    flag = draw.choice(FILES_OUT[bench.script])
    value = bench.words[draw.choice(FILES_IN[bench.script])]
    bench.words[flag] = draw.choice([value, f"./{value}", str(bench.folder / value)])
    return [bench.words[flag], value]


def output_is_a_folder(draw, bench):
    """A folder in the place of an output file."""
    flag = draw.choice(FILES_OUT[bench.script])
    bench.words[flag] = draw.choice(["out", "data", "."])
    return [bench.words[flag], "directory"]


def output_nowhere(draw, bench):
    """An output where nothing can be written."""
    flag = output_flag(draw, bench)
    bench.words[flag] = draw.choice(
        [
            "data/test/text/x",
            "/proc/x/y",
            "/dev/null/x",
            "settings.yaml/a/b",
            "x" * 300,
            "out/a\0b"[:5] + "/../../../../../proc/z",
        ]
    )
    return [
        bench.words[flag],
        Path(bench.words[flag]).name,
        str(Path(bench.words[flag]).parent),
        "data/test/text",
        "/proc",
        "/dev/null",
        "settings.yaml",
    ]


def outputs_equal(draw, bench):
    """Two outputs in one file."""
    first, second = draw.sample(FILES_OUT[bench.script], 2)
    bench.words[first] = bench.words[second]
    return [bench.words[first]]


def output_with_odd_name(draw, bench):
    """An output under a name of odd characters, which is none of a mistake."""
    flag = output_flag(draw, bench)
    bench.words[flag] = draw.choice(
        ["out/a b", "out/结果", "out/new/folder/x", "out/it's", "out/{x}", "out/%s", "out/x:1", "out/..x"]
    )
    return [bench.words[flag]]


def file_for_a_folder(draw, bench):
    """A file in the place of a folder to write to."""
    bench.words[FOLDERS_OUT[bench.script]] = value = draw.choice(["data/test/text", "settings.yaml"])
    return [value]


call("output-onto-input", [s for s in FILES_OUT if s in FILES_IN], output_onto_input)
call("output-is-a-folder", FILES_OUT, output_is_a_folder)
call("output-nowhere", [*FILES_OUT, *FOLDERS_OUT], output_nowhere)
call("outputs-equal", ["scp2jsonl.py", "compute_wer.py"], outputs_equal)
call("output-with-odd-name", [*FILES_OUT, *FOLDERS_OUT], output_with_odd_name, ONLY_RESULT)
call("file-for-a-folder", FOLDERS_OUT, file_for_a_folder)


# --- Single scripts ---------------------------------------------------------------------------------------------------


def single(name: str, script: str, change: Callable[[random.Random, Bench], object], ends=ONLY_REFUSED) -> None:
    """A kind of mistake that only one script knows."""
    call(name, [script], change, ends)


def flags(**values):
    """Set flags, by names with underscores, to one of a list or to a value; returns the flags."""

    def change(draw, bench):
        chosen = [draw.choice(value) if isinstance(value, list) else value for value in values.values()]
        names = [name if name.startswith("<") else f"--{name.replace('_', '-')}" for name in values]
        bench.words.update(zip(names, chosen, strict=True))
        return [*names, *filter(None, chosen)]

    return change


SHARDS = ["0/1", "3/2", "a/b", "1/0", "-1/2", "1", "1/2/3", "", "1 / 2"]
single("shard", "scp2jsonl.py", flags(shard=SHARDS))
single("shard-of-decoding", "decode.py", flags(shard=[*SHARDS, "2.0/4"]))
single("shards-too-many", "scp2jsonl.py", flags(shard=["5/99", "99/99"], checked_file="out/checked"), EITHER)
single("shards-too-many-to-decode", "decode.py", flags(shard=["5/99", "1/99"]), EITHER)
single(
    "merge-of-something-else",
    "scp2jsonl.py",
    flags(merge=["data/test/text", MANIFEST, "gone", "data", "model/model.safetensors"]),
)
single("jsonl-and-table", "scp2jsonl.py", flags(input_jsonl=MANIFEST), EITHER)
single("two-sources", "decode.py", flags(audio_dir="data/test/wav"))
single(
    "folder-without-recordings",
    "decode.py",
    lambda d, bench: (
        bench.words.pop("--scp-file"),
        bench.words.update(
            {"--audio-dir": (v := d.choice(["model", "exp", "out", "gone", "settings.yaml", "data/test/text"]))}
        ),
        [v],
    )[2],
)
single(
    "jsonl-that-is-none",
    "decode.py",
    lambda d, bench: (
        bench.words.pop("--scp-file"),
        bench.words.update(
            {
                "--input-jsonl": (
                    v := d.choice(["data/test/text", "settings.yaml", f"{EXP}/report/spec.json", "model/config.json"])
                )
            }
        ),
        [v],
    )[2],
    EITHER,
)
single(
    "hotwords",
    "decode.py",
    flags(hotwords=[",", "a,,b", '"a"', "<|im_end|>", " ", ",".join(f"word{i}" for i in range(3000))]),
    EITHER,
)
single("language", "decode.py", flags(language=["auto", "klingon", "zh-CN", "", "utt2lang", "5"]), EITHER)
single("subtitles-in-a-file", "decode.py", flags(subtitles_dir=["data/test/text", "/proc/x"]))
single(
    "settings-of-something-else",
    "train.py",
    flags(config=["data/test/text", "model/config.json", f"{EXP}/report/spec.json", "settings.yaml"]),
)
single(
    "weights-too-many",
    "train.py",
    lambda d, bench: (
        bench.more.extend(["--train-weights", *d.choice([["1", "2"], ["0"], ["-1"], ["x"], ["nan"]])]),
        ["weights"],
    )[1],
)
single("output-is-the-model", "train.py", flags(output_dir="model"))
single("output-in-a-full-folder", "train.py", flags(output_dir=["data", "exp/e"]), EITHER)
single(
    "references-of-another-set",
    "compute_wer.py",
    lambda d, bench: (bench.words.update({"<ref>": "data/train/text"}), ["data/train/text", "hyp.txt"])[1],
)
single(
    "one-file-twice",
    "compute_wer.py",
    lambda d, bench: (bench.words.update({"<hyp>": bench.words["<ref>"]}), ["home.txt"])[1],
    ONLY_RESULT,
)
single(
    "labels-of-something-else",
    "compute_wer.py",
    flags(utt2spk=["model/config.json", "gone", "data", "data/test/wav.scp"]),
    EITHER,
)
single(
    "details-of-something-else",
    "compute_wer.py",
    flags(hyp_jsonl=["data/test/text", "gone", "model/config.json", MANIFEST]),
    EITHER,
)
single(
    "compare-of-something-else", "compute_wer.py", flags(compare=["data/train/text", "gone", "model/model.safetensors"])
)
single("mode-of-nothing", "compute_wer.py", flags(mode=["best", "", "FAITHFUL"]), EITHER)
single(
    "lists-without-commas", "normalize.py", lambda d, bench: (bench.more.append("--lists"), ["--lists"])[1], ONLY_RESULT
)
single("kana-in-another-mode", "normalize.py", lambda d, bench: (bench.more.append("--kana"), ["kana"])[1])
single("more-workers-than-lines", "normalize.py", flags(workers=["100"]), ONLY_RESULT)
single("onto-itself", "convert.py", flags(**{"<out>": ["model", "./model/", "model/../model"]}))
single("into-itself", "convert.py", flags(**{"<out>": "model/inner"}), EITHER)
single("into-a-folder-of-others", "convert.py", flags(**{"<out>": ["data", "data/test", "exp", "."]}))
single(
    "to-its-own-kind", "convert.py", lambda d, bench: (bench.words.update({"--to": "hf"}), ["hf", "model"])[1], EITHER
)
single("of-the-hub", "convert.py", flags(**{"<source>": ["a/b", "openai/whisper-small", "x"]}), ONLY_REFUSED)
single("revision-of-a-folder", "convert.py", flags(revision=["main", "0" * 40, ""]), EITHER)


def sizes(draw, bench):
    """Sizes of a model that cannot be."""
    (bench.folder / "sizes.yaml").write_text(
        draw.choice(
            [
                "llm_width: -5\n",
                "llm_widht: 64\n",
                "llm_width: x\n",
                "- a\n",
                "llm_heads: 7\n",
                "encoder_layers: 0\n",
                "x: [\n",
                "llm_width: 1.5\n",
                "encoder_heads: 5\n",
                "5\n",
                "llm_width: null\n",
                "\xff",
            ]
        )
    )
    bench.words["--sizes"] = "sizes.yaml"
    return ["sizes.yaml", "llm_", "encoder_"]


def spec(draw, bench):
    """What a report is to show, spoiled."""
    path = bench.folder / bench.words["--spec"]
    values = json.loads(path.read_text())
    name = draw.choice(sorted(values))
    how = draw.choice(["missing", "null", "text", "file"])
    if how == "missing":
        del values[name]
    elif how == "file":
        values = json.loads(path.read_text().replace("score.json", "gone.json"))
        name = "gone.json"
    else:
        values[name] = None if how == "null" else "x"
    (bench.folder / "spec.json").write_text(json.dumps(values))
    bench.words["--spec"] = "spec.json"
    return [name, "spec.json"]


single("sizes", "init_model.py", sizes)
single("both-sources", "init_model.py", flags(text="data/test/text"))
single(
    "text-of-something-else",
    "init_model.py",
    lambda d, bench: (
        bench.words.pop("--tokenizer"),
        bench.words.update({"--text": (v := d.choice(["gone", "model/model.safetensors", "data", "settings.yaml"]))}),
        [v],
    )[2],
    EITHER,
)
single("spec", "report.py", spec, EITHER)
single(
    "settings-on-input",
    "provenance.py",
    lambda d, bench: (
        setattr(bench, "given", d.choice([b"", b"{", b"text", b"\xff", b"null"])),
        ["standard input", "stdin", "JSON", "settings"],
    )[1],
    EITHER,
)
single(
    "records",
    "provenance.py",
    lambda d, bench: (
        bench.more.extend(["--records", (v := d.choice(["data/test/text", "gone", "data", "model/config.json"]))]),
        [v],
    )[1],
    EITHER,
)


@kind("command", name="upload")
def upload(draw, bench):
    """A model to publish that is none."""
    bench.script, bench.words = "upload.py", {}
    source = draw.choice(["data/test", "gone", "settings.yaml", "exp/e", f"{EXP}/train/{RUN}/model"])
    repo = draw.choice(["a", "a/b/c", "", "a b/c"]) if source.endswith("model") else "a/b"
    bench.more = [source, "--repo", repo]
    return Mistake({"script": "upload.py", "command": bench.more}, names=[source, "--repo"], ends=ONLY_REFUSED)


@kind("command", name="with-gpus")
def with_gpus(draw, bench):
    """GPUs for a command that is none, or that there are not."""
    bench.script, bench.words = "with_gpus.py", {}
    bench.more = draw.choice(
        [
            ["x", "--", "true"],
            ["0", "--", "nosuchprogram"],
            ["0"],
            [],
            ["0", "--", "data"],
            ["-1", "--", "true"],
            ["1.5", "true"],
        ]
    )
    return Mistake(
        {"script": "with_gpus.py", "command": bench.more}, names=[*bench.more, "argument", "GPU"], ends=ONLY_REFUSED
    )
