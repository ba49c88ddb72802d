"""Text normalizers for scoring, in three modes; docs/normalization.md specifies them.

- `compatible` agrees with the published normalizer, so that scores compare with published figures.
- `faithful` makes two spellings of the same content equal, and never two contents.
- `raw` leaves the content alone: the texts as they were written.
"""

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from recipe.data import datadir, join
from recipe.data.join import Entry
from recipe.data.labels import read_labels
from recipe.files import RecipeError, open_atomic, sha256
from recipe.normalize.explain import Change, Explanation
from recipe.normalize.own_rules import OwnRules
from recipe.normalize.steps import Note, take
from recipe.text import tables
from recipe.text.prompt import listed_hotwords, split_hotwords

# A version changes whenever some output of its mode changes; it is recorded with every score.
VERSIONS: dict[str, str] = {"compatible": "2", "faithful": "6", "raw": "1"}

_BATCH = 500  # lines; enough that sending them to a worker costs little
_SMALL = 300_000  # bytes; below this, starting workers takes longer than the work
_SHOWN = 60  # characters of a text in an error

_Line = tuple[int, str, str, str | None]  # number in the file, key, text, what a table calls the language


def normalize(
    text: str, mode: str, *, kana: bool = False, language: str | None = None, rules: OwnRules | None = None
) -> str:
    """The normalized form of one text (without line breaks: they become spaces), tokens separated by single spaces.

    `mode` is "faithful", "compatible" or "raw"; for `kana`, `language`, `rules` and many texts, see `normalizer`.
    RecipeError for another mode, or for a text that the mode cannot take.
    """
    try:
        return normalizer(mode, kana=kana, language=language, rules=rules)(text)
    except ValueError as error:
        raise RecipeError(f"{text[:_SHOWN]!r} cannot be normalized ({error})") from error


def normalizer(
    mode: str,
    *,
    kana: bool = False,
    language: str | None = None,
    rules: OwnRules | None = None,
    note: Note | None = None,
) -> Callable[[str], str]:
    """The function from a line's text to its normalized text, tokens separated by single spaces.

    `mode` is one of VERSIONS. `kana` (compatible mode only): Japanese becomes its reading in katakana first; needs
    pyopenjtalk-plus. `language` (faithful mode only) is what a table calls the line's language or languages ("en",
    "German", "zh-en"); without it, or with a name that says nothing ("mix", "und"), the line itself shows which rules
    act. `rules` are a user's own, made for the mode by `own_rules`, and `note` is told what each step of the
    normalizer changed. RecipeError if there is no such mode, or it has no kana. The function raises ValueError for a
    text that it cannot take.
    """
    work = _of_mode(mode, kana, language, note)
    return rules.after(work, note) if rules else work


def _of_mode(mode: str, kana: bool, language: str | None, note: Note | None) -> Callable[[str], str]:
    """A mode without rules of a user."""
    if mode not in VERSIONS:
        raise RecipeError(f"no normalizer mode {mode!r}; there are {', '.join(VERSIONS)}")
    if kana and mode != "compatible":
        raise RecipeError(f"kana belongs to compatible mode; {mode} mode keeps Japanese as it is written")
    if mode == "raw":
        return _as_written if note is None else partial(take, [("white space", _as_written)], note=note)
    if mode == "faithful":
        from recipe.normalize import faithful, languages

        return partial(faithful.normalize, declared=languages.of_label(language), note=note)
    from recipe.normalize import compatible

    if not kana:
        return compatible.normalize if note is None else partial(compatible.normalize, note=note)
    compatible.normalize("", kana=True)  # a missing package is reported now, not by the first line
    return partial(compatible.normalize, kana=True, note=note)


def own_rules(
    mode: str, *, equivalent: str | os.PathLike | None = None, fillers: Sequence[str] = (), kana: bool = False
) -> OwnRules:
    """A user's own rules for texts of a mode: `equivalent` is the path of a file of spellings that count as one,
    `fillers` are words or phrases to leave out. `kana` as of the normalizer. RecipeError names the line of the file
    that cannot be used, or says that the mode has no such rules."""
    return _own_rules(*_named(mode, equivalent, fillers, kana))


def _named(mode: str, equivalent: str | os.PathLike | None, fillers: Sequence[str], kana: bool) -> tuple:
    """What rules are known by, the content of their file included."""
    if mode == "raw" and (equivalent or fillers):
        raise RecipeError("raw mode leaves texts as they are: equivalent spellings and fillers belong to other modes")
    if equivalent is None:
        return mode, None, None, tuple(fillers), kana
    if not Path(equivalent).is_file():
        raise RecipeError(f"{equivalent}: no such file")
    return mode, os.fspath(equivalent), sha256(equivalent), tuple(fillers), kana


