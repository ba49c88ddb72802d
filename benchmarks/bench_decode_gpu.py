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


def build(tokenizer_dir: str, audio_tokens: str, device: str, small: bool):
    """A recognizer of the published size (transformers' default configuration), or a small one, with random weights, in
    bfloat16."""
    import torch
    import transformers

    from recipe.convert import init
    from recipe.model.network import FunAsrNanoForConditionalGeneration, Recognizer
    from recipe.text import prompt

    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_dir)
    tokenizer.pad_token = tokenizer.pad_token or prompt.END_OF_TURN
    config = transformers.FunAsrNanoConfig(attn_implementation="sdpa", dtype=torch.bfloat16)
    if small:
        config.audio_config.num_hidden_layers, config.audio_config.num_timestamp_prediction_layers = 3, 1
        config.text_config.num_hidden_layers = 2
        config.text_config.layer_types = config.text_config.layer_types[:2]
    config.audio_token_id = tokenizer.convert_tokens_to_ids(prompt.AUDIO_TOKEN)
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


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure(recognizer, batch: int, batches: int, seconds: float, mixed: bool, cuda_graph: bool) -> float:
    """Seconds of audio decoded a second. Utterances are so many `seconds` long, or `mixed`, so long on average."""
    import numpy as np

    from recipe.model.features import FrontEnd
    from recipe.model.generate import Greedy

    front_end, noise = FrontEnd(recognizer), np.random.default_rng(0)
    lengths = noise.permuted(np.linspace(1, 2 * seconds, batch)).tolist() if mixed else [seconds]
    made = [
        front_end.item("noise", noise.standard_normal(int(one * 16000)).astype(np.float32) * 0.1, "语音转写：")
        for one in lengths
    ]
    items, lengths = made * (batch // len(made)), lengths * (batch // len(made))
    greedy = Greedy(recognizer, cuda_graph)
    greedy.end = -1  # no token ends a hypothesis before its limit
    limits = [max(1, int(one * TOKENS_PER_SECOND)) for one in lengths]
    greedy(items, limits)
    synchronize()
    start = time.perf_counter()
    for _ in range(batches):
        greedy(items, limits)
    synchronize()
    return batches * sum(lengths) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", required=True, help="directory with the tokenizer (Qwen3's)")
    parser.add_argument("--audio-tokens", choices=("low_frame_rate", "full"), default="low_frame_rate")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256, 512], help="utterances a batch")
    parser.add_argument("--batches", type=int, default=4, help="batches that are timed")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of an utterance")
    parser.add_argument("--mixed", action="store_true", help="lengths from 1 s to twice --seconds in each batch")
    parser.add_argument("--small", action="store_true", help="a small model, to see whether this runs, on a CPU too")
    args = parser.parse_args()
    import torch

    on_gpu = torch.cuda.is_available()
    if not on_gpu and not args.small:
        sys.exit("bench_decode_gpu.py: no GPU here; --small runs on a CPU")
    recognizer = build(args.tokenizer, args.audio_tokens, "cuda" if on_gpu else "cpu", args.small)
    size = recognizer.model.num_parameters() / 1e6
    print(f"{torch.cuda.get_device_name() if on_gpu else 'CPU'}, torch {torch.__version__}; {' '.join(sys.argv)}")
    print(f"{size:.0f} M parameters, bf16, {args.audio_tokens}, {args.seconds:g} s, {TOKENS_PER_SECOND} tokens/s")
    for batch in args.batch:
        eager, graph = (measure(recognizer, batch, args.batches, args.seconds, args.mixed, on) for on in (False, True))
        memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
        print(f"batch {batch:4}: {eager:7.0f} x real time eager, {graph:7.0f} with graphs; {memory:.1f} GiB at most")


if __name__ == "__main__":
    main()
