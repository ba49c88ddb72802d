"""A model of the published size with random bf16 weights: converts both ways, loads, decodes; prints what it took.

Run as `python full_size.py DIRECTORY` (about 8 GB of disk), with `scripts` and `tests` on PYTHONPATH. With `--toolkit`,
the converted directory is also loaded and decoded by funasr.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from parity.toolkit_checkpoint import QWEN_TOKENIZER, write_toolkit_directory

from recipe.convert.run import convert
from recipe.model.features import FrontEnd
from recipe.model.generate import generate
from recipe.model.network import load
from recipe.settings.train import AUDIO_TOKEN_MODES
from recipe.text.prompt import transcription_prompt

PUBLISHED_SIZES = {
    "blocks": 50,
    "tp_blocks": 20,
    "width": 512,
    "heads": 4,
    "ffn": 2048,
    "adaptor_blocks": 2,
    "adaptor_heads": 8,
    "projector": 2048,
    "hidden": 1024,
    "llm_layers": 28,
    "llm_heads": 16,
    "llm_kv_heads": 8,
    "head_dim": 128,
    "llm_ffn": 3072,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--toolkit", action="store_true")
    args = parser.parse_args()
    assert QWEN_TOKENIZER.is_dir(), QWEN_TOKENIZER
    first, hf, second = (args.directory / name for name in ("first", "hf", "second"))
    report = {}
    write_toolkit_directory(first, tokenizer="qwen", dtype=torch.bfloat16, **PUBLISHED_SIZES)
    # Only the peak of what follows is of interest.
    Path("/proc/self/clear_refs").write_text("5")
    for source, target, kind in ((first, hf, "hf"), (hf, second, "toolkit")):
        start = time.perf_counter()
        convert(source, target, kind)
        report[f"seconds_to_{kind}"] = round(time.perf_counter() - start, 1)
    assert_same_tensors(first, second)
    report |= decode_with_toolkit(second) if args.toolkit else decode_with_the_recipe(hf)
    report["peak_bytes"] = peak_bytes()
    print(json.dumps(report))


def assert_same_tensors(first: Path, second: Path) -> None:
    before, after = (torch.load(path / "model.pt", weights_only=True, mmap=True) for path in (first, second))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def waveform() -> np.ndarray:
    """Three seconds of noise at 16 kHz."""
    return np.random.default_rng(0).uniform(-0.1, 0.1, 48000).astype(np.float32)


def decode_with_the_recipe(directory: Path) -> dict:
    """Load in 32 bits and decode with either audio token setting."""
    start = time.perf_counter()
    recognizer = load(directory)
    report = {"parameters": recognizer.model.num_parameters(), "seconds_to_load": round(time.perf_counter() - start, 1)}
    for mode in AUDIO_TOKEN_MODES:
        recognizer.audio_tokens = mode
        item = FrontEnd(recognizer).item("key", waveform(), transcription_prompt())
        start = time.perf_counter()
        [tokens] = generate(recognizer, [item], [5])
        report[f"tokens_{mode}"] = len(tokens)
        report[f"seconds_{mode}"] = round(time.perf_counter() - start, 1)
    return report


def decode_with_toolkit(directory: Path) -> dict:
    from funasr import AutoModel

    model = AutoModel(model=str(directory), device="cpu", disable_update=True, disable_pbar=True)
    text = model.generate(input=[torch.from_numpy(waveform())], max_length=5)[0]["text"]
    return {"parameters": sum(p.numel() for p in model.model.parameters()), "text": text}


def peak_bytes() -> int:
    """Largest resident memory since the reset above, file pages included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
