"""How many wrong transcripts `snakemake suspects` finds: corrupt a corpus in known ways, and look where they rank.

    python benchmarks/bench_suspects.py bundled /tmp/suspects/bundled
    python benchmarks/bench_suspects.py fsdd /tmp/suspects/fsdd --fsdd PATH/TO/fsdd
    python benchmarks/bench_suspects.py scale /tmp/suspects/scale --utterances 1000000

Transcripts of all sets are corrupted (--share of them, the ways in turn): swapped within a speaker, shifted by one line
(runs of lines), words deleted, another speaker's, and the audio cut. Every corrupted transcript says something else
than before. Printed are the share of them among the first 7 % of the ranking, what kinds they were told to be, the
estimated share against the true one, and with --train the error rates on clean test sets of models that were trained
with and without suspects. `scale` ranks made-up judgements of many utterances, and prints memory and time.
"""

import argparse
import csv
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.data import manifest  # noqa: E402 - the line above makes it importable
from recipe.data.leaks import said  # noqa: E402
from recipe.files import json_line  # noqa: E402
from recipe.suspects.judgement import Judgement, TextLoss  # noqa: E402
from recipe.suspects.kinds import KINDS  # noqa: E402
from recipe.suspects.sound import SoundEvidence  # noqa: E402
from recipe.suspects.writing import FINE  # noqa: E402
from recipe.text import tables, words  # noqa: E402

SWAPPED, SHIFTED, DELETED, OTHERS, CUT = "swapped", "shifted", "words deleted", "other speaker's", "audio cut"
FIRST = 0.07  # of the ranking
RUN = 5  # lines that are shifted together
LEAST_SECONDS = 0.4  # of a recording that is cut


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


# --- Corrupting ---------------------------------------------------------------------------------------------------


def corrupt(corpus: Corpus, share: float, folder: Path, draw: random.Random) -> None:
    """Corrupt a share of the transcripts in place; audio that is cut goes to `folder`."""
    before = Corpus(*(dict(table) for table in (corpus.texts, corpus.speakers, corpus.recordings, corpus.languages)))
    # Words can be deleted where there are some.
    ways = [way for way in WAYS if way != DELETED or any(len(words.split(text)) > 2 for text in before.texts.values())]
    left = Counter(ways[n % len(ways)] for n in range(round(share * len(before.texts))))
    while left.total():
        way = left.most_common(1)[0][0]
        changed = WAYS[way](corpus, before, draw, left[way])
        for key, text in changed.items():
            corpus.texts[key] = text
            corpus.wrong[key] = way
            if way == CUT:
                corpus.recordings[key] = cut(before.recordings[key], folder / f"{key}.wav", draw)
        left[way] -= len(changed)


def intact(corpus: Corpus) -> list[str]:
    """Keys that nothing was done to yet."""
    return [key for key in corpus.texts if key not in corpus.wrong]


def of_another(corpus: Corpus, before: Corpus, draw: random.Random, same_speaker: bool) -> tuple[str, str] | None:
    """A key, and another one of the same or of another speaker that says something else."""
    key = draw.choice(intact(corpus))
    others = [
        other
        for other in intact(corpus)
        if (before.speakers[other] == before.speakers[key]) == same_speaker
        and said(before.texts[other]) != said(before.texts[key])
    ]
    return (key, draw.choice(others)) if others else None


def swapped(corpus: Corpus, before: Corpus, draw: random.Random, most: int) -> dict[str, str]:
    """Two lines of a speaker, each with the other's text; or one of them, if one is wanted."""
    if not (pair := of_another(corpus, before, draw, True)):
        return {}
    key, other = pair
    return dict([(key, before.texts[other]), (other, before.texts[key])][:most])


def others(corpus: Corpus, before: Corpus, draw: random.Random, most: int) -> dict[str, str]:
    """A line with another speaker's text."""
    pair = of_another(corpus, before, draw, False)
    return {pair[0]: before.texts[pair[1]]} if pair else {}


def shifted(corpus: Corpus, before: Corpus, draw: random.Random, most: int) -> dict[str, str]:
    """Some lines that follow each other, each with the text of the next one; those that say the same do not count."""
    keys = list(before.texts)
    place = draw.randrange(len(keys))
    run = keys[place : place + min(RUN, most) + 1]
    pairs = itertools.pairwise(run)
    moved = {key: before.texts[after] for key, after in pairs if key not in corpus.wrong}
    return {key: text for key, text in moved.items() if said(text) != said(before.texts[key])}


def deleted(corpus: Corpus, before: Corpus, draw: random.Random, most: int) -> dict[str, str]:
    """A line without a third to a half of its words, which follow each other; at least one is left, and one deleted."""
    key = draw.choice(intact(corpus))
    text, places = before.texts[key], words.split(before.texts[key])
    if len(places) < 3:
        return {}
    count = max(1, round(len(places) * draw.uniform(0.33, 0.5)))
    first = draw.randrange(len(places) - count + 1)
    behind = text[places[first + count].start :] if first + count < len(places) else ""
    return {key: (text[: places[first].start] + behind).strip()}


