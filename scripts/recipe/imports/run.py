"""An import: the formats by name, and one of them from its source to a data directory."""

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from recipe.files import RecipeError
from recipe.imports import (
    chats,
    ctm,
    delimited,
    espnet,
    huggingface,
    kaldi,
    label_studio,
    labels,
    lhotse_manifests,
    nemo,
    sources,
    subtitles,
    textgrid,
    wenet,
)
from recipe.imports.items import Found, Notes
from recipe.imports.options import ImportOptions
from recipe.imports.writing import DataDirWriter

logger = logging.getLogger(__name__)


class Format(NamedTuple):
    """A format: what reads it, what it is in a few words, and which options it heeds."""

    read: Callable[[Path, ImportOptions, Notes], Iterator[Found]]
    words: str
    options: tuple[str, ...] = ()


_LABELS = ("audio",)
_TABLE = ("columns", "root")
FORMATS = {
    "hf": Format(
        huggingface.read,
        "data set of Hugging Face: saved, parquet, folder with metadata, or organization/name of the hub",
        (*_TABLE, "split", "config", "revision"),
    ),
    "table": Format(
        delimited.read, "CSV, TSV or JSON lines with a column each for recording and text",
        (*_TABLE, "delimiter", "header"),
    ),
    "common-voice": Format(delimited.common_voice, "Common Voice: clips/ and validated.tsv", (*_TABLE, "split")),
    "ljspeech": Format(delimited.ljspeech, "LJSpeech and its like: wavs/ and metadata.csv", _TABLE),
    "nemo": Format(nemo.read, "NeMo's manifest", ("root",)),
    "lhotse": Format(lhotse_manifests.read, "lhotse: supervisions with recordings, cuts, or a Shar folder", ("root",)),
    "kaldi": Format(kaldi.read, "data directory of Kaldi", ("root",)),
    "espnet": Format(espnet.read, "data directory of ESPnet, or data.json", ("root", "audio")),
    "wenet": Format(wenet.read, "WeNet's data.list: raw, or shards (tar files), WebDataset's too", ("root",)),
    "funasr": Format(chats.funasr, "FunASR's JSONL: source and target, or chats", ("root",)),
    "ms-swift": Format(chats.swift, "ms-swift's JSONL: messages and audios", ("root", "prompts")),
    "qwen3-asr": Format(chats.qwen3_asr, "Qwen3-ASR's JSONL: audio and text", ("root", "prompts")),
    "label-studio": Format(label_studio.read, "Label Studio's JSON, JSON-MIN or CSV", ("audio", "root", "columns")),
    "txt": Format(labels.transcripts, "a text file, *.txt or *.lab, for each recording", _LABELS),
    "audacity": Format(labels.audacity, "Audacity's label tracks, *.txt", _LABELS),
    "subtitles": Format(subtitles.read, "subtitles, *.srt and *.vtt", _LABELS),
    "textgrid": Format(textgrid.read, "Praat's *.TextGrid", (*_LABELS, "tier")),
    "ctm": Format(ctm.ctm, "words with times, joined to utterances", (*_LABELS, "segments", "pause", "max_seconds")),
    "stm": Format(ctm.stm, "utterances with times", _LABELS),
}  # fmt: skip
# Other names of the same.
ALIASES = {
    "huggingface": "hf", "csv": "table", "tsv": "table", "commonvoice": "common-voice", "swift": "ms-swift",
    "qwen3": "qwen3-asr", "webdataset": "wenet", "srt": "subtitles", "vtt": "subtitles", "praat": "textgrid",
    "labelstudio": "label-studio",
}  # fmt: skip


def import_corpus(
    name: str,
    source: str,
    folder: str,
    options: ImportOptions,
    *,
    copy: bool = False,
    keep_empty: bool = False,
    language: str | None = None,
    limit: int | None = None,
    dry_run: bool = False,
) -> dict:
    """Turn a corpus at `source`, in the format `name`, into a data directory; returns the counts as import.json has
    them. `language` is that of utterances that say none; of `limit` entries the first are read; `dry_run` counts and
    writes nothing. RecipeError if the source is not what it should be, or nothing of it could be imported."""
    kind = FORMATS[ALIASES.get(name, name)]
    if kind is not FORMATS["hf"]:
        sources.need(source)
    notes = Notes()
    _refuse_inside(source, folder)
    writer = DataDirWriter(folder, notes, copy=copy, keep_empty=keep_empty, language=language, write=not dry_run)
    with writer:
        for found in itertools.islice(kind.read(Path(source), options, notes), limit):
            writer.add(found)
            if writer.entries % 100_000 == 0:
                logger.info("%d entries", writer.entries)
        writer.finish({"format": ALIASES.get(name, name), "source": source})
    _tell(writer, ALIASES.get(name, name), folder, source, dry_run)
    return writer.report()


def _refuse_inside(source: str, folder: str) -> None:
    """RecipeError if the output is the input or holds it: it would be replaced."""
    place, target = Path(source).resolve(), Path(folder).resolve()
    if place.exists() and target in (place, *place.parents):
        raise RecipeError(f"{folder}: is or holds the corpus itself; name another folder to write to")


def _tell(writer: DataDirWriter, name: str, folder: str, source: str, dry_run: bool) -> None:
    """Say what was found. RecipeError if that is nothing."""
    rejected = ", ".join(f"{reason} {number}" for reason, number in writer.rejected.most_common())
    told = f"{writer.entries} entries = {writer.imported} imported + {writer.rejected.total()} rejected"
    logger.info("%s%s", told, f" ({rejected})" if rejected else "")
    for what, number in sorted(writer.notes.counts.items()):
        if number:
            logger.info("%d %s", number, what)
    if writer.notes.languages:
        names = ", ".join(f"{name!r} {number}" for name, number in writer.notes.languages.most_common(10))
        logger.warning("languages that the model has no name for, kept as they are: %s", names)
    if not writer.imported:
        examples = "; ".join(f"{reason}: {writer.examples[reason]}" for reason, _ in writer.rejected.most_common(3))
        where = "" if dry_run else f" Look into {folder}/rejects.tsv."
        if "audio-missing" in writer.rejected and "root" in FORMATS[name].options:
            where = f" Where relative paths count from another folder, name it by --root.{where}"
        told = f"{examples}." if examples else ""
        raise RecipeError(f"{source}: nothing could be imported, of {writer.entries} entries. {told}{where}")
