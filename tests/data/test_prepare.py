"""Data stage: every entry is in the manifest or in the rejects, in order, whatever the number of workers."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import ROOT, tone
from hypothesis import given
from hypothesis import strategies as st
from stages import scp2jsonl

from recipe.audio import reading as audio
from recipe.data import datadir, join, manifest, prepare, sorting
from recipe.data.checks import CheckPolicy
from recipe.data.prepare import DataOutputs
from recipe.data.tokens import token_counter
from recipe.files import RecipeError, json_line, read_lines
from recipe.settings.data import Checks
from recipe.text import prompt


def add(folder, key, source, text=None):
    with open(folder / "wav.scp", "a") as file:
        file.write(f"{key} {source}\n")
    if text is not None:
        with open(folder / "text", "a") as file:
            file.write(f"{key} {text}\n")


def entries_of(folder, shard=(0, 1)):
    tables = {name: path for name in datadir.OPTIONAL if (path := datadir.find(folder, name))}
    return join.join(str(folder / "wav.scp"), str(folder / "text"), tables, lambda *_: "语音转写：", shard)


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
    (wav / "cut.wav").write_bytes((wav / "spk0-utt0.wav").read_bytes()[:9000])
    add(data_dir, "cut", "wav/cut.wav", "hello")
    soundfile.write(wav / "short.wav", np.zeros(300, np.float32), 16000)
    add(data_dir, "short", "wav/short.wav", "hello")
    soundfile.write(wav / "long.wav", np.zeros(16000 * 5, np.float32), 16000)
    add(data_dir, "long", "wav/long.wav", "hello")
    soundfile.write(wav / "pause.wav", np.zeros(16000 * 4, np.float32), 16000)
    add(data_dir, "pause", "wav/pause.wav", "9")
    add(data_dir, "folder", "wav", "hello")
    add(data_dir, "silent-text", "wav/spk0-utt0.wav", "")
    add(data_dir, "no-text", "wav/spk0-utt0.wav")
    add(data_dir, "control", "wav/spk0-utt0.wav", "a\x07b")
    add(data_dir, "replaced", "wav/spk0-utt0.wav", "a\ufffdb")
    add(data_dir, "decomposed", "wav/spk0-utt0.wav", "cafe\u0301")
    add(data_dir, "wordy", "wav/spk0-utt0.wav", "word " * 100)
    add(data_dir, "spk0-utt0", "wav/spk1-utt1.wav")
    add(data_dir, "spk1-utt1", "wav/spk1-utt1.wav")
    add(data_dir, "command", "sox x.wav -t wav - |", "hello")
    with open(data_dir / "text", "ab") as file:
        file.write(b"only-text hello\nspk0-utt2 another text\nspk1-utt3 \xff\n")
    with open(data_dir / "text", "a") as file:
        file.write((data_dir / "text").read_bytes().split(b"\n")[4].decode() + "\n")
    flags = ("--max-seconds", "4.5", "--min-tokens-per-second", "0.6", "--verify", "header")
    records, rejects, done = scp2jsonl(data_dir, full_model, *flags)
    found = sorted((r["key"], r["reason"]) for r in rejects)
    expected = {
        "missing": "audio-missing", "empty": "audio-empty", "noise": "audio-unreadable", "cut": "audio-truncated",
        "short": "audio-too-short", "long": "audio-too-long", "pause": "transcript-too-short",
        "folder": "audio-unreadable", "silent-text": "transcript-empty", "no-text": "transcript-missing",
        "control": "control-character", "replaced": "replacement-character", "decomposed": "text-not-nfc",
        "wordy": "transcript-too-long", "spk1-utt1": "duplicate-key", "command": "command-refused",
        "only-text": "key-without-audio", "spk0-utt2": "conflicting-transcripts", "spk0-utt4": "duplicate-transcript",
        "spk1-utt3": "conflicting-transcripts", "spk0-utt0": "conflicting-key",
    }  # fmt: skip
    # Which of two different recordings has the key is not known, so both are rejected.
    assert found == sorted([*expected.items(), ("spk0-utt0", "conflicting-key")])
    assert {row["stage"] for row in rejects} == {"scp2jsonl"}
    entries = len((data_dir / "wav.scp").read_text().splitlines()) + 2
    assert len(records) + len(rejects) == entries
    assert f"{entries} entries: {len(records)} accepted, {len(rejects)} rejected" in done.stderr


def test_same_bytes_for_any_number_of_workers_and_shards(data_dir, full_model, monkeypatch):
    for i in range(50):
        add(data_dir, f"x{i:02}", f"wav/{'none' if i % 7 == 0 else 'spk0-utt0'}.wav", f"set it to {i}")
    monkeypatch.setattr(prepare, "CHUNK", 7)
    # The tokenizer's threads exist here before workers are forked, and must not be waited for in them.
    token_counter(str(full_model), 2)(["set it to 1"] * 1000)
    files = [data_dir / f"out.{end}" for end in ("jsonl", "tsv", "remarks")]
    written = DataOutputs(*map(str, files))
    outputs = []
    for learned in (False, True):
        checks = Checks(max_tokens_per_second="auto" if learned else 40.0)
        policy = CheckPolicy(checks, str(data_dir / "wav.scp"))
        for workers in (1, 3):
            prepare.prepare(entries_of(data_dir), str(full_model), policy, written, workers)
            outputs.append([file.read_bytes() for file in files])
        for shards in (2, 5):
            parts = [str(data_dir / f"checked{i}") for i in range(shards)]
            for i, part in enumerate(parts):
                entries = entries_of(data_dir, (i, shards))
                prepare.prepare_shard(entries, str(full_model), policy, part)
            assert prepare.merge(parts, policy, written).entries == 58
            outputs.append([file.read_bytes() for file in files])
    assert all(output == outputs[0] for output in outputs)


def test_the_result_does_not_depend_on_the_order_of_the_tables_or_on_memory(data_dir, full_model, monkeypatch):
    """Sorted and unsorted tables, in memory or in runs on disk: the manifest is in the order of wav.scp."""
    for i in range(40):
        add(data_dir, f"x{i * 7 % 40:02}", "wav/spk0-utt0.wav", f"set it to {i}")
    (data_dir / "text").write_text("".join(reversed((data_dir / "text").read_text().splitlines(keepends=True))))
    first = list(entries_of(data_dir))
    assert [e.key for e in first] == [line.split()[0] for line in (data_dir / "wav.scp").read_text().splitlines()]
    assert all(e.text and e.problem is None for e in first)
    monkeypatch.setattr(sorting, "RUN", 5)
    assert list(entries_of(data_dir)) == first
    assert [e for i in range(4) for e in entries_of(data_dir, (i, 4))] == first


def test_limits_of_the_speech_rate_can_be_learned_from_the_set(data_dir, full_model):
    (data_dir / "wav.scp").write_text("")
    (data_dir / "text").write_text("")
    for i in range(200):
        add(data_dir, f"x{i:03}", "wav/spk0-utt0.wav", "turn on the light")
    add(data_dir, "wordy", "wav/spk0-utt0.wav", "turn on the light " * 12)
    soundfile.write(data_dir / "wav" / "pause.wav", tone(30.0), 16000)
    add(data_dir, "pause", "wav/pause.wav", "light")
    flags = ("--max-tokens-per-second", "auto", "--min-tokens-per-second", "auto")
    records, rejects, _ = scp2jsonl(data_dir, full_model, *flags)
    assert [(r["key"], r["reason"]) for r in rejects] == [
        ("wordy", "transcript-too-long"), ("pause", "transcript-too-short"),
    ]  # fmt: skip
    assert len(records) == 200


def test_too_many_rejects_stop_the_run_with_the_commonest_reasons(data_dir, full_model):
    for i in range(4):
        add(data_dir, f"gone{i}", "wav/none.wav", "hello")
    _, rejects, done = scp2jsonl(data_dir, full_model, "--max-reject-ratio", "0.1", check=False)
    assert done.returncode == 2
    assert "audio-missing 4" in done.stderr and "max_reject_ratio" in done.stderr
    assert len(rejects) == 4  # written, to look into


def test_a_bad_byte_rejects_its_entry_and_no_other(data_dir, full_model):
    add(data_dir, "bad", "wav/spk0-utt0.wav")
    with open(data_dir / "text", "ab") as file:
        file.write(b"bad \xff\xfe\n")
    records, rejects, _ = scp2jsonl(data_dir, full_model)
    assert len(records) == 8
    assert [(r["key"], r["reason"]) for r in rejects] == [("bad", "bad-utf8")]
    assert "text:9: byte 5" in rejects[0]["detail"]


def test_a_stopped_run_leaves_its_rejects_beside(data_dir, full_model):
    add(data_dir, "gone", "wav/none.wav", "hello")
    scp2jsonl(data_dir, full_model, "--max-reject-ratio", "0.05", check=False)
    assert "gone" in (data_dir / "out" / "set.failed.tsv").read_text()
    scp2jsonl(data_dir, full_model, "--max-reject-ratio", "0.5")
    assert not (data_dir / "out" / "set.failed.tsv").exists()


def test_segments_are_parts_of_recordings(data_dir, full_model):
    scp = (data_dir / "wav.scp").read_text().splitlines()
    segments = {
        "a": "spk1-utt7 0.5 1.75", "b": "spk0-utt0 0 -1", "late": "spk0-utt0 0.2 5", "none": "nothing 0 1",
        "odd": "spk0-utt0 1", "empty": "spk0-utt0 1 1",
    }  # fmt: skip
    (data_dir / "segments").write_text("".join(f"{key} {value}\n" for key, value in segments.items()))
    (data_dir / "text").write_text("".join(f"{key} light\n" for key in segments))
    records, rejects, _ = scp2jsonl(data_dir, full_model)
    assert [(r["key"], r.get("start"), r.get("end"), r["duration"]) for r in records] == [
        ("a", 0.5, 1.75, 1.25), ("b", None, None, 0.8),
    ]  # fmt: skip
    first = next(iter(manifest.read(data_dir / "out" / "set.jsonl")))
    assert len(audio.read(first.source, start=first.start, end=first.end)) == 20000
    reasons = {r["key"]: r["reason"] for r in rejects}
    unused = {line.split()[0]: "recording-without-segments" for line in scp}
    del unused["spk1-utt7"], unused["spk0-utt0"]
    expected = {"late": "segment-beyond-end", "none": "audio-missing", "odd": "segment-invalid"}
    assert reasons == expected | {"empty": "segment-invalid"} | unused


def test_prompts_by_language_with_hotwords_or_given(data_dir, full_model):
    keys = [line.split()[0] for line in (data_dir / "wav.scp").read_text().splitlines()]
    (data_dir / "utt2lang").write_text(f"{keys[0]} zh\n{keys[1]} en\n")
    (data_dir / "utt2hotwords").write_text(f"{keys[2]} Mei, 开放时间\n")
    (data_dir / "utt2prompt").write_text(f"{keys[3]} Say it in verse: \n")
    records, _, _ = scp2jsonl(data_dir, full_model, "--language", "utt2lang")
    prompts = [prompt.split_user_content(r["messages"][1]["content"])[0] for r in records]
    assert prompts[:2] == ["语音转写成中文：", "语音转写成英文："]
    assert prompts[2] == prompt.transcription_prompt(hotwords=["Mei", "开放时间"])
    assert prompts[3] == "Say it in verse:"
    assert set(prompts[4:]) == {"语音转写："}


def test_tables_may_be_compressed(data_dir, full_model):
    expected, _, _ = scp2jsonl(data_dir, full_model)
    for name in ("text", "utt2spk"):
        (data_dir / f"{name}.gz").write_bytes(gzip.compress((data_dir / name).read_bytes()))
    (data_dir / "utt2spk").unlink()
    entries = join.join(
        str(data_dir / "wav.scp"), str(data_dir / "text.gz"), {"utt2spk": str(data_dir / "utt2spk.gz")}, lambda *_: ""
    )
    assert [(e.key, e.text, e.speaker) for e in entries] == [
        (r["key"], r["messages"][2]["content"], r["speaker"]) for r in expected
    ]


@pytest.mark.parametrize(
    "read", [lambda path: list(read_lines(path)), lambda path: list(datadir.raw_lines(path)), datadir.count_lines]
)
def test_a_damaged_gzip_file_is_named(tmp_path, read):
    whole = gzip.compress("".join(f"u{i} {i * i}\n" for i in range(2000)).encode())
    path = tmp_path / "text.gz"
    for place in (len(whole) // 3, len(whole) // 2, len(whole) - 6):
        for damaged in (whole[:place], whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :]):
            path.write_bytes(damaged)
            with pytest.raises(RecipeError, match=f"{path}: damaged gzip file"):
                read(path)


def test_a_published_manifest_is_input_too(data_dir, full_model):
    """Its own output gives the same bytes; without keys and lengths, lines are named by file and line."""
    scp2jsonl(data_dir, full_model)
    source = data_dir / "out" / "set.jsonl"
    before = source.read_bytes()
    flags = ("--jsonl-file", str(data_dir / "again.jsonl"), "--rejects-file", str(data_dir / "again.tsv"))
    command = [sys.executable, str(ROOT / "scripts/scp2jsonl.py"), "--tokenizer", str(full_model), *flags]
    subprocess.run([*command, "--input-jsonl", str(source)], check=True)
    assert (data_dir / "again.jsonl").read_bytes() == before
    bare = [{"messages": json.loads(line)["messages"]} for line in before.splitlines()]
    bare[2]["messages"].append({"role": "user", "content": "more"})
    lines = [json.dumps(record) for record in bare] + ["{broken"]
    (data_dir / "bare.jsonl").write_text("".join(line + "\n" for line in lines))
    subprocess.run([*command, "--max-reject-ratio=1", "--input-jsonl", str(data_dir / "bare.jsonl")], check=True)
    found = list(manifest.read(data_dir / "again.jsonl"))
    assert [u.key for u in found] == [f"bare-{i:08d}" for i in (1, 2, 4, 5, 6, 7, 8)]
    assert (data_dir / "again.tsv").read_text().count("jsonl-invalid") == 2


def test_whatever_a_line_of_jsonl_says_it_is_accepted_or_rejected(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    first = json.loads((data_dir / "out/set.jsonl").read_text().splitlines()[0])
    odd = {
        "whole": {"key": 17, "speaker": 4},
        "real": {"key": "a", "speaker": 1.5},
        "table": {"key": "b", "group": {"x": 1}},
        "lines": {"key": "c", "language": "zh\nen"},
        "space": {"key": "two words"},
        "half": {"key": "d", "speaker": "\ud800"},
        "endless": {"key": "e", "speech_length": 1e400},
        "prompt": {"key": "f", "messages": [m | {"content": "\ud800" + m["content"]} for m in first["messages"]]},
    }
    lines = [json.dumps(first | fields) for fields in odd.values()]
    (data_dir / "odd.jsonl").write_text("\n".join([*lines, "[" * 100_000, "5"]))
    files = "--jsonl-file", str(data_dir / "o.jsonl"), "--rejects-file", str(data_dir / "o.tsv")
    command = [sys.executable, str(ROOT / "scripts/scp2jsonl.py"), "--tokenizer", str(full_model), *files]
    subprocess.run([*command, "--max-reject-ratio=1", "--input-jsonl", str(data_dir / "odd.jsonl")], check=True)
    [accepted] = manifest.read(data_dir / "o.jsonl")
    assert (accepted.key, accepted.speaker) == ("17", "4")
    rejects = (data_dir / "o.tsv").read_text().splitlines()[1:]
    assert len(rejects) == 9 and all("\tjsonl-invalid\t" in line for line in rejects)
    assert any("key is 'two words', expected text without spaces or control characters" in line for line in rejects)


@given(st.data())
def test_a_line_is_the_same_by_either_way(data):
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    number = st.floats(0, 1e4, allow_subnormal=False)
    utterance = manifest.Utterance(
        data.draw(text), data.draw(text), data.draw(text), data.draw(text), 3, 5, data.draw(number), data.draw(text),
        data.draw(number), data.draw(st.none() | number), data.draw(st.none() | st.integers(0, 3)),
        *(data.draw(st.none() | text) for _ in range(4)),
    )  # fmt: skip
    assert "5".join(utterance.fragments()) == json_line(utterance.to_json())


def test_full_verification_finds_what_headers_do_not_show(data_dir, full_model):
    wave = tone(1.0, 3)
    wav = data_dir / "wav"
    soundfile.write(wav / "silent.wav", wave * 1e-5, 16000, subtype="FLOAT")
    soundfile.write(wav / "clipped.wav", np.clip(wave * 30, -1, 1), 16000)
    soundfile.write(wav / "nan.wav", np.where(np.arange(16000) == 5, np.nan, wave), 16000, subtype="FLOAT")
    soundfile.write(wav / "flac.flac", wave, 16000)
    damaged = bytearray((wav / "flac.flac").read_bytes())
    damaged[len(damaged) // 2] ^= 0x55
    (wav / "flac.flac").write_bytes(damaged)
    for name in ("silent.wav", "clipped.wav", "nan.wav", "flac.flac"):
        add(data_dir, name, f"wav/{name}", "light")
    records, rejects, _ = scp2jsonl(data_dir, full_model, "--verify", "header")
    assert len(records) == 12 and not rejects
    # auto decodes everything as well, where there are so few hours.
    records, rejects, _ = scp2jsonl(data_dir, full_model, "--workers", "2")
    found = {r["key"]: r["reason"] for r in rejects}
    assert found.pop("flac.flac") in ("audio-unreadable", "audio-truncated", "header-mismatch", "audio-clipped")
    assert found == {"silent.wav": "audio-silent", "clipped.wav": "audio-clipped", "nan.wav": "audio-not-finite"}


def test_text_lengths_are_those_of_the_published_tokenizer(data_dir, shared):
    import transformers

    records, _, _ = scp2jsonl(data_dir, shared / "qwen3-tokenizer")
    qwen = transformers.PreTrainedTokenizerFast.from_pretrained(shared / "qwen3-tokenizer")
    assert [r["text_length"] for r in records] == [len(qwen.tokenize(r["messages"][2]["content"])) for r in records]


def test_unknown_tokenizer_is_a_clear_error(tmp_path):
    with pytest.raises(RecipeError, match=r"tokenizer\.json"):
        token_counter(str(tmp_path))


@pytest.mark.parametrize("spoil", [lambda file: None, lambda file: file.write_text("{}"), lambda file: file.mkdir()])
def test_a_model_without_a_tokenizer_is_one_line(data_dir, full_model, tmp_path, spoil):
    spoil(tmp_path / "tokenizer.json")
    _, _, done = scp2jsonl(data_dir, tmp_path, check=False)
    assert done.returncode == 2 and f"{tmp_path}/tokenizer.json: cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_is_no_input_and_no_other_output(data_dir, full_model, tmp_path):
    before = (data_dir / "text").read_bytes()
    (data_dir / "linked").hardlink_to(data_dir / "text")
    others = ["text", "linked", "./wav.scp", "utt2spk"]
    for wrong in (*(str(data_dir / name) for name in others), str(data_dir / "out/set.tsv")):
        (data_dir / "utt2spk").touch()
        _, _, done = scp2jsonl(data_dir, full_model, "--jsonl-file", wrong, check=False)
        assert done.returncode == 2 and "the output is the same file as" in done.stderr
    assert (data_dir / "text").read_bytes() == before


def test_a_message_shows_what_no_terminal_can(data_dir, full_model):
    with open(data_dir / "wav.scp", "ab") as file:
        file.write(bytes(4) + b"\n")
    _, _, done = scp2jsonl(data_dir, full_model, "--max-reject-ratio", "0", check=False)
    assert done.returncode == 2 and "\\x00" in done.stderr and "\0" not in done.stderr
