"""Labels of long recordings as segments."""

import csv
import json

import pytest
from importing import manifest, refused, run, said, write_wav


def parts(records):
    """{(recording, start, end): (text, speaker)} of a manifest."""
    return {
        (record["recording"], record["start"], record["end"]): (record["messages"][2]["content"], record.get("speaker"))
        for record in records.values()
    }


def reasons(result):
    return [reason for _, reason in result.rejects()]


@pytest.fixture
def talks(tmp_path):
    """A folder with a recording of ten seconds, and one that nobody labelled."""
    write_wav(tmp_path / "t/talk.wav", 10.0)
    write_wav(tmp_path / "t/other/unlabelled.flac", 1.0)
    return tmp_path / "t"


def test_a_text_file_for_each_recording(talks, tmp_path, monkeypatch):
    write_wav(talks / "deep/b.wav", 2.0)
    write_wav(talks / "deep/empty.wav", 1.0)
    (talks / "talk.txt").write_text("\ufeffzwei\r\nZeilen\r\n")
    (talks / "deep/b.lab").write_text("你好\n")
    (talks / "deep/empty.txt").write_text("\n")
    (talks / "lost.txt").write_bytes(b"no recording")
    (talks / "README.txt").write_bytes(b"\xff\xfe\xfd")
    result = run(monkeypatch, "txt", talks, tmp_path / "out")
    records = manifest(monkeypatch, result)
    assert {key: said(record)[:2] for key, record in records.items()} == {
        "talk": ("zwei Zeilen", 10.0), "deep/b": ("你好", 2.0)
    }  # fmt: skip
    assert not (tmp_path / "out/segments").exists()
    assert sorted(result.rejects()) == [
        ("README", "bad-utf8"), ("deep/empty", "transcript-empty"), ("lost", "audio-missing"),
        ("other/unlabelled", "recording-without-labels"),
    ]  # fmt: skip


def test_audacity(talks, tmp_path, monkeypatch, capsys):
    (talks / "talk.txt").write_text(
        "0.000000\t1.500000\thello there\n\\\t100.0\t2000.0\n1,5\t2,25\tdecimal comma\r\n3.0\t3.0\ta point\n"
        "4\t5\t\n6\t7\nnonsense\n20.0\t21.0\tbehind\n9.0\t10.3\ttrimmed\n"
    )
    (talks / "lost.txt").write_text("0\t1\tno recording\n")
    (talks / "README.txt").write_text("these are labels\n")
    result = run(monkeypatch, "audacity", talks, tmp_path / "out")
    assert parts(manifest(monkeypatch, result)) == {
        ("talk", 0.0, 1.5): ("hello there", None),
        ("talk", 1.5, 2.25): ("decimal comma", None),
        ("talk", 9.0, None): ("trimmed", None),
    }
    assert reasons(result) == [
        "labels-invalid", "audio-missing", "segment-invalid", "transcript-empty", "transcript-missing", "row-invalid",
        "segment-beyond-end", "recording-without-labels",
    ]  # fmt: skip
    assert result.rejects()[-1][0] == "other/unlabelled"
    assert "no .txt" in refused(monkeypatch, capsys, "audacity", talks / "other", tmp_path / "o")


SRT = """\ufeff1
00:00:00,500 --> 00:00:02,000 X1:10 X2:20
<i>Hello</i>,
{\\an8}world & <3

2
00:00:02,000 --> 00:00:03,250
Two

lines

3
00:00:03,300 --> 00:00:04,000

4
00:00:05 --> later
x
5
00:00:06,000 --> 00:00:07,000
42"""

VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE a comment
00:00.000 --> 00:01.000
not said

intro
00:00.500 --> 00:02.000 align:start
<v.loud Mary Ann>Hi &amp; <b>welcome</b></v>

1:00:00.000 --> 1:00:01.000
too late

00:02.000 --> 00:03.000
<v Bob>a</v>
<v Eve>b <00:02.500>c</v>
"""


ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.080 --> 00:00:02.000 align:start position:0%
@
so<00:00:00.480><c> here</c><00:00:00.800><c> we</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
so here we
@

00:00:02.010 --> 00:00:04.000 align:start position:0%
so here we
no<00:00:02.480><c> no</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
no no
@

00:00:04.010 --> 00:00:06.000 align:start position:0%
no no
no no
""".replace("@", " ")  # lines of a space are lines


