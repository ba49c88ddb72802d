"""NIST's CTM (words with times) and STM (utterances with times)."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from recipe.data import datadir
from recipe.data.checked import Rejected
from recipe.files import RecipeError
from recipe.imports import sources
from recipe.imports.items import MAX_SECONDS, Found, Imported, Notes, NotImportable, guarded, part_key
from recipe.imports.options import ImportOptions
from recipe.text import tables

_LABEL = re.compile(r"<[^<>]*>")
_NO_SCORE = "ignore_time_segment_in_scoring"
_ALTERNATIVES = re.compile(rb"\s\*\s+\*\s+<ALT(_BEGIN|_END|)>\s*\Z")
_OTHERS = "words of a second or later alternative, left out"
_DENSE = re.compile("[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")  # scripts without spaces between words


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a CTM: seconds into its recording, and the line."""

    recording: str
    channel: str
    start: float
    end: float
    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording that words are collected in."""

    key: str
    start: float
    end: float


# --- CTM ------------------------------------------------------------------------------------------------------------


def ctm(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The words of a CTM, joined to utterances: those of --segments (Kaldi's segments, or a STM), whose times are kept,
    otherwise wherever a pause of --pause seconds begins, and before one would be longer than --max-seconds. Words in
    no segment are rejects, one each."""
    shelf = sources.Shelf(options.audio or source.parent)
    stretches = _stretches(Path(options.segments)) if options.segments else None
    words: list[Word] = []
    other = False  # within another alternative than the first
    for number, raw in datadir.raw_lines(source):
        if raw.lstrip().startswith((b";;", b"#")):
            continue
        if mark := _ALTERNATIVES.search(raw):
            other = mark[1] == b""
            continue
        try:
            word = _word(raw, number)
            if other:
                notes.add(_OTHERS)
            else:
                words.append(word)
        except NotImportable as error:
            yield Rejected(f"{source.stem}-{number:08d}", error.reason, f"{source}:{number}: {error.detail}")
    if not words:
        raise RecipeError(f"{source}: no lines `recording channel start duration word` in it")
    words.sort(key=lambda word: (word.recording, word.channel, word.start, word.number))
    sides = _sides(words)
    for (recording, channel), group in groupby(words, key=lambda word: (word.recording, word.channel)):
        index = _index(channel, sides[recording])
        if stretches is None:
            found = _by_pauses(list(group), options)
        else:
            found = _by_stretches(list(group), stretches.get(recording, []), source)
        for one in found:
            yield from _utterance(one, source, recording, index, shelf)


def _utterance(one: "Rejected | tuple[Stretch, list[Word]]", source: Path, recording: str, channel: int | None, shelf):
    if isinstance(one, Rejected):
        yield one
        return
    stretch, words = one
    key = stretch.key or part_key(
        recording if channel is None else f"{recording}-{channel}", stretch.start, stretch.end
    )
    text = _joined([word.text for word in words]) if words else None
    where = f"{source}:{words[0].number}" if words else f"{source}: no words in {stretch.start:g} to {stretch.end:g} s"
    yield from guarded(
        key,
        where,
        lambda: Imported(key, shelf.find(recording), text, stretch.start, stretch.end, recording, channel=channel),
    )


def _word(raw: bytes, number: int) -> Word:
    cells = _cells(raw)
    if len(cells) < 5:
        raise NotImportable("row-invalid", f"{len(cells)} columns, expected recording channel start duration word")
    start, duration = _number(cells[2]), _number(cells[3])
    return Word(cells[0], cells[1], start, round(start + duration, 6), cells[4], number)


def _cells(raw: bytes) -> list[str]:
    try:
        return raw.decode().split()
    except UnicodeDecodeError:
        raise NotImportable("bad-utf8", tables.not_utf8(raw)) from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise NotImportable("row-invalid", f"{text!r:.40} is no time in seconds")
    return value


def _sides(words: list[Word]) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {}
    for word in words:
        sides.setdefault(word.recording, set()).add(word.channel)
    return sides


def _index(channel: str, sides: set[str]) -> int | None:
    """The channel's index from 0. NIST counts from 1 or calls them A and B; a recording whose words are all on one has
    no channel to choose, unless that is the second."""
    names = {"A": 0, "B": 1, "0": 0}
    index = names.get(channel.upper(), int(channel) - 1 if channel.isascii() and channel.isdigit() else 0)
    if "0" in sides and channel.isascii() and channel.isdigit():  # counted from 0 after all
        index = int(channel)
    return index if len(sides) > 1 or index > 0 else None


def _by_pauses(words: list[Word], options: ImportOptions) -> Iterator[tuple[Stretch, list[Word]]]:
    begun: list[Word] = []
    for word in words:
        if begun and (word.start - begun[-1].end >= options.pause or word.end - begun[0].start > options.max_seconds):
            yield _whole(begun), begun
            begun = []
        begun.append(word)
    if begun:
        yield _whole(begun), begun


