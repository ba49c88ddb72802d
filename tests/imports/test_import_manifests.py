"""Manifests of toolkits and chats as data directories; lhotse's are written by itself, if it is there."""

import gzip
import io
import json
import tarfile

import pytest
import soundfile
from conftest import SHARED, tone
from importing import manifest, refused, run, said, write_jsonl, write_wav

from recipe.text import prompt


def reasons(result):
    return [reason for _, reason in result.rejects()]


def test_nemo(tmp_path, monkeypatch, capsys):
    write_wav(tmp_path / "d/s1/a.wav", 2.0)
    write_wav(tmp_path / "d/s2/a.wav", 1.2345)
    (tmp_path / "d/t.txt").write_text("aus der Datei\n")
    source = write_jsonl(
        tmp_path / "d/manifest.json",
        {"audio_filepath": "s1/a.wav", "duration": 2.0, "text": "whole", "lang": "en", "speaker": "x"},
        {"audio_filepath": "s2/a.wav", "duration": 1.2, "text": "whole, rounded"},
        {"audio_filepath": "s1/a.wav", "duration": 0.5, "text": "its begin", "offset": 0},
        {"audio_filepath": str(tmp_path / "d/s1/a.wav"), "duration": 0.7, "text": "its middle", "offset": 0.55},
        {"audio_filepath": "s1/a.wav", "duration": None, "text_filepath": "t.txt"},
        {
            "audio_filepath": "s1/a.wav",
            "duration": 1,
            "text": "x",
            "taskname": "ast",
            "source_lang": "en",
            "target_lang": "de",
        },
        {"audio_filepath": ["a.wav", "b.wav"], "duration": 1, "text": "x"},
        {"audio_filepath": "s1/a.wav", "duration": "long", "text": "x"},
        {"audio_filepath": "s1/a.wav", "duration": 1.0},
        {"audio_filepath": "s1/a.wav", "duration": 1.0, "offset": 2.5, "text": "behind"},
        '{"audio_filepath": "s1/a.wav", "dur',
        "",
        {"audio_filepath": "s9/a.wav", "shard_id": 3, "duration": 1.0, "text": "x"},
    )
    result = run(monkeypatch, "nemo", source, tmp_path / "out")
    assert reasons(result) == [
        "not-a-transcript", "audio-invalid", "segment-invalid", "transcript-missing", "segment-beyond-end",
        "jsonl-invalid", "audio-missing",
    ]  # fmt: skip
    records = manifest(monkeypatch, result)
    assert {key: said(record) for key, record in records.items()} == {
        "s1/a": ("whole", 2.0, "x"),
        "s1/a-3": ("aus der Datei", 2.0, None),
        "s1/a-0000000-0000050": ("its begin", 0.5, None),
        "s1/a-0000055-0000125": ("its middle", 0.7, None),
        "s2/a": ("whole, rounded", 1.2345, None),
    }
    assert records["s1/a"]["language"] == "en"
    assert "audio, text" in refused(
        monkeypatch, capsys, "nemo", write_jsonl(tmp_path / "q.jsonl", {"audio": 1, "text": 2}), tmp_path / "o"
    )


# --- lhotse -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lhotse_corpus(tmp_path_factory):
    """Manifests of every kind, as lhotse writes them, of a mono and a stereo recording."""
    lhotse = pytest.importorskip("lhotse")
    folder = tmp_path_factory.mktemp("lhotse")
    recordings = lhotse.RecordingSet.from_recordings(
        lhotse.Recording.from_file(write_wav(folder / f"{name}.wav", 3.0, channels), recording_id=name)
        for name, channels in (("mono", 1), ("stereo", 2))
    )
    make = lhotse.SupervisionSegment
    supervisions = lhotse.SupervisionSet.from_segments(
        [
            make("u1", "mono", 0.5, 1.0, text="hello", language="English", speaker="s1"),
            make("u2", "mono", 1.5, 1.25, text="there", speaker="s2"),
            make("u3", "stereo", 0, 3.0, channel=[0, 1], text="both"),
            make("u4", "stereo", 1, 1.0, channel=1, text="right"),
            make("u5", "stereo", 2, 0.5, channel=0),
        ]
    )
    recordings.to_file(folder / "x_recordings_train.jsonl.gz")
    supervisions.to_file(folder / "x_supervisions_train.jsonl.gz")
    cuts = lhotse.CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    cuts.to_file(folder / "cuts.jsonl.gz")
    cuts.trim_to_supervisions(keep_overlapping=False).to_file(folder / "trimmed.jsonl")
    mono = next(iter(cuts))
    lhotse.CutSet.from_cuts(
        [mono.pad(5.0), mono.append(mono), mono.perturb_speed(1.1), mono.truncate(offset=1.0, duration=1.0)]
    ).to_file(folder / "others.jsonl")
    for name, some in (("shar", cuts), ("shar-trimmed", cuts.trim_to_supervisions(keep_overlapping=False))):
        (folder / name).mkdir()
        some.to_shar(str(folder / name), fields={"recording": "flac"}, shard_size=2)
    return folder


