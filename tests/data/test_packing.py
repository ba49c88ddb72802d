"""Packing: every utterance in a shard or a reject, the same samples, shards kept and made again, damage told."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT, tone
from stages import scp2jsonl

from recipe.audio import reading as audio
from recipe.audio.fetch import FetchPolicy
from recipe.data import index, manifest, packing, shards
from recipe.data.packing import Packing
from recipe.data.pieces import exact
from recipe.files import RecipeError

SMALL = 100_000  # bytes of a shard: some three recordings


def make_manifest(path, sources):
    """A manifest of recordings, each (source, start, end, channel)."""
    lines = []
    for number, (source, start, end, channel) in enumerate(sources):
        one = manifest.Utterance(
            f"utt{number}", str(source), "语音转写：", f"text {number}", 100, 3, 1.0, start=start, end=end,
            channel=channel, speaker="s", recording="r" if end else None,
        )  # fmt: skip
        lines.append(json.dumps(one.to_json(), ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def corpus(tmp_path):
    """A manifest of a dozen recordings of a second."""
    for number in range(12):
        soundfile.write(tmp_path / f"{number}.wav", tone(1.0, number), 16000)
    return make_manifest(tmp_path / "set.jsonl", [(tmp_path / f"{n}.wav", 0.0, None, None) for n in range(12)])


def pack(corpus, form="as-is", size=SMALL, workers=1, address=None, policy=None):
    """Pack a manifest into a folder beside it; returns the ledger and the packed utterances."""
    folder = corpus.parent / "packed"
    how = Packing(form, size, policy or FetchPolicy(), workers)
    files = folder.with_suffix(".jsonl"), folder.with_suffix(".tsv")
    ledger = packing.pack(corpus, folder, *files, how, address)
    return ledger, list(manifest.read(files[0]))


def contents(folder):
    """Bytes of all files of shards, by name."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix in (".tar", ".rows")}


def waveform(one):
    channel = "average" if one.channel is None else one.channel
    return audio.read(one.source, start=one.start, end=one.end, channel=channel)


def test_a_packed_manifest_has_the_same_utterances_and_names_the_same_bytes(corpus, tmp_path):
    ledger, packed = pack(corpus)
    original = list(manifest.read(corpus))
    assert (ledger.utterances, ledger.packed, ledger.rejected.total(), ledger.shards) == (12, 12, 0, 3)
    for before, after in zip(original, packed, strict=True):
        path, _, offset = after.source.rpartition(":")
        content = Path(before.source).read_bytes()
        assert Path(path).read_bytes()[int(offset) :][: len(content)] == content
        after.source = before.source
        assert after == before
    assert (tmp_path / "packed.tsv").read_text().splitlines() == ["key\tstage\treason\tdetail"]
    # Beside it its index, and ordinary tar files.
    assert len(index.left_by_data_stage(tmp_path / "packed.jsonl")) == 12
    with tarfile.open(tmp_path / "packed/000001.tar") as tar:
        assert [one.name for one in tar] == ["000000.wav", "000001.wav", "000002.wav", "000003.wav"]
        assert tar.extractfile("000002.wav").read() == (tmp_path / "6.wav").read_bytes()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("form", ["as-is", "flac"])
def test_shards_are_the_same_for_any_number_of_workers_and_when_made_again(corpus, tmp_path, form, workers):
    pack(corpus, form)
    first = contents(tmp_path / "packed")
    for file in (tmp_path / "packed").iterdir():
        file.unlink()
    pack(corpus, form, workers=workers)
    assert contents(tmp_path / "packed") == first


