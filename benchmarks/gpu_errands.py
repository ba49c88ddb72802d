#!/usr/bin/env python3
"""Everything that is to be measured on a GPU, part by part, and a table of it in Markdown.

A part that is done is not done again; one that was not begun when the minutes are over is left for the next call, and
one that fails says so in the table and is tried again by it. Nothing is fetched: recordings are made of the bundled
ones, models of published size have random weights. Under the folder --out lie table.md and the output of all commands.

benchmarks/gpu_errands.sh                              # all parts
benchmarks/gpu_errands.sh --parts train resume         # some of them
benchmarks/gpu_errands.sh --small                      # small models and few data, on a CPU too: whether all runs
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
TINY = ROOT / "models/tiny"
# What the scripts import; a bare machine may lack some.
NEEDED = ("torch", "transformers", "accelerate", "safetensors", "tokenizers", "numpy", "pydantic", "yaml", "filelock",
          "requests", "tenacity", "tqdm", "soundfile", "soxr", "peft", "jinja2", "rapidfuzz", "scipy", "tensorboard",
          "huggingface_hub", "sentencepiece")  # fmt: skip
VERSIONS = ("torch", "torchaudio", "transformers", "accelerate", "triton", "deepspeed")
LONGEST_SECONDS = 20.0


class Failed(Exception):
    """A command of a part ended otherwise than it should; says how."""


@dataclass(frozen=True)
class Errand:
    """Where a part works, whether in small, and when it has to end (by time.monotonic)."""

    folder: Path
    is_small: bool
    end: float

    def call(self, name: str, *command: object, environ: dict | None = None) -> str:
        """The output of a command, which is also kept; Failed if its status is not 0 or the time is over."""
        log = self.folder / f"{name}.log"
        words = [str(word) for word in command]
        left = max(1.0, self.end - time.monotonic())
        with open(log, "w", encoding="utf-8") as out:
            out.write(f"{' '.join(words)}\n")
            out.flush()
            try:
                done = subprocess.run(
                    words, stdout=out, stderr=subprocess.STDOUT, timeout=left, env=os.environ | (environ or {}),
                    cwd=ROOT, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise Failed(f"{name} was ended after {left:.0f} s") from None
        text = log.read_text(encoding="utf-8", errors="replace")
        if done.returncode:
            raise Failed(f"{name} ended with status {done.returncode}: {text.strip().splitlines()[-1]}")
        return text

    def bench(self, name: str, script: str, *flags: object) -> list[str]:
        """The lines of figures that a benchmark prints: those with a colon, behind its head."""
        text = self.call(name, sys.executable, ROOT / "benchmarks" / script, *flags)
        return [" ".join(line.split()) for line in text.splitlines()[3:] if re.match(r"\S.*: .*\d", line)]


# --- What the parts share -----------------------------------------------------------------------------------------


def recordings(at: Errand) -> Path:
    """A data directory of FLAC files of 1 to 20 s, with transcripts: bundled recordings end to end, two hours."""
    folder = at.folder / "recordings"
    if (folder / "text").is_file():
        return folder
    import numpy as np
    import soundfile

    from recipe.audio import reading as audio

    source = ROOT / "data/train"
    texts = dict(line.split(maxsplit=1) for line in (source / "text").read_text(encoding="utf-8").splitlines())
    places = dict(line.split() for line in (source / "wav.scp").read_text().splitlines())
    samples = {key: audio.read(str(source / place)) for key, place in places.items()}
    random, keys = np.random.default_rng(1), sorted(texts)
    (folder / "flac").mkdir(parents=True, exist_ok=True)
    left, scp, text = 60.0 if at.is_small else 7200.0, [], []
    while left > 0:
        wanted, parts, said = random.uniform(1, LONGEST_SECONDS), [], []
        while not parts or sum(map(len, parts)) / 16000 < wanted - 3:
            key = keys[random.integers(len(keys))]
            parts.append(samples[key])
            said.append(texts[key].strip())
        whole, name = np.concatenate(parts), f"made-{len(scp):05}"
        soundfile.write(folder / "flac" / f"{name}.flac", whole, 16000)
        scp.append(f"{name} flac/{name}.flac\n")
        text.append(f"{name} {' '.join(said)}\n")
        left -= len(whole) / 16000
    (folder / "wav.scp").write_text("".join(scp))
    (folder / "text").write_text("".join(text), encoding="utf-8")
    return folder


def manifest(at: Errand, folder: Path, name: str) -> Path:
    """The manifest of a data directory."""
    file = at.folder / f"{name}.jsonl"
    if not file.is_file():
        at.call(
            f"scp2jsonl-{name}", sys.executable, ROOT / "scripts/scp2jsonl.py", "--scp-file", folder / "wav.scp",
            "--transcript-file", folder / "text", "--jsonl-file", file, "--rejects-file", file.with_suffix(".tsv"),
            "--tokenizer", TINY, "--max-reject-ratio", 1,
        )  # fmt: skip
    return file


def model(at: Errand) -> Path:
    """A model directory of published size (with --small the bundled one) with random weights in bfloat16."""
    folder = at.folder / "model"
    if at.is_small or (folder / "recipe.json").is_file():
        return TINY if at.is_small else folder
    import torch
    import transformers

    from recipe.convert import init
    from recipe.model.network import FunAsrNanoForConditionalGeneration, Recognizer
    from recipe.text import prompt

    tokenizer = init.load_tokenizer(str(TINY))
    config = transformers.FunAsrNanoConfig(attn_implementation="sdpa", dtype=torch.bfloat16)
    config.audio_token_id = tokenizer.convert_tokens_to_ids(prompt.AUDIO_TOKEN)
    torch.manual_seed(1)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        network = FunAsrNanoForConditionalGeneration(config).to(torch.bfloat16).cpu()
    processor = transformers.FunAsrNanoProcessor(
        transformers.FunAsrNanoFeatureExtractor(), tokenizer, chat_template=init.CHAT_TEMPLATE,
        audio_token=prompt.AUDIO_TOKEN,
    )  # fmt: skip
    Recognizer(network, processor, "low_frame_rate", "nothing").save(folder, {"base": None})
    return folder


def train(at: Errand, name: str, base: Path, data: Path, launcher: tuple = (), **settings: object) -> str:
    """The log of a training without interruptions, whose state is removed before it."""
    for old in (at.folder / name, at.folder / f"{name}.state"):
        shutil.rmtree(old, ignore_errors=True)
    return at.call(name, *(launcher or (sys.executable,)), *_training(at, name, base, data, settings))


def _training(at: Errand, name: str, base: Path, data: Path, settings: dict) -> list[object]:
    config = at.folder / f"{name}.yaml"
    usual = {"report_to": [], "log_every": 5, "select": "last", "decode_utterances": 2}
    config.write_text(json.dumps(usual | settings))
    valid = manifest(at, ROOT / "data/valid", "valid")
    return [
        ROOT / "scripts/train.py", "--config", config, "--train-jsonl", data, "--valid-jsonl", valid, "--model", base,
        "--output-dir", at.folder / name, "--state-dir", at.folder / f"{name}.state",
    ]  # fmt: skip


def weights(at: Errand, name: str) -> str:
    """SHA-256 of a trained model's weights."""
    from recipe.files import sha256

    return sha256(at.folder / name / "model.safetensors")


