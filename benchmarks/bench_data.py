#!/usr/bin/env python3
"""Speed and memory of scp2jsonl.py, as a whole process, beside the published scp2jsonl.py.

python benchmarks/bench_data.py --wavs DIR --tokenizer DIR [--published-python .../bin/python]
python benchmarks/bench_data.py --wavs DIR --tokenizer DIR --scale         # ours with 10,000, 100,000, 1,000,000
python benchmarks/bench_data.py --verification         # what decoding everything adds to looking at headers, by format
python benchmarks/bench_data.py --formats                                  # read + resample + fbank, by format

--wavs is a folder with recordings, which are repeated under new keys; --tokenizer a folder with Qwen3's tokenizer.json
and tokenizer_config.json. The published script is taken of the funasr package that --published-python (default: this
interpreter) can import, and runs as it is: it loads its tokenizer by the name Qwen/Qwen3-0.6B, which it finds as a
folder of that name. Without funasr the same work is done as plainly here: per line soundfile.info and
transformers' tokenize, in a thread pool.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "scp2jsonl.py"
FIND = "import funasr, pathlib; print(pathlib.Path(funasr.__file__).parent / 'models/fun_asr_nano/tools/scp2jsonl.py')"

PLAIN = """
import json, sys
from concurrent.futures import ThreadPoolExecutor, as_completed
import soundfile
from transformers import AutoTokenizer
scp, text, out, tokenizer, workers = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(tokenizer)

