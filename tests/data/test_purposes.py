"""What sets are for: training protects itself by limits, test sets have only to be readable."""

import csv
import json
import re

import numpy as np
import pytest
import soundfile
from conftest import tone
from stages import scp2jsonl

from recipe.data import join, verification
from recipe.data.checks import CheckPolicy
from recipe.settings.data import Checks


def write(folder, name, seconds, rate=16000, channels=1, level=0.3):
    waves = [level * np.resize(tone(1.0, 3 + i), round(seconds * rate)) for i in range(channels)]
    soundfile.write(folder / name, np.stack(waves, 1), rate)


def make(folder, lines, **tables):
    """A data directory of (key, recording, transcript or None)."""
    folder.mkdir(exist_ok=True)
    (folder / "wav.scp").write_text("".join(f"{key} {source}\n" for key, source, _ in lines))
    texts = "".join(f"{key} {text}\n" for key, _, text in lines if text is not None)
    (folder / "text").write_text(texts)
    for name, content in tables.items():
        (folder / name).write_text(content)
    return folder


def remarks(folder):
    with open(folder / "remarks.tsv", encoding="utf-8", newline="") as file:
        return {row["key"]: row["remark"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


def reasons(rejects):
    return {row["key"]: row["reason"] for row in rejects}


@pytest.fixture
def odd(tmp_path):
    for name, seconds, level in (("short", 0.02, 1), ("long", 45, 1), ("good", 1, 1), ("quiet", 1, 1e-4)):
        write(tmp_path, f"{name}.wav", seconds, level=0.3 * level)
    soundfile.write(tmp_path / "clipped.wav", np.clip(tone(1.0, 3) * 30, -1, 1), 16000)
    soundfile.write(tmp_path / "nan.wav", np.full(16000, np.nan, np.float32), 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    (tmp_path / "garbage.wav").write_bytes(b"no audio")
    names = ("short", "long", "quiet", "clipped", "nan", "none", "garbage", "missing")
    lines = [(name, f"{name}.wav", "hello there") for name in names]
    lines += [("noise", "good.wav", ""), ("wordy", "good.wav", "word " * 100), ("apart", "good.wav", "cafe\u0301")]
    lines += [("untold", "good.wav", None), ("good", "good.wav", "hello")]
    return make(tmp_path / "data", [(key, f"../{source}", text) for key, source, text in lines])


UNREADABLE = {
    "nan": "audio-not-finite", "none": "audio-empty", "garbage": "audio-unreadable", "missing": "audio-missing",
    "untold": "transcript-missing",
}  # fmt: skip


def test_of_a_test_set_only_what_cannot_be_read_is_rejected(odd, full_model):
    records, rejects, _ = scp2jsonl(odd, full_model, "--purpose", "scoring")
    assert reasons(rejects) == UNREADABLE
    assert [r["key"] for r in records] == ["short", "long", "quiet", "clipped", "noise", "wordy", "apart", "good"]
    assert {r["key"]: r["messages"][2]["content"] for r in records}["noise"] == ""


def test_what_is_shorter_than_a_frame_is_remarked_in_a_test_set(odd, full_model):
    scp2jsonl(odd, full_model, "--purpose", "scoring", "--remarks-file", str(odd / "remarks.tsv"))
    assert remarks(odd) == {"short": "shorter-than-a-frame"}


def test_speakers_in_the_place_of_transcripts_are_an_error(tmp_path, odd, full_model):
    def data(name, texts):
        lines = [(f"k{i}", "../good.wav", text) for i, text in enumerate(texts)]
        return make(tmp_path / name, lines, utt2spk="".join(f"k{i} anna\n" for i in range(3)))

    *_, done = scp2jsonl(data("wrong", ["anna"] * 3), full_model, check=False)
    assert done.returncode == 2 and "text: the transcripts of all 3 utterances are the names of their" in done.stderr
    for name, texts in {"one": ["anna", "hello", "hello"], "words": ["k0", "k1", "k2"]}.items():
        folder = data(name, texts)
        scp2jsonl(folder, full_model, "--remarks-file", str(folder / "remarks.tsv"))
        assert remarks(folder) == (
            {"k0": "transcript-is-the-speaker"} if name == "one" else dict.fromkeys(texts, "transcript-is-the-key")
        )


def test_training_is_protected_by_limits(odd, full_model):
    records, rejects, _ = scp2jsonl(odd, full_model)
    assert [r["key"] for r in records] == ["good"]
    assert reasons(rejects) == UNREADABLE | {
        "short": "audio-too-short", "long": "audio-too-long", "quiet": "audio-silent", "clipped": "audio-clipped",
        "noise": "transcript-empty", "wordy": "transcript-too-long", "apart": "text-not-nfc",
    }  # fmt: skip


def test_a_list_of_recordings_may_be_a_part_of_a_larger_set(odd, full_model):
    with open(odd / "text", "a") as file:
        file.writelines(f"elsewhere{i} hello\n" for i in range(1000))
    _, rejects, done = scp2jsonl(odd, full_model, "--max-reject-ratio", "0.5", "--purpose", "scoring")
    assert sum(row["reason"] == "key-without-audio" for row in rejects) == 1000
    assert "1013 entries: 8 accepted (of these shorter-than-a-frame 1), 1005 rejected" in done.stderr
    _, _, done = scp2jsonl(odd, full_model, "--max-reject-ratio", "0.3", "--purpose", "scoring", check=False)
    assert done.returncode == 2 and "more than max_reject_ratio 0.3" in done.stderr


def test_a_set_of_which_nothing_is_left_is_an_error_that_shows_why(odd, full_model):
    (odd / "text").write_text("elsewhere hello\n")
    _, _, done = scp2jsonl(odd, full_model, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "nothing is left. For example transcript-missing: " in done.stderr
    assert "(no transcript for this key)" in done.stderr


def test_segments_that_end_a_little_late_are_trimmed_and_counted(tmp_path, full_model):
    write(tmp_path, "r.wav", 10)
    segments = "a r 8.0 10.3\nb r 9.0 10.0\nc r 9.5 10.499\nd r 1 10.6\ne r 10.0 10.2\nf r 2 -1\n"
    lines = [("r", "../r.wav", None)]
    folder = make(tmp_path / "data", lines, segments=segments, text="".join(f"{key} hi\n" for key in "abcdef"))
    flags = ("--remarks-file", str(folder / "remarks.tsv"), "--min-tokens-per-second", "0")
    records, rejects, done = scp2jsonl(folder, full_model, *flags)
    assert reasons(rejects) == {"d": "segment-beyond-end", "e": "segment-beyond-end"}
    assert remarks(folder) == {"a": "segment-trimmed", "c": "segment-trimmed"}
    assert {r["key"]: r["duration"] for r in records} == {"a": 2.0, "b": 1.0, "c": 0.5, "f": 8.0}
    assert {r["key"]: r["end"] for r in records}["a"] is None
    assert "(of these segment-trimmed 2)" in done.stderr


def test_a_channel_per_utterance(tmp_path, full_model):
    write(tmp_path, "call.wav", 4, channels=2)
    write(tmp_path, "mono.wav", 4)
    channels = {"a": " 0", "b": " 1", "c": " B", "d": "", "e": " 2", "f": " left", "g": " -1"}
    segments = "".join(f"{key} call 0 2{channel}\n" for key, channel in channels.items()) + "h mono 0 2 1\n"
    lines = [("call", "../call.wav", None), ("mono", "../mono.wav", None)]
    texts = "".join(f"{key} hi\n" for key in "abcdefgh")
    folder = make(tmp_path / "data", lines, segments=segments, text=texts, utt2channel="d 1\nb 1\na 1\n")
    records, rejects, _ = scp2jsonl(folder, full_model, "--min-tokens-per-second", "0")
    assert {r["key"]: r.get("channel") for r in records} == {"b": 1, "c": 1, "d": 1, "g": None}
    assert {r["recording"] for r in records} == {"call"}
    expected = {"e": "channel-missing", "f": "segment-invalid", "h": "channel-missing", "a": "channel-invalid"}
    assert reasons(rejects) == expected


def test_segments_of_others_with_channels(shared, tmp_path, full_model):
    for name in ("r1", "r2", "r3"):
        write(tmp_path, f"{name}.wav", 10, channels=2)
    rows = (shared / "cases" / "segments-with-channel").read_text()
    keys = [line.split()[0] for line in rows.splitlines()]
    lines = [(name, f"../{name}.wav", None) for name in ("r1", "r2", "r3")]
    texts = "".join(f"{key} hi\n" for key in keys)
    folder = make(tmp_path / "data", lines, segments=rows, text=texts)
    records, rejects, _ = scp2jsonl(folder, full_model, "--min-tokens-per-second", "0")
    assert [r["key"] for r in records] == ["a1", "a2", "a3", "a4", "a5", "a6", "a9"]
    assert [r.get("channel") for r in records] == [None, None, None, 0, 1, None, None]
    assert len(records) + len(rejects) == len(keys)


def test_keys_with_control_characters_are_rejected(tmp_path, full_model):
    write(tmp_path, "a.wav", 1)
    folder = make(tmp_path / "data", [("a\x0bb", "../a.wav", "hi"), ("录音\u30001", "../a.wav", "hi")])
    records, rejects, _ = scp2jsonl(folder, full_model)
    assert [r["key"] for r in records] == ["录音\u30001"] and reasons(rejects) == {"a\x0bb": "key-invalid"}


def test_auto_decodes_what_is_few_hours_and_all_shards_agree(tmp_path):
    for name, seconds in (("a.wav", 1), ("b.wav", 3)):
        write(tmp_path, name, seconds)
    lines = "".join(f"{i} {'ab'[i % 2]}.wav\n" for i in range(5000))
    (tmp_path / "wav.scp").write_text(lines + "x gone.wav\ny cat z |\n")
    policy = CheckPolicy(Checks(), str(tmp_path / "wav.scp"))
    hours = verification.estimated_hours(policy, str(tmp_path / "wav.scp"))
    assert hours == pytest.approx(5002 * 2 / 3600, rel=0.1)
    assert verification.decided(policy, str(tmp_path / "wav.scp")).checks.verify == "full"
    (tmp_path / "segments").write_text("".join(f"{i} a 0 {3600 * 201 / 1000}\n" for i in range(1000)))
    assert verification.decided(policy, str(tmp_path / "segments")).checks.verify == "header"
    fixed = CheckPolicy(Checks(verify="header"), str(tmp_path / "wav.scp"))
    assert verification.decided(fixed, str(tmp_path / "wav.scp")) is fixed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"type": "text", "text": "hi"}], "the content of assistant is of type list, expected one string"),
        (None, "the content of assistant is of type NoneType"),
        (5, "the content of assistant is of type int"),
    ],
)
def test_a_content_that_is_no_string_is_told_so(tmp_path, content, message):
    user = {"role": "user", "content": "x<|startofspeech|>!a.wav<|endofspeech|>"}
    system = {"role": "system", "content": "You are a helpful assistant."}
    line = json.dumps({"messages": [system, user, {"role": "assistant", "content": content}]})
    (tmp_path / "a.jsonl").write_text(line + "\n")
    [entry] = join.from_jsonl(str(tmp_path / "a.jsonl"))
    assert entry.problem[0] == "jsonl-invalid" and re.search(message, entry.problem[1])