def said(log: str, *patterns: str) -> Iterator[str]:
    """Of a log the last line that has each pattern, without time and level."""
    for pattern in patterns:
        if found := [line for line in log.splitlines() if re.search(pattern, line)]:
            yield re.sub(r"^[\d:]+ (INFO|WARNING) ", "", found[-1])


# --- The parts ----------------------------------------------------------------------------------------------------


def training(at: Errand) -> Iterator[str]:
    """Every mode: eager with 960 s, and compiled without dropout with 2,880 s; features in memory."""
    few = ("--small", "--steps", 1, "--seconds", 2, "--batch-seconds", 4, "--modes", "full", "llm-cached")
    usual, best = ("--steps", 5, "--batch-seconds", 960), ("--steps", 6, "--batch-seconds", 2880)
    for line in at.bench("train-eager", "bench_train_gpu.py", *(few if at.is_small else usual)):
        yield f"eager: {line}"
    if not at.is_small:
        for line in at.bench("train-best", "bench_train_gpu.py", *best, "--compile", "--dropout", 0):
            yield f"compiled, no dropout: {line}"


def full_tokens(at: Errand) -> Iterator[str]:
    """Training with all audio tokens."""
    flags = ("--small", "--steps", 1, "--seconds", 2, "--batch-seconds", 4, "--modes", "llm") if at.is_small else (
        "--steps", 5, "--batch-seconds", 960, 1440, "--modes", "full", "llm", "--compile", "--dropout", 0)  # fmt: skip
    yield from at.bench("train-full-tokens", "bench_train_gpu.py", "--audio-tokens", "full", *flags)


