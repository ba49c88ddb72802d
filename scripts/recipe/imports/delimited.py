"""Tables in CSV and TSV, or JSON lines, a row an utterance; Common Voice's and LJSpeech's are such."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from recipe.data import datadir
from recipe.files import RecipeError, byte_lines
from recipe.imports import columns, records, sources
from recipe.imports.items import Found, Notes, NotImportable, guarded
from recipe.imports.options import ImportOptions
from recipe.text import tables

_SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
COMMON_VOICE = {"audio": "path", "text": "sentence", "speaker": "client_id", "language": "locale"}
LJSPEECH = {"key": "1", "audio": "1", "text": "3"}


def read(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """The utterances of a table with a header (or without, --no-header: columns are numbers from 1)."""
    if source.is_dir():
        found = [path.name for path in sorted(source.iterdir()) if path.suffix in (".csv", ".tsv", ".jsonl")]
        raise RecipeError(f"{source}: is a folder; name a table in it ({', '.join(found[:10]) or 'there is none'})")
    folders = [options.root or source.parent]
    if datadir.is_jsonl(source):
        return jsonl_rows(source, options.columns, folders)
    return _rows(source, options, options.columns, folders, quoted=_delimiter(source, options) != "\t")


def common_voice(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """Common Voice: a folder with clips/ and validated.tsv (--split names another of its tables), or such a table."""
    table = source
    if source.is_dir():
        table = source / f"{options.split or 'validated'}.tsv"
        if not table.is_file():
            there = ", ".join(sorted(path.stem for path in source.glob("*.tsv"))) or "none"
            raise RecipeError(f"{table}: no such file; tables that are there, for --split: {there}")
    folder = Path(options.root or table.parent / "clips")
    roles = COMMON_VOICE | options.columns

    def with_suffix(row: dict) -> dict:
        """The first releases left the suffix out."""
        path = row.get(roles["audio"])
        if path and "." not in path and not os.path.exists(folder / path):
            return row | {roles["audio"]: f"{path}.mp3"}
        return row

    return _rows(table, options, roles, [folder], quoted=False, default="\t", mend=with_suffix)


def ljspeech(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """LJSpeech and what is laid out like it: metadata.csv with `name|text|normalized text`, no header, and wavs/."""
    table = source / "metadata.csv" if source.is_dir() else source
    _refuse_header(sources.need(table))
    folder = Path(options.root or table.parent / "wavs")

    def with_suffix(row: dict) -> dict:
        name = row.get("1") or ""
        row = row | {"1": name, "audio": name if "." in Path(name).name else f"{name}.wav"} if name else row
        return row if row.get("3") else row | {"3": row.get("2")}  # corpora in its style may have two columns

    roles = LJSPEECH | {"audio": "audio"} | options.columns
    return _rows(table, options, roles, [folder], quoted=False, default="|", header=False, mend=with_suffix)


def jsonl_rows(source: Path, given: dict[str, str], folders: Sequence[str | Path]) -> Iterator[Found]:
    """The utterances of JSON lines whose fields are columns."""
    there = list(dict.fromkeys(name for record in records.first_objects(source) for name in record))
    roles = columns.choose(there, given, str(source))
    return records.read(source, lambda record, where, key: columns.utterance(record, roles, folders, key))


def csv_rows(source: Path, given: dict[str, str], folders: Sequence[str | Path]) -> Iterator[Found]:
    """The utterances of a CSV with a header."""
    return _rows(source, ImportOptions(), given, folders, quoted=True)


def _delimiter(source: Path, options: ImportOptions, default: str | None = None) -> str:
    if options.delimiter:
        found = _DELIMITERS.get(options.delimiter.lower(), options.delimiter)
        if len(found) != 1:
            raise RecipeError(f"--delimiter {options.delimiter!r}: expected one character, or {', '.join(_DELIMITERS)}")
        return found
    if default:
        return default
    name = source.name.lower().removesuffix(".gz")
    if name.endswith((".tsv", ".tab")):
        return "\t"
    head = next(filter(str.strip, _lines(source)), "")
    return max(",;\t|", key=head.count)


def _lines(source: Path) -> Iterator[str]:
    """Lines as text; bytes that are not UTF-8 as halves of characters, for their row to be rejected."""
    return (raw.decode("utf-8", "surrogateescape") for raw in byte_lines(source))


def _rows(
    source: Path, options: ImportOptions, given: dict, folders: Sequence, *, quoted: bool, default: str | None = None,
    header: bool | None = None, mend=lambda row: row,
) -> Iterator[Found]:  # fmt: skip
    _refuse_sheet(sources.need(source))
    header = options.header if header is None else header
    delimiter = _delimiter(source, options, default)
    reader = csv.reader(
        _lines(source), delimiter=delimiter, strict=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )  # fmt: skip
    rows = ((number, row) for number, row in _counted(reader, source) if row)
    number, first = next(rows, (0, []))
    if not first:
        raise RecipeError(f"{source}: is empty")
    there = [name.strip() for name in first] if header else [str(i) for i in range(1, len(first) + 1)]
    known = [*there, "audio"] if not header and given.get("audio") == "audio" else there
    roles = columns.choose(known, given, str(source))
    if twice := [name for name in roles.values() if there.count(name) > 1]:
        raise RecipeError(f"{source}:{number}: column {twice[0]!r} is there twice; rename one")
    if not header:
        rows = _again((number, first), rows)

    def found(number: int, row: list[str]) -> Found:
        if len(row) != len(there) and header:
            raise NotImportable("row-invalid", f"{len(row)} columns, {len(there)} in the first line{_hint(row, there)}")
        _refuse_bytes(row)
        if delimiter == "\t" and not quoted:
            row = [_unquoted(cell) for cell in row]
        cells = {name: cell or None for name, cell in zip(there, row)}
        return columns.utterance(mend(cells), roles, folders, _key(source, number))

    for number, row in rows:
        yield from guarded(_key(source, number), f"{source}:{number}", lambda n=number, r=row: found(n, r))


def _unquoted(cell: str) -> str:
    """A cell without the quotes that a CSV needs around others, doubled. Common Voice's tables have such cells though
    tabs need none; quotes that stand alone are those of the text."""
    inner = cell[1:-1]
    if cell[:1] == cell[-1:] == '"' and '"' in inner and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def _refuse_header(table: Path) -> None:
    """RecipeError for names of columns on the first line: in tables that have them, the third may be a speaker."""
    if table.is_file():
        names = [name.strip().casefold() for name in next(_lines(table), "").split("|")]
        if names[0] in columns.GUESSES["audio"] and set(names[1:]) & set(columns.GUESSES["text"]):
            raise RecipeError(f"{table}:1: names of columns, which LJSpeech has none of; import it as `table`")


def _key(source: Path, number: int) -> str:
    return f"{records.stem(source)}-{number:08d}"


def _again(first: tuple, rest: Iterable) -> Iterator:
    yield first
    yield from rest


def _counted(reader, source: Path) -> Iterator[tuple[int, list[str]]]:
    """(line on which it ends, cells) of each row. RecipeError where quotes are wrong: what follows cannot be told."""
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise RecipeError(
                f"{source}:{reader.line_num}: {error}; quotes there are not those of a CSV, write the table again "
                "(tab-separated tables, .tsv, are read without quotes)"
            ) from None
        if row is None:
            return
        yield reader.line_num, row


def _refuse_bytes(row: list[str]) -> None:
    for cell in row:
        if not cell.isascii() and any("\ud800" <= char <= "\udfff" for char in cell):
            raise NotImportable("bad-utf8", tables.not_utf8(cell.encode("utf-8", "surrogateescape")))


def _hint(row: list[str], there: list[str]) -> str:
    return "; is a delimiter part of the text, unquoted?" if len(row) > len(there) else ""


def _refuse_sheet(source: Path) -> None:
    """RecipeError for what spreadsheet programs keep, and for a folder."""
    if source.is_dir():
        raise RecipeError(f"{source}: is a folder, expected a table")
    with open(source, "rb") as file:
        head = file.read(4)
    if source.suffix.lower() in _SHEETS or head in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise RecipeError(f"{source}: is a spreadsheet; export the sheet as CSV in UTF-8, and name that file")