def test_an_odd_path_stays_as_it_was_written(tmp_path, full_model):
    odd = ["~/a.wav", "file:///data/a.wav", "az://bucket/a.wav", "'a.wav'", "C:\\\\data\\\\a.wav"]
    folder = make(tmp_path / "data", [(str(i), source, "hi") for i, source in enumerate(odd)])
    write(folder, "~b.wav", 1)
    with open(folder / "wav.scp", "a") as scp, open(folder / "text", "a") as text:
        scp.write("b ~b.wav\n")
        text.write("b hi\n")
    records, rejects, _ = scp2jsonl(folder, full_model)
    assert [r["key"] for r in records] == ["b"]
    assert {row["reason"] for row in rejects} == {"audio-missing"}
    assert all(source in row["detail"] for source, row in zip(odd, rejects, strict=True))


TAGGED = {
    "zh": ("<|zh|><|NEUTRAL|><|Speech|><|woitn|>今天天气", "markup", "今天天气"),
    "end": ("hello <|im_end|> world", "special-token", "hello world"),
    "place": ("hello <|object_ref_start|> x", "special-token", "hello x"),
    "unk": ("hello <sil> world", "markup", "hello world"),
    "noise": ("[noise] hello (laughter) world", "markup", "hello world"),
    "entity": ("you &amp; me", "html-entity", "you & me"),
    "only": ("<sil>", "markup", ""),
    "plain": ("f(x) is [1] &", None, "f(x) is [1] &"),
}
HIDDEN = {"mark": ("\ufeffhello\u200b", "invisible-removed", "hello")}


