"""Requests: the utterances that are to be decoded, as their headers say they are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from recipe.audio import fetch
from recipe.audio import reading as audio
from recipe.audio.reading import AudioError
from recipe.data import checks, datadir
from recipe.data.join import Entry
from recipe.decode.engines import Instruction


@dataclass(frozen=True)
class Request:
    """One utterance to decode: a recording, or a segment of one."""

    key: str
    source: str
    instruction: Instruction
    duration: float = 0.0  # seconds, by the header
    error: AudioError | None = None  # found before decoding
    start: float = 0.0  # seconds into the recording
    end: float | None = None
    recording: str | None = None  # key of a segment's recording
    channel: int | None = None  # from 0; None: as the options say
    incomplete: str | None = None  # what a recording that lacks its end lacks

    @property
    def is_segment(self) -> bool:
        return bool(self.start) or self.end is not None


def probe(
    entries: Iterable[Entry], fetch_policy: fetch.FetchPolicy = fetch.DEFAULT, scp_file: str | None = None
) -> list[Request]:
    """As `probed`, all at once."""
    return list(probed(entries, fetch_policy, scp_file))


def probed(
    entries: Iterable[Entry], fetch_policy: fetch.FetchPolicy = fetch.DEFAULT, scp_file: str | None = None
) -> Iterator[Request]:
    """Read the headers of entries, one after the other, whose relative paths count from the folder of `scp_file` (None:
    from here). An entry with a problem, or whose recording cannot be read, keeps its error."""

    @lru_cache(maxsize=64)  # the segments of a recording follow one another
    def info_of(source: str) -> audio.AudioInfo:
        return audio.probe(source, fetch_policy)

    def request(entry: Entry) -> Request:
        source = entry.source if scp_file is None else datadir.resolve(entry.source, scp_file)
        asked = Request(
            entry.key, source, Instruction(entry.prompt, entry.after),
            start=entry.start, end=entry.end, recording=entry.recording, channel=entry.channel,
        )  # fmt: skip
        try:
            if entry.problem:
                raise AudioError(*entry.problem)
            info = info_of(source)
            seconds, _, _ = checks.part(entry, info, scoring=True)
            if seconds <= 0:
                raise AudioError("audio-empty", f"{source}: no samples")
            to_its_end = entry.end is None or entry.end > info.seconds
            return replace(asked, duration=seconds, incomplete=info.incomplete if to_its_end else None)
        except AudioError as error:
            return replace(asked, error=error)

    return map(request, entries)
