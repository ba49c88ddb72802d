#!/usr/bin/env python3
"""How far times of words are from the true ones, and what they cost.

    python benchmarks/bench_word_times.py bundled [--model-dir MODEL]
    python benchmarks/bench_word_times.py bundled --decoded exp/bundled/decode/base
    python benchmarks/bench_word_times.py digits PATH/TO/free-spoken-digit-dataset --model-dir MODEL
    python benchmarks/bench_word_times.py digits PATH/TO/free-spoken-digit-dataset --write corpora/digits
    python benchmarks/bench_word_times.py hours --number 3

`bundled`: references of the bundled test sets, whose words the synthesizer itself times. `digits`: recordings of single
digits, joined by fives, whose words are where they were joined: with pauses of 0.2 to 0.6 s, and without. --write makes
data directories of them (train and valid, of other takes than those that are measured), which fit_times.py can be
given. --decoded measures what decode.py wrote instead of references: of each true word that was heard letter by letter
those ends that are ends of a word there, too. `hours`: one recording of --number hours with one transcript, of the
bundled test sets over and over with pauses of 0.2 to 0.6 s, through scripts/align.py; its memory and time as well.
Errors are those of begins and ends of words together.
"""

import argparse
import itertools
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "local")]

import bundled  # noqa: E402
from datadirs import Entry, write_tables  # noqa: E402
from fsdd import WORDS, find_recordings  # noqa: E402

from recipe.files import read_json_lines, write_lines  # noqa: E402
from recipe.model import ctc, network  # noqa: E402
from recipe.score.align import edits  # noqa: E402
from recipe.train.known_times import Deviation, KnownUtterance, KnownWord, deviation  # noqa: E402

RATE = 16000
LOUD = 0.02  # share of a recording's peak, from which on it counts as the digit
TAKES = {"test": range(5), "valid": range(5, 8), "train": range(8, 10**6)}


def of_bundled(name: str) -> Iterator[KnownUtterance]:
    """The utterances of a bundled set with what the synthesizer says of their words."""
    [spec] = [spec for spec in bundled.bundled_sets() if spec.name == name]
    for utterance in bundled.plan(spec, f"{name} 1"):
        _, times = bundled.speak(utterance)
        waveform, _ = soundfile.read(ROOT / "data" / name / "wav" / f"{utterance.key}.flac", dtype="float32")
        written = utterance.phrase.written
        words = [KnownWord(one.start, one.end, "".join(written[one.place : one.end_place].split())) for one in times]
        yield KnownUtterance(utterance.key, waveform, written, words)


class Digit(NamedTuple):
    """A recording of one: samples at 16 kHz, and where in them it is heard, in seconds."""

    word: str
    waveform: np.ndarray
    start: float
    end: float


def digits(folder: Path, takes: range) -> dict[str, list[Digit]]:
    """Recordings by speaker."""
    found: dict[str, list[Digit]] = {}
    for path in find_recordings(folder):
        digit, speaker, take = re.fullmatch(r"(\d)_(\w+)_(\d+)", path.stem).groups()
        if int(take) in takes:
            samples, rate = soundfile.read(path, dtype="float32")
            samples = soxr.resample(samples, rate, RATE)
            samples = 0.5 * samples / np.abs(samples).max()
            loud = np.flatnonzero(np.abs(samples) > 0.5 * LOUD)
            own = Digit(WORDS[int(digit)], samples, loud[0] / RATE, (loud[-1] + 1) / RATE)
            found.setdefault(speaker, []).append(own)
    return found


def joined(folder: Path, takes: range, number: int, pause: float, seed: int = 1) -> Iterator[KnownUtterance]:
    """`number` utterances of five digits of one speaker, with pauses of 0.2 to `pause` seconds between, or none."""
    draws = np.random.default_rng(seed)
    by_speaker = digits(folder, takes)
    for index in range(number):
        speaker = sorted(by_speaker)[index % len(by_speaker)]
        parts, words, seconds = [], [], 0.0
        for place in draws.choice(len(by_speaker[speaker]), 5):
            digit = by_speaker[speaker][place]
            silence = np.zeros(int(draws.uniform(0.2, pause) * RATE) if pause else 0, np.float32)
            seconds += len(silence) / RATE
            words.append(KnownWord(seconds + digit.start, seconds + digit.end, digit.word))
            parts += [silence, digit.waveform]
            seconds += len(digit.waveform) / RATE
        text = " ".join(word.text for word in words)
        yield KnownUtterance(f"{speaker}-{index:05d}", np.concatenate(parts), text, words)


