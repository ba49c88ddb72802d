"""Hypotheses: what was decoded of a recording and of its pieces, how each ended, and what is odd about it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from recipe.decode import cues, subtitles
from recipe.decode.endings import EOS, ERROR, INCOMPLETE_RECORDING, LENGTH
from recipe.decode.heard import HeardWord, sureness
from recipe.decode.segment import Span
from recipe.text import words as text_words
from recipe.text.marks import wide

NAMED_ERRORS = 3  # of the pieces of an utterance, in its own error


@dataclass(frozen=True)
class Piece:
    """What was decoded of a part of a recording; `ended`, `flags`, `error` and `raw` as a `Hypothesis` has them."""

    span: Span
    text: str
    ended: str
    tokens: int = 0  # their number
    flags: tuple[str, ...] = ()
    error: str | None = None
    raw: str | None = None
    words: tuple[HeardWord, ...] = ()  # until they are the hypothesis's own

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Piece":
        """The piece that `to_json` wrote, its times in milliseconds."""
        speech = tuple(record["speech"]) if "speech" in record else None
        span = Span(record["start"], record["end"], speech, record.get("cut_in_speech", False))
        return cls(span, record["text"], record["ended"], record["tokens"], **_read_remarks(record))

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
    the audio could be read; `error` says why). `flags` are of LOOPING, TEXT_ON_SILENCE, NO_SPEECH, DECODED_AGAIN and
    INCOMPLETE_RECORDING. `raw` is the model's own text, where marks were removed from it. `pieces` are those of an
    utterance that was cut. Times count from the start of the recording, those of a segment as well. `incomplete` says
    what a recording that lacks its end lacks.
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
    raw: str | None = None
    incomplete: str | None = None
    words: tuple[HeardWord, ...] = ()  # of all pieces; empty if nothing is known of them
    confidence: float | None = None  # expected share of the words that are right

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Hypothesis":
        """The hypothesis that `to_json` wrote, with times as they stand there."""
        facts = {name: record.get(name) for name in ("start", "recording", "incomplete", "confidence")}
        return cls(
            record["key"],
            record["text"],
            record["ended"],
            record["tokens"],
            record["duration"],
            pieces=tuple(map(Piece.from_json, record.get("pieces", ()))),
            words=tuple(map(HeardWord.from_json, record.get("words", ()))),
            **facts,
            **_read_remarks(record),
        )

    def to_json(self) -> dict:
        """The object of a line of `text.jsonl` (docs/decoding.md)."""
        record = {"key": self.key, "text": self.text, "ended": self.ended, "tokens": self.tokens}
        record |= {"duration": round(self.duration, 4)}
        if self.recording:
            record["recording"] = self.recording
        if self.start is not None:
            record |= {"start": round(self.start, 4), "end": round(self.start + self.duration, 4)}
        record |= _remarks(self) | ({"incomplete": self.incomplete} if self.incomplete else {})
        if self.confidence is not None:
            record["confidence"] = self.confidence
        if self.words:
            record["words"] = [word.to_json() for word in self.words]
        return record | ({"pieces": [piece.to_json() for piece in self.pieces]} if self.pieces else {})

    def cues(self) -> list[subtitles.Cue]:
        """Subtitles: by words where these have times, otherwise one a piece, or one in all."""
        whole = Piece(Span(self.start or 0.0, self.stop, None), self.text, self.ended)
        words = iter(self.words)
        found = []
        for piece in self.pieces or (whole,):
            own = list(islice(words, len(text_words.split(piece.text))))
            if own and all(word.timed for word in own):
                found += cues.cues(piece.text, own)
            else:
                found.append(subtitles.cue(piece.span.start, piece.span.end, piece.text, piece.span.speech))
        return found

    @property
    def stop(self) -> float:
        """Where it ends, in seconds from the start of the recording."""
        return (self.start or 0.0) + self.duration

    @property
    def unread(self) -> bool:
        """Whether nothing at all could be read of its audio."""
        return self.ended == ERROR and all(piece.ended == ERROR for piece in self.pieces)


def _remarks(decoded: Piece | Hypothesis) -> dict:
    remarks = {"flags": list(decoded.flags), "error": decoded.error, "raw": decoded.raw}
    return {name: value for name, value in remarks.items() if value}


def _read_remarks(record: dict[str, Any]) -> dict[str, Any]:
    """What `_remarks` wrote, as fields."""
    return {"flags": tuple(record.get("flags", ())), "error": record.get("error"), "raw": record.get("raw")}


def of_pieces(key: str, pieces: Sequence[Piece], incomplete: str | None = None, **facts) -> Hypothesis:
    """The hypothesis of an utterance from its `pieces`, which may come in any order; `facts` are more fields of it."""
    pieces = sorted(pieces, key=lambda piece: piece.span.start)
    endings = {piece.ended for piece in pieces}
    flags = {flag for piece in pieces for flag in piece.flags} | ({INCOMPLETE_RECORDING} if incomplete else set())
    raw = [piece.text if piece.raw is None else piece.raw for piece in pieces]
    words = tuple(word for piece in pieces for word in piece.words)
    return Hypothesis(
        key,
        join_texts([piece.text for piece in pieces]),
        next(ended for ended in (ERROR, LENGTH, EOS) if ended in endings),
        sum(piece.tokens for piece in pieces),
        flags=tuple(sorted(flags)),
        error=_errors(pieces),
        pieces=() if len(pieces) == 1 else tuple(replace(piece, words=()) for piece in pieces),
        raw=join_texts(raw) if any(piece.raw is not None for piece in pieces) else None,
        incomplete=incomplete,
        words=words,
        confidence=sureness(words),
        **facts,
    )


def _errors(pieces: Sequence[Piece]) -> str | None:
    """What could not be read, with the times of pieces where there are several."""
    if len(pieces) == 1:
        return pieces[0].error
    unread = [f"{piece.span.start:.2f}-{piece.span.end:.2f} s: {piece.error}" for piece in pieces if piece.error]
    unread[NAMED_ERRORS:] = [f"and {len(unread) - NAMED_ERRORS} other pieces"] if len(unread) > NAMED_ERRORS else []
    return "; ".join(unread) or None


def join_texts(texts: Sequence[str]) -> str:
    """Texts one after the other, with a space between them unless both sides are of a script without spaces."""
    joined = ""
    for text in filter(None, texts):
        gap = " " if joined and not (wide(joined[-1]) and wide(text[0])) else ""
        joined += gap + text
    return joined


def summary(hypotheses: Iterable[Hypothesis]) -> str:
    """Counts for the log: endings, flags, cut recordings, empty texts."""
    ended: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    cut = empty = 0
    for hypothesis in hypotheses:
        ended[hypothesis.ended] += 1
        flags.update(hypothesis.flags)
        cut += bool(hypothesis.pieces)
        empty += not hypothesis.text
    counts = [f"{number} ended by {how}" for how, number in sorted(ended.items())]
    counts += [f"{number} {flag}" for flag, number in sorted(flags.items())]
    counts += [f"{number} {what}" for number, what in ((cut, "cut at silences"), (empty, "without text")) if number]
    return f"of {ended.total()} hypotheses: {', '.join(counts)}"
