"""What is likely wrong with a transcript: the kind, with a detail for a reader.

The strongest evidence is of several suspects together: lines that follow each other, each with the transcript of a line
as far away, and two that have each other's. Then comes what overlaps, how the recording sounds, and what another
transcript says.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import partial_ratio

from recipe.data.checked import one_line

SHIFTED = "shifted"  # the hypothesis is the transcript of a line near by
SWAPPED = "swapped"  # it is that of another line of the same speaker
OTHERS = "other-speaker"  # it is that of another speaker's line
CUT = "audio-cut"  # the hypothesis is a part of the transcript, or the recording is too short or ends in full voice
MISSING = "words-missing"  # the transcript is a part of the hypothesis, or too short for the recording
LANGUAGE = "other-language"  # another script is heard, or most words are in no other transcript of the language
SILENCE = "silence"  # nobody speaks
DUPLICATE = "duplicate"  # the same audio has another transcript elsewhere
NORMALIZATION = "normalization"  # transcript and hypothesis say the same in other spellings
CLIPPED = "clipped"  # the recording is overdriven
UNCLEAR = "unclear"
KINDS = (SHIFTED, SWAPPED, OTHERS, CUT, MISSING, LANGUAGE, SILENCE, DUPLICATE, NORMALIZATION, CLIPPED, UNCLEAR)

NEAR = 3  # lines before and after that a transcript may have slipped by
FITS = 0.5  # normalized edit distance from which on a hypothesis fits no other transcript
SURE = 0.25  # up to which it does even where the length of the recording says something else
CLOSER = 0.6  # it is that much closer to the other transcript than to its own
PART = 80.0  # percent of a text that is found in another one, for it to be a part of it
SHORTER = 0.75  # a part is at most so long
FAR = 4.0  # robust standard deviations from which on the length of a transcript does not fit its recording
STRANGE = 0.6  # share of unknown words from which on a transcript is of another language
OVERDRIVEN = 0.01  # share of samples at full scale


class Heard(NamedTuple):
    """An utterance as kinds are told by it: key, set, place in the set, speaker, and the transcript and the hypothesis,
    normalized and without spaces; whether speech is heard; the key of an utterance of the same audio that has
    another transcript; whether the recording ends as loud as one that was cut; how much too long the transcript is for
    it (see `speaking_rate`); the shares of samples at full scale and of unknown words (see `vocabulary`)."""

    key: str
    set: str
    place: int
    speaker: str | None
    text: str
    hypothesis: str
    speech: bool = True
    twin: str | None = None
    cut: bool = False
    deviation: float = 0.0
    clipped: float = 0.0
    unknown: float = 0.0


class Other(NamedTuple):
    """Another utterance, whose transcript may be the one that was said."""

    key: str
    set: str
    place: int
    speaker: str | None
    text: str


class _Fit(NamedTuple):
    """Another utterance whose transcript is what is heard: its edit distance from the hypothesis, and what else speaks
    for it (None: nothing)."""

    other: Other
    distance: float
    support: str | None


def kinds(suspects: Iterable[tuple[Heard, list[Other]]]) -> list[tuple[str, str]]:
    """The likely kind of what is wrong with each utterance, one of KINDS, and a detail (may be empty). With each come
    those whose transcripts may be the one that was said: of lines near by, and such as are like the hypothesis."""
    found = list(suspects)
    together = _Together(found)
    fits = [together.best(heard, others) for heard, others in found]
    # Whose hypothesis is the transcript of each.
    heard_in = {
        (fit.other.set, fit.other.key): heard for (heard, _), fit in zip(found, fits, strict=True) if fit is not None
    }
    return [
        _kind(heard, fit, heard_in.get((heard.set, heard.key))) for (heard, _), fit in zip(found, fits, strict=True)
    ]


def _kind(heard: Heard, fit: _Fit | None, elsewhere: Heard | None) -> tuple[str, str]:
    """The kind; `elsewhere` is a suspect in which the transcript is heard."""
    if heard.twin:
        return DUPLICATE, f"the same audio as {heard.twin}, whose transcript is another"
    if not heard.speech or not heard.hypothesis:
        return SILENCE, "no speech is heard" if not heard.speech else "the model writes nothing"
    if fit and fit.support == SHIFTED:
        return _of_other(heard, fit)
    if heard.cut:
        return CUT, "the recording ends in full voice"
    if fit and fit.support == SWAPPED:
        return _of_other(heard, fit)
    # What overlaps is a matter of length before it is one of place.
    if part := _part(heard):
        return part
    if elsewhere:
        return _placed(heard, elsewhere, f"{elsewhere.key} says what is written", None)
    if fit and (heard.deviation < FAR or fit.distance < SURE):
        return _of_other(heard, fit)
    if heard.deviation >= FAR:
        return CUT, "the transcript is too long for the recording"
    if heard.deviation <= -FAR:
        return MISSING, "the transcript is too short for the recording"
    if heard.text == heard.hypothesis:
        return NORMALIZATION, "the same when both are normalized"
    if (said := script(heard.hypothesis)) and (written := script(heard.text)) and said != written:
        return LANGUAGE, f"{written} is written, {said} is heard"
    if heard.unknown >= STRANGE:
        return LANGUAGE, f"{100 * heard.unknown:.0f} % of the words are in no other transcript"
    if heard.clipped >= OVERDRIVEN:
        return CLIPPED, f"{100 * heard.clipped:.1f} % of the samples are at full scale"
    return UNCLEAR, f"edit distance {_distance(heard.hypothesis, heard.text):.2f}"


def _distance(one: str, other: str) -> float:
    return Levenshtein.normalized_distance(one, other)


class _Together:
    """Suspects as evidence for each other."""

    def __init__(self, found: list[tuple[Heard, list[Other]]]):
        self._heard = {(heard.set, heard.key): heard for heard, _ in found}
        # Of each line with a suspect, how many lines further what is heard may stand.
        self._moved = {
            (heard.set, heard.place): {
                lines for other in others if fits(heard, other) and (lines := _lines(heard, other)) is not None
            }
            for heard, others in found
        }

    def best(self, heard: Heard, others: list[Other]) -> _Fit | None:
        """The utterance whose transcript the hypothesis fits best, if it fits one: one that something else speaks for,
        the most alike, the nearest."""
        found = [
            _Fit(other, _distance(heard.hypothesis, other.text), self._support(heard, other))
            for other in others
            if fits(heard, other)
        ]
        return min(found, key=lambda fit: _rank(heard, fit), default=None)

    def _support(self, heard: Heard, other: Other) -> str | None:
        """SWAPPED where both have each other's transcript, SHIFTED where a line next to it moved as far."""
        lines = _lines(heard, other)
        beside = (self._moved.get((heard.set, heard.place + step), ()) for step in (-1, 1))
        if lines is not None and abs(lines) <= NEAR and any(lines in moved for moved in beside):
            return SHIFTED
        partner = self._heard.get((other.set, other.key))
        own = Other(heard.key, heard.set, heard.place, heard.speaker, heard.text)
        return SWAPPED if partner and fits(partner, own) else None


