"""Data stage: every entry is in the manifest or in the rejects, in order, whatever the number of workers."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import ROOT, tone

from recipe import audio, prepare
from recipe.files import RecipeError


def scp2jsonl(folder, model, *flags, check=True):
    """Run the stage's script; returns (manifest records, rejects rows, completed process)."""
    jsonl, rejects_file = folder / "out" / "set.jsonl", folder / "out" / "set.tsv"
    files = {
        "--scp-file": folder / "wav.scp", "--transcript-file": folder / "text", "--jsonl-file": jsonl,
        "--rejects-file": rejects_file, "--tokenizer": model,
    }  # fmt: skip
    arguments = [str(part) for pair in files.items() for part in pair]
    command = [sys.executable, str(ROOT / "scripts/scp2jsonl.py"), *arguments, *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stderr
    if not jsonl.exists():
        return None, None, done
    records = [json.loads(line) for line in jsonl.read_text().splitlines()]
    with open(rejects_file, encoding="utf-8", newline="") as file:
        rejects = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return records, rejects, done


def add(folder, key, source, text=None):
    with open(folder / "wav.scp", "a") as file:
        file.write(f"{key} {source}\n")
    if text is not None:
        with open(folder / "text", "a") as file:
            file.write(f"{key} {text}\n")


def test_manifest_is_the_published_format_with_the_key(data_dir, full_model):
    records, rejects, _ = scp2jsonl(data_dir, full_model)
    assert [r["key"] for r in records] == [line.split()[0] for line in (data_dir / "wav.scp").read_text().splitlines()]
    assert not rejects
    first = records[0]
    wav = data_dir / "wav" / "spk0-utt0.wav"
    assert first["messages"] == [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": f"语音转写：<|startofspeech|>!{wav}<|endofspeech|>"},
        {"role": "assistant", "content": "turn on the light"},
    ]
    assert first["speech_length"] == int((0.8 * 1000 - 25) // 10 + 1)
    assert first["speaker"] == "spk0"
    assert list(first)[:3] == ["messages", "speech_length", "text_length"]


def test_pairs_are_made_by_key_and_not_by_line(data_dir, full_model):
    text = (data_dir / "text").read_text().splitlines()
    (data_dir / "text").write_text("\n".join(reversed(text)) + "\n")
    records, _, _ = scp2jsonl(data_dir, full_model)
    assert {r["key"]: r["messages"][2]["content"] for r in records} == dict(line.split(" ", 1) for line in text)


def test_every_broken_entry_is_rejected_with_its_reason(data_dir, full_model):
    wav = data_dir / "wav"
    add(data_dir, "missing", "wav/none.wav", "hello")
    (wav / "empty.wav").write_bytes(b"")
    add(data_dir, "empty", "wav/empty.wav", "hello")
    (wav / "noise.wav").write_bytes(b"this is no audio")
    add(data_dir, "noise", "wav/noise.wav", "hello")
    soundfile.write(wav / "short.wav", np.zeros(300, np.float32), 16000)
    add(data_dir, "short", "wav/short.wav", "hello")
    soundfile.write(wav / "long.wav", np.zeros(16000 * 5, np.float32), 16000)
    add(data_dir, "long", "wav/long.wav", "hello")
    add(data_dir, "silent-text", "wav/spk0-utt0.wav", "")
    add(data_dir, "no-text", "wav/spk0-utt0.wav")
    add(data_dir, "control", "wav/spk0-utt0.wav", "a\x07b")
    add(data_dir, "wordy", "wav/spk0-utt0.wav", "word " * 100)
    add(data_dir, "spk0-utt0", "wav/spk1-utt1.wav")
    add(data_dir, "spk1-utt1", "wav/spk1-utt1.wav")
    add(data_dir, "command", "sox x.wav -t wav - |", "hello")
    with open(data_dir / "text", "a") as file:
        file.write("only-text hello\nspk0-utt2 another text\n")
    records, rejects, done = scp2jsonl(data_dir, full_model, "--max-seconds", "4")
    assert {r["key"]: r["reason"] for r in rejects} == {
        "missing": "audio-missing", "empty": "audio-empty", "noise": "audio-unreadable", "short": "audio-too-short",
        "long": "audio-too-long", "silent-text": "transcript-empty", "no-text": "transcript-missing",
        "control": "control-character", "wordy": "transcript-too-long", "spk0-utt0": "conflicting-key",
        "spk1-utt1": "duplicate-key", "command": "command-refused", "only-text": "key-without-audio",
        "spk0-utt2": "conflicting-transcripts",
    }  # fmt: skip
    assert {row["stage"] for row in rejects} == {"scp2jsonl"}
    entries = len((data_dir / "wav.scp").read_text().splitlines()) + 1
    assert len(records) + len(rejects) == entries
    assert f"{entries} entries: {len(records)} accepted, {len(rejects)} rejected" in done.stderr


def test_same_bytes_for_any_number_of_workers(data_dir, full_model, monkeypatch):
    for i in range(50):
        add(data_dir, f"x{i:02}", f"wav/{'none' if i % 7 == 0 else 'spk0-utt0'}.wav", f"set it to {i}")
    monkeypatch.setattr(prepare, "CHUNK", 7)
    outputs = []
    for workers in (1, 3):
        entries = prepare.join(str(data_dir / "wav.scp"), str(data_dir / "text"), "语音转写：", {})
        files = [data_dir / f"{workers}.{end}" for end in ("jsonl", "tsv")]
        counts = prepare.prepare(entries, str(full_model), prepare.Checks(), *files, workers)
        assert counts.entries == 58
        outputs.append([file.read_bytes() for file in files])
    assert outputs[0] == outputs[1]


def test_too_many_rejects_stop_the_run_with_the_commonest_reasons(data_dir, full_model):
    for i in range(4):
        add(data_dir, f"gone{i}", "wav/none.wav", "hello")
    _, rejects, done = scp2jsonl(data_dir, full_model, "--max-reject-ratio", "0.1", check=False)
    assert done.returncode == 2
    assert "audio-missing 4" in done.stderr and "max_reject_ratio" in done.stderr
    assert len(rejects) == 4  # written, to look into


def test_a_bad_byte_is_an_error_that_names_the_line(data_dir, full_model):
    with open(data_dir / "text", "ab") as file:
        file.write(b"bad \xff\xfe\n")
    records, _, done = scp2jsonl(data_dir, full_model, check=False)
    assert done.returncode == 2 and "text:9: byte 5" in done.stderr
    assert records is None


def test_text_lengths_are_those_of_the_published_tokenizer(data_dir, shared):
    import transformers

    records, _, _ = scp2jsonl(data_dir, shared / "qwen3-tokenizer")
    qwen = transformers.PreTrainedTokenizerFast.from_pretrained(shared / "qwen3-tokenizer")
    assert [r["text_length"] for r in records] == [len(qwen.tokenize(r["messages"][2]["content"])) for r in records]


def test_resampling_and_channels(tmp_path):
    stereo = np.stack([tone(1.0, 1, 8000), np.zeros(8000, np.float32)], axis=1)
    soundfile.write(tmp_path / "stereo.flac", stereo, 8000)
    assert audio.probe(str(tmp_path / "stereo.flac")) == audio.AudioInfo(8000, 8000, 2)
    average = audio.read(str(tmp_path / "stereo.flac"))
    left = audio.read(str(tmp_path / "stereo.flac"), channel=0)
    assert average.shape == left.shape == (16000,) and average.dtype == np.float32
    assert np.allclose(average * 2, left, atol=1e-3)
    assert not audio.read(str(tmp_path / "stereo.flac"), channel=1).any()
    with pytest.raises(audio.AudioError, match="channel-missing"):
        audio.read(str(tmp_path / "stereo.flac"), channel=2)


def test_a_part_of_a_recording_and_an_ark(tmp_path):
    import kaldiio

    wave = tone(2.0, 5)
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    part = audio.read(str(tmp_path / "a.wav"), start=0.5, end=1.25)
    assert np.array_equal(part, wave[8000:20000])
    samples = (wave * 32767).astype(np.int16)
    kaldiio.save_ark(str(tmp_path / "a.ark"), {"u": (16000, samples)}, scp=str(tmp_path / "a.scp"))
    source = (tmp_path / "a.scp").read_text().split()[1]
    assert np.array_equal(audio.read(source), samples.astype(np.float32) / 32768)
    assert audio.probe(source).samples == len(samples)


def test_commands_run_only_when_allowed(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    command = f"cat {tmp_path}/a.wav |"
    with pytest.raises(audio.AudioError, match="command-refused"):
        audio.read(command)
    assert len(audio.read(command, allow_commands=True)) == 8000
    with pytest.raises(audio.AudioError, match="exit status"):
        audio.read("false |", allow_commands=True)


def test_unknown_tokenizer_is_a_clear_error(tmp_path):
    with pytest.raises(RecipeError, match=r"tokenizer\.json"):
        prepare.token_counter(str(tmp_path))