def _whole(words: list[Word]) -> Stretch:
    return Stretch("", words[0].start, max(word.end for word in words))


def _by_stretches(
    words: list[Word], stretches: list[Stretch], source: Path
) -> Iterator[Rejected | tuple[Stretch, list[Word]]]:
    """Each word belongs to the stretch that its middle lies in; to the first of several."""
    collected: dict[Stretch, list[Word]] = {stretch: [] for stretch in stretches}
    for word in words:
        middle = (word.start + word.end) / 2
        stretch = next((one for one in stretches if one.start <= middle < one.end), None)
        if stretch is None:
            key = part_key(word.recording, word.start, word.end)
            yield Rejected(key, "word-outside-segments", f"{source}:{word.number}: {word.text}")
        else:
            collected[stretch].append(word)
    yield from collected.items()


def _stretches(path: Path) -> dict[str, list[Stretch]]:
    """The stretches of each recording, by time, of Kaldi's segments or a STM. RecipeError for a line of neither."""
    found: dict[str, list[Stretch]] = {}
    for number, raw in datadir.raw_lines(sources.need(path)):
        try:
            cells = _cells(raw)
            if path.suffix == ".stm":
                if not cells[0].startswith(";;"):
                    found.setdefault(cells[0], []).append(Stretch("", _number(cells[3]), _number(cells[4])))
            else:
                found.setdefault(cells[1], []).append(Stretch(cells[0], _number(cells[2]), _number(cells[3])))
        except (NotImportable, IndexError) as error:
            raise RecipeError(f"{path}:{number}: no line of segments or of a STM ({error})") from None
    return {recording: sorted(stretches, key=lambda s: (s.start, s.key)) for recording, stretches in found.items()}


def _joined(words: list[str]) -> str:
    """Words as a text, without a space between those of scripts that have none."""
    text = words[0]
    for word in words[1:]:
        dense = _DENSE.match(text[-1]) and _DENSE.match(word[0])
        text += word if dense else f" {word}"
    return text


# --- STM ------------------------------------------------------------------------------------------------------------


def stm(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The utterances of a STM: recording, channel, speaker, begin, end, perhaps a <label>, and text."""
    shelf = sources.Shelf(options.audio or source.parent)
    rows: list[tuple[int, list[str]]] = []
    for number, raw in datadir.raw_lines(source):
        if not raw.lstrip().startswith(b";;"):
            try:
                rows.append((number, _cells(raw)))
            except NotImportable as error:
                yield Rejected(f"{source.stem}-{number:08d}", error.reason, f"{source}:{number}: {error.detail}")
    sides: dict[str, set[str]] = {}
    for _, cells in rows:
        if len(cells) > 1:
            sides.setdefault(cells[0], set()).add(cells[1])
    for number, cells in rows:
        key = f"{source.stem}-{number:08d}"
        yield from guarded(key, f"{source}:{number}", lambda cells=cells: _line(cells, sides, shelf, notes))


def _line(cells: list[str], sides: dict[str, set[str]], shelf: sources.Shelf, notes: Notes) -> Imported:
    if len(cells) < 5:
        raise NotImportable("row-invalid", f"{len(cells)} columns, expected recording channel speaker begin end text")
    recording, channel, speaker, begin, finish, *words = cells
    start, end = _number(begin), _number(finish)
    label = words.pop(0) if words and _LABEL.fullmatch(words[0]) else None
    if words and words[0].lower() == _NO_SCORE:
        raise NotImportable("not-scored", f"{recording} from {start:g} to {end:g} s is {_NO_SCORE}")
    words = _first_alternatives(words, notes)
    index = _index(channel, sides[recording])
    name = recording if index is None else f"{recording}-{index}"
    return Imported(
        part_key(name, start, end), shelf.find(recording), " ".join(words) or None, start, end, recording, speaker,
        group=label and label.strip("<>"), channel=index,
    )  # fmt: skip


def _first_alternatives(words: list[str], notes: Notes) -> list[str]:
    """Words with the first of each `{ um / uh / @ }`, in which @ is no word; as they are if the braces are no pairs."""
    kept: list[str] = []
    firsts: list[bool] = []  # of each brace that is open, whether this is its first alternative
    others = 0
    for word in words:
        if word == "{":
            firsts.append(True)
        elif word == "/" and firsts:
            firsts[-1] = False
        elif word == "}" and firsts:
            firsts.pop()
        elif not all(firsts):
            others += word != "@"
        elif word != "@" or not firsts:
            kept.append(word)
    if firsts:
        return words
    if others:
        notes.add(_OTHERS, others)
    return kept
