"""The index of a manifest: made while it is written or read, the same either way, and never taken for another's."""

import copy
import gzip
import json
import os

import numpy as np
import pytest
from conftest import SENTENCES
from stages import scp2jsonl

from recipe.data import index, index_writer, manifest
from recipe.data.manifest import Utterance
from recipe.files import RecipeError, json_line, sha256

ODD = [
    Utterance("a", "/x/a.wav", "Write: ", 'say "hi", "speech_length": 5', 100, 7, 1.015, speaker='the "one"'),
    Utterance("b", 'cat "b.wav" |', "写\\出：", "<b>|\t\u2028", 250, 3, 2.5, after=" (slowly)", language="en"),
    Utterance("c" * 6000, "/x/c.wav", "Write: ", "", 3, 0, 0.05, start=1.5, end=1.55, language='"zh"', group="g"),
]


def write(path, lines, ending="\n"):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("".join(f"{line}{ending}" for line in lines).encode())
    return path


def rows_of(found):
    return np.concatenate([rows for _, rows in found.blocks(2)])


def read_all(found):
    return [found.read(offset) for offset in rows_of(found)["offset"].tolist()]


def test_a_row_has_what_planning_needs(tmp_path):
    path = write(tmp_path / "x.jsonl", [json_line(one.to_json()) for one in ODD])
    found = index.find(path, tmp_path / "index")
    rows = rows_of(found)
    assert rows["frames"].tolist() == [100, 250, 3] and rows["tokens"].tolist() == [7, 3, 0]
    assert rows["seconds"].tolist() == [1.015, 2.5, 0.05] and rows["context"].tolist() == [0, 1, 0]
    assert list(found.contexts()) == [("Write: ", ""), ("写\\出：", " (slowly)")]
    assert read_all(found) == ODD == list(manifest.read(path))
    assert found.sha256 == sha256(path) and len(found) == 3
    assert found.facts["languages"] == ['"zh"', "en"] and found.facts["prompts"] == {"Write: ": 2, "写\\出：": 1}
    assert found.facts["seconds"] == pytest.approx(3.565)


@pytest.mark.parametrize("number", range(3))
def test_a_line_that_we_made_is_known_at_a_glance(number):
    one = ODD[number]
    head, tail = one.fragments()
    assert manifest.glance(f"{head}{one.text_length}{tail}") == (one.speech_length, one.prompt, one.after, one.language)


def test_the_data_stage_leaves_the_index_that_reading_makes(data_dir, full_model, tmp_path):
    (data_dir / "utt2lang").write_text("".join(f"spk{i % 2}-utt{i} {('en', 'zh')[i % 2]}\n" for i in range(8)))
    (data_dir / "utt2hotwords").write_text(f"spk1-utt3 {SENTENCES[0]}\n")
    scp2jsonl(data_dir, full_model, "--language", "utt2lang")
    path = data_dir / "out/set.jsonl"
    left = index.find(path, tmp_path / "unused")
    assert left.folder == index.beside(path) and not (tmp_path / "unused").exists()
    (left.folder / index.FACTS).unlink()
    made = index.find(path, tmp_path / "made")
    assert left.facts == made.facts and rows_of(left).tolist() == rows_of(made).tolist()
    assert list(left.contexts()) == list(made.contexts()) and len(list(made.contexts())) == 3


def test_shards_leave_it_too(data_dir, full_model, tmp_path):
    path = data_dir / "out/set.jsonl"
    for number in (1, 2):
        scp2jsonl(data_dir, full_model, "--shard", f"{number}-of-2", "--checked-file", tmp_path / str(number))
    scp2jsonl(data_dir, full_model, "--merge", tmp_path / "1", tmp_path / "2")
    assert index.find(path, tmp_path / "unused").folder == index.beside(path)
    assert read_all(index.find(path, tmp_path / "unused")) == list(manifest.read(path))


def test_another_manifest_in_its_place_is_indexed_anew(tmp_path):
    lines = [json_line(one.to_json()) for one in ODD]
    path = write(tmp_path / "x.jsonl", lines)
    before = index.find(path, tmp_path / "index")
    same_size = [line.replace('"a"', '"z"') for line in lines]
    path.unlink()
    write(path, same_size)
    assert [one.key[0] for one in read_all(index.find(path, tmp_path / "index"))] == ["z", "b", "c"]
    assert [one.key[0] for one in read_all(before)] == ["a", "b", "c"]  # of the file that it was opened with


