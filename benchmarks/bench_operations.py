#!/usr/bin/env python3
"""How many operations a CPU has to name in a training step, with frozen weights cast anew and with copies of them.

The layers are as many as the published model has, and narrow: their number counts, not their size, so that this runs on
a CPU. Counted is what is dispatched forward and backward under autocast to bfloat16, but for views.

python benchmarks/bench_operations.py
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
WIDTH = 64
MODES = {"everything": (), "llm": ("encoder", "adaptor"), "adaptor": ("encoder", "llm"), "encoder+adaptor": ("llm",)}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    import torch
    import transformers
    from torch.utils._python_dispatch import TorchDispatchMode

    from recipe.model import network
    from recipe.model.features import FRAME_WIDTH, Item
    from recipe.text.prompt import IGNORED, Example
    from recipe.train import lowered
    from recipe.train.collate import Collate

    class Operations(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.counts = Counter()

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            if not operation.is_view:
                self.counts[operation.overloadpacket] += 1
            return operation(*args, **(kwargs or {}))

    config = transformers.FunAsrNanoConfig(attn_implementation="sdpa")
    audio, adaptor, text = config.audio_config, config.adaptor_config, config.text_config
    audio.hidden_size = audio.intermediate_size = text.hidden_size = text.intermediate_size = WIDTH
    adaptor.hidden_size = adaptor.intermediate_size = adaptor.projector_hidden_size = WIDTH
    text.vocab_size, text.head_dim, text.num_attention_heads, text.num_key_value_heads = 500, 32, 2, 1
    config.audio_token_id = 499
    torch.manual_seed(1)
    model = network.FunAsrNanoForConditionalGeneration(config).train()
    network.MASKED.clear()  # as on a GPU
    context = [1] * 20 + [499] * 3 + [2] * 5
    example = Example(context + [7] * 6, [IGNORED] * len(context) + [7] * 6)
    items = [Item(str(frames), torch.randn(frames, FRAME_WIDTH), example) for frames in (20, 17)]
    batch = Collate(0, config.audio_token_id)(items)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}; {' '.join(sys.argv)}")
    for name, frozen in MODES.items():
        model.freeze(set(frozen))
        found = []
        for _ in range(2):
            model.zero_grad()
            with Operations() as operations:
                with torch.autocast("cpu", torch.bfloat16):
                    loss = model(**batch).loss
                loss.backward()
            found.append((operations.counts.total(), operations.counts[torch.ops.aten._to_copy]))
            lowered.lower(model)
        lowered.undo(model)
        (cast, casts), (copied, rest) = found
        print(
            f"{name}: {cast} operations ({casts} casts), with copies {copied} ({rest}): {1 - copied / cast:.1%} fewer"
        )


if __name__ == "__main__":
    main()