class TestPieces:
    @pytest.mark.parametrize(
        ("kind", "subtype", "suffix"),
        [("WAV", "PCM_16", ".wav"), ("WAV", "PCM_24", ".wav"), ("WAV", "FLOAT", ".wav"), ("WAV", "ULAW", ".wav"),
         ("FLAC", "PCM_16", ".flac"), ("FLAC", "PCM_24", ".flac"), ("OGG", "VORBIS", ".wav"),
         ("MP3", "MPEG_LAYER_III", ".wav")],
    )  # fmt: skip
    def test_parts_are_cut_and_have_the_same_samples(self, tmp_path, kind, subtype, suffix):
        path = tmp_path / f"long.{kind.lower()}"
        stereo = np.stack([tone(4, 1, 22050), tone(4, 2, 22050)], axis=1)
        soundfile.write(path, stereo, 22050, format=kind, subtype=subtype)
        spans = [(0.0, 1.25, None), (1.25, 2.5, 1), (2.0, None, 0), (3.9, 4.0, None)]
        corpus = make_manifest(tmp_path / "set.jsonl", [(path, *span) for span in spans])
        _, packed = pack(corpus)
        for before, after in zip(manifest.read(corpus), packed, strict=True):
            assert (after.start, after.end, after.recording) == (0.0, None, before.recording)
            assert np.array_equal(waveform(before), waveform(after))
        with tarfile.open(tmp_path / "packed/000000.tar") as tar:
            names = tar.getnames()
        assert all(name.endswith(suffix) for name in names)

    @pytest.mark.parametrize("kind", ["OGG", "MP3", "AIFF"])
    def test_whole_recordings_of_other_formats_are_read_in_the_tar(self, tmp_path, kind):
        paths = [tmp_path / f"{number}.{kind.lower()}" for number in range(3)]
        for number, path in enumerate(paths):
            soundfile.write(path, tone(1, number), 16000, format=kind)
        _, packed = pack(make_manifest(tmp_path / "set.jsonl", [(path, 0.0, None, None) for path in paths]))
        for path, one in zip(paths, packed, strict=True):
            assert np.array_equal(audio.read(str(path)), waveform(one))
            assert audio.probe(one.source) == audio.probe(str(path))

    def test_what_ffmpeg_decodes_is_read_in_the_tar(self, shared, tmp_path):
        pytest.importorskip("av")
        paths = [shared / "cases" / name for name in ("call1.m4a", "call2.webm", "call5.amr")]
        _, packed = pack(make_manifest(tmp_path / "set.jsonl", [(path, 0.0, None, None) for path in paths]))
        for path, one in zip(paths, packed, strict=True):
            assert np.array_equal(audio.read(str(path)), waveform(one))

    def test_arks_and_commands_are_packed_with_their_samples(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", tone(1, 1), 16000)
        (tmp_path / "x.ark").write_bytes(b"utt " + (tmp_path / "a.wav").read_bytes())
        sources = [f"{tmp_path}/x.ark:4", f"cat {tmp_path}/a.wav |"]
        corpus = make_manifest(tmp_path / "set.jsonl", [(source, 0.0, None, None) for source in sources])
        _, packed = pack(corpus, policy=FetchPolicy(commands=True))
        for one in packed:
            assert np.array_equal(waveform(one), audio.read(str(tmp_path / "a.wav")))

    def test_flac_is_of_one_channel_at_16_kilohertz_and_within_half_a_step(self, tmp_path):
        stereo = np.stack([tone(2, 1, 44100), tone(2, 2, 44100)], axis=1)
        soundfile.write(tmp_path / "a.wav", stereo, 44100, subtype="FLOAT")
        corpus = make_manifest(
            tmp_path / "set.jsonl", [(tmp_path / "a.wav", 0.5, 1.5, 1), (tmp_path / "a.wav", 0.0, None, None)]
        )
        _, packed = pack(corpus, "flac")
        for before, after in zip(manifest.read(corpus), packed, strict=True):
            info = audio.probe(after.source)
            assert (info.rate, info.channels, after.channel) == (16000, 1, None)
            assert np.abs(waveform(before) - waveform(after)).max() <= 0.5 / 2**15

    @pytest.mark.parametrize("as_wav", [False, True])
    @pytest.mark.parametrize("bits", [16, 24])
    def test_samples_at_both_ends_of_the_scale_are_exact(self, bits, as_wav):
        ends = np.array([[-1.0], [1 - 2.0 ** (1 - bits)], [2.0 ** (1 - bits)], [0.0]], np.float32)
        for samples in (ends, np.array([[1.0], [-1.5]], np.float32), np.zeros((0, 1), np.float32)):
            found, rate = soundfile.read(io.BytesIO(exact(samples, 8000, as_wav)[0]), dtype="float32", always_2d=True)
            assert np.array_equal(found, samples) and rate == 8000


class TestLedger:
    def test_what_is_lost_is_a_reject_with_a_reason_and_may_be_there_the_next_time(self, corpus, tmp_path):
        whole = (tmp_path / "5.wav").read_bytes()
        (tmp_path / "2.wav").rename(tmp_path / "away")
        (tmp_path / "5.wav").write_bytes(whole[:20000])
        (tmp_path / "7.wav").write_bytes(b"")
        ledger, packed = pack(corpus)
        assert ledger.utterances == 12 and ledger.packed == len(packed) == 9
        assert ledger.rejected == {"audio-missing": 1, "audio-truncated": 1, "audio-empty": 1}
        rows = [line.split("\t") for line in (tmp_path / "packed.tsv").read_text().splitlines()[1:]]
        assert [row[:3] for row in rows] == [
            ["utt2", "pack", "audio-missing"], ["utt5", "pack", "audio-truncated"], ["utt7", "pack", "audio-empty"]
        ]  # fmt: skip
        assert {one.key for one in packed} | {row[0] for row in rows} == {f"utt{n}" for n in range(12)}
        (tmp_path / "away").rename(tmp_path / "2.wav")
        (tmp_path / "5.wav").write_bytes(whole)
        soundfile.write(tmp_path / "7.wav", tone(1.0, 7), 16000)
        again, _ = pack(corpus)
        assert again.packed == 12
        damaged = contents(tmp_path / "packed")
        for file in (tmp_path / "packed").iterdir():
            file.unlink()
        pack(corpus)
        assert contents(tmp_path / "packed") == damaged

    def test_a_recording_that_ends_its_process_is_a_reject(self, corpus, monkeypatch):
        def piece(one, form, policy):
            if one.key == "utt3":
                os.kill(os.getpid(), signal.SIGKILL)
            return real(one, form, policy)

        real = packing.piece
        monkeypatch.setattr(packing, "piece", piece)
        ledger, packed = pack(corpus, workers=2)
        assert ledger.rejected == {"decoder-crashed": 1} and len(packed) == 11

    def test_too_many_lost_stop_the_stage_and_nothing_at_all_is_an_error(self, corpus, tmp_path):
        for number in range(3):
            (tmp_path / f"{number}.wav").unlink()
        flags = {"--jsonl-file": corpus, "--shards-dir": "p", "--packed-file": "p.jsonl", "--rejects-file": "p.tsv"}
        command = [sys.executable, ROOT / "scripts/pack.py", *(word for pair in flags.items() for word in pair)]
        done = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert "12 utterances: 9 packed, 3 rejected (audio-missing 3)" in done.stderr.splitlines()[-1]
        assert (tmp_path / "p.failed.tsv").read_text().count("audio-missing") == 3
        for number in range(3, 12):
            (tmp_path / f"{number}.wav").unlink()
        with pytest.raises(RecipeError, match=r"nothing could be packed \(audio-missing\)"):
            pack(corpus)


def count_reads(monkeypatch):
    """Keys of the utterances whose recordings are read from now on."""
    read, real = [], packing.piece

    def piece(one, form, policy):
        read.append(one.key)
        return real(one, form, policy)

    monkeypatch.setattr(packing, "piece", piece)
    return read


class TestAgain:
    def test_finished_shards_are_kept(self, corpus, tmp_path, monkeypatch):
        pack(corpus)
        before, times = contents(tmp_path / "packed"), os.stat(tmp_path / "packed/000000.tar").st_mtime_ns
        read = count_reads(monkeypatch)
        ledger, packed = pack(corpus)
        assert ledger.kept == 3 and not read and len(packed) == 12
        assert contents(tmp_path / "packed") == before
        assert os.stat(tmp_path / "packed/000000.tar").st_mtime_ns == times

    @pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "no record"])
    def test_a_damaged_shard_alone_is_made_again(self, corpus, tmp_path, monkeypatch, damage):
        pack(corpus)
        before, tar = contents(tmp_path / "packed"), tmp_path / "packed/000001.tar"
        if damage == "cut":
            tar.write_bytes(before["000001.tar"][:5000])
        elif damage == "flipped":
            tar.write_bytes(before["000001.tar"].replace(b"RIFF", b"RIFX", 1))
        elif damage == "gone":
            tar.unlink()
        else:
            (tmp_path / "packed/000001.json").write_text('{"made')
        read = count_reads(monkeypatch)
        ledger, _ = pack(corpus)
        assert ledger.kept == 2 and contents(tmp_path / "packed") == before
        assert set(read) >= {"utt4", "utt5", "utt6", "utt7"} and "utt3" not in read

    def test_shards_that_were_copied_are_kept(self, corpus, tmp_path, monkeypatch):
        pack(corpus)
        for file in (tmp_path / "packed").glob("*.tar"):
            os.utime(file, (1, 1))
        read = count_reads(monkeypatch)
        assert pack(corpus)[0].kept == 3 and not read

    def test_what_was_added_or_changed_is_packed_and_the_bytes_are_those_of_a_new_pack(self, corpus, tmp_path):
        pack(corpus)
        soundfile.write(tmp_path / "new.wav", tone(1.5, 3), 16000)
        sources = [(tmp_path / f"{n}.wav", 0.0, None, None) for n in range(12)]
        for changed in ([*sources, (tmp_path / "new.wav", 0.0, None, None)], sources[:9], [sources[1], *sources]):
            make_manifest(corpus, changed)
            ledger, packed = pack(corpus)
            assert ledger.packed == len(packed) == len(changed)
            found = contents(tmp_path / "packed")
            for file in (tmp_path / "packed").iterdir():
                file.unlink()
            pack(corpus)
            assert contents(tmp_path / "packed") == found

    def test_another_form_or_size_is_packed_anew(self, corpus, tmp_path):
        pack(corpus)
        assert pack(corpus, "flac")[0].kept == 0
        ledger, _ = pack(corpus, "flac", size=10**9)
        assert ledger.shards == 1 and [*(tmp_path / "packed").glob("*.tar")] == [tmp_path / "packed/000000.tar"]

    def test_killed_and_called_again_it_ends_with_the_same_bytes(self, tmp_path):
        paths = [tmp_path / f"{number}.wav" for number in range(60)]
        for number, path in enumerate(paths):
            soundfile.write(path, tone(2.0, number), 16000)
        corpus = make_manifest(tmp_path / "set.jsonl", [(path, 0.0, None, None) for path in paths])
        pack(corpus, "flac")
        expected = contents(tmp_path / "packed"), (tmp_path / "packed.jsonl").read_bytes()
        for file in (tmp_path / "packed").iterdir():
            file.unlink()
        flags = {"--jsonl-file": corpus, "--shards-dir": tmp_path / "packed", "--form": "flac",
                 "--packed-file": tmp_path / "packed.jsonl", "--rejects-file": tmp_path / "packed.tsv",
                 "--shard-megabytes": SMALL / 1e6}  # fmt: skip
        command = [sys.executable, ROOT / "scripts/pack.py", *(word for pair in flags.items() for word in pair)]
        process = subprocess.Popen(list(map(str, command)), start_new_session=True, stderr=subprocess.DEVNULL)
        while len([*(tmp_path / "packed").glob("*.json")]) < 2 and process.poll() is None:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        (tmp_path / "packed/.000099.tar.x.tmp").write_bytes(b"left")
        ledger, _ = pack(corpus, "flac")
        assert (
            ledger.kept >= 2 and (contents(tmp_path / "packed"), (tmp_path / "packed.jsonl").read_bytes()) == expected
        )
        assert not [*(tmp_path / "packed").glob("*.tmp")]

    def test_two_at_once_are_refused(self, corpus, tmp_path):
        import filelock

        (tmp_path / "packed").mkdir()
        with (
            filelock.FileLock(tmp_path / "packed/lock"),
            pytest.raises(RecipeError, match="another process is packing"),
        ):
            pack(corpus)


