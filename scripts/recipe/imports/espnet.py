"""ESPnet: the data directories of its second version, and data.json of its first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recipe.files import RecipeError, read_json
from recipe.imports import kaldi, sources
from recipe.imports.items import Found, Imported, Notes, NotImportable, guarded, one_value, path_of, text_of
from recipe.imports.options import ImportOptions


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The utterances of a folder with wav.scp and text (dump/raw/train and the like), or of a data.json. The features
    that a data.json names are no recordings: those are taken from --audio, or from a wav.scp beside it."""
    if source.is_dir():
        if (source / "wav.scp").exists() or not (source / "data.json").is_file():
            return kaldi.read(source, options, notes)
        source = source / "data.json"
    return _data_json(source, options)


def _data_json(source: Path, options: ImportOptions) -> Iterator[Found]:
    content = read_json(source)
    utterances = content.get("utts") if isinstance(content, dict) else None
    if not isinstance(utterances, dict):
        raise RecipeError(f"{source}: no object `utts` in it, as ESPnet's data.json has")
    place = options.audio or next((p for p in [source.parent / "wav.scp"] if p.is_file()), None)
    shelf = sources.Shelf(place) if place else None
    for key, utterance in utterances.items():
        yield from guarded(
            key, f"{source}: {key}", lambda key=key, utterance=utterance: _utterance(key, utterance, source, shelf)
        )


def _utterance(key: str, utterance: Any, source: Path, shelf: sources.Shelf | None) -> Imported:
    if not isinstance(utterance, dict):
        raise NotImportable("jsonl-invalid", f"expected an object, found {type(utterance).__name__}")
    outputs = [output for output in _list(utterance, "output") if "text" in output]
    if len(outputs) > 1:
        raise NotImportable("transcript-ambiguous", f"{len(outputs)} outputs with text, expected one")
    text = text_of(outputs[0]["text"]) if outputs else None
    speaker = one_value(utterance.get("utt2spk"))
    return Imported(
        key, _audio(key, utterance, source, shelf), text, speaker=speaker, language=one_value(utterance.get("lang"))
    )


def _list(utterance: dict, name: str) -> list[dict]:
    value = utterance.get(name)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _audio(key: str, utterance: dict, source: Path, shelf: sources.Shelf | None):
    inputs = _list(utterance, "input")
    if inputs and inputs[0].get("filetype") == "sound":
        return sources.absolute(path_of(inputs[0].get("feat"), "feat"), source.parent, above=True)
    if shelf is None:
        raise NotImportable(
            "audio-missing", "data.json names features, no recordings; name their wav.scp: --audio data/train/wav.scp"
        )
    return shelf.find(key)