def reading(at: Errand) -> Iterator[str]:
    """Training from FLAC files with the defaults: what was chosen, and how fast it is with reading."""
    usual = {"freeze": ["encoder", "llm"], "evaluations": 1}
    few = {"max_steps": 5, "batch_seconds": 20.0} if at.is_small else {"max_steps": 40}
    log = train(at, "reading", model(at), manifest(at, recordings(at), "recordings"), **usual, **few)
    chosen = "compile: auto", "batch_seconds: auto", "gradient_checkpointing: auto", "workers: auto"
    yield from said(log, *chosen, "expected:", "will wait", "s/step")


def decoding(at: Errand) -> Iterator[str]:
    """decode.py with its defaults on the FLAC files, from file to text, with graphs and without."""
    place = recordings(at)
    for name, flags in {"graphs": (), "eager": ("--no-cuda-graph",)}.items():
        log = at.call(
            f"decode-{name}", sys.executable, ROOT / "scripts/decode.py", "--model-dir", model(at), "--scp-file",
            place / "wav.scp", "--output-file", at.folder / f"decoded-{name}" / "text", "--max-tokens-per-second", 3.5,
            *flags,
        )  # fmt: skip
        yield from (f"{name}: {line}" for line in said(log, "x real time"))


def rows(at: Errand) -> Iterator[str]:
    """Decoding without reading: 64, 256 and 512 rows of one length, and of mixed lengths."""
    few = ("--small", "--batch", 2, "--batches", 1, "--seconds", 2) if at.is_small else ("--batches", 2)
    for name, flags in {"one length": (), "mixed lengths": ("--mixed",)}.items():
        found = at.bench(f"rows-{name.split()[0]}", "bench_decode_gpu.py", "--tokenizer", TINY, *few, *flags)
        yield from (f"{name}: {line}" for line in found)


_BUNDLED = {"max_steps": 60, "evaluations": 3, "batch_seconds": 60.0, "workers": 2, "learning_rate": 1e-3}
_FEW = _BUNDLED | {"max_steps": 6, "batch_seconds": 10.0, "workers": 0}


def resume(at: Errand) -> Iterator[str]:
    """Two runs of the bundled model, one of them killed behind its first checkpoint and called again."""
    settings, data = _FEW if at.is_small else _BUNDLED, manifest(at, ROOT / "data/train", "train")
    train(at, "whole", TINY, data, **settings)
    yield killed(at, "whole", "killed", data, settings)


def killed(at: Errand, whole: str, name: str, data: Path, settings: dict) -> str:
    """What comes of a run that is killed behind its first checkpoint and called again, beside one that was not."""
    for old in (at.folder / name, at.folder / f"{name}.state"):
        shutil.rmtree(old, ignore_errors=True)
    command = [str(word) for word in (sys.executable, *_training(at, name, TINY, data, settings))]
    with open(at.folder / f"{name}-1.log", "w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        while running.poll() is None and not list((at.folder / f"{name}.state").glob("checkpoint-*/complete")):
            time.sleep(0.02)
        was_running = running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
    log = at.call(f"{name}-2", *command)
    equal = weights(at, whole) == weights(at, name)
    told = next(said(log, "going on from"), "it had ended before").replace(str(at.folder), "...")
    return f"killed {'in its middle' if was_running else 'too late'}; {told}; same weights, bit for bit: {equal}"


def nccl(at: Errand) -> Iterator[str]:
    """The same training by torchrun with one process: NCCL on a GPU."""
    settings, data = _FEW if at.is_small else _BUNDLED, manifest(at, ROOT / "data/train", "train")
    if not (at.folder / "whole/model.safetensors").is_file():
        train(at, "whole", TINY, data, **settings)
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 1)
    log = train(at, "nccl", TINY, data, launcher, **settings)
    equal = weights(at, "nccl") == weights(at, "whole")
    yield f"{next(said(log, 's/step'))}; same weights as without torchrun: {equal}"


