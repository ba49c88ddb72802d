"""What sets share: found by key, name, content, speaker and transcript; counted, with examples; nothing is missed."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import ROOT, tone

from recipe.data import leaks
from recipe.data.leaks import CheckedSet, compare
from recipe.data.manifest import Utterance
from recipe.files import RecipeError, json_line, write_lines


def made(folder, role, name, utterances):
    file = folder / f"{role}.{name}.jsonl"
    write_lines(file, (json_line(utterance.to_json()) for utterance in utterances))
    return CheckedSet(role, name, str(file))


def utterance(key, source, text="turn it on", speaker=None, seconds=1.0, **more):
    return Utterance(key, str(source), "p", text, 98, 3, seconds, speaker=speaker, **more)


@pytest.fixture
def sounds(tmp_path):
    """Five different recordings of one second."""
    paths = [tmp_path / f"r{i}.wav" for i in range(5)]
    for i, path in enumerate(paths):
        soundfile.write(path, tone(1.0, i), 16000)
    return paths


def shared(result, at=0):
    """Counts that are not zero, of one pair."""
    return {name: found["count"] for name, found in result["pairs"][at]["shared"].items() if found["count"]}


def test_sets_that_share_nothing_have_no_finding(tmp_path, sounds):
    train = made(tmp_path, "train", "a", [utterance("k0", sounds[0], "one", "s0")])
    test = made(tmp_path, "test", "a", [utterance("k1", sounds[1], "two", "s1")])
    found = compare([train, test])
    assert (shared(found), found["findings"]) == ({}, [])
    assert found["pairs"][0]["content"] == {"alike": 1, "compared": 1}, "of the same length, and listened to"


def test_the_same_set_twice_is_one_sentence(tmp_path, sounds):
    own = [utterance(f"k{i}", path, f"text {i}", f"s{i}") for i, path in enumerate(sounds)]
    found = compare([made(tmp_path, "valid", "dev", own), made(tmp_path, "test", "home", own)])
    assert found["findings"] == [
        "test set home: 5 of 5 (100.0 %) utterances are also in valid set dev, with the same audio and transcript: "
        "k0, k1, k2, ..."
    ]
    assert shared(found) == dict.fromkeys(leaks.SHARED, 5)


def test_every_two_sets_of_different_roles_are_compared_the_later_with_the_earlier(tmp_path, sounds):
    roles = ("test", "train", "valid", "test")
    sets = [made(tmp_path, role, f"n{i}", [utterance("k", sounds[0])]) for i, role in enumerate(roles)]
    pairs = {(tuple(pair["set"]), tuple(pair["with"])) for pair in compare(sets)["pairs"]}
    train, valid = ("train", "n1"), ("valid", "n2")
    tests = [("test", "n0"), ("test", "n3")]
    assert pairs == {(valid, train), *((test, seen) for test in tests for seen in (train, valid))}
    assert compare(sets[:1])["pairs"] == [] == compare([])["pairs"]


def test_a_recording_under_another_name_is_found_by_its_content(tmp_path, sounds):
    copy = tmp_path / "copy.wav"
    shutil.copy(sounds[0], copy)
    train = made(tmp_path, "train", "a", [utterance("k0", sounds[0], "one"), utterance("k1", sounds[1], "three")])
    test = made(tmp_path, "test", "a", [utterance("x", copy, "two"), utterance("y", sounds[2], "three")])
    found = compare([train, test])
    assert shared(found) == {"audio": 1, "transcripts": 1}
    assert found["pairs"][0]["shared"]["audio"]["examples"] == [["x", "k0"]]
    assert "1 of 2 (50.0 %) utterances have the same audio as one of train set a: x = k0" in found["findings"][0]


def test_a_header_or_tags_make_no_other_recording(tmp_path, sounds):
    audio = soundfile.read(sounds[0], dtype="int16")[0]
    soundfile.write(tmp_path / "x.rf64", audio, 16000, format="RF64")
    same = tmp_path / "x.wav"
    same.write_bytes(sounds[0].read_bytes() + b"LIST\x04\x00\x00\x00INFO")
    assert leaks.content(str(sounds[0])) == leaks.content(str(same)) == leaks.content(str(tmp_path / "x.rf64")) != 0
    for name, title in (("a.flac", "one"), ("b.flac", "another")):
        with soundfile.SoundFile(tmp_path / name, "w", 16000, 1) as file:
            file.title = title
            file.write(audio)
    first, second = (tmp_path / name for name in ("a.flac", "b.flac"))
    assert first.read_bytes() != second.read_bytes()
    assert leaks.content(str(first)) == leaks.content(str(second)) != 0


def test_recordings_that_differ_in_a_sample_at_an_end_or_in_length_are_others(tmp_path):
    audio = np.zeros(200_000, np.int16)
    changed = {"first": (0, 1), "last": (-1, 1)}
    seen = set()
    for name, place in {"none": None, **changed}.items():
        own = audio.copy()
        if place:
            own[place[0]] = place[1]
        soundfile.write(tmp_path / f"{name}.wav", own, 16000)
        seen.add(leaks.content(str(tmp_path / f"{name}.wav")))
    soundfile.write(tmp_path / "short.wav", audio[:-1], 16000)
    assert len(seen | {leaks.content(str(tmp_path / "short.wav"))}) == 4


def test_entries_of_arks_are_compared_by_content_too(tmp_path, sounds):
    for name, order in (("a.ark", (0, 1)), ("b.ark", (1, 0))):
        (tmp_path / name).write_bytes(b"".join(sounds[i].read_bytes() for i in order))
    size = sounds[0].stat().st_size
    first, second = f"{tmp_path}/a.ark:0", f"{tmp_path}/b.ark:{size}"
    assert leaks.content(first) == leaks.content(second) == leaks.content(str(sounds[0])) != 0


def test_what_cannot_be_read_is_like_nothing(tmp_path, sounds):
    sources = [tmp_path / "gone.wav", "https://example.org/a.wav", "cat x.wav |"]
    assert leaks.content(str(sources[0])) == 0
    train = made(tmp_path, "train", "a", [utterance(f"k{i}", source, f"a{i}") for i, source in enumerate(sources)])
    others = [utterance(f"x{i}", f"{source}x", f"b{i}") for i, source in enumerate(sources)]
    assert shared(compare([train, made(tmp_path, "test", "a", others)])) == {}
    again = [utterance(f"x{i}", source, f"b{i}") for i, source in enumerate(sources)]
    assert shared(compare([train, made(tmp_path, "test", "a", again)])) == {"audio": 3, "recordings": 3}


def test_parts_of_a_recording_are_the_same_where_their_spans_are(tmp_path, sounds):
    copy = tmp_path / "copy.wav"
    shutil.copy(sounds[0], copy)
    train = made(tmp_path, "train", "a", [utterance("k0", sounds[0], "one", seconds=0.5, start=0.25, end=0.75)])
    tests = [
        utterance("same", sounds[0], "two", seconds=0.5, start=0.25, end=0.75),
        utterance("copy", copy, "three", seconds=0.5, start=0.25, end=0.75),
        utterance("other part", sounds[0], "four", seconds=0.25, start=0.0, end=0.25),
        utterance("other channel", sounds[0], "five", seconds=0.5, start=0.25, end=0.75, channel=1),
    ]
    found = compare([train, made(tmp_path, "test", "a", tests)])
    assert shared(found) == {"audio": 2, "recordings": 3}
    assert found["pairs"][0]["shared"]["audio"]["examples"] == [["same", "k0"], ["copy", "k0"]]


def test_speakers_and_transcripts_are_counted_by_utterance_where_they_are_known(tmp_path, sounds):
    train = made(tmp_path, "train", "a", [utterance("k0", sounds[0], "Turn it ON!", "s0"), utterance("k9", "a", "")])
    tests = [
        utterance("x1", sounds[1], "turn it on", "s0"),
        utterance("x2", sounds[2], "turn, it on", "s0"),
        utterance("x3", sounds[3], "off", "s3"),
        utterance("x4", sounds[4], "", None),
    ]
    found = compare([train, made(tmp_path, "test", "a", tests)])
    own = found["pairs"][0]["shared"]
    assert (own["speakers"]["count"], own["speakers"]["of"], own["speakers"]["examples"]) == (2, 3, [["s0"]])
    assert (own["transcripts"]["count"], own["transcripts"]["of"]) == (2, 3)
    assert found["findings"] == [
        "test set a: 2 of 3 (66.7 %) utterances are of speakers that train set a has, too: s0, ...",
        "test set a: 2 of 3 (66.7 %) transcripts occur in train set a, too: x1 = k0, x2 = k0",
    ]


def test_what_validation_and_test_sets_have_of_speakers_is_counted_and_not_told(tmp_path, sounds):
    valid = made(tmp_path, "valid", "a", [utterance("k0", sounds[0], "one", "s0")])
    found = compare([valid, made(tmp_path, "test", "a", [utterance("k1", sounds[1], "two", "s0")])])
    assert (shared(found), found["findings"]) == ({"speakers": 1}, [])


@pytest.mark.parametrize("limit", [0, 1, 2, 10, 39, 100])
def test_of_too_many_recordings_some_are_compared_and_the_others_are_counted(tmp_path, limit):
    paths = [tmp_path / f"r{i}.wav" for i in range(20)]
    for i, path in enumerate(paths):
        soundfile.write(path, tone(0.1, i), 16000)
        shutil.copy(path, tmp_path / f"copy{i}.wav")
    train = made(tmp_path, "train", "a", [utterance(f"k{i}", p, f"t{i}", seconds=0.1) for i, p in enumerate(paths)])
    copies = [utterance(f"x{i}", tmp_path / f"copy{i}.wav", f"t{i}", seconds=0.1) for i in range(20)]
    pair = compare([train, made(tmp_path, "test", "a", copies)], limit)["pairs"][0]
    assert pair["content"]["alike"] == 20
    assert pair["shared"]["utterances"]["count"] == pair["content"]["compared"] <= max(0, limit)
    assert (pair["content"]["compared"] == 20) == (limit >= 40)
    assert (pair["content"]["compared"] > 0) == (limit >= 2), "those with the same transcript come first"


def test_the_same_input_gives_the_same_result_and_memory_is_that_of_pieces(tmp_path, monkeypatch):
    train = made(tmp_path, "train", "a", [utterance(f"k{i}", f"/a/{i}", f"t{i % 90}", f"s{i % 7}") for i in range(300)])
    test = made(tmp_path, "test", "a", [utterance(f"k{i}", f"/b/{i}", f"t{i}", f"s{i}") for i in range(200)])
    whole = compare([train, test])
    monkeypatch.setattr(leaks, "_PIECE", 7)
    assert compare([train, test]) == whole
    assert shared(whole) == {"keys": 200, "speakers": 7, "transcripts": 90}


def test_a_line_that_is_none_is_named(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"messages": []}\n')
    with pytest.raises(RecipeError, match=r"x\.jsonl:1"):
        compare([CheckedSet("train", "x", str(tmp_path / "x.jsonl"))])


def test_the_script_writes_counts_and_sentences_and_is_content(tmp_path, sounds):
    own = [utterance("k0", sounds[0])]
    files = {role: made(tmp_path, role, "n", own).path for role in ("train", "test")}
    flags = [f"--{role}={name}" for role, name in files.items()]
    command = [sys.executable, ROOT / "scripts/check_leaks.py", "--json-file", tmp_path / "o.json"]
    command += ["--text-file", tmp_path / "o.txt"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert (done.returncode, "expected NAME=FILE" in done.stderr) == (2, True)
    flags = [word for role, name in files.items() for word in (f"--{role}", f"n={name}")]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o.txt").read_text().startswith("WARNING: test set n: 1 of 1 (100.0 %) utterances are also in")
    assert "WARNING test set n: 1 of 1" in done.stderr
    assert json.loads((tmp_path / "o.json").read_text())["sets"][0] == {"role": "train", "name": "n", "utterances": 1}


def test_an_address_is_the_same_recording_whatever_its_signature(tmp_path):
    def at(signature, name="a"):
        return f"https://host/{name}.wav?X-Amz-Date={signature}&X-Amz-Signature={signature}"

    train = made(tmp_path, "train", "a", [utterance("k0", at(1), "one"), utterance("k1", at(1, "b"), "two")])
    test = made(tmp_path, "test", "a", [utterance("k2", at(2), "one"), utterance("k3", at(2, "c"), "three")])
    assert shared(compare([train, test])) == {"utterances": 1, "audio": 1, "recordings": 1, "transcripts": 1}
