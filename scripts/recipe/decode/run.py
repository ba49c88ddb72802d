"""Decoding: recordings to hypotheses, in batches of like length, each with how it ended and what is odd about it."""

import logging
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from tqdm import tqdm

from recipe.audio import fetch
from recipe.audio import reading as audio
from recipe.audio.reading import AudioError
from recipe.data import checks, datadir
from recipe.data.join import Entry
from recipe.decode import segment, subtitles
from recipe.decode.engines import Engine, Instruction, Transcription
from recipe.decode.segment import Span
from recipe.model.ahead import prefetch
from recipe.model.batches import batch_by_size
from recipe.model.features import FRAME_SECONDS
from recipe.model.generate import Limits
from recipe.settings.data import AVERAGE
from recipe.settings.decode import DecodeSettings
from recipe.text.loops import loops

logger = logging.getLogger(__name__)

LOOPING = "looping"
TEXT_ON_SILENCE = "text_on_silence"
DAMAGE_SECONDS = 1  # what the detector does not hear around a damaged place, about
CPU_BATCH_SECONDS = 160.0  # of padded audio: more gain nothing there
_SETTINGS = DecodeSettings()  # as the workflow decodes where nothing is said
NAMED_ERRORS = 3  # of the pieces of an utterance, in its own error


@dataclass(frozen=True)
class DecodingOptions:
    """How to decode: batches, the cutting of long recordings, limits, and how audio is read."""

    batch_seconds: float = CPU_BATCH_SECONDS  # padded audio a batch
    max_seconds: float = _SETTINGS.max_seconds  # longer recordings are cut
    limits: Limits = field(default_factory=lambda: Limits(per_second=_SETTINGS.max_tokens_per_second))
    channel: int | str = AVERAGE
    fetch_policy: fetch.FetchPolicy = fetch.DEFAULT
    workers: int = 0  # processes that read audio; 0: a thread


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

    @property
    def is_segment(self) -> bool:
        return bool(self.start) or self.end is not None


@dataclass(frozen=True)
class Piece:
    """What was decoded of a part of a recording; `ended`, `flags` and `error` as a `Hypothesis` has them."""

    span: Span
    text: str
    ended: str
    tokens: int = 0  # their number
    flags: tuple[str, ...] = ()
    error: str | None = None

    def to_json(self) -> dict:
        """The object in the list `pieces` of a hypothesis (docs/decoding.md)."""
        times = {"start": round(self.span.start, 3), "end": round(self.span.end, 3)}
        record = {**times, "text": self.text, "ended": self.ended, "tokens": self.tokens}
        if self.span.speech:
            record["speech"] = [round(second, 3) for second in self.span.speech]
        if self.span.forced:
            record["cut_in_speech"] = True
        return record | _remarks(self)


@dataclass(frozen=True)
class Hypothesis:
    """What was decoded for a key: `text` of so many `tokens` from `duration` seconds of audio.

    `ended` is "eos" (the model stopped), "length" (it was stopped at its limit, at least once) or "error" (not all of
    the audio could be read; `error` says why). `flags` are of LOOPING and TEXT_ON_SILENCE. `pieces` are those of an
    utterance that was cut. Times count from the start of the recording, those of a segment as well.
    """

    key: str
    text: str
    ended: str
    tokens: int = 0
    duration: float = 0.0
    flags: tuple[str, ...] = ()
    error: str | None = None
    pieces: tuple[Piece, ...] = field(default=())
    start: float | None = None  # of a segment
    recording: str | None = None

    def to_json(self) -> dict:
        """The object of a line of `text.jsonl` (docs/decoding.md)."""
        record = {"key": self.key, "text": self.text, "ended": self.ended, "tokens": self.tokens}
        record |= {"duration": round(self.duration, 4)}
        if self.recording:
            record["recording"] = self.recording
        if self.start is not None:
            record |= {"start": round(self.start, 4), "end": round(self.start + self.duration, 4)}
        record |= _remarks(self)
        return record | ({"pieces": [piece.to_json() for piece in self.pieces]} if self.pieces else {})

    def cues(self) -> list[subtitles.Cue]:
        """Subtitles: one a piece, or one in all."""
        if not self.pieces:
            start = self.start or 0.0
            return [subtitles.cue(start, start + self.duration, self.text)]
        return [subtitles.cue(p.span.start, p.span.end, p.text, p.span.speech) for p in self.pieces]