def deepspeed(at: Errand) -> Iterator[str]:
    """Some steps with DeepSpeed's ZeRO-2."""
    if importlib.util.find_spec("deepspeed") is None:
        yield "left out: the package deepspeed is not installed here"
        return
    config = at.folder / "ds_zero2.json"
    config.write_text(json.dumps({
        "zero_optimization": {"stage": 2}, "bf16": {"enabled": "auto"}, "gradient_clipping": "auto",
        "gradient_accumulation_steps": "auto", "train_micro_batch_size_per_gpu": 1,
    }))  # fmt: skip
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 1)
    data = manifest(at, ROOT / "data/train", "train")
    log = train(at, "deepspeed", TINY, data, launcher, **_FEW | {"trainer": {"deepspeed": str(config)}})
    yield next(said(log, "s/step"))


def precisions(at: Errand) -> Iterator[str]:
    """Texts of the bundled model in bfloat16 against those in float32."""
    for name in ("test", "test_general"):
        texts = []
        for dtype in ("float32", "bfloat16"):
            file = at.folder / f"{name}-{dtype}" / "text"
            at.call(f"{name}-{dtype}", sys.executable, ROOT / "scripts/decode.py", "--model-dir", TINY, "--scp-file",
                    ROOT / f"data/{name}/wav.scp", "--output-file", file, "--dtype", dtype)  # fmt: skip
            texts.append(file.read_text(encoding="utf-8").splitlines())
        differing = sum(one != other for one, other in zip(*texts, strict=True))
        yield f"{name}: {differing} of {len(texts[0])} texts differ"
        if at.is_small:
            return


def waits(at: Errand) -> Iterator[str]:
    """What makes the CPU wait for the device in training steps, by the profiler."""
    few = ("--small", "--steps", 2, "--seconds", 2, "--batch-seconds", 4) if at.is_small else (
        "--steps", 4, "--batch-seconds", 960)  # fmt: skip
    yield from at.bench("waits", "bench_train_gpu.py", *few, "--modes", "full", "--profile")


def graphs(at: Errand) -> Iterator[str]:
    """Training steps of small batches, dropout on: eager, compiled, and both replayed as CUDA graphs, whole or, by the
    compiler's own reduce-overhead, layer by layer; features in memory, no padding."""
    usual = ("--small", "--steps", 1, "--seconds", 2, "--batch-seconds", 4) if at.is_small else (
        "--steps", 10, "--batch-seconds", 240, 480)  # fmt: skip
    ways = {
        "eager": (), "eager, graphs": ("--graphs",), "compiled": ("--compile",),
        "compiled, graphs": ("--compile", "--graphs"),
        "compiled for one shape, graphs": ("--compile", "--static", "--graphs", "--batch-seconds", 240),
        "compiled for one shape, reduce-overhead": (
            "--compile", "--static", "--compile-mode", "reduce-overhead", "--batch-seconds", 240),
    }  # fmt: skip
    for way, flags in ways.items():
        if at.is_small and "--compile" in flags:
            continue  # a CPU compiles for minutes
        name = "graphs-" + "-".join(way.replace(",", "").split())
        for line in at.bench(name, "bench_train_gpu.py", *usual, "--modes", "full", *flags):
            yield f"{way}: {line}"


