"""Damaged sources of every format end in rejects or in one clear line, never in another exception."""

import json
import random
import sys

import pytest
import soundfile
from conftest import ROOT, tone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_import_labels import CTM, LONG, SHORT, SRT, VTT, region
from test_import_manifests import chat, write_tar

import import_corpus as script
from recipe.files import RecipeError
from recipe.imports.options import ImportOptions
from recipe.imports.run import FORMATS, import_corpus

SUPERVISION = {"id": "u", "recording_id": "r", "start": 0, "duration": 1, "text": "t", "channel": 0, "language": "en"}
RECORDING = {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], "duration": 1.0}
CUT = {"id": "c", "start": 0, "duration": 1, "supervisions": [SUPERVISION], "recording": RECORDING, "type": "MonoCut"}
TASK = {"id": 1, "data": {"audio": "a.wav"}, "annotations": [{"result": [*region("r", 0, 1, "t")]}]}
MIN = {"id": 1, "audio": "a.wav", "transcription": ["x"], "label": [{"start": 0, "end": 0.5, "labels": ["A"]}]}
USER = {"role": "user", "content": "<audio>x"}
SOUND = {"input": [{"feat": "a.wav", "filetype": "sound"}], "output": [{"text": "t"}], "utt2spk": "s"}
# One good record of each format whose lines are JSON.
RECORDS = [
    ("table", {"audio": "a.wav", "text": "t", "speaker": 1, "language": "en", "hotwords": ["a"]}),
    ("nemo", {"audio_filepath": "a.wav", "duration": 0.5, "offset": 0.1, "text": "t", "lang": "en", "taskname": "asr"}),
    ("lhotse", CUT),
    ("lhotse", {"id": "m", "tracks": [{"cut": CUT, "type": "MonoCut", "offset": 0}], "type": "MixedCut"}),
    ("wenet", {"key": "k", "wav": "a.wav", "txt": "t", "start": 0, "end": 0.5}),
    ("funasr", {"key": "k", "source": "a.wav", "target": "t", "text_language": "<|zh|>"}),
    ("funasr", chat("a.wav", "t", speaker="s", start=0.1, end=0.5, channel=0)),
    ("ms-swift", {"messages": [USER, {"role": "assistant", "content": "t"}], "audios": ["a.wav"]}),
    ("qwen3-asr", {"audio": "a.wav", "text": "language English<asr_text>t", "prompt": "p"}),
]  # fmt: skip
TEXTS = [
    ("subtitles", "a.srt", SRT), ("subtitles", "a.vtt", VTT), ("textgrid", "a.TextGrid", LONG),
    ("textgrid", "a.TextGrid", SHORT), ("txt", "a.txt", "one two\n"),
    ("audacity", "a.txt", "0\t0.5\tx\n0.5\t1\ty\n"), ("ctm", "a.ctm", CTM),
    ("stm", "a.stm", "a 1 s 0 0.5 <o> hi\na 1 s 0.5 1 ho\n"), ("table", "t.csv", 'audio,text\na.wav,"x, y"\na.wav,z\n'),
    ("ljspeech", "metadata.csv", "a|x|y\n"),
    ("common-voice", "validated.tsv", "path\tsentence\tclient_id\na.wav\tx\ts\n"),
]  # fmt: skip
ODD = [
    None, True, 0, -1, 1e308, float("nan"), 10**30, "", "\ud800", "x\ny", "a.wav", "\0", [], [None], {}, {"id": 7},
    [[{}]],
]  # fmt: skip
OTHER = [b"\xff", b"\0", b'"', b"\n", b"\t", b"-", b"9", b"\r", b"<", b"\xe2\x80\xa8", b"\x1c"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    soundfile.write(folder / "a.wav", tone(1.0), 16000)
    return folder


def holds(name, source, folder):
    """An import of it ends well, with full counts, or in an error that says where."""
    try:
        counts = import_corpus(name, str(source), str(folder / "out"), ImportOptions(), dry_run=True)
    except RecipeError as error:
        assert str(source) in str(error) or str(folder) in str(error)
    else:
        assert counts["entries"] == counts["imported"] + sum(counts["rejected"].values())


def places(value, path=()):
    """The paths of all values inside of a JSON value."""
    found = [path]
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(inner, (*path, key))
    return found


def replaced(value, path, other):
    if not path:
        return other
    if isinstance(value, dict):
        return {key: replaced(inner, path[1:], other) if key == path[0] else inner for key, inner in value.items()}
    return [replaced(inner, path[1:], other) if i == path[0] else inner for i, inner in enumerate(value)]


@pytest.mark.parametrize(("name", "record"), RECORDS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(RECORDS)])
def test_any_value_in_any_place_of_a_line(folder, name, record):
    source = folder / "lines.jsonl"
    source.write_text("".join(json.dumps(one) + "\n" for one in variants(record)))
    holds(name, source, folder)