LHOTSE = {
    "u1": ("hello", 1.0, "s1"),
    "u2": ("there", 1.25, "s2"),
    "u3": ("both", 3.0, None),
    "u4": ("right", 1.0, None),
}


@pytest.mark.parametrize(
    "name", ["x_supervisions_train.jsonl.gz", "cuts.jsonl.gz", "trimmed.jsonl", "shar", "shar-trimmed"]
)
def test_lhotse(lhotse_corpus, tmp_path, monkeypatch, name):
    result = run(monkeypatch, "lhotse", lhotse_corpus / name, tmp_path / "out")
    assert result.rejects() == [("u5", "transcript-missing")]
    records = manifest(monkeypatch, result)
    assert {key: said(record) for key, record in records.items()} == LHOTSE
    assert records["u1"]["language"] == "en"
    if name != "shar-trimmed":
        assert records["u4"]["channel"] == 1 and "channel" not in records["u3"]
        assert (records["u2"]["start"], records["u2"]["end"]) == (
            (0.0, None) if "trimmed" in name and "shar" in name else (1.5, 2.75)
        )
    assert len({record["messages"][1]["content"] for record in records.values()}) == (
        4 if name == "shar-trimmed" else 2
    )


def test_lhotse_cuts_that_are_in_no_file(lhotse_corpus, tmp_path, monkeypatch, capsys):
    result = run(monkeypatch, "lhotse", lhotse_corpus / "others.jsonl", tmp_path / "out")
    assert set(result.table("text").values()) == {"hello", "there"}
    assert result.table("segments")["u1"] == "mono 0.5 1.5"
    assert sorted(set(reasons(result))) == ["audio-mixed", "audio-transformed"]
    assert "name the supervisions" in refused(
        monkeypatch, capsys, "lhotse", lhotse_corpus / "x_recordings_train.jsonl.gz", tmp_path / "o"
    )


