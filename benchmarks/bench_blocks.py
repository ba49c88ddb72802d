"""Memory and time of decoding and of the data stage's slices for many entries.

    python benchmarks/bench_blocks.py decode --entries 100000 1000000
    python benchmarks/bench_blocks.py slices --entries 1000000 --shards 200

decode: decode.py from the list to the texts, with an engine that says the same of everything and without the detector:
what is measured is everything but the model. slices: joining once and reading one slice after the other, beside the
join of one job and of one shard that reads all tables. All entries are one recording of a tenth of a second.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

import numpy as np  # noqa: E402
import soundfile  # noqa: E402


def write_tables(folder: Path, entries: int) -> None:
    soundfile.write(folder / "a.wav", np.zeros(1600, np.float32), 16000)
    with open(folder / "wav.scp", "w") as scp, open(folder / "text", "w") as text, open(folder / "utt2spk", "w") as spk:
        for i in range(entries):
            scp.write(f"utt{i:08d} a.wav\n")
            text.write(f"utt{i:08d} turn on the light in the kitchen\n")
            spk.write(f"utt{i:08d} s{i % 100}\n")


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def decode_here(folder: Path, entries: int) -> dict:
    """In a process of its own."""
    import runpy

    import torch

    from recipe.decode import detector, engines
    from recipe.decode.engines import Transcription

    class Same:
        def prepare(self, key, waveform, instruction):
            return len(waveform)

        def tokens_over(self, instruction, seconds, limit):
            return 0

        def decode(self, prepared, limits, penalty=1.0):
            return [Transcription("turn on the light in the kitchen", (1, 2, 3), "eos")] * len(prepared)

    torch.set_num_threads(1)
    write_tables(folder, entries)
    detector.is_installed = lambda: False
    engines.load = lambda *args: Same()
    (folder / "model").mkdir()
    words = ["--model-dir", "model", "--scp-file", "wav.scp", "--output-file", "out", "--threads", "1"]
    sys.argv = ["decode.py", *(str(folder / word) if word[0] != "-" and word != "1" else word for word in words)]
    before, started = peak(), time.monotonic()
    try:
        runpy.run_path(str(SCRIPTS / "decode.py"), run_name="__main__")
    except SystemExit as end:
        assert not end.code, end.code
    assert (folder / "out").read_bytes().count(b"\n") == entries
    return {"MiB_before": round(before), "MiB": round(peak()), "seconds": round(time.monotonic() - started, 1)}


def slices_here(folder: Path, entries: int, shards: int) -> dict:
    from recipe.data import datadir, join, slices

    write_tables(folder, entries)

    def joined(shard=(0, 1)):
        tables = datadir.tables(folder / "wav.scp")
        return join.join(str(folder / "wav.scp"), str(folder / "text"), tables, lambda *_: "Transcribe:", shard)

    found = {}
    started = time.process_time()
    assert sum(1 for _ in joined()) == entries
    found["join_of_one_job"] = time.process_time() - started
    started = time.process_time()
    sum(1 for _ in joined((shards // 2, shards)))
    found["join_of_a_shard_by_lines"] = time.process_time() - started
    started = time.process_time()
    slices.split(joined(), shards, "header", folder / "slices")
    found["split"] = time.process_time() - started
    started = time.process_time()
    rows = sum(sum(1 for _ in slices.read(folder / "slices" / str(i))[1]) for i in range(1, shards + 1))
    assert rows == entries
    found["all_slices_read"] = time.process_time() - started
    return {name: round(seconds, 2) for name, seconds in found.items()} | {"MiB": round(peak())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("decode", "slices"))
    parser.add_argument("--entries", type=int, nargs="+", default=[100_000])
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        with tempfile.TemporaryDirectory() as folder:
            measure = decode_here if args.what == "decode" else slices_here
            more = [] if args.what == "decode" else [args.shards]
            print(json.dumps(measure(Path(folder), args.entries[0], *more)))
        return
    for entries in args.entries:
        words = [args.what, "--entries", str(entries), "--shards", str(args.shards), "--here"]
        done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        print(entries, done.stdout.strip())


if __name__ == "__main__":
    main()
