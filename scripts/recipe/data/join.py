"""Joining the tables of a data directory by key, in memory that does not grow with the corpus.

Every table is read as a stream in the order of its keys, as Kaldi's tables are sorted, and the streams are merged. A
table that is not sorted is sorted first, in runs that lie on disk. What comes out is again in the order of wav.scp (or
of segments, where there is one); after it come the lines that belong to no recording.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from recipe.data import datadir
from recipe.data.excluded import Excluded
from recipe.data.sorting import Sorter, is_sorted, sorted_rows
from recipe.files import RecipeError, object_lines
from recipe.text import tables as lines
from recipe.text.languages import UnknownLanguage
from recipe.text.tables import Row

_END = 1 << 60


class Entry(NamedTuple):
    """What the tables say of one utterance; `problem` is a (reason, detail) found while joining."""

    number: int  # line of wav.scp, segments or JSONL
    key: str
    source: str  # not yet resolved
    text: str | None = None
    prompt: str = ""
    after: str = ""  # text after the audio in the user's message
    start: float = 0.0  # seconds into the recording
    end: float | None = None
    speaker: str | None = None
    language: str | None = None
    group: str | None = None
    channel: int | None = None  # of a recording with several, from 0; None: as the settings say
    recording: str | None = None  # key in wav.scp, of a segment
    problem: tuple[str, str] | None = None
    again: bool = False  # an earlier line has its key


class Table:
    """A table as a stream that is looked up with keys that never fall; `unused` is told the rows that nobody asked
    for."""

    def __init__(self, path: str, unused: Callable[[Row], None] | None = None):
        self.name = path.rpartition("/")[2].removesuffix(".gz")
        self._rows, _ = sorted_rows(lambda: lines.rows(path))
        self._unused = unused
        self._row = next(self._rows, None)
        self._last: tuple[str | None, list[Row]] = (None, [])

    def take(self, key: str) -> list[Row]:
        """All rows of a key."""
        if key == self._last[0]:
            return self._last[1]
        found = []
        row = self._row
        while row is not None and row[0] <= key:
            if row[0] == key:
                found.append(row)
            elif self._unused:
                self._unused(row)
            row = next(self._rows, None)
        self._row = row
        self._last = (key, found)
        return found

    def value(self, key: str) -> tuple[str | None, tuple[str, str] | None]:
        """The one value of a key (None without a row), and the problem with it if there is one."""
        rows = self.take(key)
        if not rows:
            return None, None
        if len(rows) > 1 and any(row.value != rows[0].value for row in rows):
            lines = " and ".join(str(row.number) for row in rows[:2])
            return None, (f"conflicting-{self.name}", f"{self.name}, lines {lines}, say different things")
        if isinstance(rows[0].value, bytes):
            return None, bad_utf8(self.name, rows[0])
        return rows[0].value, None

    def finish(self) -> None:
        """Report the rows behind the last key as unused."""
        while self._row is not None:
            if self._unused:
                self._unused(self._row)
            self._row = next(self._rows, None)


def bad_utf8(table: str, row: Row) -> tuple[str, str]:
    """The (reason, detail) of a row of `table` whose value is bytes that are not UTF-8."""
    return "bad-utf8", f"{table}:{row.number}: {lines.not_utf8(row.value)}"


# --- Kaldi data directories ---------------------------------------------------------------------------------------

_COLUMNS = re.compile(r"[ \t]+")
_INDEX = re.compile(r"\d{1,4}", re.ASCII)
_RECORDING, _TRANSCRIPT = 0, 1  # kinds of lines that belong to nothing, in the order in which they are listed
NO_SEGMENTS = "recording-without-segments"
# Reasons of lines that belong to no utterance: they are listed, and no fault where a list of recordings is a part of
# a larger set.
ORPHANS = ("key-without-audio", "duplicate-transcript", NO_SEGMENTS)


def join(
    scp_file: str,
    text_file: str | None,
    tables: dict[str, str],
    make_prompt: Callable[[str | None, str | None], str],
    shard: tuple[int, int] = (0, 1),
    excluded: Excluded | None = None,
) -> Iterator[Entry]:
    """Join wav.scp, transcripts (None: there are none) and `tables` (name in datadir.OPTIONAL -> path). What is
    `excluded` has that as its problem.

    `make_prompt` gets the language and the hotwords of an utterance. `shard` (i, n) is the i-th of n parts of the
    lines of wav.scp (or segments); lines that belong to no recording come with the last part.
    """
    unused = Sorter(itemgetter(0, 1))
    primary = tables.get("segments", scp_file)
    audio, ordered = _segments(primary, scp_file, unused) if "segments" in tables else _recordings(scp_file)
    # Sets of unchanging size first: dictionaries of tables that most corpora do not have.
    others = {name: Table(path) for name, path in tables.items() if name != "segments"}
    text = None
    if text_file:
        text = Table(text_file, lambda row: unused.add((_TRANSCRIPT, row[1], row[0], "key-without-audio", text_file)))
    entries = _merge(audio, text, others, make_prompt, primary, unused, excluded)
    yield from _part(entries, ordered, primary, shard)
    if shard[0] == shard[1] - 1:
        for _, number, key, reason, where in unused:
            yield Entry(number, key, "", problem=(reason, f"{where}:{number}"))


def _part(entries: Iterable[Entry], ordered: bool, path: str, shard: tuple[int, int]) -> Iterator[Entry]:
    """Of entries that are `ordered` by line or not, those of the shard's share of the lines of `path`, by line."""
    if not ordered:
        sorter = Sorter(itemgetter(0))
        for entry in entries:
            sorter.add(entry)
        entries = map(Entry._make, sorter)
    part, parts = shard
    lines = datadir.count_lines(path) if parts > 1 else _END
    first, last = lines * part // parts, lines * (part + 1) // parts
    return (entry for entry in entries if first < entry[0] <= last)


