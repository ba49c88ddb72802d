"""Timed words to subtitles: where one ends and the next begins, and its lines.

Limits as broadcasters have them: at most two lines of 42 columns (16 characters of Chinese), shown for 1 to 7 s. Among
the ways to divide the words those are taken that break at ends of sentences, at other signs and in pauses, and whose
subtitles are neither many nor short; where all that counts is the sum of costs over subtitles, so that the best way is
found by going from word to word once.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from recipe.decode.heard import HeardWord
from recipe.decode.subtitles import Cue
from recipe.text.marks import wide

# A line's width in parts that both kinds of characters divide: 42 narrow ones, 16 wide ones.
NARROW, WIDE = 8, 21
LINE = 42 * NARROW
LINES = 2
MIN_SECONDS, MAX_SECONDS = 1.0, 7.0
LONG_PAUSE = 1.5  # seconds; a subtitle never lasts over a longer one
PAUSE = 0.3  # a good place for a break
_SENTENCE, _CLAUSE = tuple(".?!。？！…"), tuple(",;:，；：、")
# Costs: of a subtitle, of a break in the middle of a phrase and after a clause, of a second that is missing from the
# shortest time that one can be read in.
_EACH, _MID_PHRASE, _AFTER_CLAUSE, _SHORT = 2.0, 3.0, 1.0, 4.0

_UNSIGNED = LINE // 3  # by so much wider a line may be, if the break is after a sign


class Fragment(NamedTuple):
    """A word as subtitles divide a text: its place in the text, and when it was said."""

    start: int
    end: int
    begin: float  # seconds
    stop: float


def cues(text: str, words: Sequence[HeardWord]) -> list[Cue]:
    """Subtitles of `text`, whose `words` all have times. Each begins with its first word and ends with its last one;
    what is too short is shown on into the silence behind it, then earlier, as far as its neighbours leave room."""
    parts = [part for word in _parts(text, words) for part in _cut(text, word)]
    best: list[tuple[float, int]] = [(0.0, 0)]  # of the first n parts: cost, and where their last subtitle begins
    for end in range(1, len(parts) + 1):
        ways = ((best[first][0] + _cost(text, parts, first, end), first) for first in _firsts(text, parts, end))
        best.append(min(ways))
    bounds = []
    end = len(parts)
    while end:
        bounds.append((best[end][1], end))
        end = best[end][1]
    groups = [parts[first:end] for first, end in reversed(bounds)]
    return _timed([(group[0].begin, group[-1].stop, _lines(text, group)) for group in groups])


def _parts(text: str, words: Sequence[HeardWord]) -> list[Fragment]:
    found = []
    place = 0
    for word in words:
        start = text.index(word.word, place)
        place = start + len(word.word)
        found.append(Fragment(start, place, word.start, word.end))
    return found


def _cut(text: str, part: Fragment) -> list[Fragment]:
    """A word; in pieces of a line each if it is longer than one, as a language without spaces has them."""
    pieces = []
    start = part.start
    for place in range(part.start + 1, part.end + 1):
        if place == part.end or _width(text[start : place + 1]) > LINE:
            pieces.append((start, place))
            start = place
    second = (part.stop - part.begin) / (part.end - part.start)
    return [
        Fragment(a, b, part.begin + (a - part.start) * second, part.begin + (b - part.start) * second)
        for a, b in pieces
    ]


def _width(text: str) -> int:
    return sum(WIDE if wide(char) else NARROW for char in text)


def _firsts(text: str, parts: Sequence[Fragment], end: int) -> list[int]:
    """Where a subtitle may begin that ends before part `end`."""
    firsts = [end - 1]
    for first in range(end - 2, -1, -1):
        pause = parts[first + 1].begin - parts[first].stop
        seconds = parts[end - 1].stop - parts[first].begin
        if pause > LONG_PAUSE or seconds > MAX_SECONDS or _lines(text, parts[first:end]) is None:
            break
        firsts.append(first)
    return firsts


def _cost(text: str, parts: Sequence[Fragment], first: int, end: int) -> float:
    missing = max(0.0, MIN_SECONDS - (parts[end - 1].stop - parts[first].begin))
    last = text[parts[end - 1].end - 1]
    if end == len(parts) or last in _SENTENCE or parts[end].begin - parts[end - 1].stop >= PAUSE:
        broken = 0.0
    else:
        broken = _AFTER_CLAUSE if last in _CLAUSE else _MID_PHRASE
    return _EACH + broken + _SHORT * missing


def _lines(text: str, parts: Sequence[Fragment]) -> str | None:
    """The text of a subtitle in at most two lines, after a sign or as alike in length as they can be; None if it takes
    more."""
    whole = text[parts[0].start : parts[-1].end]
    if _width(whole) <= LINE:
        return whole
    breaks = [(text[parts[0].start : a.end], text[b.start : parts[-1].end]) for a, b in pairwise(parts)]
    fitting = [lines for lines in breaks if max(map(_width, lines)) <= LINE]
    if not fitting:
        return None
    return "\n".join(min(fitting, key=lambda lines: max(map(_width, lines)) + _UNSIGNED * (not _signed(lines[0]))))


def _signed(text: str) -> bool:
    return text.endswith(_SENTENCE + _CLAUSE)


def _timed(found: Sequence[tuple[float, float, str]]) -> list[Cue]:
    """Subtitles with their times: what is shorter than MIN_SECONDS lasts longer, where there is room."""
    shown: list[Cue] = []
    for number, (begin, stop, text) in enumerate(found):
        room = found[number + 1][0] if number + 1 < len(found) else begin + MIN_SECONDS
        end = max(stop, min(begin + MIN_SECONDS, room))
        earliest = shown[-1].end if shown else 0.0
        start = min(begin, max(earliest, end - MIN_SECONDS))
        shown.append(Cue(start, min(end, start + MAX_SECONDS), text))
    return shown
