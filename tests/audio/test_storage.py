"""Object storage: shards and single recordings on a real S3 server (moto's) that runs on this machine."""

import multiprocessing
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from conftest import tone

from recipe.audio import attempts, cache, fetch, remote, storage
from recipe.audio import reading as audio
from recipe.audio.fetch import FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data import manifest, packing
from recipe.data.packing import Packing

QUICK = FetchPolicy(timeout=10.0, megabytes=1.0, retries=1, pause=0.01)


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """Nothing is known of any shard or host, and the cache is in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "_known", {})
    monkeypatch.setattr(attempts, "_hosts", {})


@pytest.fixture(scope="module")
def server():
    """Address of an S3 server, a process of its own."""
    pytest.importorskip("s3fs", reason="needs the group storage")
    pytest.importorskip("moto", reason="needs moto[server]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def bucket(server, monkeypatch):
    """A new bucket; returns its name and a file system to put objects there."""
    import s3fs

    environ = {"AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
               "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    name = f"bucket-{time.monotonic_ns()}"
    system.mkdir(name)
    return name, system


@pytest.fixture
def packed(bucket, tmp_path):
    """Recordings, and their places in shards in the bucket."""
    name, system = bucket
    lines = []
    for number in range(8):
        soundfile.write(tmp_path / f"{number}.wav", tone(1.0, number), 16000)
        lines.append(manifest.Utterance(f"u{number}", f"{tmp_path}/{number}.wav", "", "text", 98, 1, 1.0).fragments())
    (tmp_path / "set.jsonl").write_text("".join(f"{head}1{tail}\n" for head, tail in lines))
    files = tmp_path / "p.jsonl", tmp_path / "p.tsv"
    packing.pack(
        tmp_path / "set.jsonl", tmp_path / "p", *files, Packing("as-is", 150_000), address=f"s3://{name}/shards"
    )
    for tar in (tmp_path / "p").glob("*.tar"):
        system.put_file(str(tar), f"{name}/shards/{tar.name}")
    waveforms = [audio.read(f"{tmp_path}/{number}.wav") for number in range(8)]
    return waveforms, [one.source for one in manifest.read(files[0])]


def test_shards_are_read_in_ranges_and_kept(packed, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 60_000)
    ranges, real = [], storage.read
    monkeypatch.setattr(storage, "read", lambda *arguments: ranges.append(arguments[2:]) or real(*arguments))
    waveforms, places = packed
    for _ in range(2):
        for waveform, place in zip(waveforms, places, strict=True):
            assert np.array_equal(audio.read(place, fetch_policy=QUICK), waveform)
    assert 3 < len(ranges) < 8 and all(end - start <= 60_000 for start, end in ranges)
    kept = [file for file in (remote.Path(cache.CACHE) / "blocks").rglob("*") if file.is_file()]
    assert len(kept) == len(ranges)


def test_forked_workers_read_shards_after_their_parent_has(packed, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 20_000)
    waveforms, places = packed
    audio.read(places[0], fetch_policy=QUICK)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.map_async(_read, places * 3).get(120)
    assert all(np.array_equal(one, waveform) for one, waveform in zip(found, waveforms * 3, strict=True))


def _read(place):
    return audio.read(place, fetch_policy=QUICK)


def test_single_recordings_of_any_format_are_kept_by_content(bucket, tmp_path):
    name, system = bucket
    for kind in ("wav", "flac", "ogg"):
        soundfile.write(tmp_path / f"a.{kind}", tone(2.0), 16000)
        system.put_file(str(tmp_path / f"a.{kind}"), f"{name}/deep/a {kind}.{kind}")
        url = f"s3://{name}/deep/a {kind}.{kind}"
        part = audio.read(str(tmp_path / f"a.{kind}"), start=0.5, end=1.5)
        assert np.array_equal(audio.read(url, start=0.5, end=1.5, fetch_policy=QUICK), part)
        assert audio.probe(url, QUICK).samples == 32000
        system.rm_file(f"{name}/deep/a {kind}.{kind}")
        assert len(audio.read(url, fetch_policy=QUICK)) == 32000


def test_what_cannot_be_had_is_said(bucket, tmp_path, monkeypatch):
    name, system = bucket
    with pytest.raises(AudioError, match=r"url-failed: s3://.*/none.wav: no such object \(attempt 1\)"):
        audio.read(f"s3://{name}/none.wav", fetch_policy=QUICK)
    with pytest.raises(AudioError, match=r"url-failed: .*\(attempt 1\)"):
        audio.read("s3://no-such-bucket-here/x.tar:512", fetch_policy=QUICK)
    (tmp_path / "large").write_bytes(bytes(2_000_000))
    system.put_file(str(tmp_path / "large"), f"{name}/large.wav")
    with pytest.raises(AudioError, match="url-too-large"):
        fetch.download(f"s3://{name}/large.wav", QUICK)


def test_a_dead_server_costs_its_attempts_once(bucket, monkeypatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(AudioError, match=r"url-failed: s3://dead/a.wav: .*connect.*\(attempt 2\)"):
        audio.read("s3://dead/a.wav", fetch_policy=QUICK)
    with pytest.raises(AudioError, match="s3://dead did not answer before"):
        audio.read("s3://dead/b.wav", fetch_policy=QUICK)
    s3fs.S3FileSystem.clear_instance_cache()


def test_the_data_stage_and_packing_take_objects(bucket, tmp_path, full_model):
    """wav.scp of objects to a manifest, packed from there."""
    from stages import scp2jsonl

    name, system = bucket
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.flac", tone(1.0, number), 16000)
        system.put_file(str(tmp_path / f"{number}.flac"), f"{name}/{number}.flac")
    (folder / "wav.scp").write_text(
        "".join(f"u{n} s3://{name}/{n}.flac\n" for n in range(4)) + f"u4 s3://{name}/4.flac\n"
    )
    (folder / "text").write_text("".join(f"u{n} light\n" for n in range(5)))
    records, rejects, _ = scp2jsonl(folder, full_model, "--fetch-retries", "0")
    assert [one["key"] for one in records] == ["u0", "u1", "u2", "u3"]
    assert [(one["key"], one["reason"]) for one in rejects] == [("u4", "url-failed")]
    how = Packing("as-is", policy=QUICK, workers=2)
    ledger = packing.pack(folder / "out/set.jsonl", tmp_path / "p", tmp_path / "p.jsonl", tmp_path / "p.tsv", how)
    assert ledger.packed == 4
    for number, one in enumerate(manifest.read(tmp_path / "p.jsonl")):
        assert np.array_equal(audio.read(one.source), audio.read(str(tmp_path / f"{number}.flac")))


def test_a_missing_package_is_named(monkeypatch):
    for scheme, package in (("s3", "s3fs"), ("gs", "gcsfs")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(
            AudioError, match=rf"url-failed: .*{package}, which reads {scheme}://, is not installed: uv"
        ):
            audio.read(f"{scheme}://bucket-{os.getpid()}/a.wav", fetch_policy=QUICK)