def _remarks(decoded: Piece | Hypothesis) -> dict:
    remarks = {"flags": list(decoded.flags)} if decoded.flags else {}
    return remarks | ({"error": decoded.error} if decoded.error else {})


def batch_seconds_for(device: torch.device) -> float:
    """Padded audio of a batch, in seconds: on a CPU what gains nothing by more; on a GPU as much as keeps it busy,
    2,400 s from 24 GB of memory on, less where there is less. With 830 M parameters as much audio took 6 GB, when
    hypotheses were short; the cache for long ones is larger."""
    if device.type != "cuda":
        return CPU_BATCH_SECONDS
    return min(2400.0, torch.cuda.get_device_properties(device).total_memory / 1e9 * 100)


def probe(
    entries: Iterable[Entry], fetch_policy: fetch.FetchPolicy = fetch.DEFAULT, scp_file: str | None = None
) -> list[Request]:
    """Read the headers of entries, whose relative paths count from the folder of `scp_file` (None: from here). An
    entry with a problem, or whose recording cannot be read, keeps its error."""

    @lru_cache(maxsize=64)  # the segments of a recording follow one another
    def seconds_of(source: str) -> float:
        return audio.probe(source, fetch_policy).seconds

    def request(entry: Entry) -> Request:
        source = entry.source if scp_file is None else datadir.resolve(entry.source, scp_file)
        asked = Request(
            entry.key, source, Instruction(entry.prompt, entry.after),
            start=entry.start, end=entry.end, recording=entry.recording,
        )  # fmt: skip
        try:
            if entry.problem:
                raise AudioError(*entry.problem)
            seconds = checks.length(entry, seconds_of(source))
            if seconds * audio.SAMPLING_RATE < audio.MIN_SAMPLES:
                raise AudioError("audio-too-short", f"{seconds * 1000:.1f} ms, at least 25 needed")
            return replace(asked, duration=seconds)
        except AudioError as error:
            return replace(asked, error=error)

    return [request(entry) for entry in entries]


@dataclass(frozen=True)
class _PendingPart:
    """An utterance, or a part of one that was cut, which waits to be decoded."""

    request: int  # index of its utterance's request
    key: str
    source: str
    instruction: Instruction
    span: Span  # in the recording
    start: float  # what is to be read of `source`, in seconds
    end: float | None  # None: to its end
    heard: bool  # the detector has listened for speech in it

    @property
    def seconds(self) -> float:
        return self.span.end - self.span.start


class _Prepared(torch.utils.data.Dataset):
    """Reads audio and makes it ready for the engine; what cannot be read comes back as its error."""

    def __init__(self, parts: Sequence[_PendingPart], engine: Engine, options: DecodingOptions):
        self._parts = parts
        self._prepare = engine.prepare
        self._reading = {"channel": options.channel, "fetch_policy": options.fetch_policy}

    def __getitem__(self, index: int) -> Any:
        part = self._parts[index]
        try:
            waveform = audio.read(part.source, start=part.start, end=part.end, **self._reading)
            if len(waveform) < audio.MIN_SAMPLES:
                raise AudioError("audio-too-short", f"{len(waveform)} samples, at least {audio.MIN_SAMPLES} needed")
            return self._prepare(part.key, waveform, part.instruction)
        except AudioError as error:
            return error


