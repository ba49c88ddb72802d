"""Decoding: recordings to hypotheses, in batches of like length."""

import functools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from tqdm import tqdm

from recipe.audio import fetch
from recipe.audio import reading as audio
from recipe.audio.address import is_url, split_shard
from recipe.audio.noise import with_white_noise
from recipe.audio.reading import AudioError
from recipe.decode import confidence, context, detector, segment
from recipe.decode.context import Context
from recipe.decode.endings import DECODED_AGAIN, EOS, ERROR, LENGTH, LOOPING, NO_SPEECH, TEXT_ON_SILENCE
from recipe.decode.engines import Engine, Instruction, Transcription
from recipe.decode.heard import HeardWord, heard
from recipe.decode.hypotheses import Hypothesis, Piece, of_pieces
from recipe.decode.requests import Request
from recipe.decode.segment import Span
from recipe.files import RecipeError
from recipe.model import bundle
from recipe.model.ahead import prefetch
from recipe.model.batches import batch_by_size
from recipe.model.bundle import Bundle
from recipe.model.features import FRAME_SECONDS
from recipe.model.generate import Limits
from recipe.settings.data import AVERAGE
from recipe.settings.decode import KEEP, DecodeSettings
from recipe.text import marks
from recipe.text import words as text_words
from recipe.text.loops import loops

logger = logging.getLogger(__name__)

DAMAGE_SECONDS = 1  # what the detector does not hear around a damaged place, about
CPU_BATCH_SECONDS = 160.0  # of padded audio: more gain nothing there
_SETTINGS = DecodeSettings()  # as the workflow decodes where nothing is said


@dataclass(frozen=True)
class DecodingOptions:
    """How to decode: batches, the cutting of long recordings, limits, and how audio is read."""

    batch_seconds: float = CPU_BATCH_SECONDS  # padded audio a batch
    max_seconds: float = _SETTINGS.max_seconds  # longer recordings are cut
    limits: Limits = field(default_factory=lambda: Limits(per_second=_SETTINGS.max_tokens_per_second))
    channel: int | str = AVERAGE
    fetch_policy: fetch.FetchPolicy = fetch.DEFAULT
    workers: int | str = 0  # processes that read audio; 0: a thread; or "auto" (`bundle.workers_for`)
    marks: str = _SETTINGS.marks  # "remove" or "keep" those of the model's text
    skip_silence: bool = _SETTINGS.skip_silence  # do not decode what has no speech
    retry_penalty: float | None = _SETTINGS.retry_penalty  # repetition penalty for what went wrong without
    temperature: float = confidence.NO_TEMPERATURE  # of confidences, see `confidence.calibrated`
    noise_db: float | None = None  # of speech over white noise that is added to what the model hears; None: none


def batch_seconds_for(device: torch.device) -> float:
    """Padded audio of a batch, in seconds: on a CPU what gains nothing by more; on a GPU as much as keeps it busy,
    2,400 s from 24 GB of memory on, less where there is less. With 830 M parameters as much audio took 6 GB, when
    hypotheses were short; the cache for long ones is larger."""
    if device.type != "cuda":
        return CPU_BATCH_SECONDS
    return min(2400.0, torch.cuda.get_device_properties(device).total_memory / 1e9 * 100)


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
    channel: int | None
    heard: bool  # the detector has listened for speech in it, and `span` has what it heard

    @property
    def seconds(self) -> float:
        return self.span.end - self.span.start


@dataclass(frozen=True)
class _Read:
    """A part as it was read: ready for the engine, or why not. What has no speech may be left unprepared (None)."""

    prepared: Any | AudioError | None
    span: Span
    heard: bool

    @property
    def silent(self) -> bool:
        return self.heard and self.span.speech is None


class _Bundled:
    """A batch on its way from the process that read it."""

    def __init__(self, read: Sequence[_Read]):
        self._prepared = Bundle([one.prepared for one in read])
        self._heard = [(one.span, one.heard) for one in read]

    def read(self) -> list[_Read]:
        return [_Read(one, *heard) for one, heard in zip(self._prepared.entries(), self._heard, strict=True)]