class TestDamage:
    def test_reading_a_damaged_shard_says_so(self, corpus, tmp_path):
        _, packed = pack(corpus)
        path, _, offset = packed[1].source.rpartition(":")
        whole = Path(path).read_bytes()
        with open(path, "r+b") as file:
            file.truncate(int(offset) + 1000)
        with pytest.raises(audio.AudioError, match=r"audio-truncated: .*000000.tar: the tar ends within the recording"):
            audio.read(packed[1].source)
        assert len(audio.read(packed[0].source)) == 16000
        with pytest.raises(audio.AudioError, match=r"audio-unreadable: .*no member of the tar begins at byte"):
            audio.read(packed[2].source)
        Path(path).write_bytes(whole[: int(offset) - 512] + bytes(512) + whole[int(offset) :])
        with pytest.raises(audio.AudioError, match=rf"no member of the tar begins at byte {offset}: it is damaged"):
            audio.probe(packed[1].source)
        with pytest.raises(audio.AudioError, match="audio-missing"):
            audio.read(packed[1].source.replace("000000", "000009"))

    @pytest.mark.parametrize(
        ("damage", "message"), [("cut", r"has 5000 bytes, \d+ were packed"), ("gone", "is missing")]
    )
    def test_training_looks_at_the_shards_before_it_begins(self, corpus, tmp_path, damage, message):
        pack(corpus)
        shards.check(tmp_path / "packed.jsonl")
        tar = tmp_path / "packed/000002.tar"
        tar.write_bytes(tar.read_bytes()[:5000]) if damage == "cut" else tar.unlink()
        with pytest.raises(RecipeError, match=rf"000002.tar: the shard {message}; pack .*packed.jsonl again"):
            shards.check(tmp_path / "packed.jsonl")