# Made once for all batches; workers that fork have them from the process that began.
@functools.lru_cache(maxsize=16)
def _own_rules(mode: str, equivalent: str | None, digest: str | None, fillers: tuple[str, ...], kana: bool) -> OwnRules:
    return OwnRules(mode, normalizer(mode, kana=kana), mode == "faithful", equivalent, fillers)


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
    utt2lang: str | os.PathLike | None = None,
    equivalent: str | os.PathLike | None = None,
    fillers: Sequence[str] = (),
    explain: Explanation | None = None,
    workers: int = 1,
) -> int:
    """Normalize a file of lines `key text` into lines `key<TAB>text`, in the same order, and return their number.

    Of a file *.jsonl in the published format, such as a manifest, the transcripts are normalized; a line in another
    format, or whose key has another line too, has none. With `lists` the texts are lists of hotwords, and those of
    *.jsonl are what the prompts list. `equivalent` and `fillers` are a user's own rules, see `own_rules`; `explain` is
    given what each step changed.

    `utt2lang`, a table `key language` or a manifest *.jsonl, says in which languages lines are (see `normalizer`).
    Lines of keys that it does not have, or names no language for, show that themselves.

    What a line is, `recipe.text.tables` says; a key without text stays. The bytes written do not depend on
    `workers`. RecipeError if both paths are one file, or naming the line that cannot be read.
    """
    if workers < 1:
        raise RecipeError(f"{workers} workers cannot do anything; use 1 or more")
    if Path(source).exists() and Path(target).exists() and os.path.samefile(source, target):
        raise RecipeError(f"{target}: is also the input; write to another file")
    # What is missing is reported before anything is written, and workers that fork find everything loaded.
    normalizer(mode, kana=kana)("one 零")
    languages = (utt2lang and read_labels(os.fspath(utt2lang), "language")) or {}
    rules = partial(_own_rules, *_named(mode, equivalent, fillers, kana)) if equivalent or fillers else None
    if rules:
        rules()
    work = partial(_normalize_batch, os.fspath(source), mode, kana, lists, rules=rules, explained=explain is not None)
    count = 0
    if Path(source).is_file() and os.path.getsize(source) <= _SMALL:
        workers = 1
    with open_atomic(target) as file:
        for lines, changes in _map(work, _batches(source, lists, languages), workers):
            file.writelines(lines)
            count += len(lines)
            if explain:
                explain(changes)
    return count


def _batches(source: str | os.PathLike, lists: bool, languages: dict[str, str]) -> Iterator[list[_Line]]:
    if datadir.is_jsonl(source):
        entries = (entry for entry in join.from_jsonl(os.fspath(source)) if entry.problem is None)
        lines = ((entry.number, entry.key, _text(entry, lists)) for entry in entries)
    else:
        lines = tables.read(source)
    labelled = ((number, key, text, languages.get(key)) for number, key, text in lines)
    while batch := list(itertools.islice(labelled, _BATCH)):
        yield batch


def _text(entry: Entry, lists: bool) -> str:
    return ", ".join(listed_hotwords(entry.prompt)[0]) if lists else re.sub("[\r\n]", " ", entry.text)


def _normalize_batch(
    source: str,
    mode: str,
    kana: bool,
    lists: bool,
    batch: list[_Line],
    rules: Callable[[], OwnRules] | None = None,
    explained: bool = False,
) -> tuple[list[str], list[Change]]:
    """The lines of a batch and, where they are `explained`, what changed them."""
    changes: list[Change] = []
    steps: list[tuple[str, str, str]] = []  # of the line at hand
    note = (lambda *step: steps.append(step)) if explained else None

    @functools.cache
    def work(language: str | None) -> Callable[[str], str]:
        one = normalizer(mode, kana=kana, language=language, rules=rules and rules(), note=note)
        return partial(_each_entry, one) if lists else one

    lines = []
    for number, key, text, language in batch:
        try:
            lines.append(f"{key}\t{work(language)(text)}\n")
        except ValueError as error:
            raise RecipeError(f"{source}:{number}: key {key!r} cannot be normalized ({error})") from error
        changes += (Change(key, *step) for step in steps)
        steps.clear()
    return lines, changes


def _map(work: Callable, batches: Iterator[list[_Line]], workers: int) -> Iterator[tuple[list[str], list[Change]]]:
    """`map` in order, over processes, with a bounded number of batches in memory."""
    if workers <= 1:
        yield from map(work, batches)
        return
    with ProcessPoolExecutor(workers) as pool:
        while window := list(itertools.islice(batches, 16 * workers)):
            yield from pool.map(work, window)
