"""How many wrong transcripts `snakemake suspects` finds: corrupt a corpus in known ways, and look where they rank.

    python benchmarks/bench_suspects.py bundled /tmp/suspects/bundled
    python benchmarks/bench_suspects.py fsdd /tmp/suspects/fsdd --fsdd PATH/TO/fsdd

Transcripts of all sets are corrupted (--share of them, the ways in turn): swapped within a speaker, shifted by one line
(runs of lines), words deleted, another speaker's, and the audio cut. Every corrupted transcript says something else than
before. Printed are the share of them among the first 7 % of the ranking, by kind, the estimated share against the true
one, and with --train the error rates on clean test sets of models that were trained with and without the suspects.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.data.leaks import said  # noqa: E402 - the line above makes it importable
from recipe.text import tables, words  # noqa: E402

SWAPPED, SHIFTED, DELETED, OTHERS, CUT = "swapped", "shifted", "words deleted", "other speaker's", "audio cut"
FIRST = 0.07  # of the ranking
RUN = 5  # lines that are shifted together
LEAST_SECONDS = 0.15  # that are left of a recording that is cut


@dataclass
class Corpus:
    """A Kaldi data directory in memory; `wrong` is how a key was corrupted."""

    texts: dict[str, str]
    speakers: dict[str, str]
    recordings: dict[str, str]
    languages: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Corpus":
        read = [tables.read_map(folder / name) for name in ("text", "utt2spk", "wav.scp", "utt2lang")]
        texts, speakers, recordings, languages = read
        places = {key: str((folder / place).resolve()) for key, place in recordings.items()}
        return cls(texts, speakers, places, languages)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        names = {"text": self.texts, "utt2spk": self.speakers, "wav.scp": self.recordings, "utt2lang": self.languages}
        for name, table in names.items():
            lines = "".join(f"{key} {value}\n" for key, value in table.items())
            (folder / name).write_text(lines, encoding="utf-8")


def corrupt(corpus: Corpus, share: float, folder: Path, seed: int) -> None:
    """Corrupt a share of the transcripts in place; audio that is cut goes to `folder`."""
    draw = random.Random(seed)
    keys, before = list(corpus.texts), dict(corpus.texts)
    several = any(len(words.split(text)) > 2 for text in before.values())
    ways = [SWAPPED, SHIFTED, DELETED, OTHERS, CUT] if several else [SWAPPED, SHIFTED, OTHERS, CUT]
    wanted = {way: round(share * len(keys) * (n + 1) / len(ways)) for n, way in enumerate(ways)}
    wanted = {way: total - round(share * len(keys) * n / len(ways)) for n, (way, total) in enumerate(wanted.items())}
    while any(wanted.values()):
        way = max(wanted, key=wanted.get)
        place = draw.randrange(len(keys))
        changed = _changed(way, corpus, keys, place, before, draw, folder, wanted[way])
        for key, text in changed.items():
            corpus.texts[key] = text
            corpus.wrong[key] = way
        wanted[way] -= len(changed)


def _changed(way, corpus, keys, place, before, draw, folder, wanted) -> dict[str, str]:
    """New texts of the keys that are corrupted together, at most as many as are wanted; none if it cannot be here."""
    key = keys[place]
    free = [other for other in keys if other not in corpus.wrong and other != key]
    if key in corpus.wrong:
        return {}
    if way == SHIFTED:
        run = keys[place : place + min(RUN, wanted) + 1]
        pairs = {one: before[following] for one, following in zip(run, run[1:]) if one not in corpus.wrong}
        return {one: text for one, text in pairs.items() if said(text) != said(before[one])}
    if way == DELETED:
        places = words.split(before[key])
        count = max(1, round(len(places) * draw.uniform(0.3, 0.6)))
        first = draw.randrange(max(1, len(places) - count + 1))
        left = [before[key][word.start : word.end] for n, word in enumerate(places) if not first <= n < first + count]
        joint = "" if all(len(word.rstrip("。，？！")) == 1 for word in left) else " "
        return {key: joint.join(left)} if left and len(places) > 2 else {}
    if way == CUT:
        sound, rate = soundfile.read(corpus.recordings[key], dtype="float32")
        kept = int(len(sound) * draw.uniform(0.3, 0.6))
        if kept < LEAST_SECONDS * rate:
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{key}.wav", sound[:kept], rate)
        corpus.recordings[key] = str(folder / f"{key}.wav")
        return {key: before[key]}
    same = way == SWAPPED
    others = [
        other
        for other in free
        if (corpus.speakers[other] == corpus.speakers[key]) == same and said(before[other]) != said(before[key])
    ]
    if not others or (same and wanted < 2):
        return {key: before[draw.choice(others)]} if others else {}
    other = draw.choice(others)
    return {key: before[other], other: before[key]} if same else {key: before[other]}
