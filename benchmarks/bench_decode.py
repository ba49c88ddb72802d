#!/usr/bin/env python3
"""Decoding rate of decode.py beside the published toolkit's on the same model, recordings and threads, on a CPU.

The toolkit (funasr) decodes with batch size 1, as its own script does, without dither, in an environment that has it.
Each side is a process of its own that loads the model, decodes a warm-up of ten utterances and then everything, which
alone is the rate; the whole process is timed too. Texts are compared.

python benchmarks/bench_decode.py --toolkit-python PYTHON                  # the bundled model, both test sets
python benchmarks/bench_decode.py --ours-only
python benchmarks/bench_decode.py --long-hours 2                           # one long recording: time and memory
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONVERT = ROOT / "scripts" / "convert.py"
WARM_UP = 10


def recordings(folders: list[str]) -> list[tuple[str, str]]:
    """(key, path) of the wav.scp of each folder."""
    entries = []
    for folder in map(Path, folders):
        for line in (folder / "wav.scp").read_text(encoding="utf-8").splitlines():
            key, source = line.split(maxsplit=1)
            entries.append((key, str((folder / source).resolve())))
    return entries


def timed(decode, entries: list[tuple[str, str]]) -> dict:
    """Texts of the entries, and seconds by the clock and of processors after a warm-up."""
    decode(entries[:WARM_UP])
    clock, processor = time.perf_counter(), time.process_time()
    texts = decode(entries)
    return {
        "clock": time.perf_counter() - clock,
        "processor": time.process_time() - processor,
        "texts": texts,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def ours(model: str, entries: list[tuple[str, str]], threads: int, batch_seconds: float) -> dict:
    sys.path.insert(0, str(ROOT / "scripts"))
    import torch

    from recipe.data.join import Entry
    from recipe.decode import engines
    from recipe.decode import run as decode
    from recipe.decode.requests import probe

    torch.set_num_threads(threads)
    engine = engines.load("transformers", model)
    options = decode.DecodingOptions(batch_seconds=batch_seconds)

    def run(wanted):
        asked = engines.Instruction().text
        requests = probe(Entry(0, key, path, prompt=asked) for key, path in wanted)
        return [hypothesis.text for hypothesis in decode.decode(engine, requests, options)]

    return timed(run, entries)


def toolkit(model: str, entries: list[tuple[str, str]], threads: int) -> dict:
    import funasr
    import torch

    quiet = {"disable_update": True, "disable_pbar": True}
    loaded = funasr.AutoModel(model=model, device="cpu", ncpu=threads, frontend_conf={"dither": 0.0}, **quiet)
    torch.set_num_threads(threads)

    def run(wanted):
        results = loaded.generate(input=[path for _, path in wanted], batch_size=1)
        return [" ".join(result["text"].split()) for result in results]

    return timed(run, entries)


def long_recording(entries: list[tuple[str, str]], hours: float, file: Path) -> list[tuple[str, str]]:
    """Write the recordings one after the other, with silences, over and over."""
    import numpy as np
    import soundfile

    waves = [soundfile.read(path, dtype="float32")[0] for _, path in entries]
    silence = np.zeros(8000, np.float32)
    left = int(hours * 3600 * 16000)
    with soundfile.SoundFile(file, "w", 16000, 1, subtype="PCM_16") as out:
        while left > 0:
            for wave in waves:
                part = np.concatenate([wave, silence])[:left]
                out.write(part)
                left -= len(part)
    return [("long", str(file))]


def side(python: str, name: str, model: str, entries: list, args: argparse.Namespace, folder: Path) -> dict:
    """Run one side as a process and read what it measured."""
    task, result = folder / f"{name}.task.json", folder / f"{name}.json"
    task.write_text(json.dumps([name, model, entries, args.threads, args.batch_seconds]))
    start = time.perf_counter()
    done = subprocess.run([python, __file__, "--task", task, "--result", result], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(result.read_text()) | {"process": time.perf_counter() - start}


def perform(task: str, result: str) -> None:
    name, model, entries, threads, batch_seconds = json.loads(Path(task).read_text())
    entries = [tuple(entry) for entry in entries]
    measured = ours(model, entries, threads, batch_seconds) if name == "ours" else toolkit(model, entries, threads)
    Path(result).write_text(json.dumps(measured))


def audio_seconds(entries: list[tuple[str, str]]) -> float:
    import soundfile

    return sum(info.frames / info.samplerate for info in (soundfile.info(path) for _, path in entries))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(ROOT / "models/tiny"), help="HF model directory")
    parser.add_argument("--data", nargs="+", default=[str(ROOT / "data/test"), str(ROOT / "data/test_general")])
    parser.add_argument("--toolkit-python", default=sys.executable, help="Python of an environment with funasr")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each side")
    parser.add_argument("--batch-seconds", type=float, default=160.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--long-hours", type=float, help="decode one recording of so many hours instead, ours only")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--result", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        perform(args.task, args.result)
        return
    with tempfile.TemporaryDirectory() as name:
        folder, entries = Path(name), recordings(args.data)
        sides = {"ours": (sys.executable, args.model)}
        if args.long_hours:
            entries = long_recording(entries, args.long_hours, folder / "long.wav")
        elif not args.ours_only:
            export = folder / "toolkit"
            subprocess.run([sys.executable, CONVERT, "--to", "toolkit", args.model, export], check=True)
            sides["toolkit"] = (args.toolkit_python, str(export))
        report(args, entries, sides, folder)


def report(args: argparse.Namespace, entries: list, sides: dict, folder: Path) -> None:
    seconds = audio_seconds(entries)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, {args.threads} threads a side; {' '.join(sys.argv)}")
    print(f"{len(entries)} recordings, {seconds:.0f} s; best of {args.rounds}")
    runs: dict[str, list[dict]] = {name: [] for name in sides}
    for _ in range(args.rounds):  # sides take turns, so that a busy machine is busy for all
        for name, (python, model) in sides.items():
            runs[name].append(side(python, name, model, entries, args, folder))
    best = {
        name: {what: min(run[what] for run in found) for what in ("clock", "processor", "process", "memory")}
        for name, found in runs.items()
    }
    for name, cost in best.items():
        print(
            f"{name:8} decoding {cost['clock']:7.2f} s, {seconds / cost['clock']:6.0f} x real time, processors "
            f"{cost['processor']:7.2f} s; whole process {cost['process']:7.2f} s; {cost['memory']:.0f} MiB"
        )
    if "toolkit" in best:
        ratios = {what: best["toolkit"][what] / best["ours"][what] for what in ("clock", "processor", "process")}
        same = sum(a == b for a, b in zip(runs["ours"][0]["texts"], runs["toolkit"][0]["texts"], strict=True))
        print(
            f"ours is {ratios['clock']:.1f} x as fast by the clock, {ratios['processor']:.1f} x by processor time, "
            f"{ratios['process']:.1f} x as a whole process; {same} of {len(entries)} texts are the same"
        )


if __name__ == "__main__":
    main()
