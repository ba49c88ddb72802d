"""Convert a model between an HF directory and the published toolkit's (funasr) directory.

Reads SOURCE, a model directory of either kind, or a model of the hub (organization/name with --revision):
  HF       config.json, model.safetensors, processor and tokenizer files, recipe.json (the audio token setting), and
           ctc/ (a CTC branch, where there is one)
  toolkit  config.yaml, model.pt, Qwen3-0.6B/ (config.json and tokenizer), and the CTC branch's tokenizer
Writes DST_DIR, a complete model directory of the kind asked for. Weights stay bit for bit unless --dtype is given.
"""

import argparse

from recipe.cli import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", choices=("hf", "toolkit"), required=True, help="kind of directory to write")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="type of the weights (default: as stored)"
    )
    parser.add_argument(
        "--audio-tokens",
        choices=("low_frame_rate", "full"),
        help="how many adaptor frames the language model is given (default: the model's own setting)",
    )
    parser.add_argument("--revision", help="commit of a model of the hub")
    parser.add_argument("source", metavar="SOURCE", help="model directory to read, or organization/name of the hub")
    parser.add_argument("target", metavar="DST_DIR", help="directory to write; an earlier conversion is replaced")
    args = parser.parse_args()

    from recipe.convert.run import convert

    convert(args.source, args.target, args.to, dtype=args.dtype, audio_tokens=args.audio_tokens, revision=args.revision)


if __name__ == "__main__":
    run(main)