class _Prepared(torch.utils.data.Dataset):
    """Reads audio, listens for speech and makes it ready for the engine, a batch at a time (a list of `_Read`)."""

    def __init__(self, parts: Sequence[_PendingPart], engine: Engine, options: DecodingOptions, listens: bool):
        self._parts = parts
        self._prepare = engine.prepare
        self._options = options
        self._listens = listens

    def __getitems__(self, indices: Sequence[int]) -> list[_Read]:
        parts = [self._parts[index] for index in indices]
        waveforms = [self._waveform(part) for part in parts]
        unheard = [
            i
            for i, part in enumerate(parts)
            if self._listens and not part.heard and isinstance(waveforms[i], np.ndarray)
        ]
        speech = dict(zip(unheard, segment.find_speech([waveforms[i] for i in unheard]), strict=True))
        spans = [part.span.with_speech(speech[i]) if i in speech else part.span for i, part in enumerate(parts)]
        heard = [part.heard or i in speech for i, part in enumerate(parts)]
        return [self._read(*one) for one in zip(parts, waveforms, spans, heard, strict=True)]

    def _read(self, part: _PendingPart, waveform: np.ndarray | AudioError, span: Span, heard: bool) -> _Read:
        if isinstance(waveform, AudioError):
            return _Read(waveform, span, heard)
        if self._options.skip_silence and heard and span.speech is None:
            return _Read(None, span, heard)
        return _Read(self._prepare(part.key, self._as_told(part, waveform), part.instruction), span, heard)

    def _as_told(self, part: _PendingPart, waveform: np.ndarray) -> np.ndarray:
        """What the model is told to hear; the detector of speech listens without the noise."""
        if self._options.noise_db is None:
            return waveform
        return with_white_noise(waveform, self._options.noise_db, f"{part.key} {part.span.start:.3f}")

    def _waveform(self, part: _PendingPart) -> np.ndarray | AudioError:
        try:
            waveform = _read_part(part.source, part.start, part.end, part.channel, self._options)
            if not len(waveform):
                raise AudioError("audio-empty", f"{part.source}: no samples")
        except AudioError as error:
            return error
        return audio.a_frame_at_least(waveform)


def _read_part(
    source: str, start: float, end: float | None, channel: int | None, options: DecodingOptions
) -> np.ndarray:
    """Samples at 16 kHz of a part of a recording, as far as it goes."""
    return audio.read(
        source,
        start=start,
        end=end,
        channel=options.channel if channel is None else channel,
        fetch_policy=options.fetch_policy,
        incomplete=True,
    )


def decode(
    engine: Engine, requests: Sequence[Request], options: DecodingOptions = DecodingOptions(), progress: bool = False
) -> list[Hypothesis]:
    """Decode `requests`; the hypotheses come in their order, whatever the batches.

    What cannot be read, or asked within the positions that the model has, does not stop the others: its hypothesis has
    the reason as `error`. RecipeError if a recording has to be cut or silence to be skipped and the detector's package
    is missing, or if the engine cannot do what a request asks for. `progress` shows a bar.
    """
    asked = context.checked(Context(engine, options.max_seconds, options.limits), requests)
    failed: dict[int, str] = {i: str(request.error) for i, request in enumerate(asked) if request.error}
    pieces: dict[int, list[Piece]] = {i: [] for i in range(len(asked))}
    with tempfile.TemporaryDirectory(prefix="decode-") as folder:
        parts = []
        for index, request in enumerate(asked):
            if index not in failed:
                try:
                    parts.extend(_parts_of(index, request, options, Path(folder)))
                except AudioError as error:
                    failed[index] = str(error)
        for part, piece in _decode_parts(engine, parts, options, progress):
            pieces[part.request].append(piece)
    return [_hypothesis(request, pieces[index], failed.get(index)) for index, request in enumerate(asked)]


