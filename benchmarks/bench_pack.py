"""Reading recordings as training does, packed and as single files: on this disk and behind a server that takes 10 ms
for each opening.

    python benchmarks/bench_pack.py [--utterances 3000] [--where disk|server|both] [--rounds 1] [--folder DIR]

One process reads every utterance once, in the batches (of 30 s) of an epoch, one after the other; features are not in
it. The disk is read cold: what the system has kept of the files is dropped before. Behind the server the cache is new
and holds a quarter of the corpus, as with one that is four times as large as the room for it.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/audio")]

from recipe.audio import cache, remote  # noqa: E402 - the line above makes it importable
from recipe.audio import reading as audio  # noqa: E402
from recipe.audio.fetch import FetchPolicy  # noqa: E402
from recipe.data import manifest, packing  # noqa: E402
from recipe.data.manifest import Utterance, speech_length  # noqa: E402
from recipe.data.packing import Packing  # noqa: E402
from recipe.model.features import FRAME_SECONDS  # noqa: E402
from recipe.train.batching import epoch_plan  # noqa: E402

BATCH_SECONDS = 30
DELAY = 0.01  # seconds
FEW = 300  # that are read from the server in a full shuffle: it is much the same for each


def make_corpus(folder: Path, count: int) -> Path:
    """A manifest of WAV files of 6 s about, of the bundled speech, joined anew for each."""
    clips = [audio.read(str(file)) for file in sorted((ROOT / "data").glob("*/wav/**/*.*"))[:300]]
    random = np.random.default_rng(1)
    (folder / "wav").mkdir(parents=True)
    with open(folder / "set.jsonl", "w") as file:
        for number in range(count):
            chosen = [clips[place] for place in random.integers(len(clips), size=20)]
            samples = np.concatenate(chosen)[: int(16000 * min(30, random.lognormal(np.log(5.5), 0.4)))]
            path = folder / f"wav/{number:06d}.wav"
            soundfile.write(path, samples, 16000, subtype="PCM_16")
            seconds = len(samples) / 16000
            one = Utterance(f"u{number:06d}", str(path), "语音转写：", "text", speech_length(seconds), 1, seconds)
            file.write(json.dumps(one.to_json(), ensure_ascii=False) + "\n")
    return folder / "set.jsonl"


def order(utterances: list[Utterance], shuffle: str) -> Iterator[Utterance]:
    """Utterances as an epoch's batches have them."""
    frames = np.array([max(1, round(one.duration / FRAME_SECONDS)) for one in utterances])
    plan = epoch_plan(
        np.arange(len(frames)), frames.__getitem__, round(BATCH_SECONDS / FRAME_SECONDS), 1, 0, shuffle=shuffle
    )
    return (utterances[number] for number in itertools.chain.from_iterable(plan.batches()))


def drop(folder: Path) -> None:
    """Have the system forget what it has kept of files."""
    os.sync()
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def measure(name: str, utterances: list[Utterance], shuffle: str, address: str | None, folder: Path) -> None:
    """Read all once and print the speed; at an address where one is given."""
    policy = FetchPolicy()
    wanted = list(order(utterances, shuffle))[: FEW if address and shuffle == "full" else None]
    sources = [one.source.replace(str(folder), address) if address else one.source for one in wanted]
    remote._known.clear()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)  # the cache is there
        begin, processor = time.monotonic(), time.process_time()
        for source in sources:
            audio.read(source, fetch_policy=policy)
        seconds, busy = time.monotonic() - begin, time.process_time() - processor
        os.chdir(folder)
    where = "server" if address else "disk"
    count = len(wanted)
    print(
        f"{where:7} {name:22} {shuffle:7} {count / seconds:7.0f} utterances a second, {1e3 * busy / count:.2f} ms of "
        "processor each",
        flush=True,
    )


def serve(folder: Path, pipe) -> None:
    """In a process of its own: a server over a folder, until the other end of the pipe is closed."""
    from range_server import serving

    with serving(folder, DELAY) as server:
        pipe.send(server.address)
        pipe.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=3000)
    parser.add_argument("--where", choices=("disk", "server", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the corpus is made (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recipe-", dir=args.folder) as temporary:
        folder = Path(temporary)
        corpus = make_corpus(folder, args.utterances)
        sets = {"single files": list(manifest.read(corpus))}
        for form in ("as-is", "flac"):
            begin = time.monotonic()
            files = folder / f"{form}.jsonl", folder / f"{form}.tsv"
            ledger = packing.pack(corpus, folder / form, *files, Packing(form))
            print(f"packed {form}: {ledger.summary()} in {time.monotonic() - begin:.1f} s", flush=True)
            sets[f"packed, {form}"] = list(manifest.read(files[0]))
        size = sum(file.stat().st_size for file in (folder / "wav").iterdir())
        os.environ[cache.VARIABLE] = str(size / 4 / 1e9)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        server = context.Process(target=serve, args=(folder, theirs), daemon=True)
        server.start()
        address = ours.recv()
        for _ in range(args.rounds):
            for where in {"disk": [None], "server": [address], "both": [None, address]}[args.where]:
                for name, utterances in sets.items():
                    for shuffle in ("full",) if "files" in name else ("full", "chunks"):
                        drop(folder)
                        measure(name, utterances, shuffle, where, folder)
        ours.send(None)
        server.join(10)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