def test_captions_that_roll_up_say_each_line_once(talks, tmp_path, monkeypatch):
    (talks / "talk.en.vtt").write_text(ROLLING)
    result = run(monkeypatch, "subtitles", talks, tmp_path / "out")
    assert list(result.table("text").values()) == ["so here we", "no no", "no no"]
    assert [found.split()[1:] for found in result.table("segments").values()] == [
        ["0.08", "2"], ["2.01", "4"], ["4.01", "6"],
    ]  # fmt: skip
    assert next(number for what, number in result.counts["notes"].items() if "roll up" in what) == 2
    (talks / "talk.en.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nyes\n\n00:01.000 --> 00:02.000\nyes\nno\n")
    again = run(monkeypatch, "subtitles", talks, tmp_path / "again")
    assert list(again.table("text").values()) == ["yes", "yes no"]


def test_subtitles(talks, tmp_path, monkeypatch):
    (talks / "talk.en.srt").write_bytes(SRT.replace("\n", "\r\n").encode())
    write_wav(talks / "v.wav", 4.0)
    (talks / "v.vtt").write_text(VTT, encoding="utf-16")
    result = run(monkeypatch, "subtitles", talks, tmp_path / "out")
    records = manifest(monkeypatch, result)
    assert parts(records) == {
        ("talk", 0.5, 2.0): ("Hello, world & <3", None),
        ("talk", 2.0, 3.25): ("Two lines", None),
        ("talk", 6.0, 7.0): ("42", None),
        ("v", 0.5, 2.0): ("Hi & welcome", "Mary Ann"),
        ("v", 2.0, 3.0): ("a b c", None),
    }
    assert {record["recording"] for record in records.values() if record.get("language") == "en"} == {"talk"}
    assert sorted(reasons(result)) == [
        "recording-without-labels", "row-invalid", "segment-beyond-end", "transcript-empty",
    ]  # fmt: skip


LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 10
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "utterance"
        xmin = 0
        xmax = 10
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = "she said ""12 go"" ! now"
        intervals [2]:
            xmin = 1.5
            xmax = 2
            text = ""
        intervals [3]:
            xmin = 2
            xmax = 3.25 ! a remark with "quotes
            text = "two
lines 7"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 10
        points: size = 1
        points [1]:
            number = 1.5
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "Bob"
        xmin = 0
        xmax = 10
        intervals: size = 1
        intervals [1]:
            xmin = 5
            xmax = 6
            text = "你好"
"""
SHORT = """File type = "ooTextFile short"
"TextGrid"

0
10
<exists>
1
"IntervalTier"
"Äußerung"
0
10
2
0
4.5
"short form"
4.5
10
""
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le-bom", "utf-16-be-bom", "utf-8-sig"])
def test_textgrid(talks, tmp_path, monkeypatch, encoding):
    def encoded(text):
        marks = {"utf-16-le-bom": b"\xff\xfe", "utf-16-be-bom": b"\xfe\xff"}
        return marks[encoding] + text.encode(encoding[:9]) if encoding in marks else text.encode(encoding)

    (talks / "talk.TextGrid").write_bytes(encoded(LONG))
    write_wav(talks / "s.wav", 10.0)
    (talks / "s.textgrid").write_bytes(encoded(SHORT))
    result = run(monkeypatch, "textgrid", talks, tmp_path / "out")
    assert parts(manifest(monkeypatch, result)) == {
        ("talk", 0.0, 1.5): ('she said "12 go" ! now', None),
        ("talk", 2.0, 3.25): ("two lines 7", None),
        ("s", 0.0, 4.5): ("short form", None),
    }
    assert result.counts["notes"]["intervals without text (silence), passed over"] == 2


def test_textgrid_tiers(talks, tmp_path, monkeypatch, capsys):
    (talks / "talk.TextGrid").write_text(LONG)
    every = run(monkeypatch, "textgrid", talks, tmp_path / "all", "--tier", "all")
    assert set(every.table("utt2spk").values()) == {"utterance", "Bob"}
    bob = run(monkeypatch, "textgrid", talks, tmp_path / "bob", "--tier", "bob")
    assert list(bob.table("text").values()) == ["你好"]
    line = refused(monkeypatch, capsys, "textgrid", talks, tmp_path / "o", "--tier", "Eve")
    assert "utterance, clicks, Bob" in line
    (talks / "talk.TextGrid").write_text(LONG.replace('"utterance"', '"Alice"'))
    assert "Alice, clicks, Bob" in refused(monkeypatch, capsys, "textgrid", talks, tmp_path / "o2")


