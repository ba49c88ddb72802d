"""CSV, TSV, Common Voice and LJSpeech as data directories; what every import keeps to."""

import json

import pytest
from importing import Result, manifest, refused, run, said, write_jsonl, write_wav

CV_COLUMNS = (
    "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale segment"
)


@pytest.fixture
def common_voice(tmp_path):
    corpus = tmp_path / "cv"
    rows = [
        ("s1", "common_voice_en_1.mp3", 'She said "go', "en"),
        ("s2", "common_voice_en_2.mp3", 'a "quoted" word', "en"),
        ("s1", "common_voice_en_3", "of an early release", "en"),
        ("s3", "common_voice_en_4.mp3", "no such clip", "en"),
        ("s1", "common_voice_en_5.mp3", '"He said ""no"" to it."', "en"),
        ("s1", "common_voice_en_6.mp3", '"""Go,"" he said."', "en"),
        ("s1", "common_voice_en_7.mp3", '"A quotation."', "en"),
    ]
    lines = ["\t".join(CV_COLUMNS.split())]
    for client, path, sentence, locale in rows:
        cells = dict.fromkeys(CV_COLUMNS.split(), "")
        cells |= {"client_id": client, "path": path, "sentence": sentence, "locale": locale}
        lines.append("\t".join(cells.values()))
        if "4" not in path:
            name = path if path.endswith(".mp3") else f"{path}.mp3"
            write_wav(corpus / "clips" / name, 1.0)
    (corpus / "validated.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (corpus / "train.tsv").write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    return corpus


def test_common_voice(common_voice, tmp_path, monkeypatch, capsys):
    result = run(monkeypatch, "common-voice", common_voice, tmp_path / "out")
    assert result.table("text") == {
        "common_voice_en_1": 'She said "go',
        "common_voice_en_2": 'a "quoted" word',
        "common_voice_en_3": "of an early release",
        "common_voice_en_5": 'He said "no" to it.',
        "common_voice_en_6": '"Go," he said.',
        "common_voice_en_7": '"A quotation."',
    }
    assert result.table("utt2spk")["common_voice_en_3"] == "s1"
    assert set(result.table("utt2lang").values()) == {"en"}
    assert result.table("wav.scp")["common_voice_en_3"] == str(common_voice / "clips/common_voice_en_3.mp3")
    assert result.rejects() == [("common_voice_en_4", "audio-missing")]
    assert not (tmp_path / "out/segments").exists()
    train = run(monkeypatch, "common-voice", common_voice, tmp_path / "train", "--split", "train")
    assert len(train.table("text")) == 1
    assert "train, validated" in refused(
        monkeypatch, capsys, "common-voice", common_voice, tmp_path / "x", "--split", "dev"
    )


def test_ljspeech(tmp_path, monkeypatch, capsys):
    corpus = tmp_path / "lj"
    for i in (1, 2):
        write_wav(corpus / f"wavs/LJ001-000{i}.wav", i)
    (corpus / "metadata.csv").write_text(
        'LJ001-0001|In 1839 "he said|In eighteen thirty-nine "he said\nLJ001-0002|Only one.|\n', encoding="utf-8"
    )
    result = run(monkeypatch, "ljspeech", corpus, tmp_path / "out", "--language", "English")
    records = manifest(monkeypatch, result)
    assert said(records["LJ001-0001"]) == ('In eighteen thirty-nine "he said', 1.0, None)
    assert said(records["LJ001-0002"]) == ("Only one.", 2.0, None)
    assert records["LJ001-0001"]["language"] == "en"
    (corpus / "metadata.csv").write_text("audio_file|text|speaker_name\nwavs/LJ001-0001.wav|Only one.|ann\n")
    words = refused(monkeypatch, capsys, "ljspeech", corpus, tmp_path / "x")
    assert "metadata.csv:1" in words and "`table`" in words
    table = run(monkeypatch, "table", corpus / "metadata.csv", tmp_path / "table")
    assert table.table("text") == {"wavs/LJ001-0001": "Only one."}
    assert table.table("utt2spk") == {"wavs/LJ001-0001": "ann"}


def test_a_table_of_any_columns(tmp_path, monkeypatch):
    write_wav(tmp_path / "c/a b.wav", 3.0, channels=2)
    write_wav(tmp_path / "c/deep/b.flac", 1.0)
    (tmp_path / "c/t.csv").write_text(
        "\ufeffDatei;Satz;Wer;Sprache;von;bis;Kanal;Ort\r\n"
        'a b.wav;"eins; und\nzwei";12;Deutsch;0.5;1.5;1;x\r\n'
        "a b.wav;drei;12;fr-FR;1.5;2.5;0;y\r\n"
        "deep/b.flac;vier;7;zh-CN;;;;\r\n"
        "deep/b.flac;fünf;7;en;0.9;9;;\r\n"
        "deep/b.flac;sechs;7;en;2;1;;\r\n"
        "deep/b.flac;;7;en;;;;\r\n"
        ";sieben;7;en;;;;\r\n"
        "acht;7\r\n",
        encoding="utf-8",
    )
    columns = "audio=datei,text=Satz,speaker=Wer,language=Sprache,start=von,end=bis,channel=Kanal,group=Ort"
    result = run(monkeypatch, "table", tmp_path / "c/t.csv", tmp_path / "out", "--columns", columns)
    assert result.table("text") == {
        "a_b-0000050-0000150": "eins; und zwei",
        "a_b-0000150-0000250": "drei",
        "deep/b": "vier",
    }
    assert result.table("segments") == {
        "a_b-0000050-0000150": "a_b 0.5 1.5",
        "a_b-0000150-0000250": "a_b 1.5 2.5",
        "deep/b": "deep/b 0 -1",
    }
    assert result.table("utt2channel") == {"a_b-0000050-0000150": "1", "a_b-0000150-0000250": "0"}
    assert result.table("utt2lang") == {
        "a_b-0000050-0000150": "Deutsch",
        "a_b-0000150-0000250": "fr-FR",
        "deep/b": "zh",
    }
    assert result.counts["unknown_languages"] == {"Deutsch": 1, "fr-FR": 1}
    assert [reason for _, reason in result.rejects()] == [
        "segment-beyond-end", "segment-invalid", "transcript-missing", "audio-missing", "row-invalid",
    ]  # fmt: skip
    records = manifest(monkeypatch, result)
    assert said(records["a_b-0000050-0000150"]) == ("eins; und zwei", 1.0, "12")
    assert records["a_b-0000050-0000150"]["channel"] == 1
    assert said(records["deep/b"]) == ("vier", 1.0, "7")


def test_columns_are_guessed_or_named(tmp_path, monkeypatch, capsys):
    write_wav(tmp_path / "a.wav", 1.0)
    table = tmp_path / "t.tsv"
    table.write_text("file_name\tsentense\nt\nTranscript\n")
    line = refused(monkeypatch, capsys, "table", table, tmp_path / "out")
    assert "--columns text=COLUMN" in line and "file_name, sentense" in line
    line = refused(monkeypatch, capsys, "table", table, tmp_path / "out", "--columns", "text=sentence")
    assert "is sentense meant?" in line
    line = refused(monkeypatch, capsys, "table", table, tmp_path / "out", "--columns", "texts=sentense")
    assert "ROLE=COLUMN" in line
    line = refused(monkeypatch, capsys, "nemo", table, tmp_path / "out", "--columns", "text=sentense")
    assert "nemo has no use for it" in line
    table.write_text("Path\tTranscript\tspeaker_id\na.wav\thello\t3.0\n")
    result = run(monkeypatch, "table", table, tmp_path / "out")
    assert (result.table("text"), result.table("utt2spk")) == ({"a": "hello"}, {"a": "3.0"})
    table.write_text("path\ttext\ttext\na.wav\thello\tbye\n")
    assert ":1: column 'text' is there twice" in refused(monkeypatch, capsys, "table", table, tmp_path / "out")
    (tmp_path / "t.csv").write_text("\n\npath;text\na.wav;hello\n")
    assert run(monkeypatch, "table", tmp_path / "t.csv", tmp_path / "out").table("text") == {"a": "hello"}
    table.write_text("a.wav\thello\n")
    result = run(monkeypatch, "table", table, tmp_path / "out", "--no-header", "--columns", "audio=1,text=2")
    assert result.table("text") == {"a": "hello"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "export the sheet as CSV"),
        (b"", "is empty"),
        ("audio,text\n".encode("utf-16"), "iconv"),
        (b'audio,text\na.wav,"x"y"\n', "t.csv:2"),
        (b'audio,text\na.wav,"never closed\n', "quotes"),
        (b"audio,text\n", "nothing could be imported"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path, monkeypatch, capsys, content, words):
    (tmp_path / "t.csv").write_bytes(content)
    assert words in refused(monkeypatch, capsys, "table", tmp_path / "t.csv", tmp_path / "out")


def test_bytes_that_are_not_utf8_reject_their_row(tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", 1.0)
    (tmp_path / "t.csv").write_bytes(b"audio,text\na.wav,fine\na.wav,caf\xe9\n")
    result = run(monkeypatch, "table", tmp_path / "t.csv", tmp_path / "out")
    assert result.rejects() == [("t-00000003", "bad-utf8")]


# --- What every import keeps to ---------------------------------------------------------------------------------------


def rows_of(tmp_path, *rows):
    return write_jsonl(tmp_path / "t.jsonl", *rows)


def test_keys_are_valid_and_unique(tmp_path, monkeypatch):
    wav = str(write_wav(tmp_path / "a.wav", 1.0))
    names = ["k", "k", "k-2", "k", "a b", "a\u2028b", "../../etc/x", ".hidden", "长" * 200, "长" * 201, "x\n", "0"]
    table = rows_of(tmp_path, *({"audio": wav, "text": str(i), "key": name} for i, name in enumerate(names)))
    result = run(monkeypatch, "table", table, tmp_path / "out", "--copy")
    text = result.table("text")
    assert len(text) == len(names)
    assert [key for key, value in text.items() if value in "013"] == ["k", "k-2", "k-3"]
    assert "k-2-2" in text and "a_b" in text and "a_b-2" in text
    assert all(len(key.encode()) <= 200 for key in text)
    files = {path.name for path in (tmp_path / "out/wav").iterdir()}
    assert len(files) == len(names) and "..%2F..%2Fetc%2Fx.wav".replace("..", "%2E.", 1) in files
    manifest(monkeypatch, result)


def test_texts_are_one_line_and_counted(tmp_path, monkeypatch):
    wav = str(write_wav(tmp_path / "a.wav", 1.0))
    texts = ["one\ntwo\tthree ", "\u2028a\u2029b", "　wide　", "", " \n ", None, "\ud800", 5, ["x"]]
    table = rows_of(tmp_path, *({"audio": wav, "text": text, "key": f"k{i}"} for i, text in enumerate(texts)))
    result = run(monkeypatch, "table", table, tmp_path / "out")
    assert result.table("text") == {"k0": "one two three", "k1": "a b", "k2": "　wide　", "k7": "5"}
    assert [reason for _, reason in result.rejects()] == [
        "transcript-empty", "transcript-empty", "transcript-missing", "bad-utf8", "field-invalid",
    ]  # fmt: skip
    assert result.counts["notes"]["texts of several lines or with tabs, joined by spaces"] == 2
    kept = run(monkeypatch, "table", table, tmp_path / "out", "--keep-empty")
    assert kept.table("text")["k3"] == ""


def test_paths_that_a_wav_scp_would_read_otherwise(tmp_path, monkeypatch):
    """A path of untrusted data never becomes a command."""
    for name in ("touch hacked |", "x.ark:12", " lead.wav", "line\nend.wav"):
        write_wav(tmp_path / "w.wav", 1.0).rename(tmp_path / name)
    names = ["touch hacked |", "x.ark:12", " lead.wav", "line\nend.wav", "echo |", "az://b/a.wav", "a\0b", 7, ["a"]]
    table = rows_of(tmp_path, *({"audio": name, "text": "t", "key": f"k{i}"} for i, name in enumerate(names)))
    (tmp_path / "t.jsonl").open("a").write(json.dumps({"audio": "http://h/a.wav", "text": "t", "key": "k9"}) + "\n")
    result = run(monkeypatch, "table", table, tmp_path / "out")
    assert result.table("wav.scp") == {"k2": f"{tmp_path}/ lead.wav", "k9": "http://h/a.wav"}
    assert [reason for _, reason in result.rejects()] == [
        "path-unfit", "path-unfit", "path-unfit", *["audio-missing"] * 3, "audio-invalid", "audio-invalid",
    ]  # fmt: skip
    copied = run(monkeypatch, "table", table, tmp_path / "out", "--copy")
    assert copied.table("wav.scp") | {"k9": ""} == {"k0": "wav/k0", "k1": "wav/k1.ark:12"} | {
        "k2": "wav/k2.wav", "k3": "wav/k3.wav", "k9": "",
    }  # fmt: skip


def test_an_import_replaces_only_an_import(tmp_path, monkeypatch, capsys):
    wav = str(write_wav(tmp_path / "a.wav", 1.0))
    table = rows_of(tmp_path, *({"audio": wav, "text": "t", "key": f"k{i}"} for i in range(5)))
    out = tmp_path / "deep/out"
    first = run(monkeypatch, "table", table, out)
    content = {path.name: path.read_bytes() for path in out.iterdir()}
    run(monkeypatch, "table", table, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == content
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    limited = run(monkeypatch, "table", table, out, "--limit", "2")
    assert limited.counts["entries"] == 2 and first.folder == limited.folder
    run(monkeypatch, "table", table, out, "--dry-run")
    assert Result(out).counts["entries"] == 2
    (out / "precious.txt").write_text("mine")
    assert "precious.txt" in refused(monkeypatch, capsys, "table", table, out)
    assert (out / "precious.txt").exists() and [path.name for path in out.parent.iterdir()] == ["out"]
    assert "is a file" in refused(monkeypatch, capsys, "table", table, wav)
    assert "holds the corpus itself" in refused(monkeypatch, capsys, "table", table, tmp_path)
    assert "no such file" in refused(monkeypatch, capsys, "table", tmp_path / "none.csv", tmp_path / "o")


def test_nothing_imported_leaves_the_rejects(tmp_path, monkeypatch, capsys):
    table = rows_of(tmp_path, {"audio": "none.wav", "text": "t"}, "{damaged", '["a list"]')
    line = refused(monkeypatch, capsys, "table", table, tmp_path / "out")
    assert "none.wav" in line and "rejects.tsv" in line
    result = Result(tmp_path / "out")
    assert [reason for _, reason in result.rejects()] == ["audio-missing", "jsonl-invalid", "jsonl-invalid"]
    assert not (tmp_path / "out/wav.scp").exists()