def fits(heard: Heard, other: Other) -> bool:
    """Whether the hypothesis is like the transcript of another utterance, and much more than like its own."""
    if (other.set, other.key) == (heard.set, heard.key):
        return False
    distance = _distance(heard.hypothesis, other.text)
    return distance < FITS and distance < CLOSER * _distance(heard.hypothesis, heard.text)


def _lines(heard: Heard, other: Heard | Other) -> int | None:
    """How many lines further another utterance of the same set stands."""
    return other.place - heard.place if other.set == heard.set else None


def _rank(heard: Heard, fit: _Fit) -> tuple:
    lines = _lines(heard, fit.other)
    away = 1 << 60 if lines is None else abs(lines)
    return fit.support is None, fit.distance, away, fit.other.speaker != heard.speaker


def _part(heard: Heard) -> tuple[str, str] | None:
    """CUT or MISSING where one text is a part of the other."""
    shorter, longer = sorted((heard.text, heard.hypothesis), key=len)
    if not shorter or len(shorter) > SHORTER * len(longer):
        return None
    share = f"{100 * len(shorter) / len(longer):.0f} %"
    part = partial_ratio(shorter, longer) >= PART
    if shorter is heard.hypothesis:
        return (CUT, f"{share} of the transcript is heard") if part else None
    return (MISSING, f"{share} of what is heard is written") if part or _without_a_part(shorter, longer) else None


def _without_a_part(shorter: str, longer: str) -> bool:
    """Whether the longer text without some characters that follow each other is like the shorter one."""
    gap = len(longer) - len(shorter)
    most = int((1 - PART / 100) * len(shorter))
    return any(
        Levenshtein.distance(shorter, longer[:place] + longer[place + gap :], score_cutoff=most) <= most
        for place in range(len(shorter) + 1)
    )


def _of_other(heard: Heard, fit: _Fit) -> tuple[str, str]:
    both = ", and the other way round" if fit.support == SWAPPED else ""
    return _placed(heard, fit.other, f"{fit.other.key} has what is heard{both}", fit.support)


def _placed(heard: Heard, other: Heard | Other, detail: str, support: str | None) -> tuple[str, str]:
    """The kind by where the other utterance stands, and the detail with it."""
    lines = _lines(heard, other)
    if lines is not None and (support == SHIFTED or (support is None and abs(lines) == 1)):
        count = f"{abs(lines)} {'line' if abs(lines) == 1 else 'lines'}"
        return SHIFTED, one_line(f"{detail}, {count} {'further' if lines > 0 else 'before'}")
    if heard.speaker is None or heard.speaker == other.speaker:
        return SWAPPED, one_line(detail)
    return OTHERS, one_line(f"{detail}, of {other.speaker}")


def script(text: str) -> str | None:
    """The script that most letters of a text are in, by Unicode's names (LATIN, CJK ...); None of less than two."""
    letters = Counter(unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha())
    return letters.most_common(1)[0][0].capitalize() if letters.total() > 1 else None