def _recordings(scp_file: str) -> tuple[Iterator[tuple], bool]:
    """(key, line, source, start, end, channel, problem, None) of wav.scp by key."""
    rows, ordered = sorted_rows(lambda: lines.rows(scp_file))
    return ((key, number, *_source(value, scp_file, key, number)) for key, number, value in rows), ordered


def _source(value: str | bytes, scp_file: str, key: str, number: int) -> tuple:
    if value.__class__ is bytes:
        return "", 0.0, None, None, bad_utf8("wav.scp", Row(key, number, value)), None
    if not value:
        return "", 0.0, None, None, ("audio-missing", f"{scp_file}:{number}: nothing after the key"), None
    return value, 0.0, None, None, None, None


def entry_of(raw: bytes, number: int, path: str) -> Entry | None:
    """What a line, the `number`-th of the table at `path`, says by itself, before it is joined: of JSONL everything, of
    segments the part of a recording, of wav.scp the recording. None of a blank one."""
    if datadir.is_jsonl(path):
        return _jsonl_entry(_jsonl_row(raw, number, path), path)
    if (row := lines.parse(raw, number)) is None:
        return None
    if os.path.basename(path).startswith("segments"):
        recording, key, number, start, end, channel, problem = _segment(row, path)
        return Entry(number, key, "", start=start, end=end, channel=channel, recording=recording, problem=problem)
    source, start, end, channel, problem, _ = _source(row.value, path, row.key, row.number)
    return Entry(row.number, row.key, source, start=start, end=end, channel=channel, problem=problem)


def _segments(path: str, scp_file: str, unused: Sorter) -> tuple[Iterator[tuple], bool]:
    """(key, line, source, start, end, problem, recording) of segments by key: sorted by recording to meet wav.scp, then
    by key."""
    by_recording = Sorter(itemgetter(0, 2))
    for row in lines.rows(path):
        by_recording.add(_segment(row, path))
    recordings = Table(scp_file, lambda row: unused.add((_RECORDING, row[1], row[0], NO_SEGMENTS, scp_file)))
    by_key = Sorter(itemgetter(0, 1))
    for recording, key, number, start, end, channel, problem in by_recording:
        source = ""
        if problem is None:
            source, problem = recordings.value(recording)
            if not source and not problem:
                problem = ("audio-missing", f"{path}:{number}: recording {recording!r} is not in {scp_file}")
        by_key.add((key, number, source or "", start, end, channel, problem, recording))
    recordings.finish()
    return iter(by_key), is_sorted(lines.rows(path))