def _parts_of(index: int, request: Request, options: DecodingOptions, folder: Path) -> list[_PendingPart]:
    """What is decoded of an utterance: itself, or the parts into which it is cut if it is long."""
    asked = functools.partial(_PendingPart, index, request.key, instruction=request.instruction)
    if request.duration <= options.max_seconds:
        span = Span(request.start, request.start + request.duration, None)
        place = {"source": request.source, "start": request.start, "end": request.end, "channel": request.channel}
        return [asked(span=span, heard=False, **place)]
    file = _as_file(request, options, folder / f"{index}.wav")
    probabilities = segment.speech_probabilities(_blocks(file, options))
    spans = segment.cut(probabilities, file.duration, options.max_seconds)
    forced = sum(span.forced for span in spans)
    logger.info("%s: %.1f s, cut into %d pieces, %d in speech", request.key, file.duration, len(spans), forced)
    place = {"source": file.source, "channel": file.channel, "heard": True}
    return [
        asked(span=span.later(request.start), start=span.start + file.start, end=span.end + file.start, **place)
        for span in spans
    ]


def _as_file(request: Request, options: DecodingOptions, file: Path) -> Request:
    """A long utterance in a file that can be read in parts: a command would run once a part."""
    if is_url(request.source) and not split_shard(request.source):
        return replace(request, source=fetch.download(request.source, options.fetch_policy))
    if Path(request.source).is_file():
        return request
    waveform = _read_part(request.source, request.start, request.end, request.channel, options)
    soundfile.write(file, waveform, audio.SAMPLING_RATE, subtype="FLOAT")
    return replace(request, source=str(file), start=0.0, end=None, duration=len(waveform) / audio.SAMPLING_RATE)


def _blocks(request: Request, options: DecodingOptions) -> Iterator[np.ndarray]:
    """The utterance's samples at 16 kHz [samples], block by block."""
    for start in np.arange(0.0, request.duration, segment.BLOCK_SECONDS).tolist():
        end = min(request.duration, start + segment.BLOCK_SECONDS)
        yield _block(request, request.start + start, request.start + end, options)


def _block(request: Request, start: float, end: float, options: DecodingOptions) -> np.ndarray:
    """From `start` to `end` seconds, with silence where the recording is damaged: the piece there will say so, and the
    others are decoded."""
    # A window is a place in the recording, so blocks have their exact length: resampling may round.
    size = round((end - start) * audio.SAMPLING_RATE)
    try:
        block = _read_part(request.source, start, end, request.channel, options)[:size]
    except AudioError as error:
        if error.reason != "audio-unreadable":
            raise
        if end - start < 2 * DAMAGE_SECONDS:
            return np.zeros(size, np.float32)
        middle = start + (end - start) // 2
        block = np.concatenate([_block(request, *part, options) for part in ((start, middle), (middle, end))])
    return np.pad(block, (0, max(0, size - len(block))))


@functools.cache
def _warn_that_nobody_listens() -> None:
    """Once, however often a notebook decodes."""
    logger.warning("the package silero-vad is not installed: nothing listens whether there is speech in recordings")


def _listens(options: DecodingOptions) -> bool:
    """Whether there is a detector; without it short recordings are decoded all the same."""
    if detector.is_installed():
        return True
    if options.skip_silence:
        raise RecipeError(detector.MISSING)
    _warn_that_nobody_listens()
    return False


def _decode_parts(
    engine: Engine, parts: Sequence[_PendingPart], options: DecodingOptions, progress: bool
) -> Iterator[tuple[_PendingPart, Piece]]:
    """Decode parts, the longest first but for what is left over, while the next batches are read."""
    order = sorted(range(len(parts)), key=lambda i: -parts[i].seconds)
    frames = [int(part.seconds / FRAME_SECONDS) + 1 for part in parts]
    batches = batch_by_size(order, frames, int(options.batch_seconds / FRAME_SECONDS))
    # Nothing is computed while the first batch is read, so that is the one which is not full.
    batches = batches[-1:] + batches[:-1]
    largest = max((sum(frames[i] for i in batch) for batch in batches), default=0)
    workers = bundle.workers_for(options.workers, largest, torch.cuda.is_available())
    workers = min(workers, max(0, len(batches) - 1))  # for one batch they would begin in vain
    dataset = _Prepared(parts, engine, options, bool(parts) and _listens(options))
    loader = torch.utils.data.DataLoader(dataset, batch_sampler=batches, collate_fn=_Bundled, num_workers=workers)
    ready = loader if workers else prefetch(loader)
    with tqdm(total=len(parts), desc="decode", unit="piece", disable=not progress) as bar:
        for batch, bundled in zip(batches, ready, strict=True):
            yield from _decode_batch(engine, [parts[i] for i in batch], bundled.read(), options)
            bar.update(len(batch))


