#!/usr/bin/env python3
"""Decoding rate of a full-size model with random weights on one GPU, with and without CUDA graphs.

Sizes are those of Fun-ASR-Nano (830 M parameters). Every utterance is a stretch of noise of the same length, and every
hypothesis is forced to 3.5 tokens a second: the end-of-turn token is one that never comes. Features are made before the
clock starts.

python benchmarks/bench_decode_gpu.py --tokenizer DIRECTORY          # a directory with the model's tokenizer.json
python benchmarks/bench_decode_gpu.py --tokenizer DIRECTORY --batch 64 256 512 --audio-tokens full
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

TOKENS_PER_SECOND = 3.5


def build(tokenizer_dir: str, audio_tokens: str, device: str):
    """A recognizer of the published size (transformers' default configuration) with random weights, in bfloat16."""
    import torch
    import transformers

    from recipe.convert import init
    from recipe.model.network import FunAsrNanoForConditionalGeneration, Recognizer
    from recipe.text import prompt

    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_dir)
    tokenizer.pad_token = tokenizer.pad_token or prompt.END_OF_TURN
    config = transformers.FunAsrNanoConfig(attn_implementation="sdpa", dtype=torch.bfloat16)
    torch.manual_seed(1)
    with torch.device(device):
        model = FunAsrNanoForConditionalGeneration(config).to(torch.bfloat16).eval()
    processor = transformers.FunAsrNanoProcessor(
        transformers.FunAsrNanoFeatureExtractor(),
        tokenizer,
        chat_template=init.CHAT_TEMPLATE,
        audio_token=prompt.AUDIO_TOKEN,
    )
    return Recognizer(model, processor, audio_tokens, "nothing")


def measure(recognizer, batch: int, batches: int, seconds: float, cuda_graph: bool) -> float:
    """Seconds of audio decoded a second."""
    import numpy as np
    import torch

    from recipe.model.features import FrontEnd
    from recipe.model.generate import Greedy

    noise = np.random.default_rng(0).standard_normal(int(seconds * 16000)).astype(np.float32) * 0.1
    item = FrontEnd(recognizer).item("noise", noise, "语音转写：")
    greedy = Greedy(recognizer, cuda_graph)
    greedy.end = -1  # no token ends a hypothesis before its limit
    limits = [int(seconds * TOKENS_PER_SECOND)] * batch
    greedy([item] * batch, limits)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(batches):
        greedy([item] * batch, limits)
    torch.cuda.synchronize()
    return batch * batches * seconds / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", required=True, help="directory with the tokenizer (Qwen3's)")
    parser.add_argument("--audio-tokens", choices=("low_frame_rate", "full"), default="low_frame_rate")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256, 512], help="utterances a batch")
    parser.add_argument("--batches", type=int, default=4, help="batches that are timed")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of an utterance")
    args = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        sys.exit("bench_decode_gpu.py: no GPU here")
    recognizer = build(args.tokenizer, args.audio_tokens, "cuda")
    size = recognizer.model.num_parameters() / 1e6
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; {' '.join(sys.argv)}")
    print(f"{size:.0f} M parameters, bf16, {args.audio_tokens}, {args.seconds:g} s, {TOKENS_PER_SECOND} tokens/s")
    for batch in args.batch:
        eager, graph = (measure(recognizer, batch, args.batches, args.seconds, on) for on in (False, True))
        memory = torch.cuda.max_memory_allocated() / 2**30
        print(f"batch {batch:4}: {eager:7.0f} x real time eager, {graph:7.0f} with graphs; {memory:.1f} GiB at most")


if __name__ == "__main__":
    main()
