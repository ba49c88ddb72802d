"""Convert a model between an HF directory and the published toolkit's (funasr), or write one for other runtimes.

Reads SOURCE, a model directory of either kind, or a model of the hub (organization/name with --revision):
  HF       config.json, model.safetensors, processor and tokenizer files, recipe.json (the audio token setting), and
           ctc/ (a CTC branch, where there is one)
  toolkit  config.yaml, model.pt, Qwen3-0.6B/ (config.json and tokenizer), and the CTC branch's tokenizer
Writes DST_DIR, a complete model directory of the kind asked for. Weights stay bit for bit unless --dtype is given:
  hf           for this recipe and transformers
  toolkit      for funasr and what builds on it
  sherpa-onnx  three ONNX graphs and a tokenizer, for sherpa-onnx (phones, browsers, boards); 32 bits, --int8: 8
  gguf         encoder and language model, for FunASR's llama.cpp programs; low_frame_rate only
  vllm         for vLLM's own class; the recipe's plugin serves HF directories as they are, in batches too
Where the program that serves it is installed, it decodes a sample before DST_DIR appears, and has to write what
decode.py writes; otherwise the log says that nothing is proven.
"""

import argparse
import sys

from recipe.cli import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--to",
        choices=("hf", "toolkit", "vllm", "sherpa-onnx", "gguf"),
        required=True,
        help="kind of directory to write",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        help="type of the weights (default: as stored; gguf: float32)",
    )
    parser.add_argument("--int8", action="store_true", help="weights of 8 bits (sherpa-onnx)")
    parser.add_argument(
        "--audio-tokens",
        choices=("low_frame_rate", "full"),
        help="how many adaptor frames the language model is given (default: the model's own setting)",
    )
    proof = parser.add_argument_group(
        "proof: what serves the directory decodes a sample, and has to agree with decode.py"
    )
    proof.add_argument(
        "--python", default=sys.executable, help="interpreter of an environment with the program that serves it"
    )
    proof.add_argument("--no-proof", dest="prove", action="store_false", help="write the directory untried")
    parser.add_argument("--revision", help="commit of a model of the hub")
    parser.add_argument("source", metavar="SOURCE", help="model directory to read, or organization/name of the hub")
    parser.add_argument("target", metavar="DST_DIR", help="directory to write; an earlier conversion is replaced")
    args = parser.parse_args()

    from recipe.convert.run import convert

    options = {name: getattr(args, name) for name in ("dtype", "audio_tokens", "revision", "prove", "python", "int8")}
    convert(args.source, args.target, args.to, **options)


if __name__ == "__main__":
    run(main)
