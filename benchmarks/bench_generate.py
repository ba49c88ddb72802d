#!/usr/bin/env python3
"""Greedy decoding by the recipe's loop (recipe.model.generate) beside transformers' own `generate`, on a CPU.

Same model, same batches of the same recordings, made ready before the clock starts; transformers once with its default
(dynamic) KV cache, once with its static one, once with a dynamic one into which what all prompts begin with was read
once, as the recipe's loop does by itself. The sides take turns, and their tokens are compared. Two models: the bundled
one, whose hypotheses end by themselves, and one with random weights and a wider language model, whose hypotheses are
stopped at 3.5 tokens a second; for it, three recordings are an utterance of some ten seconds. What encoder and adaptor
took is part of every side, and named.

python benchmarks/bench_generate.py                      # about two minutes
python benchmarks/bench_generate.py --width 1024 --layers 12 --rounds 1
"""

import argparse
import functools
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import transformers

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe.audio import reading  # noqa: E402 (the library is beside this folder)
from recipe.convert import init  # noqa: E402
from recipe.model import batches, network  # noqa: E402
from recipe.model.features import FRAME_SECONDS, FrontEnd, Item, collate  # noqa: E402
from recipe.model.generate import Greedy, Limits, common_prefix  # noqa: E402
from recipe.text import prompt  # noqa: E402
from recipe.text.prompt import Example  # noqa: E402

HEAD_SIZE = 64
JOINED = 3  # recordings to an utterance of the random model
Batch = tuple[list[Item], list[int]]  # what is decoded at once, and the most tokens of each
Decode = Callable[[list[Item], list[int]], list[list[int]]]


@dataclass
class Side:
    """One way to decode, and what each round of it took: seconds of processors and by the clock, in all and in encoder
    and adaptor."""

    decode: Decode
    rounds: list[dict[str, float]]
    tokens: list[list[int]]


def wide_model(tokenizer, width: int, layers: int) -> network.Recognizer:
    """Random weights: the bundled model's encoder under a wider language model."""
    heads = width // HEAD_SIZE
    sizes = init.Sizes(
        llm_layers=layers, llm_width=width, llm_heads=heads, llm_kv_heads=heads // 2, llm_ffn=3 * width
    )  # fmt: skip
    return init.build(sizes, tokenizer, "low_frame_rate", seed=1)


def theirs(recognizer: network.Recognizer, cache: str, end: int, items: list[Item], limits: list[int]):
    """transformers' greedy search over a cache of this kind, "dynamic" or "static"."""
    batch, embeds = embedded(recognizer, items)
    options = {"cache_implementation": cache, "attention_mask": batch["attention_mask"]}
    return search(recognizer, end, limits, inputs_embeds=embeds, **options)


