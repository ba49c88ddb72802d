"""AISHELL-1 and LibriSpeech, on miniature trees of their layout."""

import shutil
import subprocess
import sys

import pytest
import soundfile
from conftest import ROOT, tone


def prepare(name, *arguments):
    command = [sys.executable, str(ROOT / "local" / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def rows(path):
    return dict(line.split(" ", 1) for line in path.read_text(encoding="utf-8").splitlines())


@pytest.fixture
def aishell(tmp_path):
    corpus = tmp_path / "a" / "data_aishell"
    (corpus / "transcript").mkdir(parents=True)
    lines = []
    for place, speaker in (("train", "S0002"), ("train", "S0003"), ("dev", "S0724"), ("test", "S0764")):
        folder = corpus / "wav" / place / speaker
        folder.mkdir(parents=True)
        for i in (122, 123):
            key = f"BAC009{speaker}W0{i}"
            soundfile.write(folder / f"{key}.wav", tone(0.3, i), 16000)
            lines.append(f"{key} 而 对 楼市 成交 抑制")
    # The real file has lines without recordings, and recordings without lines.
    lines = [*lines[1:], "BAC009S0916W0999 没有 录音"]
    (corpus / "transcript" / "aishell_transcript_v0.8.txt").write_text("".join(line + "\n" for line in lines))
    return tmp_path / "a"


def test_aishell1(aishell, tmp_path):
    done = prepare("aishell1", aishell, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {name: len(rows(tmp_path / "out" / name / "wav.scp")) for name in ("train", "valid", "test")} == {
        "train": 4, "valid": 2, "test": 2,
    }  # fmt: skip
    train = tmp_path / "out" / "train"
    assert rows(train / "text")["BAC009S0003W0122"] == "而对楼市成交抑制"
    assert rows(train / "text")["BAC009S0002W0122"] == ""
    assert rows(train / "utt2spk")["BAC009S0003W0122"] == "S0003"
    assert set(rows(train / "utt2lang").values()) == {"zh"}
    assert all(soundfile.info(path).frames == 4800 for path in rows(train / "wav.scp").values())


def test_aishell1_that_is_still_packed_is_said_so(aishell, tmp_path):
    shutil.rmtree(aishell / "data_aishell" / "wav" / "dev")
    done = prepare("aishell1", aishell, tmp_path / "out")
    assert done.returncode == 2 and "tar -xzf" in done.stderr
    assert prepare("aishell1", tmp_path / "nowhere", tmp_path / "out").returncode == 2


def test_librispeech(tmp_path):
    for subset, speaker, chapter in (
        ("train-clean-100", 103, 1240),
        ("train-clean-100", 103, 1241),
        ("dev-clean", 84, 1),
    ):
        folder = tmp_path / "l" / "LibriSpeech" / subset / str(speaker) / str(chapter)
        folder.mkdir(parents=True)
        for i in range(3):
            soundfile.write(folder / f"{speaker}-{chapter}-000{i}.flac", tone(0.3, i), 16000)
        texts = "".join(f"{speaker}-{chapter}-000{i} MISSUS RACHEL LYNDE\n" for i in range(1, 4))
        (folder / f"{speaker}-{chapter}.trans.txt").write_text(texts)
    done = prepare("librispeech", tmp_path / "l", tmp_path / "out", "--lower")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dev-clean", "train-clean-100"]
    train = tmp_path / "out" / "train-clean-100"
    assert len(rows(train / "wav.scp")) == 8
    assert rows(train / "text")["103-1240-0000"] == ""
    assert rows(train / "text")["103-1240-0003"] == "missus rachel lynde"
    assert rows(train / "utt2spk")["103-1241-0002"] == "103"
    (tmp_path / "l/LibriSpeech/dev-clean/84/1/84-1.trans.txt").unlink()
    done = prepare("librispeech", tmp_path / "l", tmp_path / "out", "--subsets", "dev-clean")
    assert done.returncode == 2 and "84-1.trans.txt" in done.stderr
