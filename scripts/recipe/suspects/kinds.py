"""What is likely wrong with a transcript: the kind, with a detail for a reader."""

import unicodedata
from collections import Counter
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import partial_ratio

from recipe.data.checked import one_line

SHIFTED = "shifted"  # the hypothesis is the transcript of a line near by
SWAPPED = "swapped"  # it is that of another line of the same speaker
OTHERS = "other-speaker"  # it is that of another speaker's line
CUT = "audio-cut"  # the hypothesis is a part of the transcript, or the recording ends in full voice
MISSING = "words-missing"  # the transcript is a part of the hypothesis
LANGUAGE = "other-language"
SILENCE = "silence"  # nobody speaks
DUPLICATE = "duplicate"  # the same audio has another transcript elsewhere
NORMALIZATION = "normalization"  # transcript and hypothesis say the same in other spellings
UNCLEAR = "unclear"
KINDS = (SHIFTED, SWAPPED, OTHERS, CUT, MISSING, LANGUAGE, SILENCE, DUPLICATE, NORMALIZATION, UNCLEAR)

NEAR = 3  # lines before and after that a transcript may have slipped by
FITS = 0.5  # normalized edit distance from which on a hypothesis fits no other transcript
CLOSER = 0.6  # it is that much closer to the other transcript than to its own
PART = 80.0  # percent of a text that is found in another one, for it to be a part of it
SHORTER = 0.75  # a part is at most so long


class Heard(NamedTuple):
    """An utterance as kinds are told by it: key, set, place in the set, speaker, and the transcript and the hypothesis,
    normalized and without spaces; whether speech is heard; the key of an utterance of the same audio that has
    another transcript; and whether the recording ends as loud as one that was cut."""

    key: str
    set: str
    place: int
    speaker: str | None
    text: str
    hypothesis: str
    speech: bool = True
    twin: str | None = None
    cut: bool = False


class Other(NamedTuple):
    """Another utterance, whose transcript may be the one that was said."""

    key: str
    set: str
    place: int
    speaker: str | None
    text: str


def kind(heard: Heard, others: list[Other]) -> tuple[str, str]:
    """The likely kind of what is wrong with an utterance, one of KINDS, and a detail (may be empty). `others` are those
    whose transcripts may be the one that was said: of lines near by, and such as are like the hypothesis."""
    if heard.twin:
        return DUPLICATE, f"the same audio as {heard.twin}, whose transcript is another"
    if not heard.speech or not heard.hypothesis:
        return SILENCE, "no speech is heard" if not heard.speech else "the model writes nothing"
    if heard.text == heard.hypothesis:
        return NORMALIZATION, "the same when both are normalized"
    own = _distance(heard.hypothesis, heard.text)
    # What overlaps is a matter of length before it is one of place.
    if part := _part(heard):
        return part
    if heard.cut:
        return CUT, "the recording ends in full voice"
    if other := _fitting(heard, others, own):
        return _of_other(heard, other)
    if (said := script(heard.hypothesis)) and (written := script(heard.text)) and said != written:
        return LANGUAGE, f"{written} is written, {said} is heard"
    return UNCLEAR, f"edit distance {own:.2f}"


def _distance(one: str, other: str) -> float:
    return Levenshtein.normalized_distance(one, other)


def _part(heard: Heard) -> tuple[str, str] | None:
    """CUT or MISSING where one text is a part of the other."""
    shorter, longer = sorted((heard.text, heard.hypothesis), key=len)
    if not shorter or len(shorter) > SHORTER * len(longer) or partial_ratio(shorter, longer) < PART:
        return None
    share = f"{100 * len(shorter) / len(longer):.0f} %"
    if shorter is heard.hypothesis:
        return CUT, f"{share} of the transcript is heard"
    return MISSING, f"{share} of what is heard is written"


def _fitting(heard: Heard, others: list[Other], own: float) -> Other | None:
    """The utterance whose transcript the hypothesis fits best, if it fits one, and much better than its own; of equal
    ones the nearest."""
    found = []
    for other in others:
        distance = _distance(heard.hypothesis, other.text)
        if other.key != heard.key and distance < FITS and distance < CLOSER * own:
            away = abs(other.place - heard.place) if other.set == heard.set else 1 << 60
            found.append((distance, away, other.speaker != heard.speaker, other))
    return min(found, key=lambda one: one[:3])[-1] if found else None


def _of_other(heard: Heard, other: Other) -> tuple[str, str]:
    said = f"{other.key} has what is heard"
    lines = other.place - heard.place
    if other.set == heard.set and abs(lines) <= NEAR:
        return SHIFTED, one_line(
            f"{said}, {abs(lines)} {'line' if abs(lines) == 1 else 'lines'} {'further' if lines > 0 else 'before'}"
        )
    if heard.speaker is None or heard.speaker == other.speaker:
        return SWAPPED, said
    return OTHERS, f"{said}, of {other.speaker}"


def script(text: str) -> str | None:
    """The script that most letters of a text are in, by Unicode's names (LATIN, CJK ...); None of less than two."""
    letters = Counter(unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha())
    return letters.most_common(1)[0][0].capitalize() if letters.total() > 1 else None
