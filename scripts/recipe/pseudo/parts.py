"""What was transcribed, as utterances to train on: a recording, or each of the pieces that a long one was cut into."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from recipe.data.join import Entry
from recipe.data.manifest import Utterance, speech_length
from recipe.decode.endings import INCOMPLETE_RECORDING
from recipe.decode.heard import sureness
from recipe.decode.hypotheses import Hypothesis
from recipe.text import words as text_words

CUT_IN_SPEECH = "cut_in_speech"


@dataclass(frozen=True)
class TranscribedPart:
    """A transcript of what lies between `start` and `end` seconds of a recording (None: its end); `ended`, `flags` and
    `error` as of a hypothesis, with CUT_IN_SPEECH where a long recording had no silence to be cut in. `confidence` is
    the share of its words that is expected to be right, None where the engine does not tell."""

    key: str
    start: float
    end: float | None
    seconds: float
    text: str
    ended: str
    flags: tuple[str, ...]
    error: str | None
    confidence: float | None
    recording: str | None  # key of the recording that it is a part of

    def utterance(self, entry: Entry, source: str) -> Utterance:
        """The line of a manifest, of the `entry` that was transcribed. Its tokens are counted by whoever reads it."""
        return Utterance(
            key=self.key,
            source=source,
            prompt=entry.prompt,
            text=self.text,
            speech_length=speech_length(self.seconds),
            text_length=0,
            duration=self.seconds,
            after=entry.after,
            start=self.start,
            end=self.end,
            channel=entry.channel,
            speaker=entry.speaker,
            language=entry.language,
            group=entry.group,
            recording=self.recording,
        )


def of_hypothesis(entry: Entry, found: Hypothesis) -> list[TranscribedPart]:
    """The parts of a hypothesis, in their order; those of a long recording are called by its key and their times in
    milliseconds, as in `talk-0029152-0058304`."""
    if not found.pieces:
        return [
            TranscribedPart(
                found.key, entry.start, entry.end, found.duration, found.text, found.ended, found.flags, found.error,
                found.confidence, found.recording,
            )
        ]  # fmt: skip
    parts = list(_pieces(found))
    if INCOMPLETE_RECORDING in found.flags:  # it is the end that is missing
        parts[-1] = dataclasses.replace(parts[-1], flags=(*parts[-1].flags, INCOMPLETE_RECORDING))
    return parts


def _pieces(found: Hypothesis) -> Iterator[TranscribedPart]:
    words = iter(found.words)
    begun_in_speech = False
    for piece in found.pieces:
        own = list(islice(words, len(text_words.split(piece.text))))
        start, end = round(piece.span.start, 3), round(piece.span.end, 3)
        cut = (CUT_IN_SPEECH,) if begun_in_speech or piece.span.forced else ()
        begun_in_speech = piece.span.forced
        yield TranscribedPart(
            f"{found.key}-{round(start * 1000):07d}-{round(end * 1000):07d}", start, end, end - start, piece.text,
            piece.ended, (*piece.flags, *cut), piece.error, sureness(own), found.recording or found.key,
        )  # fmt: skip