def _segment(row: Row, path: str) -> tuple:
    """(recording, key, line, start, end, channel, problem) of a line of segments; an end of -1 is that of the
    recording, and a fifth column is the channel, as of Kaldi's extract-segments."""
    key, number, value = row
    where = f"{path}:{number}"
    if isinstance(value, bytes):
        return "", key, number, 0.0, None, None, bad_utf8("segments", row)
    try:
        recording, start, end, *channel = _COLUMNS.split(value)
        start, end = float(start), float(end)
        [channel] = [channel_index(name) for name in channel] or [None]
    except ValueError:
        found = f"expected `key recording start end`, in seconds, and perhaps a channel, found {value!r}"
        return "", key, number, 0.0, None, None, ("segment-invalid", f"{where}: {found}")
    end = None if end == -1 else end
    if problem := _span_problem(start, end, where):
        return "", key, number, 0.0, None, None, problem
    return recording, key, number, start, end, channel, None


def channel_index(name: str) -> int | None:
    """The channel, from 0, that a table names: by its index or as A and B, the sides of a call; -1, as in Kaldi, is
    none in particular (None). ValueError for anything else."""
    if name in ("A", "B"):
        return "AB".index(name)
    if name == "-1":
        return None
    if not _INDEX.fullmatch(name):
        raise ValueError(f"{name!r} is no channel")
    return int(name)


def _span_problem(start: float, end: float | None, where: str) -> tuple[str, str] | None:
    """What is wrong with a part of a recording, in seconds, whatever the recording is."""
    if 0 <= start < float("inf") and (end is None or start < end < float("inf")):
        return None
    return "segment-invalid", f"{where}: from {start:g} to {end} s"


def _merge(
    audio: Iterator[tuple],
    text: Table | None,
    others: dict[str, Table],
    make_prompt: Callable[[str | None, str | None], str],
    primary: str,
    unused: Sorter,
    excluded: Excluded | None,
) -> Iterator[Entry]:
    for key, group in groupby(audio, key=itemgetter(0)):
        rows = list(group)
        left_out = excluded.problem(key) if excluded else None
        transcript = problem = None
        if text:
            transcripts = text.take(key)
            transcript, problem = _transcript(transcripts, text.name)
            for row in transcripts[1:] if problem is None else ():
                unused.add((_TRANSCRIPT, row[1], key, "duplicate-transcript", text.name))
        facts = {}
        for name, table in others.items():
            facts[name], wrong = table.value(key)
            problem = problem or wrong
        prompt, wrong = _prompt(facts, make_prompt)
        problem = problem or wrong
        conflict = len(rows) > 1 and any(row[2:6] != rows[0][2:6] for row in rows)
        for position, (_, number, source, start, end, channel, wrong, recording) in enumerate(rows):
            if facts.get("utt2channel") is not None:
                channel, problem = _channel(channel, facts["utt2channel"], problem)
            if conflict:
                wrong = ("conflicting-key", f"{primary}:{number}: {source}; the key has other audio elsewhere")
            elif position:
                wrong = ("duplicate-key", f"{primary}:{number}: the same as line {rows[0][1]}")
            yield Entry(
                number, key, source, transcript, prompt, "", start, end, facts.get("utt2spk"), facts.get("utt2lang"),
                facts.get("utt2group"), channel, recording, left_out or wrong or problem, position > 0,
            )  # fmt: skip
    if text:
        text.finish()


def _prompt(
    facts: dict[str, str | None], make_prompt: Callable[[str | None, str | None], str]
) -> tuple[str, tuple[str, str] | None]:
    """The prompt of an utterance, and what is wrong with its language if it cannot be asked for."""
    if facts.get("utt2prompt"):
        return facts["utt2prompt"], None
    try:
        return make_prompt(facts.get("utt2lang"), facts.get("utt2hotwords")), None
    except UnknownLanguage as error:
        return "", ("unknown-language", f"utt2lang: {error}")


