"""Say when the words of transcripts are said, and cut long recordings that have one transcript into utterances.

In:  a model directory with a CTC branch; --data-dir, a Kaldi data directory with wav.scp (and segments) and text.
     Recordings may be hours long; of each a transcript of all that is said in it.
Out: --output-dir, a Kaldi data directory of utterances of at most about --max-seconds, cut at pauses: wav.scp,
     segments, text, and utt2spk, utt2lang where they were given; `ctm` (utterance, channel, begin in the utterance,
     length, word); words.jsonl, a line an entry of the input (key, text, and words with start and end in its
     recording); rejects.tsv with key, stage, reason and detail of what could not be read or aligned.
Exit status: 0; 2 if input or settings are wrong; 3 if something was rejected.
"""

import argparse
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recipe.audio import fetch
from recipe.cli import run
from recipe.data import datadir, join
from recipe.data.checked import REJECTS_HEADER, Rejected, one_line
from recipe.data.join import Entry
from recipe.files import RecipeError, json_line, make_folder, write_lines
from recipe.settings import flags
from recipe.settings.data import DataSettings

logger = logging.getLogger("align")

DATA = ("channel", "fetch", "allow_commands")
STAGE = "align"
PARTLY_REJECTED = 3  # exit status
PER_UTTERANCE = ("utt2spk", "utt2lang")  # tables that utterances inherit


class Utterance(NamedTuple):
    """An utterance to write: seconds of its recording, and its words' lines of the ctm."""

    key: str
    recording: str
    start: float
    end: float
    text: str
    origin: str  # key of the entry that it is a part of
    ctm: list[str]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True, help="model directory with a CTC branch (ctc/)")
    parser.add_argument("--data-dir", required=True, help="folder with wav.scp (and segments) and text")
    parser.add_argument("--output-dir", required=True, help="folder to write")
    parser.add_argument(
        "--max-seconds", type=flags.at_least(1, float), default=20.0, help="of an utterance (default: 20)"
    )
    parser.add_argument("--threads", type=flags.at_least(0), default=0, help="CPU threads (0: torch chooses)")
    flags.add(parser.add_argument_group("reading, as in the section `data`"), DataSettings, DATA)
    return parser.parse_args()


def aligner(model_dir: str):
    """What aligns; RecipeError if the model has no branch."""
    from recipe.decode.references import Aligner
    from recipe.model import ctc, network

    recognizer = network.load(model_dir, device=network.best_device())
    width = recognizer.model.config.audio_config.hidden_size
    branch = ctc.load(model_dir, width, recognizer.model.device)
    if branch is None:
        raise RecipeError(f"{model_dir} has no CTC branch ({ctc.FOLDER}/), which says when words are said")
    if ctc.is_stale(model_dir):
        logger.warning("%s: its CTC branch was made for another encoder: times may be far off", model_dir)
    return Aligner(recognizer, branch)


def align(args: argparse.Namespace, rejects: list[Rejected]) -> Iterator[tuple[Entry, tuple, list]]:
    """Entries with their words and segments, times counted from the start of the recording."""
    from recipe.audio import reading
    from recipe.decode.references import segments

    data = flags.section(args, DataSettings, DATA)
    policy = fetch.policy_of(data.fetch, data.allow_commands)
    scp = os.path.join(args.data_dir, "wav.scp")
    tables = datadir.tables(scp, ["segments", "utt2channel"])
    model = aligner(args.model_dir)
    for entry in join.join(scp, os.path.join(args.data_dir, "text"), tables, lambda language, hotwords: ""):
        try:
            if entry.problem:
                raise reading.AudioError(*entry.problem)
            source = datadir.resolve(entry.source, scp)
            channel = data.channel if entry.channel is None else entry.channel
            waveform = reading.read(
                source, start=entry.start, end=entry.end, channel=channel, fetch_policy=policy, incomplete=True
            )
            words = model.words(waveform, entry.text or "") if len(waveform) else ()
        except reading.AudioError as error:
            reason, _, detail = str(error).partition(": ")
            rejects.append(Rejected(entry.key, reason, detail))
            continue
        if not any(word.timed for word in words):
            said = f"{len(words)} words in {len(waveform) / reading.SAMPLING_RATE:.1f} s"
            rejects.append(Rejected(entry.key, "not-alignable", f"{said}: nothing is said, or more than fits"))
            continue
        seconds = len(waveform) / reading.SAMPLING_RATE
        found = segments(entry.text, words, seconds, args.max_seconds)
        yield entry, tuple(word.later(entry.start) for word in words), [part.later(entry.start) for part in found]


def utterances(entry: Entry, words: tuple, parts: list) -> Iterator[Utterance]:
    """What is written of an entry; its own key if it is one utterance."""
    from recipe.text.words import split

    rest = iter(words)
    for number, part in enumerate(parts, 1):
        key = entry.key if len(parts) == 1 else f"{entry.key}-{number:05d}"
        own = [next(rest) for _ in split(part.text)]
        ctm = [
            f"{key} 1 {word.start - part.start:.2f} {word.end - word.start:.2f} {word.word.replace(' ', '_')}"
            for word in own
            if word.timed
        ]
        yield Utterance(key, entry.recording or entry.key, part.start, part.end, part.text, entry.key, ctm)


def write(folder: Path, data_dir: str, found: list[Utterance], recordings: dict[str, str]) -> None:
    """The tables of the data directory; wav.scp last, so that where it is all are."""
    from recipe.text import tables as lines

    found = sorted(found, key=lambda one: one.key)
    for name in PER_UTTERANCE:
        if path := datadir.find(data_dir, name):
            values = lines.read_map(path)
            rows = [f"{one.key} {values[one.origin]}" for one in found if one.origin in values]
            write_lines(folder / name, rows)
    write_lines(folder / "segments", (f"{one.key} {one.recording} {one.start:.2f} {one.end:.2f}" for one in found))
    write_lines(folder / "text", (f"{one.key} {one.text}" for one in found))
    write_lines(folder / "ctm", (line for one in found for line in one.ctm))
    write_lines(folder / "wav.scp", (f"{key} {source}" for key, source in sorted(recordings.items())))


def main() -> int:
    args = parse_args()
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    folder = Path(args.output_dir)
    if os.path.realpath(folder) == os.path.realpath(args.data_dir):
        raise RecipeError(f"--output-dir: {folder} is the input; write to another folder")
    make_folder(folder)
    rejects: list[Rejected] = []
    found: list[Utterance] = []
    recordings: dict[str, str] = {}
    details = []
    for entry, words, parts in align(args, rejects):
        found += utterances(entry, words, parts)
        recordings[entry.recording or entry.key] = datadir.resolve(entry.source, f"{args.data_dir}/wav.scp")
        record = {"key": entry.key, "text": entry.text, "words": [word.to_json() for word in words]}
        details.append(json_line(record | ({"recording": entry.recording} if entry.recording else {})))
    rows = ("\t".join([one_line(row.key), STAGE, row.reason, one_line(row.detail)]) for row in rejects)
    write_lines(folder / "rejects.tsv", [REJECTS_HEADER, *rows])
    write_lines(folder / "words.jsonl", details)
    write(folder, args.data_dir, found, recordings)
    logger.info("%d entries aligned, cut into %d utterances; %d rejected", len(details), len(found), len(rejects))
    return PARTLY_REJECTED if rejects else 0


if __name__ == "__main__":
    run(main)