def shapes(at: Errand) -> Iterator[str]:
    """Training from FLAC files of mixed lengths, 240 s a batch: what shapes cost and graphs gain."""
    usual = {"evaluations": 1, "batch_seconds": 240.0, "max_steps": 40, "compile": False}
    if at.is_small:
        usual |= {"max_steps": 5, "batch_seconds": 20.0}
    for way, on in {"without": False, "with graphs": True}.items():
        name = "shapes-" + way.split()[-1]
        log = train(at, name, model(at), manifest(at, recordings(at), "recordings"), **usual, cuda_graphs=on)
        yield from (f"{way}: {line}" for line in said(log, "shapes of batches; padding", "cuda_graphs: ", "s/step"))


def replays(at: Errand) -> Iterator[str]:
    """Whether replayed steps compute what called ones do, with dropout, and go on exactly after a kill."""
    settings = (_FEW if at.is_small else _BUNDLED) | {"cuda_graphs": True}
    data = manifest(at, ROOT / "data/train", "train")
    log = train(at, "replayed", TINY, data, **settings)
    yield from said(log, "cuda_graphs: ", "s/step")
    called = (
        "import runpy, sys; sys.path.insert(0, 'scripts'); from recipe.train.trainer import AsrTrainer as T; "
        "T._record = lambda *_: None; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    train(at, "called", TINY, data, (sys.executable, "-c", called), **settings)
    losses = [
        [one["loss"] for one in json.loads((at.folder / name / "history.json").read_text()) if "loss" in one]
        for name in ("replayed", "called")
    ]
    off = max(abs(one / other - 1) for one, other in zip(*losses, strict=True))
    equal = weights(at, "replayed") == weights(at, "called")
    yield f"losses of replayed and called steps differ by {off:.2%} at most; same weights, bit for bit: {equal}"
    yield killed(at, "replayed", "replayed-killed", data, settings)


Part = Callable[[Errand], Iterator[str]]
PARTS: dict[str, Part] = {
    "graphs": graphs, "shapes": shapes, "replays": replays,
    "waits": waits, "resume": resume, "nccl": nccl, "precisions": precisions, "deepspeed": deepspeed,
    "reading": reading, "decoding": decoding, "rows": rows, "train": training, "full-tokens": full_tokens,
}  # fmt: skip


# --- The table ----------------------------------------------------------------------------------------------------


def missing() -> list[str]:
    """Packages that the parts import and this Python lacks."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def machine() -> str:
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = []
    for package in VERSIONS:
        if importlib.util.find_spec(package):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    return f"{name}, {os.cpu_count()} cores; {', '.join(versions)}"


def table(out: Path, command: str) -> str:
    lines = [
        f"`{command}`, {datetime.date.today():%Y-%m-%d}: {machine()}",
        "",
        "| part | what was measured |",
        "|---|---|",
    ]
    for name, part in PARTS.items():
        file = out / f"{name}.json"
        found = json.loads(file.read_text())["rows"] if file.is_file() else ["not measured yet"]
        about = " ".join(part.__doc__.split())
        lines += [f"| {name} | {about} |"] + [f"| | {row.replace('|', '/')} |" for row in found]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "exp/gpu_errands")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=8.5, help="no part begins, and none goes on, after these")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    if lacking := missing():
        sys.exit(f"gpu_errands: this Python lacks {', '.join(lacking)}; bring them as wheels and call again")
    import torch

    if not torch.cuda.is_available() and not args.small:
        sys.exit("gpu_errands: no GPU here; --small runs on a CPU")
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    at, failed = Errand(out, args.small, time.monotonic() + 60 * args.minutes), False
    for name in args.parts:
        file, started = out / f"{name}.json", time.monotonic()
        if file.is_file() and json.loads(file.read_text())["done"]:
            continue
        if started > at.end:
            print(f"{name}: left for the next call", flush=True)
            failed = True
            continue
        rows = []
        try:
            for row in PARTS[name](at):
                rows.append(row)
            done = True
        except Failed as error:
            rows.append(f"failed: {error}")
            done, failed = False, True
        seconds = time.monotonic() - started
        file.write_text(json.dumps({"done": done, "seconds": seconds, "rows": rows}))
        print(f"{name} ({seconds:.0f} s)", *rows, sep="\n  ", flush=True)
        (out / "table.md").write_text(table(out, " ".join(["benchmarks/gpu_errands.sh", *sys.argv[1:]])))
    print(f"the table is in {out / 'table.md'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
