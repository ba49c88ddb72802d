"""When the words of a transcript were said, by what the synthesizer tells of the words that it spoke."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import _recipe  # noqa: F401
from espeak import SpokenWord
from sentences import Phrase

from recipe.text import words as text_words


@dataclass(frozen=True)
class Said:
    """A word of a transcript, or neighbours between which the synthesizer tells no border, such as the two characters
    of 晚上, which it speaks as one word; its place in the transcript, seconds."""

    place: int
    end_place: int
    start: float
    end: float


def said(phrase: Phrase, spoken: Sequence[SpokenWord]) -> list[Said]:
    """Times of all that is written in `phrase`, whose spoken form was spoken as `spoken` says. Words that are written
    as they are spoken are told apart; what stands for several spoken ones ("7:30") has the times of all of them."""
    stops = [word.place for word in spoken[1:]] + [len(phrase.spoken)]
    sounds = [_folded(phrase.spoken[word.place : stop]) for word, stop in zip(spoken, stops, strict=True)]
    written = text_words.split(phrase.written)
    spellings = [_folded(phrase.written[word.start : word.end]) for word in written]
    spoken_at = _matches("".join(spellings), "".join(sounds))
    starts, ends = _at(sounds, [word.start for word in spoken]), _at(sounds, [word.end for word in spoken], after=True)
    found: list[Said] = []
    place = 0
    first = None
    for word, spelling in zip(written, spellings, strict=True):
        begin, place = place, place + len(spelling)
        first = (word.start, starts[spoken_at[begin]]) if first is None else first
        if place in spoken_at and spoken_at[place] in ends:
            found.append(Said(first[0], word.end, first[1], ends[spoken_at[place]]))
            first = None
    return found


def _folded(text: str) -> str:
    return "".join(char for char in text.casefold() if not text_words.silent(char))


def _matches(written: str, spoken: str) -> dict[int, int]:
    """Places between characters of `spoken` by those of `written` that are the same place in both."""
    places = {0: 0, len(written): len(spoken)}
    for block in difflib.SequenceMatcher(None, written, spoken, autojunk=False).get_matching_blocks():
        places |= {block.a + number: block.b + number for number in range(block.size + 1)}
    return places


def _at(sounds: Sequence[str], times: Sequence[float], after: bool = False) -> dict[int, float]:
    """Times by the place before (or `after`) each of `sounds` among all their characters."""
    found = {}
    place = 0
    for sound, time in zip(sounds, times, strict=True):
        found[place + len(sound) * after] = time
        place += len(sound)
    return found
