"""The recordings of a folder: every file is one, or has a reason why not."""

import os

import pytest
import soundfile
from conftest import tone

from recipe.data import recordings
from recipe.files import RecipeError


def sound(path, kind="WAV"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(os.fsencode(str(path)), tone(0.2), 16000, format=kind)


def reasons(found):
    return {path.rsplit("/", 1)[-1]: reason for path, reason, _ in found.others}


def files_under(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


def test_every_file_is_accounted_for(tmp_path, shared):
    for name in ("b.wav", "sub dir/a.FLAC", ".hidden.wav", "._b.wav", ".git/config", "__MACOSX/._a.FLAC"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"text")
    for name, kind in (
        ("call.bin", "WAV"),
        ("call2", "FLAC"),
        ("call3.dat", "OGG"),
        ("call4.x", "MP3"),
        ("c5.y", "AIFF"),
    ):
        sound(tmp_path / name, kind)
    for name in ("call1.m4a", "call2.webm", "call5.amr"):
        content = (shared / "cases" / name).read_bytes()
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"in-disguise-{name[:5]}.txt").write_bytes(content)
    for name, content in (
        ("notes.txt", b"hello"), ("empty.txt", b""), ("utf16.txt", "hello, hello".encode("utf-16")),
        ("wav.scp", b"a b.wav"),
        ("picture.jpg", b"\xff\xd8\xff\xe0" + b"\xff\xfb\x90\0" * 9), ("page.html", b"<html>"), ("x.json", b"{}"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
    found = recordings.survey(tmp_path)
    assert set(found.recordings) == {
        "b", "sub_dir/a", "call", "call2", "call2.webm", "call3", "call4", "c5", "call1", "call5", "in-disguise-call1",
        "in-disguise-call2", "in-disguise-call5",
    }  # fmt: skip
    assert reasons(found) == {
        ".hidden.wav": "hidden-file", "._b.wav": "hidden-file", "config": "hidden-file", "._a.FLAC": "hidden-file",
        "notes.txt": "not-audio", "empty.txt": "not-audio", "utf16.txt": "not-audio", "wav.scp": "not-audio",
        "picture.jpg": "not-audio", "page.html": "not-audio", "x.json": "not-audio",
    }  # fmt: skip
    assert len(found.recordings) + len(found.others) == files_under(tmp_path)
    assert recordings.find(tmp_path) == found.recordings
    assert all(os.path.isfile(path) for path in found.recordings.values())


def test_equal_keys_stop_nothing(tmp_path):
    for name in ("a b.wav", "a_b.wav", "a_b.mp3", "a_b.wav-2.wav", "c.wav", "c.flac", "2026.05.01", "2026.05.02 x"):
        sound(tmp_path / name)
    found = recordings.survey(tmp_path).recordings
    assert len(found) == len(set(found.values())) == 8
    assert {"a_b.wav", "a_b.mp3", "c.wav", "c.flac", "2026.05.01", "2026.05.02_x"} <= set(found)
    assert found == recordings.survey(tmp_path).recordings


def test_names_of_any_bytes_have_keys_that_can_be_written(tmp_path):
    folder = os.fsencode(str(tmp_path))
    for name in (b"caf\xe9.wav", b"two\nlines\t.wav", "全角　空白.wav".encode(), b"bell\x07.wav", b"bad\xff.txt"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"x")
    found = recordings.survey(tmp_path)
    assert set(found.recordings) == {"caf_", "two_lines_", "全角_空白", "bell_"}
    for path in found.recordings.values():
        with open(path, "rb") as file:
            assert file.read() == b"x"
    [(path, reason, _)] = found.others
    assert path.encode("utf-8").endswith(rb"bad\xff.txt") and reason == "not-audio"


def test_links_pipes_and_what_cannot_be_opened(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    sound(folder / "a.wav")
    sound(tmp_path / "there" / "b.wav")
    (folder / "there").symlink_to(tmp_path / "there")
    (folder / "linked.wav").symlink_to(tmp_path / "there" / "b.wav")
    (folder / "broken.wav").symlink_to(tmp_path / "none.wav")
    (folder / "itself.wav").symlink_to(folder / "itself.wav")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.wav")
    (folder / "locked").mkdir()
    (folder / "locked.txt").write_text("x")
    scandir, opened = os.scandir, os.open

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    def refuse_file(path, *args, **kwargs):
        if str(path).endswith("locked.txt"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "open", refuse_file)
    found = recordings.survey(folder)
    assert list(found.recordings) == ["a", "linked", "there/b"]
    assert reasons(found) == {
        "broken.wav": "broken-link", "itself.wav": "broken-link", "round": "link-loop", "pipe.wav": "not-a-file",
        "locked": "folder-unreadable", "locked.txt": "file-unreadable",
    }  # fmt: skip
    details = {path.rsplit("/", 1)[-1]: detail for path, _, detail in found.others}
    assert "none.wav" in details["broken.wav"] and details["locked"] == details["locked.txt"] == "Permission denied"


def test_no_recordings_and_no_folder_are_said(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert recordings.survey(tmp_path).recordings == {}
    with pytest.raises(RecipeError, match=r"no recordings \(1 not-audio\)"):
        recordings.find(tmp_path)
    with pytest.raises(RecipeError, match="no such folder"):
        recordings.survey(tmp_path / "none")