def tagged(folder, texts):
    write(folder, "a.wav", 1)
    return make(folder / "data", [(key, "../a.wav", text) for key, (text, *_) in texts.items()])


def test_what_is_not_said_is_rejected_or_removed(tmp_path, full_model):
    folder = tagged(tmp_path, TAGGED | HIDDEN)
    flags = ("--remarks-file", str(folder / "remarks.tsv"))
    records, rejects, done = scp2jsonl(folder, full_model, *flags)
    assert reasons(rejects) == {key: kind for key, (_, kind, _) in TAGGED.items() if kind}
    assert remarks(folder) == {"mark": "invisible-removed"} and "(of these invisible-removed 1)" in done.stderr
    assert {r["key"]: r["messages"][2]["content"] for r in records} == {"plain": TAGGED["plain"][0], "mark": "hello"}

    records, rejects, _ = scp2jsonl(folder, full_model, *flags, "--markup", "remove", "--invisible", "reject")
    assert reasons(rejects) == {"only": "transcript-empty", "mark": "invisible"}
    texts = {r["key"]: r["messages"][2]["content"] for r in records}
    assert texts == {key: left for key, (_, _, left) in TAGGED.items() if key in texts} and len(texts) == 7
    assert remarks(folder) == {key: f"{kind}-removed" for key, (_, kind, left) in TAGGED.items() if kind and left}

    records, rejects, _ = scp2jsonl(folder, full_model, *flags, "--markup", "keep", "--max-tokens-per-second", "99")
    assert reasons(rejects) == {"end": "special-token", "place": "special-token"}
    assert remarks(folder)["unk"] == "markup"


