"""Text normalizers for scoring, in three modes; docs/normalization.md specifies them.

- `compatible` agrees with the published normalizer, so that scores compare with published figures.
- `faithful` makes two spellings of the same content equal, and never two contents.
- `raw` leaves the content alone: the texts as they were written.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from recipe.data import datadir, join
from recipe.data.join import Entry
from recipe.files import RecipeError, open_atomic
from recipe.text import tables
from recipe.text.languages import UnknownLanguage, canonical
from recipe.text.prompt import listed_hotwords, split_hotwords

# A version changes whenever some output of its mode changes; it is recorded with every score.
VERSIONS: dict[str, str] = {"compatible": "2", "faithful": "5", "raw": "1"}

_BATCH = 500  # lines; enough that sending them to a worker costs little
_SMALL = 300_000  # bytes; below this, starting workers takes longer than the work
_SHOWN = 60  # characters of a text in an error

_Line = tuple[int, str, str]  # number in the file, key, text


def normalize(text: str, mode: str, *, kana: bool = False, language: str | None = None) -> str:
    """The normalized form of one text (without line breaks: they become spaces), tokens separated by single spaces.

    `mode` is "faithful", "compatible" or "raw"; for `kana`, `language` and many texts, see `normalizer`. RecipeError for
    another mode, or for a text that the mode cannot take.
    """
    try:
        return normalizer(mode, kana=kana, language=language)(text)
    except ValueError as error:
        raise RecipeError(f"{text[:_SHOWN]!r} cannot be normalized ({error})") from error


def normalizer(mode: str, *, kana: bool = False, language: str | None = None) -> Callable[[str], str]:
    """The function from a line's text to its normalized text, tokens separated by single spaces.

    `mode` is one of VERSIONS. `kana` (compatible mode only): Japanese becomes its reading in katakana first; needs
    pyopenjtalk-plus. `language` (faithful mode only) is what a table says of the line, by any name that
    `recipe.text.languages` knows; without it, or with one that says nothing ("mix"), the line itself shows which rules
    act. RecipeError if there is no such mode, or it has no kana. The function raises ValueError for a text
    that it cannot take.
    """
    if mode not in VERSIONS:
        raise RecipeError(f"no normalizer mode {mode!r}; there are {', '.join(VERSIONS)}")
    if kana and mode != "compatible":
        raise RecipeError(f"kana belongs to compatible mode; {mode} mode keeps Japanese as it is written")
    if mode == "raw":
        return _as_written
    if mode == "faithful":
        from recipe.normalize import faithful

        return partial(faithful.normalize, declared=_declared(language))
    from recipe.normalize import compatible

    if not kana:
        return compatible.normalize
    compatible.normalize("", kana=True)  # a missing package is reported now, not by the first line
    return partial(compatible.normalize, kana=True)


def _declared(language: str | None) -> frozenset[str]:
    try:
        return frozenset({canonical(language)} if language else ())
    except UnknownLanguage:
        return frozenset()


_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


def _as_written(text: str) -> str:
    return " ".join(text.translate(_CONTROLS).split())


def _each_entry(work: Callable[[str], str], listed: str) -> str:
    """A list of hotwords, each normalized by itself; what becomes nothing is left out."""
    return ", ".join(filter(None, map(work, split_hotwords(listed))))


def normalize_file(
    source: str | os.PathLike,
    target: str | os.PathLike,
    mode: str,
    *,
    kana: bool = False,
    lists: bool = False,
    workers: int = 1,
) -> int:
    """Normalize a file of lines `key text` into lines `key<TAB>text`, in the same order, and return their number.

    Of a file *.jsonl in the published format, such as a manifest, the transcripts are normalized; a line in another
    format, or whose key has another line too, has none. With `lists` the texts are lists of hotwords, and those of
    *.jsonl are what the prompts list.

    What a line is, `recipe.text.tables` says; a key without text stays. The bytes written do not depend on
    `workers`. RecipeError if both paths are one file, or naming the line that cannot be read.
    """
    if workers < 1:
        raise RecipeError(f"{workers} workers cannot do anything; use 1 or more")
    if Path(source).exists() and Path(target).exists() and os.path.samefile(source, target):
        raise RecipeError(f"{target}: is also the input; write to another file")
    # What is missing is reported before anything is written, and workers that fork find everything loaded.
    normalizer(mode, kana=kana)("one 零")
    work = partial(_normalize_batch, os.fspath(source), mode, kana, lists)
    count = 0
    if Path(source).is_file() and os.path.getsize(source) <= _SMALL:
        workers = 1
    with open_atomic(target) as file:
        for lines in _map(work, _batches(source, lists), workers):
            file.writelines(lines)
            count += len(lines)
    return count


def _batches(source: str | os.PathLike, lists: bool) -> Iterator[list[_Line]]:
    if datadir.is_jsonl(source):
        entries = (entry for entry in join.from_jsonl(os.fspath(source)) if entry.problem is None)
        lines = ((entry.number, entry.key, _text(entry, lists)) for entry in entries)
    else:
        lines = tables.read(source)
    while batch := list(itertools.islice(lines, _BATCH)):
        yield batch


def _text(entry: Entry, lists: bool) -> str:
    return ", ".join(listed_hotwords(entry.prompt)[0]) if lists else re.sub("[\r\n]", " ", entry.text)


def _normalize_batch(source: str, mode: str, kana: bool, lists: bool, batch: list[_Line]) -> list[str]:
    work = normalizer(mode, kana=kana)
    if lists:
        work = partial(_each_entry, work)
    lines = []
    for number, key, text in batch:
        try:
            lines.append(f"{key}\t{work(text)}\n")
        except ValueError as error:
            raise RecipeError(f"{source}:{number}: key {key!r} cannot be normalized ({error})") from error
    return lines


def _map(work: Callable, batches: Iterator[list[_Line]], workers: int) -> Iterator[list[str]]:
    """`map` in order, over processes, with a bounded number of batches in memory."""
    if workers <= 1:
        yield from map(work, batches)
        return
    with ProcessPoolExecutor(workers) as pool:
        while window := list(itertools.islice(batches, 16 * workers)):
            yield from pool.map(work, window)