def decode(
    engine: Engine, requests: Sequence[Request], options: DecodingOptions = DecodingOptions(), progress: bool = False
) -> list[Hypothesis]:
    """Decode `requests`; the hypotheses come in their order, whatever the batches.

    What cannot be read does not stop the others: its hypothesis has the reason as `error`. RecipeError if a recording
    has to be cut and the detector's package is missing, or if the engine cannot do what a request asks for. `progress`
    shows a bar.
    """
    failed: dict[int, str] = {i: str(request.error) for i, request in enumerate(requests) if request.error}
    pieces: dict[int, list[Piece]] = {i: [] for i in range(len(requests))}
    with tempfile.TemporaryDirectory(prefix="decode-") as folder:
        parts = []
        for index, request in enumerate(requests):
            if index not in failed:
                try:
                    parts.extend(_parts_of(index, request, options, Path(folder)))
                except AudioError as error:
                    failed[index] = str(error)
        for part, piece in _decode_parts(engine, parts, options, progress):
            pieces[part.request].append(piece)
    return [_join(request, pieces[index], failed.get(index)) for index, request in enumerate(requests)]


def _parts_of(index: int, request: Request, options: DecodingOptions, folder: Path) -> list[_PendingPart]:
    """What is decoded of an utterance: itself, or the parts into which it is cut if it is long."""
    asked = index, request.key
    if request.duration <= options.max_seconds:
        span = Span(request.start, request.start + request.duration, None)
        return [_PendingPart(*asked, request.source, request.instruction, span, request.start, request.end, False)]
    file = _as_file(request, options, folder / f"{index}.wav")
    probabilities = segment.speech_probabilities(_blocks(file, options))
    spans = segment.cut(probabilities, file.duration, options.max_seconds)
    forced = sum(span.forced for span in spans)
    logger.info("%s: %.1f s, cut into %d pieces, %d in speech", request.key, file.duration, len(spans), forced)
    return [
        _PendingPart(*asked, file.source, request.instruction, span.later(request.start), read.start, read.end, True)
        for span in spans
        for read in [span.later(file.start)]
    ]


def _as_file(request: Request, options: DecodingOptions, file: Path) -> Request:
    """A long utterance in a file that can be read in parts: a command would run once a part."""
    if fetch.is_url(request.source):
        return replace(request, source=fetch.download(request.source, options.fetch_policy))
    if Path(request.source).is_file():
        return request
    waveform = audio.read(
        request.source,
        start=request.start,
        end=request.end,
        channel=options.channel,
        fetch_policy=options.fetch_policy,
    )
    soundfile.write(file, waveform, audio.SAMPLING_RATE, subtype="FLOAT")
    return replace(request, source=str(file), start=0.0, end=None, duration=len(waveform) / audio.SAMPLING_RATE)


def _blocks(request: Request, options: DecodingOptions) -> Iterator[np.ndarray]:
    """The utterance's samples at 16 kHz [samples], block by block."""
    for start in np.arange(0.0, request.duration, segment.BLOCK_SECONDS).tolist():
        end = min(request.duration, start + segment.BLOCK_SECONDS)
        yield _block(request.source, request.start + start, request.start + end, options.channel)


def _block(source: str, start: float, end: float, channel: int | str) -> np.ndarray:
    """From `start` to `end` seconds, with silence where the recording is damaged: the piece there will say so, and the
    others are decoded."""
    # A window is a place in the recording, so blocks have their exact length: resampling may round.
    size = round((end - start) * audio.SAMPLING_RATE)
    try:
        block = audio.read(source, start=start, end=end, channel=channel)[:size]
    except AudioError as error:
        if error.reason != "audio-unreadable":
            raise
        if end - start < 2 * DAMAGE_SECONDS:
            return np.zeros(size, np.float32)
        middle = start + (end - start) // 2
        block = np.concatenate([_block(source, *part, channel) for part in ((start, middle), (middle, end))])
    return np.pad(block, (0, max(0, size - len(block))))


