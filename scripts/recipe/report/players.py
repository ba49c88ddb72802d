"""Audio of the listed utterances: embedded while it is small, otherwise linked."""

import base64
import os
from pathlib import Path
from urllib.parse import quote

from recipe.data import manifest
from recipe.report.spec import Spec

# What browsers play, by suffix. Ark files, commands and URLs have no player: the page loads nothing from elsewhere.
TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".webm": "audio/webm",
}


def collect(spec: Spec, keys: dict[str, list[str]], output_dir: Path) -> dict[str, list[str | None]]:
    """Source of a player per test set and listed key: a data URI if all of the audio together is at most
    `embed_audio_mb`, else a path relative to `output_dir`; None where there is no playable file."""
    manifests = {entry.name: entry.manifest for entry in spec.of_role("test") if entry.manifest}
    files = {test: _files(manifests[test], listed) for test, listed in keys.items() if test in manifests}
    return sources(files, spec.embed_audio_mb, output_dir)


def sources(files: dict[str, list[Path | None]], embed_mb: float, output_dir: Path) -> dict[str, list[str | None]]:
    """What players of playable files are told, a data URI if all files together are at most `embed_mb`, else a path
    relative to `output_dir`."""
    total = sum(path.stat().st_size for paths in files.values() for path in paths if path)
    embedded = total <= embed_mb * 1e6
    return {
        name: [path and (_data_uri(path) if embedded else _link(path, output_dir)) for path in paths]
        for name, paths in files.items()
    }


def playable(source: str) -> Path | None:
    """The file that `source` names, if it is one that browsers play."""
    path = Path(source)
    # Not Path.is_file, which raises for what is too long to be a path, as a URL may be.
    return path if path.suffix.lower() in TYPES and os.path.isfile(path) else None


def _files(path: str, keys: list[str]) -> list[Path | None]:
    # A player plays all of a file: an utterance that is a part of one has none.
    places = {u.key: u.source for u in manifest.read(path) if not u.start and u.end is None}
    return [playable(places[key]) if key in places else None for key in keys]


def _data_uri(path: Path) -> str:
    return f"data:{TYPES[path.suffix.lower()]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _link(path: Path, output_dir: Path) -> str:
    return quote(Path(os.path.relpath(path.resolve(), output_dir.resolve())).as_posix())