def test_lhotse_runs_nothing(tmp_path, monkeypatch):
    """A command of a manifest stays one, for the user to allow; other sources that are not here are rejects."""
    sources = [("command", "touch hacked; cat a.wav"), ("shar", ""), ("memory", "!"), ("file", "none.wav"), (7, None)]
    cuts = [
        {
            "id": f"c{i}", "start": 0, "duration": 1, "channel": 0, "type": "MonoCut",
            "supervisions": [{"id": f"u{i}", "recording_id": "r", "start": 0, "duration": 1, "text": "t"}],
            "recording": {"id": f"r{i}", "duration": 1, "sources": [{"type": kind, "channels": [0], "source": source}]},
        }
        for i, (kind, source) in enumerate(sources)
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    cuts += [{"id": "x", "type": "MonoCut", "supervisions": 3}, {"id": "y", "type": "MixedCut", "tracks": 5}]
    cuts += [{"id": "z", "type": "MonoCut", "supervisions": [4], "recording": {}}]
    result = run(monkeypatch, "lhotse", write_jsonl(tmp_path / "cuts.jsonl", *cuts), tmp_path / "out")
    assert result.table("wav.scp") == {"u0": "touch hacked; cat a.wav |"}
    assert reasons(result) == [
        "audio-missing", "audio-invalid", "audio-missing", "audio-missing", *["jsonl-invalid"] * 3,
    ]  # fmt: skip
    assert not (tmp_path / "hacked").exists()


# --- Kaldi and ESPnet -------------------------------------------------------------------------------------------------


def write_kaldi(folder, **tables):
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in tables.items():
        (folder / {"wav": "wav.scp"}.get(name, name)).write_text("".join(line + "\n" for line in lines))
    return folder


def test_kaldi(tmp_path, monkeypatch):
    write_wav(tmp_path / "k/wav/r1.wav", 4.0)
    source = write_kaldi(
        tmp_path / "k",
        wav=["r2 sph2pipe -f wav x.sph |", "r1 wav/r1.wav", "r3 none.wav"],
        text=["u3 three", "u1 one", "u2 two", "u4 four", "u5 five", "u6 six", "u9 nobody's", "u1 one"],
        segments=["u1 r1 0 1.5", "u2 r1 1.5 4.2", "u3 r2 0 1", "u4 r1 2 9", "u5 r3 0 1", "u6 r2 1 20", "u7 r1 1 2"],
        spk2utt=["spkA u1 u2", "spkB u2 u3"],
        reco2dur=["r1 4.0", "r2 10"],
        utt2dur=["u1 1.5", "u2 0.1"],
        utt2hotwords=["u1 Fun-ASR,Kaldi"],
        utt2prompt=["u2 Write it down: "],
        utt2uniq=["u1 u1"],
    )
    result = run(monkeypatch, "kaldi", source, tmp_path / "out")
    assert result.table("text") == {"u1": "one", "u2": "two", "u3": "three"}
    assert result.table("wav.scp") == {"r1": f"{tmp_path}/k/wav/r1.wav", "r2": "sph2pipe -f wav x.sph |"}
    assert result.table("segments") == {"u1": "r1 0 1.5", "u2": "r1 1.5 4.2", "u3": "r2 0 1"}
    assert result.table("utt2spk") == {"u1": "spkA", "u3": "spkB"}
    assert result.table("utt2hotwords") == {"u1": "Fun-ASR,Kaldi"} and result.table("utt2prompt") == {
        "u2": "Write it down:"
    }
    assert dict(result.rejects()) == {
        "u4": "segment-beyond-end", "u5": "audio-missing", "u6": "segment-beyond-end", "u7": "transcript-missing",
        "u9": "key-without-audio", "u1": "duplicate-transcript",
    }  # fmt: skip
    notes = result.counts["notes"]
    assert notes["segments of another length than utt2dur says"] == 1
    assert notes["commands and entries of arks, left as they are"] == 1


def test_kaldi_without_segments_comes_out_as_it_went_in(data_dir, tmp_path, monkeypatch, capsys):
    result = run(monkeypatch, "kaldi", data_dir, tmp_path / "out", "--copy")
    records = manifest(monkeypatch, result)
    texts = dict(line.split(" ", 1) for line in (data_dir / "text").read_text().splitlines())
    assert {key: said(record)[0] for key, record in records.items()} == texts
    assert result.table("wav.scp")["spk0-utt0"] == "wav/spk0-utt0.wav"
    (data_dir / "text").unlink()
    assert "no text in it" in refused(monkeypatch, capsys, "kaldi", data_dir, tmp_path / "o")


def test_espnet2_paths_count_from_the_recipe(tmp_path, monkeypatch):
    write_wav(tmp_path / "asr1/dump/raw/org/train/a.flac", 1.0)
    source = write_kaldi(
        tmp_path / "asr1/dump/raw/train", wav=["a dump/raw/org/train/a.flac"], text=["a hello"], utt2spk=["a s"],
        utt2num_samples=["a 16000"],
    )  # fmt: skip
    result = run(monkeypatch, "espnet", source, tmp_path / "out")
    assert said(manifest(monkeypatch, result)["a"]) == ("hello", 1.0, "s")


def test_espnet1_data_json(tmp_path, monkeypatch, capsys):
    write_wav(tmp_path / "d/a.wav", 1.0)
    output = [{"name": "target1", "shape": [2, 5], "text": "HELLO YOU", "token": "H E", "tokenid": "1 2"}]
    utts = {
        "b": {"input": [{"name": "input1", "feat": "/f/raw_fbank.1.ark:25", "shape": [98, 83]}], "output": output},
        "a": {
            "input": [{"name": "input1", "feat": "/f/raw_fbank.1.ark:5", "shape": [98, 83]}], "output": output,
            "utt2spk": "s1",
        },
        "c": {"input": [{"feat": "a.wav", "filetype": "sound"}], "output": output, "utt2spk": "s2"},
        "d": {"input": [], "output": []},
        "e": 5,
    }  # fmt: skip
    (tmp_path / "d/data.json").write_text(json.dumps({"utts": utts}))
    (tmp_path / "d/kaldi").mkdir()
    (tmp_path / "d/kaldi/wav.scp").write_text("a ../a.wav\nd ../a.wav\n")
    result = run(
        monkeypatch, "espnet", tmp_path / "d/data.json", tmp_path / "out", "--audio", tmp_path / "d/kaldi/wav.scp"
    )
    records = manifest(monkeypatch, result)
    assert {key: said(record) for key, record in records.items()} == {
        "a": ("HELLO YOU", 1.0, "s1"),
        "c": ("HELLO YOU", 1.0, "s2"),
    }
    assert result.rejects() == [("b", "audio-missing"), ("d", "transcript-missing"), ("e", "jsonl-invalid")]
    (tmp_path / "d/data.json").write_text("[]")
    assert "no object `utts`" in refused(monkeypatch, capsys, "espnet", tmp_path / "d/data.json", tmp_path / "o")


# --- WeNet ------------------------------------------------------------------------------------------------------------


def audio_bytes(seconds, kind="WAV"):
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(seconds, 1), 16000, format=kind)
    return buffer.getvalue()


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                tar.addfile(info)
    return path