def variants(value):
    return [value, *(replaced(value, path, odd) for path in places(value) for odd in ODD)]


def test_any_value_in_any_place_of_a_file(folder):
    source = folder / "whole.json"
    source.write_text(json.dumps([*variants(TASK), *variants(MIN)]))
    holds("label-studio", source, folder)
    source.write_text(json.dumps({"utts": {f"u{i}": one for i, one in enumerate(variants(SOUND))}}))
    holds("espnet", source, folder)
    for odd in ODD:
        for name in ("label-studio", "espnet"):
            for whole in (odd, [odd], {"utts": odd}):
                source.write_text(json.dumps(whole))
                holds(name, source, folder)


@pytest.mark.parametrize(("name", "file", "text"), TEXTS, ids=[file for _, file, _ in TEXTS])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_bytes_that_are_cut_doubled_or_others(folder, name, file, text, seed):
    chance = random.Random(seed)
    raw = bytearray(text.encode())
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(raw) + 1)
        kind = chance.choice(["cut", "double", "other", "move"])
        if kind == "cut":
            del raw[place : place + chance.choice([1, 5, 1000])]
        elif kind == "double":
            raw[place:place] = raw[max(0, place - 20) : place]
        else:
            raw[place : place + 1] = chance.choice(OTHER)
    (folder / file).write_bytes(raw)
    holds(name, folder / file, folder)
    (folder / file).unlink()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_tar_files_with_other_bytes(folder, place, byte):
    wav = (folder / "a.wav").read_bytes()[:2000]
    path = write_tar(folder / "x.tar", [("a.txt", b"x"), ("a.wav", wav), ("b.txt", b"y")])
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] = byte
    path.write_bytes(raw if place % 2 else raw[: place % len(raw)])
    holds("wenet", path, folder)


def test_every_format_is_tried():
    tried = {name for name, *_ in (*RECORDS, *TEXTS)} | {"label-studio", "espnet"}
    assert set(FORMATS) - tried == {"hf", "kaldi"}  # tables that the data stage reads, and what the library reads


def test_any_file_as_any_format(tmp_path):
    files = {"x.bin": random.Random(5).randbytes(3000), "x.jsonl": b'{"a": 1}\n', "x.txt": b"\n"}
    for name in FORMATS:
        for file, content in files.items():
            (tmp_path / file).write_bytes(content)
            holds(name, tmp_path / file, tmp_path)
        holds(name, tmp_path, tmp_path.parent)


def test_the_page_has_a_command_of_every_format(monkeypatch):
    page = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    part = page.partition("## Corpora in")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in part.splitlines() if row.startswith("| `")]
    assert [row[1].strip(" `") for row in rows] == list(FORMATS)
    for row in rows:
        monkeypatch.setattr(sys, "argv", ["import_corpus.py", *row[3].strip(" `").split()])
        script.options_of(script.parse_args())