def write(folder: Path, target: Path) -> None:
    """Data directories with a ctm of joined digits: half of them with pauses."""
    for name, number in (("train", 1200), ("valid", 60)):
        utterances = [
            replace(one, key=f"{one.key}-{kind}")
            for kind, pause in (("pauses", 0.6), ("none", 0.0))
            for one in joined(folder, TAKES[name], number // 2, pause)
        ]
        (target / name / "wav").mkdir(parents=True)
        for one in utterances:
            soundfile.write(target / name / "wav" / f"{one.key}.flac", one.waveform, RATE)
        lines = [f"{u.key} 1 {w.start:.4f} {w.end - w.start:.4f} {w.text}" for u in utterances for w in u.words]
        write_lines(target / name / "ctm", lines)
        write_tables(
            target / name, (Entry(u.key, f"wav/{u.key}.flac", u.text, u.key.split("-")[0], "en") for u in utterances)
        )


def of_hours(hours: float, model_dir: str) -> Deviation:
    """What align.py makes of one recording of so many hours."""
    draws = np.random.default_rng(1)
    utterances = [one for name in ("test", "test_general") for one in of_bundled(name)]
    parts, texts, known, seconds = [], [], [], 0.0
    for one in itertools.cycle(utterances):
        if seconds >= 3600 * hours:
            break
        silence = np.zeros(int(draws.uniform(0.2, 0.6) * RATE), np.float32)
        seconds += len(silence) / RATE
        known += [word._replace(start=word.start + seconds, end=word.end + seconds) for word in one.words]
        parts += [silence, one.waveform]
        texts.append(one.text)
        seconds += len(one.waveform) / RATE
    with tempfile.TemporaryDirectory() as folder:
        data, made = Path(folder, "data"), Path(folder, "made")
        data.mkdir()
        soundfile.write(data / "long.flac", np.concatenate(parts), RATE)
        write_tables(data, [Entry("long", "long.flac", " ".join(texts), "all", "zh")])
        began = time.perf_counter()
        command = [sys.executable, ROOT / "scripts/align.py", "--model-dir", model_dir, "--threads", "1"]
        subprocess.run([*command, "--data-dir", data, "--output-dir", made], check=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{seconds / 3600:.2f} h, {len(known)} words: {time.perf_counter() - began:.0f} s, {peak:.0f} MiB")
        return of_hypotheses([KnownUtterance("long", np.empty(0), " ".join(texts), known)], made / "words.jsonl")


def of_hypotheses(utterances: Iterable[KnownUtterance], file: Path) -> Deviation:
    """How far the times of words in a text.jsonl are from the known ones."""
    heard = {record["key"]: record["words"] for _, record in read_json_lines(file)}
    errors: list[float] = []
    for one in utterances:
        known = letters((word.text, word) for word in one.words)
        found = letters((word["word"], word) for word in heard.get(one.key, []))
        changed = edits([letter for letter, *_ in known], [letter for letter, *_ in found])
        lost = {place for kind, place, _ in changed if kind != "insert"}
        new = {place for kind, _, place in changed if kind != "delete"}
        kept = (place for place in range(len(found)) if place not in new)
        pairs = {place: next(kept) for place in range(len(known)) if place not in lost}
        for places in itertools.groupby(range(len(known)), lambda place: id(known[place][1])):  # noqa: B023
            own = list(places[1])
            word = known[own[0]][1]
            if not all(place in pairs for place in own):
                continue
            (_, first, begins, _), (_, last, _, ends) = found[pairs[own[0]]], found[pairs[own[-1]]]
            errors += [abs(first["start"] - word.start)] if begins and "start" in first else []
            errors += [abs(last["end"] - word.end)] if ends and "end" in last else []
    return Deviation.of(errors)


def letters(words: Iterable[tuple[str, Any]]) -> list[tuple[str, Any, bool, bool]]:
    """Letters and digits of words (text, word) in lower case, each with its word and whether it is the first and the
    last one."""
    found = []
    for text, word in words:
        own = [letter for letter in text.lower() if letter.isalnum()]
        found += [(letter, word, i == 0, i == len(own) - 1) for i, letter in enumerate(own)]
    return found


def shown(name: str, found: Deviation) -> None:
    print(
        f"{name}: {found.borders} borders, median {1000 * found.median:.0f} ms, 95 % within {1000 * found.most:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("bundled", "digits", "hours"))
    parser.add_argument("folder", nargs="?", type=Path, help="digits: the dataset's folder")
    parser.add_argument("--model-dir", default=str(ROOT / "models/tiny"))
    parser.add_argument("--decoded", type=Path, help="bundled: a model's folder of decodings with word times")
    parser.add_argument("--write", type=Path, help="digits: write data directories here, and measure nothing")
    parser.add_argument(
        "--number", type=float, help="digits: joined utterances (default: 120); hours: how many (default: 1)"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.write:
        write(args.folder, args.write)
        return
    if args.decoded:
        for name, folder in (("test", "home"), ("test_general", "general")):
            shown(name, of_hypotheses(of_bundled(name), args.decoded / folder / "text.jsonl"))
        return
    if args.what == "hours":
        shown("hours", of_hours(args.number or 1, args.model_dir))
        return
    recognizer = network.load(args.model_dir)
    branch = ctc.load(args.model_dir, recognizer.model.config.audio_config.hidden_size)
    if args.what == "bundled":
        for name in ("test", "test_general"):
            shown(name, deviation(recognizer, branch, of_bundled(name)))
    else:
        for name, pause in (("with pauses", 0.6), ("without", 0.0)):
            shown(
                name, deviation(recognizer, branch, joined(args.folder, TAKES["test"], int(args.number or 120), pause))
            )


if __name__ == "__main__":
    main()
