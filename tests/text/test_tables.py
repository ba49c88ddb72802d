"""Lines `key value`: one reading, whatever the white space, the encoding and the stage."""

import codecs
import gzip
import json
import subprocess
import sys

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from recipe.files import RecipeError
from recipe.text import tables

IDEOGRAPHIC, NO_BREAK = "\u3000", "\u00a0"


def written(folder, content):
    (folder / "table").write_bytes(content)
    return folder / "table"


@pytest.mark.parametrize("odd", [IDEOGRAPHIC, NO_BREAK, "\u2003", "\u2028", "\x85", "\u200b"])
def test_only_space_and_tab_end_a_key(tmp_path, odd):
    path = written(tmp_path, f"a{odd}b  \t x{odd}y \r\n{odd}c\n\n \t\nd\n".encode())
    assert list(tables.read(path)) == [(1, f"a{odd}b", f"x{odd}y"), (2, f"{odd}c", ""), (5, "d", "")]


def text_without(characters, **options):
    return st.text(st.characters(exclude_characters=characters, exclude_categories=["Cs"]), **options)


@given(st.lists(st.tuples(text_without(" \t\r\n", min_size=1), text_without("\r\n")), max_size=5))
def test_what_is_written_is_read(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("t") / "table"
    lines = "".join(f"{key}\t{value}\n" for key, value in entries)
    if lines.encode().count(0) * 3 > len(lines.encode()) or lines.startswith("\ufeff"):
        return  # reads as UTF-16, or has a byte-order mark
    path.write_bytes(lines.encode())
    assert [(key, value) for _, key, value in tables.read(path)] == [(k, v.strip(" \t")) for k, v in entries]


def test_a_line_that_is_not_utf8_is_named_and_kept_apart(tmp_path):
    path = written(tmp_path, b"a x\nb \xff\nc y\n")
    assert [row.value for row in tables.rows(path)] == ["x", b"b \xff", "y"]
    with pytest.raises(RecipeError, match=r"table:2: byte 3 of the line \(0xff\) is not UTF-8; convert"):
        list(tables.read(path))


def test_gbk_is_named_and_latin_is_not_taken_for_it():
    assert "reads as GBK" in tables.not_utf8("a1 今天天气很好，hello".encode("gbk"))
    for text in ("Müller und Söhne", "é à ù", "naïve"):
        assert "GBK" not in tables.not_utf8(f"a1 {text}".encode("latin-1"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_wide_encodings_are_named(tmp_path, encoding, packed):
    content = "a1 hello world\na2 今天\n".encode(encoding)
    path = written(tmp_path, gzip.compress(content) if packed else content)
    with pytest.raises(RecipeError, match="table: is UTF-16 or UTF-32, expected UTF-8"):
        list(tables.rows(path))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"RIFF\x24\n\0\0WAVEfmt ", "a recording"), (b"fLaC\0\0\0\x22", "a recording"), (b"OggS\0\x02", "a recording"),
        (b"ID3\x04\0", "a recording"), (b"PK\x03\x04\x14\0", r"a ZIP archive, as spreadsheets are \(export .*"),
        (b"PAR1\x15\x04", "a Parquet file"), (b"%PDF-1.7\n", "a PDF"),
        (b"<!DOCTYPE html>\n<html>", r"a web page .*"), (b"\n <html>\n<body>404</body>", r"a web page .*"),
    ],
)  # fmt: skip
def test_what_is_given_for_a_table_and_is_none_is_named(tmp_path, content, kind):
    with pytest.raises(RecipeError, match=f"table: is {kind}, expected a text file"):
        list(tables.read(written(tmp_path, content)))


@pytest.mark.parametrize("key", ["RIFF", "fLaC", "OggS-1", "ID3", "PK", "PAR1-007", "PAR1", "<htmls"])
def test_keys_that_files_begin_like_are_keys(tmp_path, key):
    assert list(tables.read(written(tmp_path, f"{key} x\n".encode()))) == [(1, key, "x")]


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path):
    assert list(tables.read(written(tmp_path, codecs.BOM_UTF8 + b"a x\n"))) == [(1, "a", "x")]


@pytest.mark.parametrize("key", ["a b", "a\tb", "a\x00b", "a\x0bb", "", "a\u2028b"])
def test_what_cannot_be_a_key(key):
    assert tables.key_problem(key)


@pytest.mark.parametrize("key", ["a", "录音\u30001", "a\u00a0b", "a/b.c", "'\"", "😀" * 100])
def test_what_can_be_a_key(key):
    assert tables.key_problem(key) is None


def test_the_stages_agree_on_keys_with_odd_spaces(tmp_path):
    keys = [f"录音{IDEOGRAPHIC}1", f"录音{IDEOGRAPHIC}2", f"b{NO_BREAK}1", "c"]
    for name, text in (("ref", "你好 hello"), ("hyp", "你好 hallo")):
        (tmp_path / name).write_text("".join(f"{key} {text}\n" for key in keys), encoding="utf-8")
        run("normalize.py", "--mode", "faithful", tmp_path / name, tmp_path / f"{name}.txt")
    ref, hyp, cer, scores = (tmp_path / name for name in ("ref.txt", "hyp.txt", "cer.txt", "s.json"))
    run("compute_wer.py", ref, hyp, cer, "--json", scores)
    counts = json.loads(scores.read_text())["utterances"]
    assert (counts["scored"], counts["missing"], counts["extra"]) == (4, 0, 0)
    assert f"utt: {keys[0]}\n" in cer.read_text()


def run(script, *arguments):
    subprocess.run([sys.executable, ROOT / "scripts" / script, *arguments], check=True, capture_output=True)
