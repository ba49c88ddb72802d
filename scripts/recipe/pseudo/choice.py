"""Which transcripts are good enough to train on: what two opinions agree on, the model is sure of, and looks right."""

from dataclasses import dataclass

from recipe.decode.endings import (
    DECODED_AGAIN,
    ERROR,
    INCOMPLETE_RECORDING,
    LENGTH,
    LOOPING,
    NO_SPEECH,
    TEXT_ON_SILENCE,
)
from recipe.normalize import normalize
from recipe.pseudo.parts import CUT_IN_SPEECH, TranscribedPart
from recipe.score.align import edits
from recipe.score.tokens import digits_apart, fold, mixed_tokens
from recipe.text.loops import loops

# Flags for which a transcript is left out: (reason, what to tell).
_ODD = {
    NO_SPEECH: ("no-speech", "the detector hears no speech"),
    TEXT_ON_SILENCE: ("text-on-silence", "the detector hears no speech"),
    LOOPING: ("looping", "the text goes in circles"),
    DECODED_AGAIN: ("decoded-again", "went in circles, or did not end, without a repetition penalty"),
    INCOMPLETE_RECORDING: ("incomplete-recording", "the recording lacks its end"),
    CUT_IN_SPEECH: ("cut-in-speech", "begins or ends where there was no silence to cut in"),
}


@dataclass(frozen=True)
class Requirements:
    """What a transcript has to reach: the least share of words that is expected to be right, and the most edits per
    token to the second opinion."""

    min_confidence: float
    max_disagreement: float


@dataclass(frozen=True)
class Verdict:
    """How far two opinions differ, in edits per normalized token of the first (None: not compared), and why the part is
    left out, as a short reason and what to tell; reason None: it is kept."""

    disagreement: float | None
    reason: str | None = None
    detail: str = ""


def judge(first: TranscribedPart, second: str, wanted: Requirements) -> Verdict:
    """Whether the transcript `first` is to be trained on, `second` being another one of the same audio. A confidence
    that is not known forbids nothing."""
    if odd := _odd(first):
        return Verdict(None, *odd)
    tokens, others = normalized(first.text), normalized(second)
    if not tokens:
        return Verdict(None, "no-text", f"nothing is said in {first.text!r}")
    if loops(tokens):
        return Verdict(None, *_ODD[LOOPING])
    disagreement = len(edits(tokens, others)) / len(tokens)
    if first.confidence is not None and first.confidence < wanted.min_confidence:
        told = f"{first.confidence:.2f} of the words expected right, at least {wanted.min_confidence:g} wanted"
        return Verdict(disagreement, "not-sure", told)
    if disagreement > wanted.max_disagreement:
        told = f"{disagreement:.3f} edits per token, at most {wanted.max_disagreement:g} wanted: {second!r}"
        return Verdict(disagreement, "disagreement", told)
    return Verdict(disagreement)


def _odd(part: TranscribedPart) -> tuple[str, str] | None:
    """What is wrong with a transcript whatever it says."""
    if part.ended == ERROR:
        return "unreadable", part.error or "part of the audio could not be read"
    for flag, told in _ODD.items():
        if flag in part.flags:
            return told
    if part.ended == LENGTH:
        return "not-ended", "was stopped at its limit of tokens"
    return None if part.text else ("no-text", "the model wrote nothing")


def normalized(text: str) -> list[str]:
    """The tokens of a text as scoring counts them in faithful mode: two ways to write the same agree."""
    return [part for token in mixed_tokens(fold(normalize(text, "faithful"))) for part in digits_apart(token)]