def _channel(
    of_segment: int | None, name: str, problem: tuple[str, str] | None
) -> tuple[int | None, tuple[str, str] | None]:
    """The channel that utt2channel says, and what is wrong with it; `problem` if there was one before."""
    try:
        channel = channel_index(name)
    except ValueError:
        return None, problem or ("channel-invalid", f"utt2channel: expected an index from 0, A or B, found {name!r}")
    if channel is not None and of_segment not in (None, channel):
        return None, problem or ("channel-invalid", f"utt2channel says {channel}, segments {of_segment}")
    return of_segment if channel is None else channel, problem


def _transcript(rows: list[Row], table: str) -> tuple[str | None, tuple[str, str] | None]:
    if not rows:
        return None, None
    value = rows[0][2]
    if len(rows) > 1 and any(row[2] != value for row in rows):
        return None, (
            "conflicting-transcripts",
            f"{table}:{rows[1].number}: {rows[1].value!r} here, {value!r} on line {rows[0].number}",
        )
    if value.__class__ is bytes:
        return None, bad_utf8(table, rows[0])
    return value, None


# --- Manifests as input -------------------------------------------------------------------------------------------


def from_jsonl(path: str, shard: tuple[int, int] = (0, 1), excluded: Excluded | None = None) -> Iterator[Entry]:
    """The entries of a JSONL file in the published format. A line without `key` is called by file and line. What is
    `excluded` has that as its problem."""
    rows, ordered = sorted_rows(lambda: _jsonl_rows(path))
    entries = _unique(rows, path, excluded)
    return _part(entries, ordered, path, shard)


def _jsonl_rows(path: str) -> Iterator[Row]:
    return (_jsonl_row(raw, number, path) for number, raw in object_lines(path))


def _jsonl_row(raw: bytes, number: int, path: str) -> Row:
    """A line of JSONL by its key; one without a key of its own is called by file and line."""
    import json

    from recipe.data import manifest

    key = f"{path.rpartition('/')[2].removesuffix('.gz').removesuffix('.jsonl')}-{number:08d}"
    try:
        line = raw.decode()
        found = json.loads(line)
        own = manifest.name(found, "key") if isinstance(found, dict) else None
        return Row(own if own and not lines.key_problem(own) else key, number, line)
    except UnicodeDecodeError:
        return Row(key, number, raw)
    except (ValueError, RecursionError):
        return Row(key, number, line)


def _unique(rows: Iterator[Row], path: str, excluded: Excluded | None) -> Iterator[Entry]:
    for key, group in groupby(rows, key=itemgetter(0)):
        left_out = excluded.problem(key) if excluded else None
        entries = [_jsonl_entry(Row._make(row), path) for row in group]
        conflict = any(entry[2:12] != entries[0][2:12] for entry in entries)
        for position, entry in enumerate(entries):
            if conflict:
                entry = entry._replace(problem=("conflicting-key", f"{path}:{entry.number}: the key has other content"))
            elif position:
                entry = entry._replace(problem=("duplicate-key", f"{path}:{entry.number}: as line {entries[0].number}"))
            yield entry._replace(again=position > 0, problem=left_out or entry.problem)


def _jsonl_entry(row: Row, path: str) -> Entry:
    import json

    from recipe.data import manifest

    if isinstance(row.value, bytes):
        return Entry(row.number, row.key, "", problem=bad_utf8(path, row))
    try:
        record = json.loads(row.value)
        if not isinstance(record, dict):
            raise ValueError("not a JSON object")
        # The lengths are counted anew, so a file may lack them.
        found = manifest.parse({"speech_length": 0, "text_length": 0} | record, f"{path}:{row.number}")
        if record.get("key") is not None and found.key != row.key:
            raise ValueError(f"key is {record['key']!r}, expected text without spaces or control characters")
        "".join((found.source, found.prompt, found.after)).encode()  # an escaped half of a character is none
        problem = _span_problem(found.start, found.end, f"{path}:{row.number}")
    except (ValueError, RecursionError, RecipeError) as error:
        return Entry(row.number, row.key, "", problem=("jsonl-invalid", " ".join(str(error).split())))
    return Entry(
        row.number, row.key, found.source, found.text, found.prompt, found.after, found.start, found.end,
        found.speaker, found.language, found.group, found.channel, found.recording, problem,
    )  # fmt: skip