def test_shards_may_lie_elsewhere(corpus, tmp_path):
    _, packed = pack(corpus, address="s3://bucket/folder/")
    assert packed[5].source.startswith("s3://bucket/folder/000001.tar:")
    shards.check(tmp_path / "packed.jsonl")


def test_an_address_that_is_signed_anew_packs_nothing_again(tmp_path, monkeypatch):
    def sources(signature):
        return [(f"https://host/x.tar?X-Amz-Date={signature}&X-Amz-Signature={signature}:512", 0.0, None, None)]

    corpus = make_manifest(tmp_path / "set.jsonl", sources("a"))
    monkeypatch.setattr(packing, "piece", lambda *_: (b"x" * 1000, ".wav", False))
    first = pack(corpus)
    make_manifest(corpus, sources("b"))
    second = pack(corpus)
    assert (first[0].kept, second[0].kept) == (0, 1) and first[1] == second[1]


def test_the_script_packs_what_the_data_stage_made(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    out = data_dir / "out"
    flags = {"--jsonl-file": out / "set.jsonl", "--shards-dir": out / "p", "--packed-file": out / "p.jsonl",
             "--rejects-file": out / "p.tsv", "--shard-megabytes": 0.1, "--workers": 2}  # fmt: skip
    command = [sys.executable, ROOT / "scripts/pack.py", *(word for pair in flags.items() for word in pair)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "8 utterances: 8 packed, 0 rejected; 3 shards (0 of them kept)" in done.stderr
    before, after = (file.read_text().splitlines() for file in (out / "set.jsonl", out / "p.jsonl"))
    for old, new in zip(map(json.loads, before), map(json.loads, after), strict=True):
        assert {name: old[name] for name in old if name != "messages"} == {
            name: new[name] for name in new if name != "messages"
        }
        assert old["messages"][2] == new["messages"][2]