def _decode_parts(
    engine: Engine, parts: Sequence[_PendingPart], options: DecodingOptions, progress: bool
) -> Iterator[tuple[_PendingPart, Piece]]:
    """Decode parts, the longest first but for what is left over, while the next batches are read."""
    order = sorted(range(len(parts)), key=lambda i: -parts[i].seconds)
    frames = [int(part.seconds / FRAME_SECONDS) + 1 for part in parts]
    batches = batch_by_size(order, frames, int(options.batch_seconds / FRAME_SECONDS))
    # Nothing is computed while the first batch is read, so that is the one which is not full.
    batches = batches[-1:] + batches[:-1]
    loader = torch.utils.data.DataLoader(
        _Prepared(parts, engine, options), batch_sampler=batches, collate_fn=list, num_workers=options.workers
    )
    ready = loader if options.workers else prefetch(loader)
    with tqdm(total=len(parts), desc="decode", unit="piece", disable=not progress) as bar:
        for batch, prepared in zip(batches, ready, strict=True):
            yield from _decode_batch(engine, [parts[i] for i in batch], prepared, options.limits)
            bar.update(len(batch))


def _decode_batch(
    engine: Engine, parts: Sequence[_PendingPart], prepared: Sequence[Any], limits: Limits
) -> Iterator[tuple[_PendingPart, Piece]]:
    good = []
    for part, one in zip(parts, prepared, strict=True):
        if isinstance(one, AudioError):
            yield part, Piece(part.span, "", "error", error=str(one))
        else:
            good.append((part, one))
    if good:
        transcriptions = engine.decode([one for _, one in good], [limits.tokens(part.seconds) for part, _ in good])
        for (part, _), transcription in zip(good, transcriptions, strict=True):
            yield part, _piece(part, transcription)


def _piece(part: _PendingPart, transcription: Transcription) -> Piece:
    # Hypotheses are lines of a table: white space of any kind becomes single spaces.
    text = " ".join(transcription.text.split())
    flags = [LOOPING] if loops(transcription.tokens) else []
    if text and part.heard and part.span.speech is None:
        flags.append(TEXT_ON_SILENCE)
    return Piece(part.span, text, transcription.ended, len(transcription.tokens), tuple(flags))


def _join(request: Request, pieces: list[Piece], error: str | None) -> Hypothesis:
    """The hypothesis of an utterance from its pieces, which may come in any order."""
    start = request.start if request.is_segment and request.duration else None
    place = {"start": start, "recording": request.recording}
    if error is not None:
        return Hypothesis(request.key, "", "error", duration=request.duration, error=error, **place)
    pieces = sorted(pieces, key=lambda piece: piece.span.start)
    whole = len(pieces) == 1
    endings = {piece.ended for piece in pieces}
    unread = [p.error if whole else f"{p.span.start:.2f}-{p.span.end:.2f} s: {p.error}" for p in pieces if p.error]
    unread[NAMED_ERRORS:] = [f"and {len(unread) - NAMED_ERRORS} other pieces"] if len(unread) > NAMED_ERRORS else []
    return Hypothesis(
        request.key,
        join_texts([piece.text for piece in pieces]),
        next(ended for ended in ("error", "length", "eos") if ended in endings),
        sum(piece.tokens for piece in pieces),
        request.duration,
        tuple(sorted({flag for piece in pieces for flag in piece.flags})),
        "; ".join(unread) or None,
        () if whole else tuple(pieces),
        **place,
    )


def join_texts(texts: Sequence[str]) -> str:
    """Texts one after the other, with a space between them unless both sides are of a script without spaces."""
    joined = ""
    for text in filter(None, texts):
        wide = joined and all(unicodedata.east_asian_width(char) in "WF" for char in (joined[-1], text[0]))
        joined += text if wide or not joined else f" {text}"
    return joined


def summary(hypotheses: Sequence[Hypothesis]) -> str:
    """Counts for the log: endings, flags, cut recordings, empty texts."""
    ended = Counter(hypothesis.ended for hypothesis in hypotheses)
    counts = [f"{number} ended by {how}" for how, number in sorted(ended.items())]
    flags = Counter(flag for hypothesis in hypotheses for flag in hypothesis.flags)
    counts += [f"{number} {flag}" for flag, number in sorted(flags.items())]
    cut, empty = sum(bool(h.pieces) for h in hypotheses), sum(not h.text for h in hypotheses)
    counts += [f"{number} {what}" for number, what in ((cut, "cut at silences"), (empty, "without text")) if number]
    return f"decoded {len(hypotheses)}: {', '.join(counts)}"