def test_what_is_scored_is_not_rejected_for_its_marks(tmp_path, full_model):
    folder = tagged(tmp_path, TAGGED | HIDDEN)
    flags = ("--remarks-file", str(folder / "remarks.tsv"), "--purpose", "scoring")
    records, rejects, _ = scp2jsonl(folder, full_model, *flags)
    assert not rejects and records[1]["messages"][2]["content"] == TAGGED["end"][0]
    assert remarks(folder)["end"] == "special-token"
    records, rejects, _ = scp2jsonl(folder, full_model, *flags, "--markup", "remove")
    assert not rejects and [r["messages"][2]["content"] for r in records][:8] == [left for *_, left in TAGGED.values()]


def test_languages_and_prompts_that_cannot_be_asked_for(tmp_path, full_model):
    write(tmp_path, "a.wav", 1)
    folder = make(tmp_path / "data", [(key, "../a.wav", "hi") for key in "abcde"])
    (folder / "utt2lang").write_text("a zh-CN\nb en_US\nc klingon\nd auto\n")
    (folder / "utt2hotwords").write_text("e x<|im_end|>y\na Tom\n")
    records, rejects, _ = scp2jsonl(folder, full_model, "--language", "utt2lang")
    assert reasons(rejects) == {"c": "unknown-language", "d": "unknown-language", "e": "prompt-special-token"}
    assert "语音转写成中文：" in records[0]["messages"][1]["content"]
    records, rejects, _ = scp2jsonl(folder, full_model)
    assert [r["key"] for r in records] == ["a", "b", "c", "d"] and records[0]["language"] == "zh-CN"
