"""Make a packed corpus of many short utterances quickly, of a few distinct clips: for training on many processes.

    python benchmarks/make_packed.py FOLDER [--utterances 1000000] [--seconds 0.5] [--clips 200]

FOLDER gets train.jsonl with its index and shards, and valid.jsonl of 200 utterances: what scripts/pack.py would make of
so many files. Members are FLAC of 16 kHz, parts of the bundled recordings; texts are words of their transcripts.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.audio import reading as audio  # noqa: E402 - the line above makes it importable
from recipe.data import shards  # noqa: E402
from recipe.data.index_writer import Indexed, IndexWriter, beside  # noqa: E402
from recipe.data.manifest import Utterance, speech_length  # noqa: E402
from recipe.data.pieces import exact  # noqa: E402
from recipe.data.shards import SHARD_BYTES, Placed, Shard  # noqa: E402
from recipe.files import make_folder  # noqa: E402

PROMPT = "语音转写："


def clips(count: int, seconds: float) -> list[tuple[bytes, float, str]]:
    """(FLAC, seconds, word) of parts of the bundled recordings, between half and one and a half times as long."""
    random, found = np.random.default_rng(1), []
    folder = ROOT / "data/train"
    texts = dict(line.split(maxsplit=1) for line in (folder / "text").read_text(encoding="utf-8").splitlines())
    sources = [line.split(maxsplit=1) for line in (folder / "wav.scp").read_text(encoding="utf-8").splitlines()]
    while len(found) < count:
        key, path = sources[len(found) % len(sources)]
        samples = audio.read(str(folder / path), end=seconds * random.uniform(0.5, 1.5))
        content, _ = exact(samples[:, None], audio.SAMPLING_RATE, as_wav=False)
        found.append((content, len(samples) / audio.SAMPLING_RATE, texts[key].split()[0]))
    return found


def write(folder: Path, name: str, count: int, some: list[tuple[bytes, float, str]]) -> None:
    """A packed set: shards, and a manifest with its index."""
    path, place, number, offset = folder / f"{name}.jsonl", make_folder(folder / name), 0, 0
    shard_count = 0
    with open(path, "wb") as file, IndexWriter(beside(path)) as index:
        while number < count:
            shard, rows = Shard(place, shard_count), []
            with shards.written(shard.tar) as tar:
                while number < count and tar.size < SHARD_BYTES:
                    content, seconds, text = some[number % len(some)]
                    rows.append(Placed(tar.add(f"{len(rows):06d}.flac", content), True))
                    key, frames = f"{name}-{number:09d}", speech_length(seconds)
                    source = f"{shard.tar}:{rows[-1].offset}"
                    head, tail = Utterance(key, source, PROMPT, text, frames, 0, seconds).fragments()
                    line = f"{head}2{tail}\n".encode()
                    index.add(offset, Indexed(key, frames, 2, PROMPT, "", seconds, None))
                    file.write(line)
                    number, offset = number + 1, offset + len(line)
                digest = tar.finish()
            shard.finish("", rows, digest)
            shard_count += 1
        file.flush()
        index.finish(path)
    shards.list_shards(path, place, shard_count)
    print(f"{path}: {count} utterances in {shard_count} shards")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--utterances", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of an utterance, about")
    parser.add_argument("--clips", type=int, default=200, help="different recordings")
    args = parser.parse_args()
    some = clips(args.clips, args.seconds)
    write(args.folder, "train", args.utterances, some)
    write(args.folder, "valid", 200, some)


if __name__ == "__main__":
    main()