def line(pair):
    path, words = pair[0].split(maxsplit=1)[1].strip(), pair[1].split(maxsplit=1)[1].strip()
    seconds = soundfile.info(path).duration
    messages = [{"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": f"语音转写：<|startofspeech|>!{path}<|endofspeech|>"},
                {"role": "assistant", "content": words}]
    return json.dumps({"messages": messages, "speech_length": int((seconds * 1000 - 25) // 10 + 1),
                       "text_length": len(tokenizer.tokenize(words))}, ensure_ascii=False)

with ThreadPoolExecutor(int(workers)) as pool, open(out, "w") as file:
    pairs = list(zip(open(scp).readlines(), open(text).readlines()))
    for future in as_completed([pool.submit(line, pair) for pair in pairs]):
        file.write(future.result() + "\\n")
"""


class Cost(NamedTuple):
    """Of one process and its children: seconds by the clock, seconds of processor, peak memory in MiB of the largest
    process, and of all processes together."""

    clock: float
    processor: float
    largest: float
    together: float


def resident(process: int) -> float:
    """MiB that a process and its children occupy, memory that they share counted once (PSS)."""
    total = 0.0
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
        return total + sum(resident(int(child)) for child in children)
    except (OSError, ValueError):  # it has ended meanwhile
        return total


def measure(command: list[str], folder: Path, watch: bool = False) -> Cost:
    start = time.perf_counter()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    together = 0.0
    if watch:
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            together = max(together, resident(process.pid))
            time.sleep(0.1)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"exit status {process.returncode} of {' '.join(command)}:\n{(folder / 'log').read_text()[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, together)


def write_corpus(folder: Path, wavs: list[Path], utterances: int) -> None:
    draw = random.Random(0)
    texts = (ROOT / "data/train/text").read_text(encoding="utf-8").splitlines()
    sentences = [line.split(maxsplit=1)[1] for line in texts]
    with open(folder / "wav.scp", "w") as scp, open(folder / "text", "w", encoding="utf-8") as text:
        for i in range(utterances):
            scp.write(f"utt{i:08d} {wavs[i % len(wavs)]}\n")
            text.write(f"utt{i:08d} {draw.choice(sentences)} {draw.choice(sentences)}\n")  # few are the same


def ours(folder: Path, tokenizer: Path, workers: int, verify: str = "header") -> list[str]:
    # Of recordings the published script reads headers. Those of single words are given whole sentences here, so the
    # limit of the speech rate is out of the way.
    limits = ["--max-tokens-per-second", "100000", "--verify", verify]
    return [
        sys.executable, str(SCRIPT), "--scp-file", str(folder / "wav.scp"), "--transcript-file", str(folder / "text"),
        "--jsonl-file", str(folder / "ours.jsonl"), "--rejects-file", str(folder / "ours.tsv"),
        "--tokenizer", str(tokenizer), "--workers", str(workers), *limits,
    ]  # fmt: skip


def published(folder: Path, tokenizer: Path, workers: int, python: str) -> tuple[str, list[str]]:
    """What it is, and its command."""
    found = subprocess.run([python, "-c", FIND], capture_output=True, text=True)
    script = found.stdout.strip().splitlines()[-1] if found.returncode == 0 and found.stdout.strip() else ""
    if Path(script).is_file():
        (folder / "Qwen").mkdir(exist_ok=True)
        if not (link := folder / "Qwen/Qwen3-0.6B").exists():
            link.symlink_to(tokenizer)
        settings = [f"++scp_file={folder}/wav.scp", f"++transcript_file={folder}/text"]
        settings += [f"++jsonl_file={folder}/theirs.jsonl", f"++max_workers={workers}", "hydra.run.dir=."]
        return "published scp2jsonl.py", [python, script, *settings]
    arguments = [f"{folder}/wav.scp", f"{folder}/text", f"{folder}/theirs.jsonl", str(tokenizer), str(workers)]
    return "the same work, plainly", [python, "-c", PLAIN, *arguments]


def compare(args: argparse.Namespace, folder: Path, wavs: list[Path]) -> None:
    write_corpus(folder, wavs, args.utterances)
    name, command = published(folder, args.tokenizer, args.workers, args.published_python)
    tools = {"ours": ours(folder, args.tokenizer, args.workers), name: command}
    print(f"{args.utterances} utterances, {args.workers} workers; median of {args.rounds} rounds, taken in turns")
    for tool, command in tools.items():
        print(f"{tool}: {' '.join(command[:3])} ...")
    costs = {tool: [] for tool in tools}
    for _ in range(args.rounds):
        for tool, command in tools.items():
            costs[tool].append(measure(command, folder))
    medians = {}
    for tool, found in costs.items():
        cost = sorted(found)[len(found) // 2]
        medians[tool] = cost.clock
        print(
            f"{tool:24} {cost.clock:8.2f} s  {args.utterances / cost.clock:9.0f} utterances/s"
            f"  {cost.processor:7.2f} s of processor  {cost.largest:6.0f} MiB"
        )
    print(f"ratio {medians[name] / medians['ours']:.1f}")
    lines = [(folder / f"{tool}.jsonl").read_bytes().count(b"\n") for tool in ("ours", "theirs")]
    print(f"lines written: {lines[0]} and {lines[1]}")


def scale(args: argparse.Namespace, folder: Path, wavs: list[Path]) -> None:
    print(f"ours with {args.workers} workers: time, and peak memory of the largest process and of all together")
    for utterances in args.sizes:
        write_corpus(folder, wavs, utterances)
        cost = measure(ours(folder, args.tokenizer, args.workers), folder, watch=True)
        print(
            f"{utterances:9} utterances {cost.clock:8.2f} s  {utterances / cost.clock:8.0f} utterances/s"
            f"  {cost.largest:6.0f} MiB largest  {cost.together:6.0f} MiB together",
            flush=True,
        )


def write_formats(folder: Path) -> None:
    """Ten seconds of the bundled speech in every format, at three rates."""
    import numpy as np
    import soundfile
    import soxr

    files = sorted((ROOT / "data/test/wav").glob("*.flac"))
    speech = np.concatenate([soundfile.read(file, dtype="float32")[0] for file in files[:10]])[:160_000]
    kinds = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", None), "ogg": ("OGG", "VORBIS")}
    for rate in (16000, 8000, 48000):
        wave = soxr.resample(speech, 16000, rate)
        for ending, (container, subtype) in (kinds | {"opus": ("OGG", "OPUS")}).items():
            soundfile.write(folder / f"{rate}.{ending}", wave, rate, format=container, subtype=subtype)


def verification(workers: int, folder: Path, utterances: int = 5000) -> None:
    """scp2jsonl.py by headers and decoding everything, of ten seconds of speech at 16 kHz over and over."""
    write_formats(folder)
    print(f"{utterances * 10 / 3600:.1f} h, {workers} workers        header       full   200 h in full")
    for path in sorted(folder.glob("16000.*")):
        write_corpus(folder, [path], utterances)
        header, full = (
            measure(ours(folder, ROOT / "models/tiny", workers, verify), folder).clock for verify in ("header", "full")
        )
        print(f"{path.name:24} {header:8.2f} s {full:8.2f} s {full * 200 * 360 / utterances:13.0f} s", flush=True)


def formats(folder: Path, seconds: float) -> None:
    """Reading, resampling and fbank of each recording against torchaudio's fbank alone on the loaded waveform, on one
    core."""
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT / "scripts"))
    import torch
    import torchaudio

    from recipe.audio import reading as audio
    from recipe.audio.fbank import WAVEFORM_SCALE, fbank

    torch.set_num_threads(1)

    def kaldi(waveform):
        return torchaudio.compliance.kaldi.fbank(
            torch.from_numpy(waveform)[None] * WAVEFORM_SCALE, num_mel_bins=80, window_type="hamming"
        )

    def paces(works: list, length: float) -> list[float]:
        """Medians of turns, so that a busy machine is busy for all."""
        turns = [[] for _ in works]
        for _ in range(7):
            for work, found in zip(works, turns, strict=True):
                start, times = time.perf_counter(), 0
                while time.perf_counter() - start < seconds / 7:
                    work()
                    times += 1
                found.append(times * length / (time.perf_counter() - start))
        return [sorted(found)[3] for found in turns]

    print("x real time, one core:                 read  resampled   + fbank  fbank alone  torchaudio's fbank   ratio")
    for path in sorted(folder.iterdir()):
        try:
            info = audio.probe(str(path))
        except audio.AudioError:
            continue
        waveform = audio.read(str(path))
        works = [
            lambda path=path: audio.read_part(str(path)),
            lambda path=path: audio.read(str(path)),
            lambda path=path: fbank(audio.read(str(path))),
            lambda waveform=waveform: fbank(waveform),
            lambda waveform=waveform: kaldi(waveform),
        ]
        read, resampled, all_of_it, alone, reference = paces(works, info.seconds)
        print(f"{path.name:34} {read:8.0f} {resampled:10.0f} {all_of_it:9.0f} {alone:12.0f} {reference:19.0f}"
              f" {all_of_it / reference:7.2f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wavs", type=Path, help="folder with recordings")
    parser.add_argument("--tokenizer", type=Path, help="folder with Qwen3's tokenizer")
    parser.add_argument("--published-python", type=os.path.abspath, default=sys.executable, help="one that has funasr")
    parser.add_argument("--utterances", type=int, default=21_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--formats", action="store_true")
    parser.add_argument("--verification", action="store_true")
    parser.add_argument("--recordings", type=Path, help="with --formats: a folder instead of the bundled speech")
    parser.add_argument("--seconds", type=float, default=1.0, help="per measurement, with --formats")
    args = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores")
    if args.formats:
        with tempfile.TemporaryDirectory() as folder:
            write_formats(Path(folder))
            formats(args.recordings or Path(folder), args.seconds)
        return
    if args.verification:
        with tempfile.TemporaryDirectory() as folder:
            verification(args.workers, Path(folder))
        return
    if not args.wavs or not args.tokenizer:
        parser.error("--wavs and --tokenizer are required")
    args.tokenizer = args.tokenizer.resolve()
    wavs = sorted(path.resolve() for path in args.wavs.rglob("*") if path.suffix in (".wav", ".flac"))
    with tempfile.TemporaryDirectory() as folder:
        (scale if args.scale else compare)(args, Path(folder), wavs)


if __name__ == "__main__":
    main()