def test_wenet_raw(tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", 2.0)
    source = write_jsonl(
        tmp_path / "data.list",
        {"key": "k1", "wav": "a.wav", "txt": "你好"},
        {"key": "k2", "wav": str(tmp_path / "a.wav"), "txt": "世界", "start": 0.5, "end": 1.25},
        {"key": "k3", "txt": "x"},
        {"key": "k4", "wav": "a.wav", "txt": ["x"]},
    )
    result = run(monkeypatch, "wenet", source, tmp_path / "out", "--language", "zh")
    records = manifest(monkeypatch, result)
    assert {key: said(record)[:2] for key, record in records.items()} == {"k1": ("你好", 2.0), "k2": ("世界", 0.75)}
    assert result.rejects() == [("k3", "audio-missing"), ("k4", "field-invalid")]


def test_wenet_shards(tmp_path, monkeypatch):
    """Bytes stay as they are, and no name in a tar becomes a path."""
    wav, flac = audio_bytes(1.0), audio_bytes(0.5, "FLAC")
    members = [
        ("k1.txt", "你好".encode()), ("k1.wav", wav), ("../../evil.txt", b"out"), ("../../evil.wav", wav),
        ("/abs/k3.flac", flac), ("/abs/k3.txt", b"three"),
        ("k4.wav", (tarfile.SYMTYPE, "/etc/passwd")), ("k4.txt", b"x"),
        ("k5.txt", b"\xff\xfe"), ("k5.wav", wav), ("k6.wav", wav), ("k7.wav", b""), ("k7.txt", b"empty"),
        ("k1.txt", b"again"), ("k1.wav", flac),
    ]  # fmt: skip
    write_tar(tmp_path / "shards_000.tar.gz", members, "w:gz")
    whole = write_tar(tmp_path / "whole.tar", [("k8.txt", b"eight"), ("k8.wav", wav)]).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "data.list").write_text("shards_000.tar.gz\ncut.tar\nnone.tar\ns3://b/x.tar\n")
    result = run(monkeypatch, "wenet", tmp_path / "data.list", tmp_path / "out")
    assert result.table("text") == {"k1": "你好", "k1-2": "again", "../../evil": "out", "/abs/k3": "three"}
    assert [reason for _, reason in result.rejects()] == [
        "audio-missing", "bad-utf8", "transcript-missing", "audio-empty", "tar-damaged", "shard-missing",
        "shard-missing",
    ]  # fmt: skip
    assert (tmp_path / "out" / result.table("wav.scp")["k1"]).read_bytes() == wav
    assert result.table("wav.scp")["/abs/k3"].endswith(".flac")
    assert len(list((tmp_path / "out/wav").iterdir())) == 4
    assert not (tmp_path.parent / "evil.wav").exists()
    records = manifest(monkeypatch, result)
    assert said(records["k1"])[:2] == ("你好", 1.0) and said(records["k1-2"])[:2] == ("again", 0.5)