def kept_text(corpus: Corpus, before: Corpus, draw: random.Random, most: int) -> dict[str, str]:
    """A line whose audio is to be cut."""
    key = draw.choice(intact(corpus))
    return {key: before.texts[key]} if soundfile.info(before.recordings[key]).duration > LEAST_SECONDS else {}


def cut(recording: str, file: Path, draw: random.Random) -> str:
    """The first 30 to 60 % of a recording, written to `file`."""
    sound, rate = soundfile.read(recording, dtype="float32")
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, sound[: int(len(sound) * draw.uniform(0.3, 0.6))], rate)
    return str(file.resolve())


WAYS = {SWAPPED: swapped, SHIFTED: shifted, DELETED: deleted, OTHERS: others, CUT: kept_text}


# --- Corpora ------------------------------------------------------------------------------------------------------


def sets_of(name: str, fsdd: Path | None, folder: Path) -> tuple[dict, dict[str, dict[str, Path]]]:
    """The configuration that a corpus comes with, and its clean data directories by role and name."""
    if name == "bundled":
        config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
        clean = {"train": {"home": "train", "replay": "train_general"}, "valid": {"home": "valid"}}
        clean["test"] = {"home": "test", "general": "test_general"}
        return config, {
            role: {one: ROOT / "data" / place for one, place in found.items()} for role, found in clean.items()
        }
    config = yaml.safe_load((ROOT / "config/fsdd.yaml").read_text(encoding="utf-8"))
    prepare = [sys.executable, ROOT / "local/fsdd.py", fsdd, folder / "clean"]
    subprocess.run(prepare, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")})
    return config, {role: {"fsdd": folder / "clean" / role} for role in ("train", "valid", "test")}


def by_take(corpus: Corpus) -> None:
    """Order the lines of FSDD by take, so that neighbours say different digits."""
    order = sorted(corpus.texts, key=lambda key: (key.split("-")[2], key))
    for table in (corpus.texts, corpus.speakers, corpus.recordings, corpus.languages):
        rows = [(key, table[key]) for key in order]
        table.clear()
        table.update(rows)


def corrupted(name: str, clean: dict[str, dict[str, Path]], share: float, seed: int, folder: Path) -> dict[str, str]:
    """Write corrupted copies of all sets to FOLDER/ROLE/NAME and return how each utterance was corrupted, by
    "ROLE/NAME KEY"."""
    wrong = {}
    for role, found in clean.items():
        for one, place in found.items():
            corpus = Corpus.read(place)
            if name == "fsdd":
                by_take(corpus)
            out = folder / role / one
            corrupt(corpus, share, out / "cut", random.Random(f"{seed} {role} {one}"))
            corpus.write(out)
            wrong |= {f"{role}/{one} {key}": way for key, way in corpus.wrong.items()}
    return wrong


# --- Running ------------------------------------------------------------------------------------------------------


def snakemake(folder: Path, config: dict, target: str, cores: str) -> float:
    """Run the workflow in `folder` and return how many seconds it took."""
    file = folder / f"{config['experiment']}.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    started = time.monotonic()
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", cores, "--quiet", "all"]
    with open(folder / "log.txt", "a", encoding="utf-8") as log:
        subprocess.run([*command, "--configfile", file, "--", target], cwd=folder, check=True, stderr=log)
    return time.monotonic() - started


def found_in(ranking: Path, wrong: dict[str, str]) -> None:
    """Print how many of the wrong transcripts the first of a ranking are, by kind."""
    with open(ranking, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    first = rows[: round(FIRST * len(rows))]
    ways = Counter(wrong.values())
    hits = Counter(way for row in first if (way := wrong.get(f"{row['set']} {row['key']}")))
    print(f"wrong: {ways.total()} of {len(rows)}; among the first {len(first)}: {hits.total() / ways.total():.1%}")
    told = Counter((wrong.get(f"{row['set']} {row['key']}", "nothing"), row["kind"]) for row in rows)
    kinds = [kind for kind in (*KINDS, FINE) if any(count and kind == other for (_, other), count in told.items())]
    print(f"| made | found | {' | '.join(f'`{kind}`' for kind in kinds)} |\n|---|---|{'---|' * len(kinds)}")
    for way in (*ways, "nothing"):
        found = f"{hits[way]} of {ways[way]}" if way in ways else f"{len(first) - hits.total()} too many"
        print(f"| {way} | {found} | {' | '.join(str(told[way, kind] or '') for kind in kinds)} |")


def suspects_of(folder: Path, config: dict, wrong: dict[str, str], cores: str) -> None:
    """Run `snakemake suspects` and print what it found."""
    seconds = snakemake(folder, config, "suspects", cores)
    results = folder / "exp" / config["experiment"] / "suspects"
    found = json.loads((results / "suspects.json").read_text(encoding="utf-8"))
    share = found["share_wrong"]
    print(f"snakemake suspects: {seconds:.0f} s")
    found_in(results / "ranking.tsv", wrong)
    judged = len(wrong) / found["utterances"]
    print(f"share: {share['share']:.1%} [{share['low']:.1%}, {share['high']:.1%}], in truth {judged:.1%}")
    with open(results / "suspects.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    right = sum(f"{row['set']} {row['key']}" in wrong for row in rows)
    print(f"suspects.tsv: {len(rows)} lines, {right} of them wrong")


def trained(folder: Path, config: dict, clean: dict[str, dict[str, Path]], cores: str) -> None:
    """Print the error rates, on clean test sets, of a model trained with the suspects and of one without."""
    results = folder / "exp" / config["experiment"] / "suspects"
    table = folder / "suspects.tsv"
    # Both are scored on all of the clean test sets.
    lines = (results / "suspects.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text(
        "".join(line for line in lines if line.split("\t")[3].partition("/")[0] != "test"), encoding="utf-8"
    )
    for name, left_out in (("with", {}), ("without", {"exclude": str(table)})):
        data = {**config["data"], **left_out, "test": {one: str(place) for one, place in clean["test"].items()}}
        runs = {"tuned": next((run for one, run in config.get("runs", {}).items() if one == "mixed"), {})}
        snakemake(folder, {**config, "experiment": name, "data": data, "runs": runs}, "eval", cores)
        print(f"\n{name} the suspects:")
        print((folder / "exp" / name / "report" / "summary.md").read_text(encoding="utf-8"))


# --- Many ---------------------------------------------------------------------------------------------------------


def scale(folder: Path, count: int, share: float, seed: int) -> None:
    """Rank `count` made-up utterances of which a share have the transcript of another line, and print what it costs."""
    draw = random.Random(seed)
    vocabulary = ["".join(draw.choices("aeiouaeioubcdfghjklmnpqrstvwxyz", k=6)) for _ in range(20_000)]

    def text(number: int) -> str:
        own = random.Random(f"{seed} {number}")
        return " ".join(vocabulary[int(20_000 * own.random() ** 3)] for _ in range(own.randrange(3, 15)))

    files = [folder / f"{name}.jsonl" for name in ("manifest", "details", "judgements")]
    with ExitStack() as stack:
        out = [stack.enter_context(open(file, "w", encoding="utf-8")) for file in files]
        for number in range(count):
            key, heard, is_wrong = f"train/large/{number:09d}", text(number), draw.random() < share
            written = text(draw.randrange(count)) if is_wrong else heard
            seconds = len(heard) * 0.06 * draw.uniform(0.8, 1.25)
            one = manifest.Utterance(
                key, f"/large/{key}.flac", "", written, 100, 9, round(seconds + 0.3, 4), speaker=f"{number % 1000}"
            )
            right, wrong = TextLoss(draw.expovariate(0.5), 1.0, 9), TextLoss(20 + draw.expovariate(0.1), 9.0, 9)
            asked = (wrong, text(number + 1)) if draw.random() * count < 20_000 else (None, None)
            judged = Judgement(
                key, wrong if is_wrong else right, right, *asked, SoundEvidence(-30.0, round(seconds, 2), 0.0)
            )
            found = {"key": key, "text": heard, "ended": "eos"}
            for file, record in zip(out, (one.to_json() | {"place": number}, found, judged.to_json()), strict=True):
                file.write(f"{json_line(record)}\n")
    flags = [("manifests", files[0]), ("details", files[1]), ("judgements", files[2])]
    flags += [("suspects-file", folder / "suspects.tsv"), ("ranking-file", folder / "ranking.tsv")]
    flags += [("json-file", folder / "suspects.json"), ("page", folder / "suspects.html")]
    command = [sys.executable, ROOT / "scripts/suspects_rank.py"]
    command += itertools.chain.from_iterable((f"--{name}", file) for name, file in flags)
    started = time.monotonic()
    subprocess.run(command, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{count} utterances: {time.monotonic() - started:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of the "
        f"processor, {used.ru_maxrss / 1024:.0f} MiB at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=("bundled", "fsdd", "scale"))
    parser.add_argument("folder", type=Path, help="where corpora and results go")
    parser.add_argument("--fsdd", type=Path, help="folder of the Free Spoken Digit Dataset")
    parser.add_argument(
        "--share", type=float, default=0.05, help="of the transcripts, that is corrupted (default: 0.05)"
    )
    parser.add_argument("--utterances", type=int, default=1_000_000, help="of `scale`")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", default="all")
    parser.add_argument("--train", action="store_true", help="also train with and without the suspects")
    args = parser.parse_args()
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if args.corpus == "scale":
        scale(folder, args.utterances, args.share, args.seed)
        return
    config, clean = sets_of(args.corpus, args.fsdd, folder)
    wrong = corrupted(args.corpus, clean, args.share, args.seed, folder / "corrupted")
    config["model"] = {"base": str(ROOT / "models/tiny")}
    data = {role: {name: str(folder / "corrupted" / role / name) for name in found} for role, found in clean.items()}
    config |= {"experiment": "suspects", "data": {**config["data"], **data}, "score": {"modes": ["faithful"]}}
    suspects_of(folder, {**config, "runs": {}}, wrong, args.cores)
    if args.train:
        trained(folder, config, clean, args.cores)


if __name__ == "__main__":
    main()
