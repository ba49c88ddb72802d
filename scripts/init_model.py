"""Make a small Fun-ASR-Nano with random weights and a SentencePiece tokenizer of its own.

In:  texts to train the tokenizer on (Kaldi `text` files), or a model directory to take it from; sizes (YAML; defaults
     make about 3 M parameters).
Out: a model directory for `train.py --model`. For fine-tuning, start from a trained model instead.
"""

import argparse

from recipe.cli import run
from recipe.settings import flags


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", nargs="+", help="Kaldi text files to train the tokenizer on")
    source.add_argument("--tokenizer", help="model directory whose tokenizer is taken instead")
    parser.add_argument("--sizes", help="sizes of the model (YAML)")
    parser.add_argument("--audio-tokens", default="full", choices=("low_frame_rate", "full"))
    parser.add_argument("--seed", type=flags.at_least(0), default=1)
    parser.add_argument("--output-dir", required=True, help="model directory to write")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    import yaml

    from recipe.convert import init
    from recipe.files import RecipeError
    from recipe.text import tables

    values = {}
    if args.sizes:
        with open(args.sizes, encoding="utf-8") as file:
            values = yaml.safe_load(file) or {}
    try:
        sizes = init.Sizes(**values)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{args.sizes}: {error}") from None
    if args.tokenizer:
        tokenizer = init.load_tokenizer(args.tokenizer)
    else:
        texts = [value for path in args.text for value in tables.read_map(path).values()]
        # The words around every audio, often enough that they become few tokens.
        texts += init.PROMPT_TEXTS * (1 + len(texts) // 10)
        tokenizer = init.train_tokenizer(texts, sizes.vocabulary)
    init.build(sizes, tokenizer, args.audio_tokens, args.seed).save(args.output_dir, {"base": None})


if __name__ == "__main__":
    run(main)