def test_shards_of_webdataset_have_texts_in_json(tmp_path, monkeypatch):
    about = {"id": "EN_1", "text": " Said so.", "duration": 1.0, "speaker": "EN_S1", "language": "en", "dnsmos": 3.3}
    wav = audio_bytes(1.0)
    members = [
        ("EN_1.mp3", wav), ("EN_1.json", json.dumps(about).encode()), ("b.json", b'{"transcription": 7}'),
        ("b.wav", wav), ("c.json", b"{"), ("c.wav", wav), ("d.json", b"{}"), ("d.wav", wav),
        ("e.json", b'{"text": "not this"}'), ("e.txt", b"this"), ("e.wav", wav),
        ("f.json", b'[[0.1, "a word"]]'), ("f.txt", b"words with times"), ("f.wav", wav),
        ("g.json", b'{"speaker": {"age": 7}, "text": "a child"}'), ("g.wav", wav),
    ]  # fmt: skip
    (tmp_path / "s").mkdir()
    write_tar(tmp_path / "s/EN-000000.tar", members)
    result = run(monkeypatch, "webdataset", tmp_path / "s", tmp_path / "out")
    assert result.table("text") == {
        "EN_1": "Said so.", "b": "7", "e": "this", "f": "words with times", "g": "a child",
    }  # fmt: skip
    assert result.table("utt2spk") == {"EN_1": "EN_S1"} and result.table("utt2lang") == {"EN_1": "en"}
    assert result.rejects() == [("c", "jsonl-invalid"), ("d", "transcript-missing")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps({"source": "a.wav", "target": "x"}, indent=2), "an object over several lines"),
        (json.dumps([{"source": "a.wav", "target": "x"}], indent=4), "a list"),
        (json.dumps([{"source": "a.wav", "target": "x"}]), "a list"),
    ],
)
def test_json_that_is_no_json_lines_is_one_line(tmp_path, monkeypatch, capsys, content, words):
    write_wav(tmp_path / "a.wav", 1.0)
    (tmp_path / "set.jsonl").write_text(f"\n{content}\n")
    found = refused(monkeypatch, capsys, "funasr", tmp_path / "set.jsonl", tmp_path / "out")
    assert "set.jsonl:2: " in found and words in found and "jq -c" in found
    (tmp_path / "set.json").write_text(content)
    if words == "a list":  # is read as it is
        assert list(run(monkeypatch, "funasr", tmp_path / "set.json", tmp_path / "o").table("text").values()) == ["x"]


# --- Chats ------------------------------------------------------------------------------------------------------------


def chat(path, text, words="语音转写：", **more):
    content = prompt.join_user_content(words, path)
    return {
        "messages": [
            {"role": "system", "content": prompt.SYSTEM}, {"role": "user", "content": content},
            {"role": "assistant", "content": text},
        ],
        "speech_length": 98, "text_length": 3,
    } | more  # fmt: skip


def test_funasr(tmp_path, monkeypatch, capsys):
    write_wav(tmp_path / "a.wav", 1.0)
    hot = prompt.transcription_prompt(hotwords=["Kaldi", "ASR"])
    source = write_jsonl(
        tmp_path / "train.jsonl",
        {
            "key": "u1", "source": "a.wav", "source_len": 98, "target": "你好", "target_len": 2,
            "text_language": "<|zh|>", "emo_target": "<|NEUTRAL|>", "with_or_wo_itn": "<|withitn|>",
        },
        chat("a.wav", "eins"),
        chat("a.wav", "two", "语音转写成英文：", key="u3", speaker="s", duration=1.0),
        chat("a.wav", "three", hot, key="u4", start=0.25, end=0.75),
        chat("a.wav", "four", "Listen, then write: ", key="u5"),
        {"messages": chat("a.wav", "x")["messages"] * 2, "key": "u6"},
        {"messages": [{"role": "user", "content": "no recording"}], "key": "u7"},
        {"key": "u8", "source": "a.wav"},
        {"key": "u9", "target": "x"},
    )  # fmt: skip
    result = run(monkeypatch, "funasr", source, tmp_path / "out")
    assert result.table("text") == {"u1": "你好", "train-00000002": "eins", "u3": "two", "u4": "three", "u5": "four"}
    assert result.table("utt2lang") == {"u1": "zh", "u3": "en"}
    assert result.table("utt2hotwords") == {"u4": "Kaldi,ASR"}
    assert result.table("utt2prompt") == {"u3": "语音转写成英文：", "u5": "Listen, then write:"}
    assert dict(result.rejects()) == {
        "u6": "jsonl-invalid", "u7": "jsonl-invalid", "u8": "transcript-missing", "u9": "audio-missing",
    }  # fmt: skip
    records = manifest(monkeypatch, result)
    assert said(records["u4"]) == ("three", 0.5, None) and said(records["u3"]) == ("two", 1.0, "s")
    assert records["u4"]["messages"][1]["content"].startswith(prompt.HOTWORD_HEADER)
    assert "audio, text" in refused(
        monkeypatch, capsys, "funasr", write_jsonl(tmp_path / "q.jsonl", {"audio": 1, "text": 2}), tmp_path / "o"
    )