@pytest.mark.parametrize(
    "content",
    [
        LONG[:400],
        "ooBinaryFile\x00TextGrid",
        LONG.replace("size = 3", "size = 999999999"),
        "",
        '"',
        LONG.encode("utf-16-le"),
    ],
)
def test_damaged_textgrids_are_rejects(talks, tmp_path, monkeypatch, content):
    (talks / "talk.TextGrid").write_bytes(content if isinstance(content, bytes) else content.encode())
    write_wav(talks / "s.wav", 10.0)
    (talks / "s.TextGrid").write_text(SHORT)
    result = run(monkeypatch, "textgrid", talks, tmp_path / "out")
    assert len(result.table("text")) == 1 and reasons(result) == ["labels-invalid", "recording-without-labels"]


CTM = """;; a comment
talk 1 0.50 0.30 hello 0.9
talk 1 0.85 0.40 there
talk 1 2.50 0.30 你
talk 1 2.80 0.30 好
talk 1 3.10 0.30 ok
talk 1 x 0.30 bad
talk 1 3.0
talk 1 9.8 5.0 late
gone 1 0.0 0.5 lost
"""


def test_ctm_by_pauses(talks, tmp_path, monkeypatch):
    (tmp_path / "hyp.ctm").write_text(CTM)
    result = run(monkeypatch, "ctm", tmp_path / "hyp.ctm", tmp_path / "out", "--audio", talks, "--pause", "0.6")
    assert parts(manifest(monkeypatch, result)) == {
        ("talk", 0.5, 1.25): ("hello there", None),
        ("talk", 2.5, 3.4): ("你好 ok", None),
    }
    assert sorted(reasons(result)) == ["audio-missing", "row-invalid", "row-invalid", "segment-beyond-end"]
    short = run(
        monkeypatch, "ctm", tmp_path / "hyp.ctm", tmp_path / "short", "--audio", talks, "--max-seconds", "0.5"
    )  # fmt: skip
    assert {"hello", "there"} <= set(short.table("text").values())


def test_the_first_of_alternatives_counts(talks, tmp_path, monkeypatch):
    (tmp_path / "ref.ctm").write_text(
        ";; NIST's example\ntalk A 1.0 0.2 YES -6.7\ntalk A   *    *   <ALT_BEGIN>\ntalk A 1.3 0.3 UM\n"
        "talk A   *    *   <ALT>\ntalk A 1.3 0.3 UH\ntalk A   *    *   <ALT_END>\ntalk A 1.7 0.2 FINE 0.9\n"
        "talk A * * <ALT_BEGIN>\ntalk A * * <ALT>\ntalk A 2.0 0.1 EH\ntalk A * * <ALT_END>\n"
    )
    result = run(monkeypatch, "ctm", tmp_path / "ref.ctm", tmp_path / "out", "--audio", talks)
    assert list(result.table("text").values()) == ["YES UM FINE"] and not result.rejects()
    (tmp_path / "ref.stm").write_text(
        "talk 1 ann 0 1 <o,f0,female> i've { um / uh / @ } as { far / { fur / @ } } as { @ / er } that\n"
        "talk 1 ann 1 2 a { lone brace / here\n"
    )
    result = run(monkeypatch, "stm", tmp_path / "ref.stm", tmp_path / "stm", "--audio", talks)
    assert list(result.table("text").values()) == ["i've um as far as that", "a { lone brace / here"]
    assert list(result.counts["notes"].values()) == [3]