def test_a_copy_keeps_its_index(tmp_path):
    path = write(tmp_path / "x.jsonl", [json_line(one.to_json()) for one in ODD])
    made = (index.find(path, tmp_path / "index").folder / index.ROWS).stat().st_ino
    os.utime(path, (1, 1))
    assert (index.find(path, tmp_path / "index").folder / index.ROWS).stat().st_ino == made


@pytest.mark.parametrize("leave_out", [index.FACTS, None])
def test_a_half_written_or_older_index_is_made_anew(tmp_path, leave_out):
    path = write(tmp_path / "x.jsonl", [json_line(one.to_json()) for one in ODD])
    folder = index.find(path, tmp_path / "index").folder
    if leave_out:
        (folder / leave_out).unlink()
        (folder / index.ROWS).write_bytes(b"half")
    else:
        facts = json.loads((folder / index.FACTS).read_text())
        (folder / index.FACTS).write_text(json.dumps(facts | {"version": 0, "utterances": 1}))
    assert read_all(index.find(path, tmp_path / "index")) == ODD


@pytest.mark.parametrize("kind", ["plain", "mark", "crlf", "gzip"])
def test_lines_without_keys_are_called_by_file_and_line_however_they_are_kept(tmp_path, kind):
    records = [one.to_json() for one in ODD]
    for record in records[:2]:
        del record["key"]
    lines = ["", *map(json_line, records[:1]), "  ", "", *map(json_line, records[1:]), ""]
    path = write(tmp_path / "x.jsonl", lines, "\r\n" if kind == "crlf" else "\n")
    if kind == "mark":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    if kind == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = index.find(path, tmp_path / "index")
    assert [one.key[:20] for one in read_all(found)] == [f"{path}:2"[:20], f"{path}:5"[:20], "c" * 20]
    assert read_all(found) == list(manifest.read(path)) == read_all(copy.copy(found))


def test_a_last_line_without_its_end_is_whole(tmp_path):
    path = write(tmp_path / "x.jsonl", [json_line(one.to_json()) for one in ODD])
    path.write_bytes(path.read_bytes().rstrip())
    assert read_all(index.find(path, tmp_path / "index")) == ODD


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"x\.jsonl:3: not valid JSON"),
        ("[]", r"x\.jsonl:3: expected a JSON object"),
        ("{}", r"x\.jsonl:3: not a line of the published training format: field 'messages' is missing"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path, line, message):
    path = write(tmp_path / "x.jsonl", [json_line(ODD[0].to_json()), "", line])
    with pytest.raises(RecipeError, match=message):
        index.find(path, tmp_path / "index")
    assert not (tmp_path / "index" / index.FACTS).exists()


def test_no_manifest_is_an_error(tmp_path):
    with pytest.raises(RecipeError, match=r"x\.jsonl: no such file"):
        index.find(tmp_path / "x.jsonl", tmp_path / "index")
    with pytest.raises(RecipeError, match="is no file"):
        index.find(tmp_path, tmp_path / "index")


def test_a_manifest_that_is_changed_in_place_is_told(tmp_path):
    path = write(tmp_path / "x.jsonl", [json_line(one.to_json()) for one in ODD])
    found = index.find(path, tmp_path / "index")
    with open(path, "r+b") as file:
        file.write(b"oops")
    with pytest.raises(RecipeError, match="changed while it was in use"):
        found.read(0)


def test_prompts_without_number_are_listed_all_the_same(tmp_path, monkeypatch):
    """Only so many are remembered; later ones stand more than once, and each line still has its own."""
    monkeypatch.setattr(index_writer, "_REMEMBERED", 2)
    some = [Utterance(f"u{i}", "a.wav", f"prompt {i % 4}", "t", 100, 1, 1.0) for i in range(12)]
    found = index.find(write(tmp_path / "x.jsonl", [json_line(one.to_json()) for one in some]), tmp_path / "index")
    contexts = list(found.contexts())
    assert [contexts[number] for number in rows_of(found)["context"]] == [(one.prompt, "") for one in some]
    assert len(contexts) == 2 + 6 and found.facts["prompts"] == {"prompt 0": 3, "prompt 1": 3}
