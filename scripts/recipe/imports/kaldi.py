"""Kaldi data directories, those of ESPnet 2 too: joined and checked as by the data stage."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from recipe.data import datadir, join
from recipe.data.checked import Rejected
from recipe.data.join import Entry
from recipe.files import RecipeError
from recipe.imports import sources
from recipe.imports.items import Found, Imported, Notes, NotImportable, guarded
from recipe.imports.options import ImportOptions
from recipe.text import tables

_OWN = ("utt2prompt", "utt2hotwords")  # carried as they are; joining would make a prompt of them
_SLACK = 0.5  # seconds behind its recording that a segment may end, as in Kaldi's extract-segments


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The utterances of a data directory. utt2spk is made of spk2utt where it is missing; reco2dur and utt2dur are
    compared with segments; of utt2uniq, cmvn.scp, feats.scp and the like nothing is needed."""
    if not source.is_dir():
        raise RecipeError(f"{source}: expected a folder with wav.scp and text")
    scp, text = (datadir.find(source, name) for name in ("wav.scp", "text"))
    if scp is None or text is None:
        there = ", ".join(sorted(path.name for path in source.iterdir())[:20]) or "nothing"
        raise RecipeError(f"{source}: no {'wav.scp' if scp is None else 'text'} in it; there is {there}")
    return _utterances(source, scp, text, options, notes)


def _utterances(source: Path, scp: str, text: str, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    names = [name for name in datadir.OPTIONAL if name not in _OWN]
    own = {name: _values(source, name) for name in _OWN}
    speakers = _speakers(source, notes)
    lengths = {name: _lengths(source, name) for name in ("reco2dur", "utt2dur")}
    for name in ("wav.scp", "text"):
        if not tables_of(source, name):
            raise RecipeError(f"{source}/{name}: is empty")

    def make(entry: Entry) -> Found:
        if entry.problem:
            return Rejected(entry.key, *entry.problem)
        _compare(entry, lengths, notes)
        audio = _audio(entry.source, scp, options)
        return Imported(
            entry.key, audio, entry.text, entry.start, entry.end, entry.recording or entry.key,
            entry.speaker or speakers.get(entry.key), entry.language, entry.group, entry.channel,
            own["utt2prompt"].get(entry.key), own["utt2hotwords"].get(entry.key),
        )  # fmt: skip

    for entry in join.join(scp, text, datadir.tables(scp, names), lambda *_: ""):
        yield from guarded(entry.key, f"{source}", lambda entry=entry: make(entry))


def tables_of(source: Path, name: str) -> bool:
    """Whether a table of a folder has rows."""
    return next(tables.rows(datadir.find(source, name)), None) is not None


def _audio(source: str, scp: str, options: ImportOptions):
    """A recording of wav.scp; paths of ESPnet's count from the folder that its recipe runs in, above this one."""
    if options.root:
        return sources.verbatim(source, os.path.join(options.root, "wav.scp"))
    found = sources.verbatim(source, scp)
    here = isinstance(found, str) and not os.path.exists(found)
    ark = sources.ARK_OFFSET.fullmatch(source)
    if here or (ark and not os.path.exists(sources.ARK_OFFSET.fullmatch(found.source)[1])):
        return sources.verbatim(source, scp, above=True)
    return found


def _values(source: Path, name: str) -> dict[str, str]:
    path = datadir.find(source, name)
    return tables.read_map(path) if path else {}


def _speakers(source: Path, notes: Notes) -> dict[str, str]:
    """The speaker of each utterance by spk2utt, where there is no utt2spk."""
    path = datadir.find(source, "spk2utt")
    if path is None or datadir.find(source, "utt2spk"):
        return {}
    speakers: dict[str, str] = {}
    several = defaultdict(set)
    for _, speaker, utterances in tables.read(path):
        for key in utterances.split():
            several[key].add(speaker)
            speakers[key] = speaker
    doubtful = [key for key, names in several.items() if len(names) > 1]
    for key in doubtful:
        del speakers[key]
    if doubtful:
        notes.add("utterances of several speakers in spk2utt, left without one", len(doubtful))
    return speakers


def _lengths(source: Path, name: str) -> dict[str, float]:
    path = datadir.find(source, name)
    lengths: dict[str, float] = {}
    for number, key, value in tables.read(path) if path else ():
        try:
            lengths[key] = float(value)
        except ValueError:
            raise RecipeError(f"{path}:{number}: expected `key seconds`, found {value!r:.80}") from None
    return lengths


def _compare(entry: Entry, lengths: dict[str, dict[str, float]], notes: Notes) -> None:
    """NotImportable for a segment behind the end that reco2dur says; what utt2dur says otherwise is noted."""
    if entry.end is None:
        return
    whole = lengths["reco2dur"].get(entry.recording or "")
    if whole is not None and entry.end > whole + _SLACK:
        raise NotImportable("segment-beyond-end", f"ends at {entry.end:g} s, reco2dur says {whole:g} s")
    stated = lengths["utt2dur"].get(entry.key)
    if stated is not None and abs(entry.end - entry.start - stated) > _SLACK:
        notes.add("segments of another length than utt2dur says")
