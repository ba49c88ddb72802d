"""Utterances that are left out on purpose."""

import gzip

import pytest
from conftest import ROOT  # noqa: F401 - makes the library importable

from recipe.data import excluded, join
from recipe.data.excluded import EXCLUDED, Excluded


def table(path, *lines, header="key\tkind\tset"):
    path.write_text("".join(f"{line}\n" for line in (header, *lines)))
    return path


def left_out(path, label, keys="abcdef"):
    looked_up = Excluded(path, label)
    return {key: problem for key in keys if (problem := looked_up.problem(key))}


def test_keys_in_any_order_are_found_with_their_kind_and_line(tmp_path):
    path = table(tmp_path / "x.tsv", "e\tswapped\ttrain/s", "b\t\t", "d\tcut\ttest/s", "b\tlater\t")
    assert left_out(path, "train/s") == {"b": (EXCLUDED, "x.tsv:3"), "e": (EXCLUDED, "x.tsv:2: swapped")}
    assert left_out(path, "test/s") == {"b": (EXCLUDED, "x.tsv:3"), "d": (EXCLUDED, "x.tsv:4: cut")}


@pytest.mark.parametrize("header", ["key", "utterance\ttext", "KEY\tscore"])
def test_any_table_with_a_header_will_do(tmp_path, header):
    assert left_out(table(tmp_path / "x.tsv", "c\tanything", header=header), "train/s").keys() == {"c"}


def test_a_table_may_come_from_a_spreadsheet_or_be_compressed(tmp_path):
    text = "\ufeffkey\tkind\r\nc\tswapped\r\n\r\n".encode()
    (tmp_path / "x.tsv").write_bytes(text)
    (tmp_path / "x.tsv.gz").write_bytes(gzip.compress(text))
    for name in ("x.tsv", "x.tsv.gz"):
        assert left_out(tmp_path / name, "train/s") == {"c": (EXCLUDED, f"{name}:2: swapped")}


def test_a_joined_entry_that_is_left_out_says_so_and_all_others_stay(tmp_path):
    (tmp_path / "wav.scp").write_text("b b.wav\na a.wav\nc c.wav\n")
    (tmp_path / "text").write_text("a one\nc three\n")
    path = table(tmp_path / "x.tsv", "a\tswapped\t", "b\t\t")
    entries = list(
        join.join(
            str(tmp_path / "wav.scp"), str(tmp_path / "text"), {}, lambda *_: "", excluded=Excluded(path, "train/s")
        )
    )
    assert [(entry.key, entry.problem and entry.problem[0]) for entry in entries] == [
        ("b", EXCLUDED),
        ("a", EXCLUDED),
        ("c", None),
    ]


def test_keys_that_no_set_has_are_told(tmp_path):
    path = table(tmp_path / "x.tsv", "a\t\t", "b\t\ttrain/s", "c\t\ttest/s", "zz\t\t")
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    train.write_text("key\tstage\treason\tdetail\na\tscp2jsonl\texcluded\tx\nc\tscp2jsonl\texcluded\tx\n")
    test.write_text("key\tstage\treason\tdetail\nb\tscp2jsonl\taudio-missing\tx\n")
    found = list(excluded.unknown(path, [("train/s", train), ("test/s", test)]))
    assert [(line.key, line.number) for line in found] == [("b", 3), ("c", 4), ("zz", 5)]
