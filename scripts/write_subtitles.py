"""Write subtitles from the details of a decoding, for parts that were decoded as jobs of their own.

In:  OUTPUT_FILE.jsonl of decode.py, of one call or of several that were joined in order.
Out: --subtitles-dir with a .srt and a .vtt a recording, as decode.py --subtitles-dir writes them.
"""

import argparse
from collections.abc import Iterator

from recipe.cli import run
from recipe.files import read_json_lines


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--details-file", required=True, help="JSONL that decode.py writes beside its texts")
    parser.add_argument("--subtitles-dir", required=True, help="folder for subtitles of each recording")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # They import torch, which takes seconds; --help should not.
    from recipe.decode import subtitles
    from recipe.decode.hypotheses import Hypothesis

    class Hypotheses:
        """Those of the file, as often as they are asked for."""

        def __iter__(self) -> Iterator[Hypothesis]:
            return (Hypothesis.from_json(record) for _, record in read_json_lines(args.details_file))

    subtitles.write_all(args.subtitles_dir, Hypotheses())


if __name__ == "__main__":
    run(main)
