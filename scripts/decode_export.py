"""Decode recordings with a directory that convert.py wrote for another runtime: an example of how it is used, and the
proof that it writes what decode.py writes.

In:  --model-dir as `convert.py --to sherpa-onnx` or `--to gguf` wrote it, --scp-file (key, recording).
Out: --output-file, `key<TAB>text` in the order of the input.
One recording at a time, with the plain prompt. For llama.cpp the environment variable LLAMA_FUNASR_CLI names the built
program llama-funasr-cli.
"""

import argparse

from recipe.cli import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=("sherpa-onnx", "llama.cpp"), required=True, help="what decodes")
    parser.add_argument("--model-dir", required=True, help="directory that convert.py wrote")
    parser.add_argument("--scp-file", required=True, help="wav.scp; relative paths count from its folder")
    parser.add_argument("--output-file", required=True, help="hypotheses to write: key<TAB>text")
    args = parser.parse_args()

    from recipe.audio import reading
    from recipe.convert import runtimes
    from recipe.data import datadir
    from recipe.files import write_lines
    from recipe.text import tables

    transcribe = runtimes.load(args.runtime, args.model_dir)
    recordings = tables.read_map(args.scp_file)
    waveforms = ((key, reading.read(datadir.resolve(place, args.scp_file))) for key, place in recordings.items())
    write_lines(args.output_file, (f"{key}\t{transcribe(waveform)}" for key, waveform in waveforms))


if __name__ == "__main__":
    run(main)