def test_a_manifest_of_this_recipe_goes_in_again(data_dir, tmp_path, monkeypatch):
    first = run(monkeypatch, "kaldi", data_dir, tmp_path / "one")
    lines = manifest(monkeypatch, first)
    again = run(monkeypatch, "funasr", tmp_path / "one-manifest/set.jsonl", tmp_path / "two")
    assert manifest(monkeypatch, again) == lines


def user(content):
    return {"role": "user", "content": content}


def test_ms_swift(tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", 1.0)
    rows = [
        {
            "messages": [
                {"role": "system", "content": "You help."}, {"role": "user", "content": "<audio>语音转写"},
                {"role": "assistant", "content": "你好"},
            ],
            "audios": ["a.wav"],
        },
        {"messages": [user(f"<audio>{tmp_path}/a.wav</audio>Transcribe"), {"role": "assistant", "content": "hi"}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "audio", "audio": "a.wav"}, {"type": "text", "text": "Go"}]},
                {"role": "assistant", "content": "parts"},
            ]
        },
        {"query": "<audio>Go", "response": "old", "audios": [{"path": "a.wav"}]},
        {"messages": [user("<audio><audio>"), {"role": "assistant", "content": "x"}], "audios": ["a.wav", "a.wav"]},
        {"messages": [{"role": "user", "content": "no audio"}, {"role": "assistant", "content": "x"}]},
        {"messages": [{"role": "user", "content": "<audio>"}], "audios": ["a.wav"]},
    ]  # fmt: skip
    source = write_jsonl(tmp_path / "swift.jsonl", *rows)
    result = run(monkeypatch, "ms-swift", source, tmp_path / "out")
    assert sorted(result.table("text").values()) == ["hi", "old", "parts", "你好"]
    assert reasons(result) == ["audio-ambiguous", "audio-missing", "transcript-missing"]
    assert (
        not result.table("utt2prompt") and result.counts["notes"]["instructions left out (--prompts carries them)"] == 4
    )
    (tmp_path / "list.json").write_text(json.dumps(rows, indent=1))
    listed = run(monkeypatch, "swift", tmp_path / "list.json", tmp_path / "two", "--prompts")
    assert listed.table("text") == result.table("text")
    assert sorted(listed.table("utt2prompt").values()) == ["Go", "Go", "Transcribe", "语音转写"]


def test_qwen3_asr(tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", 1.0)
    source = write_jsonl(
        tmp_path / "q.jsonl",
        {"audio": "a.wav", "text": "language English<asr_text>It works."},
        {"audio": "a.wav", "text": "language None<asr_text>Who knows"},
        {"audio": "a.wav", "text": "language Klingon<asr_text>Qapla'", "prompt": "context"},
        {"audio": "a.wav", "text": "language is what we speak"},
        {"audio": "a.wav", "text": "language Chinese<asr_text>"},
    )
    result = run(monkeypatch, "qwen3-asr", source, tmp_path / "out")
    assert list(result.table("text").values()) == ["It works.", "Who knows", "Qapla'", "language is what we speak"]
    assert result.table("utt2lang") == {"a": "en", "a-3": "Klingon"}
    assert result.counts["unknown_languages"] == {"Klingon": 1}
    assert reasons(result) == ["transcript-empty"]


def test_compressed_lines_and_damage(tmp_path, monkeypatch, capsys):
    write_wav(tmp_path / "a.wav", 1.0)
    line = json.dumps({"audio": "a.wav", "text": "t"}).encode() + b"\n"
    nested = b"[" * 100_000 + b"\n"
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(line + b"\xff\xfe{}\n" + nested + b"7\n" + line))
    result = run(monkeypatch, "qwen3-asr", tmp_path / "q.jsonl.gz", tmp_path / "out")
    assert reasons(result) == ["bad-utf8", "jsonl-invalid", "jsonl-invalid"]
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(line * 1000)[:-20])
    assert "damaged gzip" in refused(monkeypatch, capsys, "qwen3-asr", tmp_path / "q.jsonl.gz", tmp_path / "o")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_real_recordings(tmp_path, monkeypatch):
    wavs = sorted((SHARED / "data/fsdd").rglob("*.wav"))[:3]
    source = write_jsonl(tmp_path / "q.jsonl", *({"audio": str(wav), "text": "digit"} for wav in wavs))
    records = manifest(monkeypatch, run(monkeypatch, "qwen3-asr", source, tmp_path / "out"))
    assert {key: said(record)[1] for key, record in records.items()} == {
        wav.stem: round(soundfile.info(wav).duration, 4) for wav in wavs
    }