def test_ctm_by_segments(talks, tmp_path, monkeypatch, capsys):
    (tmp_path / "hyp.ctm").write_text(CTM)
    (tmp_path / "segments").write_text("u1 talk 0.4 1.0\nu2 talk 2.4 4.0\nu3 talk 5 6\n")
    result = run(
        monkeypatch, "ctm", tmp_path / "hyp.ctm", tmp_path / "out", "--audio", talks, "--segments",
        tmp_path / "segments",
    )  # fmt: skip
    assert result.table("text") == {"u1": "hello", "u2": "你好 ok"}
    assert result.table("segments") == {"u1": "talk 0.4 1", "u2": "talk 2.4 4"}
    assert sorted(reasons(result)) == [
        "row-invalid", "row-invalid", "transcript-missing", *["word-outside-segments"] * 3,
    ]  # fmt: skip
    (tmp_path / "segments").write_text("u1 talk\n")
    assert "segments:1" in refused(
        monkeypatch, capsys, "ctm", tmp_path / "hyp.ctm", tmp_path / "o", "--audio", talks, "--segments",
        tmp_path / "segments",
    )  # fmt: skip


def test_stm_with_the_sides_of_a_call(tmp_path, monkeypatch):
    write_wav(tmp_path / "call.wav", 5.0, channels=2)
    (tmp_path / "ref.stm").write_text(
        ';; CATEGORY "0" "" ""\ncall A ann 0.0 1.5 <o,f0,female> hi bob\ncall B bob 1.5 2.5 <o,f0,male> hi ann\n'
        "call A ann 3.0 4.0 <o,,> IGNORE_TIME_SEGMENT_IN_SCORING\ncall A ann 4.0 4.5\ncall A ann\n"
    )
    result = run(monkeypatch, "stm", tmp_path / "ref.stm", tmp_path / "out")
    records = manifest(monkeypatch, result)
    assert parts(records) == {("call", 0.0, 1.5): ("hi bob", "ann"), ("call", 1.5, 2.5): ("hi ann", "bob")}
    assert {record["speaker"]: (record["channel"], record["group"]) for record in records.values()} == {
        "ann": (0, "o,f0,female"), "bob": (1, "o,f0,male"),
    }  # fmt: skip
    assert reasons(result) == ["not-scored", "transcript-missing", "row-invalid"]


# --- Label Studio -----------------------------------------------------------------------------------------------------


def region(name, start, end, text=None, label="Speech", channel=0):
    value = {"start": start, "end": end, "channel": channel}
    yield {
        "original_length": 10.0, "value": {**value, "labels": [label]}, "id": name, "from_name": "labels",
        "to_name": "audio", "type": "labels", "origin": "manual",
    }  # fmt: skip
    if text is not None:
        yield {
            "original_length": 10.0, "value": {**value, "text": [text] if isinstance(text, str) else text}, "id": name,
            "from_name": "transcription", "to_name": "audio", "type": "textarea", "origin": "manual",
        }  # fmt: skip


def test_label_studio_json(talks, tmp_path, monkeypatch, capsys):
    write_wav(talks / "stereo.wav", 4.0, channels=2)
    upload = "/data/upload/7/1a2b3c4d-talk.wav"
    tasks = [
        {
            "id": 11, "data": {"audio": upload}, "annotations": [
                {"id": 1, "was_cancelled": True, "result": [*region("x", 0, 1, "cancelled")]},
                {"id": 2, "was_cancelled": False, "result": [
                    *region("r1", 0.5, 1.5, "hello"), *region("r2", 2, 3, ["two", "lines"], "Speaker 2"),
                    *region("r3", 4, 5), *region("r4", 50, 51, "behind"),
                ]},
                {"id": 3, "was_cancelled": False, "result": [*region("y", 0, 1, "another annotator")]},
            ],
        },
        {
            "id": 12, "data": {"audio": "/data/local-files/?d=other/unlabelled.flac"}, "annotations": [
                {"result": [{
                    "value": {"text": ["all of it"]}, "id": "q", "from_name": "transcription", "to_name": "audio",
                    "type": "textarea",
                }]},
            ],
        },
        {
            "id": 13, "data": {"audio": "s3://bucket/deep/stereo.wav"}, "annotations": [
                {"result": [*region("a", 0, 1, "left"), *region("b", 1, 2, "right", channel=1)]},
            ],
        },
        {"id": 14, "data": {"audio": upload}, "annotations": []},
        {"id": 15, "data": {"audio": "/none.wav"}, "annotations": [{"result": [*region("a", 0, 1, "x")]}]},
        "damaged",
    ]  # fmt: skip
    source = tmp_path / "export.json"
    source.write_text(json.dumps(tasks))
    result = run(monkeypatch, "label-studio", source, tmp_path / "out", "--audio", talks)
    records = manifest(monkeypatch, result)
    assert {key: (said(record)[:2], record.get("group"), record.get("channel")) for key, record in records.items()} == {
        "talk-0000050-0000150": (("hello", 1.0), "Speech", None),
        "talk-0000200-0000300": (("two lines", 1.0), "Speaker 2", None),
        "unlabelled": (("all of it", 1.0), None, None),
        "stereo-0000000-0000100": (("left", 1.0), "Speech", 0),
        "stereo-0000100-0000200": (("right", 1.0), "Speech", 1),
    }
    assert reasons(result) == [
        "transcript-missing", "segment-beyond-end", "transcript-missing", "audio-missing", "jsonl-invalid",
    ]  # fmt: skip
    source.write_text("[1, 2]")
    assert "no list of tasks" in refused(monkeypatch, capsys, "label-studio", source, tmp_path / "o")


