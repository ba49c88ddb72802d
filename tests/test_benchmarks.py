"""Every benchmark runs, in its smallest form: the commands of docs/ keep working. What they measure is for people."""

import os
import subprocess
import sys

import pytest
from conftest import CHROMIUM, ROOT

BENCHMARKS = ROOT / "benchmarks"
FSDD, TOKENIZER = "FSDD", "TOKENIZER"  # of ../shared
HERE = "HERE"  # an empty folder
SMALLEST = {
    "bench_blocks.py": ["decode --entries 50", "slices --entries 2000 --shards 4"],
    "bench_data.py": [
        f"--wavs {FSDD} --tokenizer {TOKENIZER} --scale --sizes 200 --rounds 1",
        "--formats --seconds 0.01",
        "--verification --rounds 1",
    ],
    "bench_decode.py": ["--ours-only --rounds 1", "--long-hours 0.02"],
    "bench_decode_gpu.py": [f"--tokenizer {TOKENIZER} --small --batch 2 --batches 1 --seconds 2"],
    "bench_detector.py": ["--rounds 1 --hours 0.01"],
    "bench_generate.py": ["--width 128 --layers 1 --rounds 1"],
    "bench_normalize.py": ["--lines 100 --runs 1"],
    "bench_normalizers.py": ["--only faithful"],
    "bench_operations.py": [""],
    "bench_pack.py": [f"--utterances 40 --folder {HERE}"],
    "bench_padding.py": ["--batch-seconds 60", "--made-up 500 --batch-seconds 120"],
    "bench_report.py": [f"--sets 2 --models 2 --utterances 20 --folder {HERE}"],
    "bench_scale.py": ["start --utterances 2000", f"memory --utterances 2000 --folder {HERE}"],
    "bench_suspects.py": [f"scale {HERE} --utterances 2000"],
    "bench_train.py": ["--ours-only --steps 2 --rounds 1"],
    "bench_train_gpu.py": ["--small --steps 2 --modes full"],
    "bench_wer.py": ["--utterances 200 --rounds 1", "--long --rounds 1", "--utterances 200 --rounds 1 --workflow"],
    "bench_word_times.py": ["bundled", f"digits {FSDD} --write {HERE}/digits", "hours --number 0.02"],
    "bench_word_times_cost.py": ["--rounds 1"],
    "gpu_errands.py": [f"--small --parts train --out {HERE}"],
    "make_packed.py": [f"{HERE} --utterances 300"],
    "mistakes.py": ["--kinds"],
}
# They want an experiment that was run, or run several themselves.
LONGER = {"bench_calibration.py", "bench_curve.py", "bench_pseudo.py"}


def test_all_are_named():
    assert {path.name for path in BENCHMARKS.glob("*.py")} == SMALLEST.keys() | LONGER


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), [(name, words) for name, calls in SMALLEST.items() for words in calls])
def test_it_runs(name, words, tmp_path, request):
    places = {HERE: tmp_path}
    if FSDD in words or TOKENIZER in words:
        shared = request.getfixturevalue("shared")
        places |= {FSDD: shared / "data/fsdd", TOKENIZER: shared / "qwen3-tokenizer"}
    if name == "bench_report.py" and CHROMIUM is None:
        pytest.skip("needs a browser")
    words = words.split()
    for place, path in places.items():
        words = [word.replace(place, str(path)) for word in words]
    command = [sys.executable, BENCHMARKS / name, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() or any(tmp_path.iterdir())
