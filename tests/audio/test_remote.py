"""Shards at URLs: ranges, blocks that are kept within a bound, retries; and addresses of the same recording."""

import json
import multiprocessing
import os
import tarfile

import numpy as np
import pytest
import soundfile
from conftest import tone
from range_server import serving

from recipe.audio import address, cache, fetch, remote
from recipe.audio import reading as audio
from recipe.audio.fetch import FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data import manifest, packing
from recipe.data.packing import Packing
from recipe.files import RecipeError

QUICK = FetchPolicy(timeout=5.0, megabytes=1.0, retries=2, pause=0.01)
COUNT = 12


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """Nothing is known of any shard, and the cache is in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "_known", {})
    monkeypatch.setattr(cache, "_added", {})


@pytest.fixture
def packed(tmp_path):
    """www/shards with a dozen recordings in two shards; returns the recordings and their places there."""
    lines = []
    for number in range(COUNT):
        soundfile.write(tmp_path / f"{number}.wav", tone(1.0, number), 16000)
        one = manifest.Utterance(f"utt{number}", f"{tmp_path}/{number}.wav", "", "text", 98, 1, 1.0)
        lines.append(json.dumps(one.to_json()))
    (tmp_path / "set.jsonl").write_text("\n".join(lines) + "\n")
    folder = tmp_path / "www/shards"
    packing.pack(tmp_path / "set.jsonl", folder, tmp_path / "p.jsonl", tmp_path / "p.tsv", Packing("as-is", 200_000))
    places = [one.source.removeprefix(f"{tmp_path}/www") for one in manifest.read(tmp_path / "p.jsonl")]
    return [audio.read(f"{tmp_path}/{number}.wav") for number in range(COUNT)], places


@pytest.fixture
def server(tmp_path):
    (tmp_path / "www").mkdir(exist_ok=True)
    with serving(tmp_path / "www") as running:
        yield running


def test_recordings_of_a_shard_are_read_by_ranges_and_each_block_comes_once(packed, server, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 50_000)
    waveforms, places = packed
    for _ in range(2):
        for waveform, place in zip(waveforms, places, strict=True):
            assert np.array_equal(audio.read(server.address + place, fetch_policy=QUICK), waveform)
            assert audio.probe(server.address + place, QUICK).samples == 16000
    spans = [(path, span) for path, span in server.requests]
    assert len(spans) == len(set(spans)) and all(span for _, span in spans)
    size = sum(file.stat().st_size for file in (server.folder / "shards").glob("*.tar"))
    assert len(spans) <= size / 50_000 + 2 * 2  # the last, shorter block of each shard, and how large it is
    assert server.connections <= 2  # kept open
    kept = [*cache_files()]
    assert sum(file.stat().st_size for file in kept) == size


def cache_files():
    return (file for file in (remote.Path(cache.CACHE) / "blocks").rglob("*") if file.is_file())


def test_workers_that_were_forked_read_at_the_same_time(packed, server, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 20_000)
    waveforms, places = packed
    urls = [server.address + place for place in places]
    audio.read(urls[0], fetch_policy=QUICK)  # with a connection open
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.starmap_async(_read, [(url,) for url in urls * 5]).get(60)
    assert all(np.array_equal(one, waveform) for one, waveform in zip(found, waveforms * 5, strict=True))


def _read(url):
    return audio.read(url, fetch_policy=QUICK)


def test_other_formats_and_parts_are_read_at_a_place(tmp_path, server):
    with tarfile.open(server.folder / "x.TAR", "w") as tar:
        for kind in ("ogg", "flac", "mp3"):
            soundfile.write(tmp_path / f"a.{kind}", tone(2.0, 1), 16000)
            tar.add(tmp_path / f"a.{kind}", arcname="a" * 150 + kind)
    with tarfile.open(server.folder / "x.TAR") as tar:
        for kind, member in zip(("ogg", "flac", "mp3"), tar, strict=True):
            url = f"{server.address}/x.TAR?version=1:{member.offset_data}"
            part = audio.read(str(tmp_path / f"a.{kind}"), start=0.5, end=1.0)
            assert np.array_equal(audio.read(url, start=0.5, end=1.0, fetch_policy=QUICK), part)
    soundfile.write(tmp_path / "a.wav", tone(1.0, 2), 16000)
    (server.folder / "y.ark").write_bytes(b"utt " + (tmp_path / "a.wav").read_bytes())
    assert len(audio.read(f"{server.address}/y.ark:4", fetch_policy=QUICK)) == 16000


def test_failures_that_may_pass_are_tried_again_and_others_are_said(packed, server, tmp_path):
    _, places = packed
    shard = places[0].partition(":")[0]
    server.failures[shard] = 2
    assert len(audio.read(server.address + places[0], fetch_policy=QUICK)) == 16000
    with pytest.raises(AudioError, match=r"url-failed: .*none.tar: HTTP status 404 \(attempt 1\)"):
        audio.read(f"{server.address}/none.tar:512", fetch_policy=QUICK)
    with pytest.raises(AudioError, match=r"audio-unreadable: .*no member of the tar begins at byte 700"):
        audio.read(f"{server.address}{shard}:700", fetch_policy=QUICK)
    message = r"url-failed: .*answers no requests for ranges of bytes"
    with serving(tmp_path / "www", ranges=False) as other, pytest.raises(AudioError, match=message):
        audio.read(other.address + places[0], fetch_policy=QUICK)


def test_a_shard_that_is_cut_or_replaced_is_told(packed, server, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 50_000)
    _, places = packed
    assert len(audio.read(server.address + places[0], fetch_policy=QUICK)) == 16000
    tar = server.folder / places[0].partition(":")[0].lstrip("/")
    whole = tar.read_bytes()
    tar.write_bytes(whole[:-2000])
    with pytest.raises(AudioError, match="was replaced while it was read"):
        audio.read(server.address + places[3], fetch_policy=QUICK)
    remote._known.clear()
    tar.write_bytes(whole[:60_000])
    with pytest.raises(AudioError, match=r"audio-truncated: .*the tar ends within the recording"):
        audio.read(server.address + places[1], fetch_policy=QUICK)


def test_the_cache_stays_within_its_bound_and_what_was_used_last_stays(packed, server, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 10_000)
    monkeypatch.setenv(cache.VARIABLE, "0.0001")  # 100 kB
    waveforms, places = packed
    for waveform, place in [*zip(waveforms, places, strict=True)] * 2:
        assert np.array_equal(audio.read(server.address + place, fetch_policy=QUICK), waveform)
        assert sum(file.stat().st_size for file in cache_files()) <= 100_000 * (1 + 1 / 64) + 10_000
    before = len(server.requests)
    audio.read(server.address + places[-1], fetch_policy=QUICK)
    assert len(server.requests) == before
    monkeypatch.setenv(cache.VARIABLE, "much")
    with pytest.raises(RecipeError, match="RECIPE_CACHE_GIGABYTES: 'much', expected a number of gigabytes"):
        cache.bound()


def test_single_recordings_are_kept_within_the_same_bound(server, monkeypatch):
    for number in range(8):
        soundfile.write(server.folder / f"{number}.wav", tone(1.0, number), 16000)
    monkeypatch.setenv(cache.VARIABLE, "0.0001")
    for number in [*range(8), 0]:
        assert len(audio.read(f"{server.address}/{number}.wav", fetch_policy=QUICK)) == 16000
        kept = [file for file in (remote.Path(cache.CACHE) / "content").iterdir() if file.is_file()]
        assert 1 <= len(kept) <= 3
    assert len(server.requests) == 9


class TestAddresses:
    SIGNED = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F1&X-Amz-Date={0}&X-Amz-Expires=60&X-Amz-Signature={0}",
        "AWSAccessKeyId=a&Expires={0}&Signature={0}%3D",
        "X-Goog-Algorithm=GOOG4&X-Goog-Date={0}&X-Goog-Signature={0}",
        "sv=2024-01-01&st=a&se={0}&sr=b&sp=r&sig={0}%2B",
        "Policy={0}&Signature={0}&Key-Pair-Id=K",
    )

    @pytest.mark.parametrize("query", SIGNED)
    def test_a_recording_is_fetched_once_whatever_its_signature(self, server, query):
        soundfile.write(server.folder / "a.wav", tone(1.0), 16000)
        for signature in ("one", "two", "three"):
            url = f"{server.address}/a.wav?{query.format(signature)}"
            assert len(audio.read(url, fetch_policy=QUICK)) == 16000
        assert len(server.requests) == 1
        assert address.identity(url) == f"{server.address}/a.wav"
        assert (
            address.same_recording(f"{server.address}/x.tar?{query.format('a')}:512") == f"{server.address}/x.tar:512"
        )

    @pytest.mark.parametrize("query", SIGNED)
    def test_blocks_of_a_shard_come_once_whatever_its_signature(self, packed, server, query):
        _, places = packed
        path, _, offset = places[2].partition(":")
        for signature in ("one", "two"):
            url = f"{server.address}{path}?{query.format(signature)}:{offset}"
            assert len(audio.read(url, fetch_policy=QUICK)) == 16000
        assert len(server.requests) == 2  # how large it is, and its block

    def test_any_other_query_may_choose_what_is_answered(self, tmp_path, monkeypatch):
        for one, other in (("?id=1", "?id=2"), ("?expires=1", "?expires=2"), ("?policy=a", "?policy=b"), ("?sp=1", "")):
            assert address.identity(f"https://host/get{one}") != address.identity(f"https://host/get{other}")
        assert address.identity("https://h/get?id=1&sig=a&se=b") == "https://h/get?id=1"

    def test_an_unknown_token_is_asked_for_once_and_its_content_left_where_the_tag_is_known(self, server):
        soundfile.write(server.folder / "a.wav", tone(1.0), 16000)
        first = fetch.download(f"{server.address}/a.wav?token=1", QUICK)
        assert fetch.download(f"{server.address}/a.wav?token=2", QUICK) == first
        soundfile.write(server.folder / "a.wav", tone(1.0, 5), 16000)
        os.utime(server.folder / "a.wav", (1, 1))
        assert fetch.download(f"{server.address}/a.wav?token=3", QUICK) != first
        assert fetch.download(f"{server.address}/a.wav?token=2", QUICK) == first
        assert len(server.requests) == 3

    @pytest.mark.parametrize(
        ("source", "found"),
        [("s3://b/x.tar:512", ("s3://b/x.tar", 512)), ("https://h/x.ARK?a=b:7", ("https://h/x.ARK?a=b", 7)),
         ("gs://b/a/b.tar:1", ("gs://b/a/b.tar", 1)), ("https://h:9000", None), ("https://h/file:12", None),
         ("https://h/x.tar", None), ("x.tar:512", None), ("https://h/a.wav?n=x.tar:5", None)],
    )  # fmt: skip
    def test_a_place_in_a_shard_is_told_from_other_addresses(self, source, found):
        assert address.split_shard(source) == found