def test_label_studio_json_min(talks, tmp_path, monkeypatch):
    rows = [
        {
            "id": 1, "audio": "/data/upload/7/1a2b3c4d-talk.wav", "annotator": 1, "annotation_id": 4,
            "label": [
                {"start": 0, "end": 1.5, "channel": 0, "labels": ["A"]},
                {"start": 2, "end": 3, "channel": 0, "labels": ["B"]},
            ],
            "transcription": ["first", "second"],
        },
        {"id": 2, "audio": "/data/upload/7/1a2b3c4d-unlabelled.flac", "transcription": "whole"},
        {
            "id": 3, "audio": "/data/upload/7/1a2b3c4d-talk.wav", "transcription": ["only one"],
            "label": [{"start": 0, "end": 1, "labels": ["A"]}, {"start": 2, "end": 3, "labels": ["B"]}],
        },
        {"id": 4, "audio": "/data/upload/7/1a2b3c4d-talk.wav"},
        {
            "id": 5, "audio": "/data/upload/7/1a2b3c4d-talk.wav",
            "transcription": [{"start": 5, "end": 6, "text": ["with", "times"]}, {"start": 7, "end": 8, "text": ["x"]}],
        },
    ]  # fmt: skip
    source = tmp_path / "min.json"
    source.write_text(json.dumps(rows))
    result = run(monkeypatch, "label-studio", source, tmp_path / "out", "--audio", talks)
    assert sorted(result.table("text").values()) == ["first", "second", "whole", "with times", "x"]
    assert set(result.table("utt2group").values()) == {"A", "B"}
    assert reasons(result) == ["transcript-ambiguous", "transcript-missing"]


@pytest.mark.parametrize(("name", "delimiter"), [("export.csv", ","), ("export.tsv", "\t")])
def test_label_studio_csv(talks, tmp_path, monkeypatch, capsys, name, delimiter):
    spans = [{"start": 0, "end": 1.5, "labels": ["A"]}, {"start": 2, "end": 3, "labels": ["B"]}]
    talk = {"audio": "/data/upload/7/1a2b3c4d-talk.wav", "annotator": 1, "was_cancelled": False}
    rows = [
        talk | {"id": 1, "labels": json.dumps(spans), "transcription": json.dumps(['first, "it"', "第二"])},
        talk | {"id": 2, "audio": "/data/upload/7/1a2b3c4d-unlabelled.flac", "transcription": "[whole"},
        talk | {"id": 3, "transcription": "not counted", "was_cancelled": True},
        talk | {"id": 4},
    ]
    with open(tmp_path / name, "w", encoding="utf-8", newline="") as file:
        columns = ["annotator", "audio", "id", "labels", "transcription", "was_cancelled"]
        writer = csv.DictWriter(file, columns, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        writer.writerows(rows)
    result = run(monkeypatch, "label-studio", tmp_path / name, tmp_path / "out", "--audio", talks)
    assert sorted(result.table("text").values()) == ["[whole", 'first, "it"', "第二"]
    assert set(result.table("utt2group").values()) == {"A", "B"}
    assert result.rejects() == [("task-3", "transcript-missing"), ("task-4", "transcript-missing")]
    (tmp_path / name).write_text('"audio"\n"a" b\n')
    assert f"{name}:2" in refused(monkeypatch, capsys, "label-studio", tmp_path / name, tmp_path / "x")