def _decode_batch(
    engine: Engine, parts: Sequence[_PendingPart], read: Sequence[_Read], options: DecodingOptions
) -> Iterator[tuple[_PendingPart, Piece]]:
    good = []
    for part, one in zip(parts, read, strict=True):
        if isinstance(one.prepared, AudioError):
            yield part, Piece(one.span, "", ERROR, error=str(one.prepared))
        elif one.prepared is None:
            yield part, Piece(one.span, "", EOS, flags=(NO_SPEECH,))
        else:
            good.append((part, one))
    if good:
        limits = [options.limits.tokens(part.seconds) for part, _ in good]
        transcriptions = _transcribe(engine, [one.prepared for _, one in good], limits, options.retry_penalty)
        pieces = [_piece(one, found, options.marks) for (_, one), found in zip(good, transcriptions, strict=True)]
        words = _words(engine, transcriptions, pieces, options.temperature)
        for (part, _), piece, own in zip(good, pieces, words, strict=True):
            yield part, replace(piece, words=tuple(word.later(piece.span.start) for word in own))


def _words(
    engine: Engine, transcriptions: Sequence[Transcription], pieces: Sequence[Piece], temperature: float
) -> list[tuple[HeardWord, ...]]:
    """The words of each piece with what the engine knows of them; their times count from the piece's start."""
    texts = [piece.text for piece in pieces]
    timed = [i for i, found in enumerate(transcriptions) if found.encoded is not None and texts[i]]
    found = engine.times([transcriptions[i].encoded for i in timed], [texts[i] for i in timed]) if timed else []
    times = dict(zip(timed, found, strict=True))
    words = []
    for i, transcription in enumerate(transcriptions):
        spelling = transcription.spelling
        log_probs = spelling and confidence.word_log_probs(spelling, texts[i], text_words.split(texts[i]))
        words.append(heard(texts[i], times.get(i), log_probs, temperature))
    return words


def _transcribe(
    engine: Engine, prepared: Sequence[Any], limits: Sequence[int], penalty: float | None
) -> list[Transcription]:
    """What the engine makes of a batch; with a `penalty`, what is lost is decoded again, and what comes of that is
    taken where it is not."""
    found = engine.decode(prepared, limits)
    lost = [i for i, transcription in enumerate(found) if _is_lost(transcription)] if penalty else []
    if lost:
        second = engine.decode([prepared[i] for i in lost], [limits[i] for i in lost], penalty)
        for i, transcription in zip(lost, second, strict=True):
            if not _is_lost(transcription):
                found[i] = replace(transcription, again=True)
    return found


def _is_lost(transcription: Transcription) -> bool:
    """Whether the model has lost its way: it did not end by itself, or went in circles."""
    return transcription.ended == LENGTH or loops(transcription.tokens)


def _piece(read: _Read, transcription: Transcription, kept: str) -> Piece:
    spoken = transcription.text if kept == KEEP else marks.remove(transcription.text)
    # Hypotheses are lines of a table: white space of any kind becomes single spaces.
    text, raw = " ".join(spoken.split()), " ".join(transcription.text.split())
    odd = {
        LOOPING: loops(transcription.tokens),
        TEXT_ON_SILENCE: text and read.silent,
        DECODED_AGAIN: transcription.again,
    }
    flags = tuple(name for name, found in odd.items() if found)
    number = len(transcription.tokens)
    return Piece(read.span, text, transcription.ended, number, flags, raw=None if spoken == transcription.text else raw)


def _hypothesis(request: Request, pieces: Sequence[Piece], error: str | None) -> Hypothesis:
    facts = {
        "duration": request.duration,
        "start": request.start if request.is_segment and request.duration else None,
        "recording": request.recording,
    }
    if error is not None:
        return Hypothesis(request.key, "", ERROR, error=error, **facts)
    return of_pieces(request.key, pieces, request.incomplete, **facts)