def theirs_after_prefix(recognizer: network.Recognizer, end: int, items: list[Item], limits: list[int]):
    """transformers' greedy search after a dynamic cache of what all prompts begin with, which is computed once."""
    model, sequences = recognizer.model, [item.example.input_ids for item in items]
    length = common_prefix(sequences, recognizer.prompts.audio_token_id)
    cache = transformers.DynamicCache(config=model.config.get_text_config())
    prefix = model.get_input_embeddings()(torch.tensor([sequences[0][:length]]))
    model.model.language_model(inputs_embeds=prefix, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(items))
    examples = [Example(item.example.input_ids[length:], item.example.labels[length:]) for item in items]
    rest = [replace(item, example=example) for item, example in zip(items, examples, strict=True)]
    batch, embeds = embedded(recognizer, rest)
    embeds = torch.cat([prefix.expand(len(items), -1, -1), embeds], 1)
    mask = torch.cat([torch.ones(len(items), length, dtype=torch.long), batch["attention_mask"]], 1)
    # Padding lies between the prefix and the rest, so positions have to be said.
    options = {"past_key_values": cache, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
    return search(recognizer, end, limits, inputs_embeds=embeds, **options)


def embedded(recognizer: network.Recognizer, items: list[Item]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The items as one padded batch, and its embeddings [rows, tokens, hidden], audio included."""
    batch = collate(items, recognizer.tokenizer.pad_token_id, left=True)
    embeds, _ = recognizer.model.embed(batch["input_ids"], batch["input_features"], batch["input_features_mask"])
    return batch, embeds


def search(recognizer: network.Recognizer, end: int, limits: list[int], **inputs) -> list[list[int]]:
    """New tokens of each row by transformers' greedy search, each row cut at its own end or limit."""
    pad = recognizer.tokenizer.pad_token_id
    stops = {"max_new_tokens": max(limits), "eos_token_id": end, "pad_token_id": pad}
    out = recognizer.model.generate(**inputs, **stops, do_sample=False)
    rows = [tokens[:limit] for tokens, limit in zip(out.tolist(), limits, strict=True)]
    return [tokens[: tokens.index(end) + 1] if end in tokens else tokens for tokens in rows]


def read_batches(
    recognizer: network.Recognizer, folders: list[str], joined: int, seconds: float, limits: Limits
) -> list[Batch]:
    """Recordings of data directories, so many `joined` to an utterance, the longest first, in batches of so many padded
    seconds."""
    front_end = FrontEnd(recognizer)
    lines = [(folder, line) for folder in folders for line in (Path(folder) / "wav.scp").read_text().splitlines()]
    waves = [reading.read(str(Path(folder) / line.split(maxsplit=1)[1])) for folder, line in lines]
    waves = [np.concatenate(waves[i : i + joined]) for i in range(0, len(waves), joined)]
    items = [front_end.item(str(i), wave, prompt.transcription_prompt()) for i, wave in enumerate(waves)]
    items.sort(key=lambda item: -len(item.features))
    frames = [len(item.features) for item in items]
    most = [limits.tokens(count * FRAME_SECONDS) for count in frames]
    cut = batches.batch_by_size(range(len(items)), frames, int(seconds / FRAME_SECONDS))
    return [([items[i] for i in batch], [most[i] for i in batch]) for batch in cut]


class Spent:
    """Seconds that calls of a function took."""

    def __init__(self, function):
        self._function = function
        self.processor = self.clock = 0.0

    def __call__(self, *args, **options):
        processor, clock = time.process_time(), time.perf_counter()
        result = self._function(*args, **options)
        self.processor += time.process_time() - processor
        self.clock += time.perf_counter() - clock
        return result


@torch.inference_mode()
def measure(recognizer: network.Recognizer, wanted: list[Batch], end: int, rounds: int) -> dict[str, Side]:
    """Every side's rounds over all batches, in turns, after one batch each as a warm-up."""
    greedy = Greedy(recognizer, fused=True)
    greedy.end = end
    ways: dict[str, Decode] = {"ours": greedy}
    for name in ("dynamic", "static"):
        ways[name] = functools.partial(theirs, recognizer, name, end)
    ways["prefix"] = functools.partial(theirs_after_prefix, recognizer, end)
    sides = {name: Side(decode, [], []) for name, decode in ways.items()}
    encode, adapt = recognizer.model.encode, recognizer.model.adapt
    for side in sides.values():
        side.decode(*wanted[-1])
    for _ in range(rounds):
        for side in sides.values():
            recognizer.model.encode, recognizer.model.adapt = audio = Spent(encode), Spent(adapt)
            whole = Spent(lambda side=side: [side.decode(items, limits) for items, limits in wanted])
            side.tokens = [tokens for batch in whole() for tokens in batch]
            heard = sum(part.processor for part in audio)
            times = {"processor": whole.processor, "clock": whole.clock, "audio": heard}
            side.rounds.append(times | {"language": whole.processor - heard})
    return sides


def report(title: str, sides: dict[str, Side]) -> None:
    """Medians of the rounds, and how many times as long as ours each side took."""
    ours = sides["ours"]
    print(f"{title}; {len(ours.tokens)} utterances, {sum(map(len, ours.tokens))} tokens; median of {len(ours.rounds)}")
    for name, side in sides.items():
        middle = {what: statistics.median(one[what] for one in side.rounds) for what in side.rounds[0]}
        ratios = {
            what: statistics.median(a[what] / b[what] for a, b in zip(side.rounds, ours.rounds, strict=True))
            for what in middle
        }
        same = sum(a == b for a, b in zip(side.tokens, ours.tokens, strict=True))
        print(
            f"{name:8} processors {middle['processor']:6.2f} s (encoder and adaptor {middle['audio']:.2f}), clock "
            f"{middle['clock']:6.2f} s; x ours: processors {ratios['processor']:.2f}, clock {ratios['clock']:.2f}, "
            f"language model alone {ratios['language']:.2f}; {same} rows with our tokens"
        )


def processor_name() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{len(names)} x {names[0].partition(':')[2].strip()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(ROOT / "models/tiny"), help="HF model directory")
    parser.add_argument("--data", nargs="+", default=[str(ROOT / "data/test"), str(ROOT / "data/test_general")])
    parser.add_argument("--width", type=int, default=512, help="of the random language model")
    parser.add_argument("--layers", type=int, default=10, help="of the random language model")
    parser.add_argument("--batch-seconds", type=float, default=160.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(
        f"{processor_name()} ({platform.machine()}), torch {torch.__version__}, {args.threads} threads; {sys.argv[1:]}"
    )
    bundled = network.load(args.model)
    wanted = read_batches(bundled, args.data, 1, args.batch_seconds, Limits())
    report(f"{args.model}, ends by itself", measure(bundled, wanted, bundled.prompts.end_id, args.rounds))
    wide = wide_model(bundled.tokenizer, args.width, args.layers)
    wanted = read_batches(wide, args.data, JOINED, args.batch_seconds, Limits(0, 3.5))
    title = f"random weights, width {args.width}, {args.layers} layers, stopped at 3.5 tokens a second"
    report(title, measure(wide, wanted, -1, args.rounds))


if __name__ == "__main__":
    main()
