"""Audio: every container, channels, parts, and what is said of damaged or missing recordings."""

import contextlib
import io
import os
import pickle
import signal
import struct
import subprocess
import sys

import kaldiio
import numpy as np
import pytest
import soundfile
from conftest import ROOT, tone

from recipe.audio import reading as audio
from recipe.audio.fetch import FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data import checks, join, prepare
from recipe.data.checks import CheckPolicy
from recipe.data.prepare import DataOutputs
from recipe.data.workers import map_chunks
from recipe.settings.data import Checks


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
    assert len(audio.read(command, fetch_policy=FetchPolicy(commands=True))) == 8000
    with pytest.raises(audio.AudioError, match="exit status"):
        audio.read("false |", fetch_policy=FetchPolicy(commands=True))


WAV_SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW", "IMA_ADPCM", "GSM610"]


def refused(source):
    """The reason for which a recording is not trained on."""
    policy = CheckPolicy(Checks(min_seconds=0.025))
    utterance, [(reason, _)] = checks.check(join.Entry(1, "key", source, "text", "prompt"), policy)
    assert utterance is None
    return reason


def info_of(path):
    info = soundfile.info(str(path))
    return audio.AudioInfo(info.frames, info.samplerate, info.channels)


@pytest.mark.parametrize("subtype", WAV_SUBTYPES)
def test_every_wav_subtype(tmp_path, subtype):
    wave = tone(0.5, 2)
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, 16000, subtype=subtype)
    assert audio.probe(str(path)) == info_of(path)
    assert np.corrcoef(audio.read(str(path))[:8000], wave)[0, 1] > 0.98


@pytest.mark.parametrize(
    ("name", "kind", "subtype"),
    [("a.flac", "FLAC", "PCM_24"), ("a.aiff", "AIFF", "PCM_16"), ("a.aifc", "AIFF", "FLOAT"),
     ("a.sph", "NIST", "PCM_16"), ("a.ogg", "OGG", "VORBIS"), ("a.opus", "OGG", "OPUS"),
     ("a.mp3", "MP3", "MPEG_LAYER_III"), ("a.w64", "W64", "PCM_16"),
     ("a.rf64", "RF64", "PCM_16"), ("a.wav", "WAVEX", "PCM_16"), ("a.au", "AU", "PCM_16")],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16000, 48000])
def test_every_container(tmp_path, name, kind, subtype, channels, rate):
    """Each is read at 16 kHz, has the length that its header states, and a shortened one is not taken for whole."""
    wave = tone(1.0, 4, rate)
    path = tmp_path / name
    soundfile.write(path, np.stack([wave] * channels, axis=1), rate, format=kind, subtype=subtype)
    info = audio.probe(str(path))
    assert info == info_of(path) and info.channels == channels
    mono = audio.read(str(path))
    assert abs(len(mono) - 16000) < 400
    expected = audio.resample(wave, rate, 16000)
    assert np.corrcoef(mono[:15000], expected[:15000])[0, 1] > 0.9
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert refused(str(path)) in ("audio-truncated", "audio-unreadable")


def test_real_recordings_are_read_as_libsndfile_reads_them(shared):
    for path in sorted((shared / "data" / "real-speech").iterdir()):
        if path.suffix == ".md":
            continue
        info = audio.probe(str(path))
        assert info == info_of(path), path
        assert abs(len(audio.read(str(path))) - info.seconds * 16000) <= 1600, path


def test_streamed_lengths_are_those_of_the_file(tmp_path):
    """A WAV that was written through a pipe has no length; a header that only the data chunk spoils is damaged."""
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    whole = bytearray((tmp_path / "a.wav").read_bytes())
    for marker in (0xFFFFFFFF, 0x7FFFF000):
        streamed = whole.copy()
        streamed[4:8] = streamed[40:44] = struct.pack("<I", marker)
        (tmp_path / "b.wav").write_bytes(streamed)
        assert audio.probe(str(tmp_path / "b.wav")).samples == 8000
        assert len(audio.read(str(tmp_path / "b.wav"))) == 8000
        streamed[4:8] = whole[4:8]
        (tmp_path / "b.wav").write_bytes(streamed)
        assert refused(str(tmp_path / "b.wav")) == "audio-truncated"
    whole[40:44] = struct.pack("<I", 0)
    whole[4:8] = struct.pack("<I", 36)
    (tmp_path / "b.wav").write_bytes(whole)
    assert refused(str(tmp_path / "b.wav")) == "audio-truncated"


def test_a_flac_is_whole_whatever_its_blocks(tmp_path):
    """Short, long and silent ones; the last frame is found, and where it is not, decoding decides."""
    for samples in (1, 100, 4096, 4097, 100_000):
        path = tmp_path / f"{samples}.flac"
        soundfile.write(path, np.zeros(samples, np.float32) if samples % 2 else tone(10)[:samples], 16000)
        assert audio.probe(str(path)).samples == samples
        path.write_bytes(path.read_bytes() + b"\0" * 70_000)  # tags may follow; the frame is then out of sight
        assert audio.probe(str(path)).samples == samples
    with open(path, "r+b") as file:
        file.truncate(20_000)
    assert refused(str(path)) == "audio-truncated"


def test_no_file_is_no_crash(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    cases = {
        str(tmp_path / "none.wav"): "audio-missing", str(tmp_path): "audio-unreadable",
        str(tmp_path / "pipe"): "audio-", "a\0b.wav": "audio-unreadable", f"{tmp_path}/none.ark:5": "audio-missing",
    }  # fmt: skip
    for source, reason in cases.items():
        for act in (audio.probe, audio.read):
            with pytest.raises(AudioError, match=reason):
                act(source)


def test_arks_hold_wav_flac_and_nothing_that_runs(tmp_path):
    wave = (tone(0.5) * 32767).astype(np.int16)
    ark = tmp_path / "a.ark"
    with open(ark, "wb") as file:
        places = {}
        for kind, subtype in (("WAV", "PCM_24"), ("WAV", "FLOAT"), ("FLAC", "PCM_16")):
            file.write(b"key ")
            places[kind, subtype] = file.tell()
            buffer = io.BytesIO()
            soundfile.write(buffer, wave / 32768, 16000, format=kind, subtype=subtype)
            file.write(buffer.getvalue())
        matrix = file.tell()
        file.write(b"\0BFM " + b"\4" * 30)
        pickled = file.tell()
        file.write(b"PKL" + pickle.dumps("x"))
    for place in places.values():
        samples = audio.read(f"{ark}:{place}")
        assert np.allclose(samples[:8000], wave / 32768, atol=1e-4)
        assert audio.probe(f"{ark}:{place}").rate == 16000
    for place in (matrix, pickled, 10**9):
        with pytest.raises(AudioError):
            audio.read(f"{ark}:{place}")
        with pytest.raises(AudioError):
            audio.probe(f"{ark}:{place}")
    kaldiio.save_ark(
        str(tmp_path / "k.ark"), {"u": (wave, 16000)}, scp=str(tmp_path / "k.scp"), write_function="soundfile"
    )
    source = (tmp_path / "k.scp").read_text().split()[1]
    assert np.allclose(audio.read(source), wave / 32768, atol=1e-4)
    assert audio.probe(source).samples == 8000


def test_of_a_large_ark_one_entry_is_read(tmp_path):
    ark = tmp_path / "a.ark"
    soundfile.write(ark, tone(0.5), 16000, format="FLAC")
    os.truncate(ark, 1 << 33)  # 8 GB more, which take no space
    assert len(audio.read(f"{ark}:0")) == 8000


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "IMA_ADPCM"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24")]
)
def test_the_last_entry_of_a_cut_ark_is_truncated(tmp_path, kind, subtype):
    entry = io.BytesIO()
    soundfile.write(entry, tone(2.0), 16000, format=kind, subtype=subtype)
    whole = b"a " + entry.getvalue() + b"b " + entry.getvalue()
    places = 2, len(entry.getvalue()) + 4
    (tmp_path / "whole.ark").write_bytes(whole)
    for place in places:
        assert 32000 <= audio.probe(f"{tmp_path}/whole.ark:{place}").samples < 33000  # the last block is filled up
    for lost in (1, 1000, len(entry.getvalue()) - 100):
        (tmp_path / "cut.ark").write_bytes(whole[:-lost])
        assert audio.probe(f"{tmp_path}/cut.ark:{places[0]}").samples >= 32000
        assert refused(f"{tmp_path}/cut.ark:{places[1]}") == "audio-truncated"


def test_a_header_may_end_anywhere(tmp_path):
    soundfile.write(tmp_path / "long.wav", tone(0.5), 16000, format="RF64")
    kaldiio.save_ark(
        str(tmp_path / "k.ark"), {"u": ((tone(0.5) * 9999).astype(np.int16), 16000)}, write_function="soundfile"
    )
    for name, place in (("long.wav", ""), ("k.ark", ":2")):
        whole = (tmp_path / name).read_bytes()
        for size in range(200):
            (tmp_path / "cut").write_bytes(whole[:size])
            assert refused(f"{tmp_path}/cut{place}") in ("audio-truncated", "audio-unreadable", "audio-empty")
            with contextlib.suppress(AudioError):
                assert len(audio.read(f"{tmp_path}/cut{place}", incomplete=True)) < 8000


FUZZED = 60  # damaged copies of each of the recordings


def damaged(whole: bytes, random) -> bytes:
    """A copy that is cut, has flipped bits or zeros or ones in it, or an absurd header."""
    kind = random.integers(6)
    data = bytearray(whole)
    if kind == 0:
        return whole[: random.integers(len(whole))]
    if kind == 1:
        for place in random.integers(len(data), size=20):
            data[place] ^= 1 << random.integers(8)
    elif kind == 2:
        for place in random.integers(min(64, len(data)), size=3):
            data[place] = random.integers(256)
    elif kind == 3:
        place = random.integers(60)
        data[place : place + 4] = b"\xff\xff\xff\x7f"
    elif kind == 4:
        place = random.integers(len(data))
        data[place : place + 2000] = b"\0" * len(data[place : place + 2000])
    else:
        place = random.integers(len(data))
        data[place : place + 64] = b"\xff\xff\xc0\x7f" * 16  # NaN as 32-bit floats
    return bytes(data)


def test_damaged_files_are_all_accounted_for(tmp_path, shared, full_model):
    """Cut, flipped, zeroed, with huge headers and wrong extensions: no crash and no hang, in either kind of check."""
    random = np.random.default_rng(5)
    sources = [path for path in sorted((shared / "data" / "real-speech").iterdir()) if path.stat().st_size < 80_000]
    sources = [path for path in sources if path.suffix != ".md"]
    soundfile.write(tmp_path / "x.aiff", tone(0.5), 16000)
    soundfile.write(tmp_path / "x.flac", tone(0.5), 16000)
    soundfile.write(tmp_path / "x.wav", tone(0.5), 16000, subtype="FLOAT")
    sources += [tmp_path / name for name in ("x.aiff", "x.flac", "x.wav")]
    suffixes = [path.suffix for path in sources]
    entries = []
    for source in sources:
        for i in range(FUZZED):
            suffix = source.suffix if i % 3 else suffixes[random.integers(len(suffixes))]
            path = tmp_path / f"{source.stem}-{i}{suffix}"
            path.write_bytes(damaged(source.read_bytes(), random))
            entries.append(join.Entry(len(entries), path.name, str(path), "light", "p"))
    assert len(entries) >= 500
    for verify in ("header", "full"):
        outputs = []
        for workers in (1, 3):
            files = tmp_path / "o.jsonl", tmp_path / "o.tsv"
            policy = CheckPolicy(Checks(verify=verify, min_tokens_per_second=0.0))
            counts = prepare.prepare(entries, str(full_model), policy, DataOutputs(*map(str, files)), workers)
            assert counts.entries == len(entries) == counts.accepted + counts.rejected.total()
            assert 20 < counts.accepted < len(entries) - 100
            assert "decoder-crashed" not in counts.rejected
            outputs.append([file.read_bytes() for file in files])
        assert outputs[0] == outputs[1]


def test_what_a_header_promises_in_vain_takes_no_memory(tmp_path):
    """An AIFF that claims hours is decoded block by block up to what there is."""
    soundfile.write(tmp_path / "a.au", tone(0.5), 16000)
    data = bytearray((tmp_path / "a.au").read_bytes())
    data[8:12] = b"\x7f\xff\xff\xff"
    (tmp_path / "a.au").write_bytes(data)
    with pytest.raises(AudioError, match=r"audio-truncated: .*2147483647 bytes of audio, the file has 16000"):
        audio.read(str(tmp_path / "a.au"), incomplete=True)


def test_levels_say_silence_clipping_and_nan():
    wave = tone(1.0)
    assert -15 < audio.levels(wave).rms_db < -12 and audio.levels(wave).clipped == 0
    assert audio.levels(np.zeros(10)).rms_db == audio.FLOOR_DB
    assert audio.levels(np.clip(wave * 100, -1, 1)).clipped > 0.5
    assert not audio.levels(np.array([0.1, np.nan])).finite


def test_a_worker_that_crashes_costs_one_item():
    def work(chunk):
        for item in chunk:
            if item == 5:
                os.kill(os.getpid(), signal.SIGKILL)
        return [item * 10 for item in chunk]

    found = list(map_chunks(work, [[1, 2], [3, 4, 5, 6], [7], [8]], 2, lambda item: -item))
    assert found == [[10, 20], [30, 40, -5, 60], [70], [80]]


def test_headers_are_read_without_numpy():
    code = "import sys; sys.path.insert(0, 'scripts'); import recipe.data.prepare; assert 'numpy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("path", "hint"),
    [("~/a.wav", "only a shell knows"), ("x/~user/a.wav", "only a shell knows"),
     ("file:///data/a.wav", "path alone, /data/a.wav"),
     ("x/file:/data/a.wav", "path alone, /data/a.wav"), ("az://bucket/a.wav", "s3 and gs"),
     ("x/gs:/bucket/a.wav", "s3 and gs"), ("ftp://host/a.wav", "s3 and gs"), ('"a b.wav"', "without quotes"),
     ("x/'a.wav'", "without quotes"), (r"C:\audio\a.wav", "in place of"), (r"x/audio\a.wav", "in place of"),
     ("a.wav\r", "carriage return")],
)  # fmt: skip
def test_a_missing_path_says_what_to_write_instead(path, hint):
    for act in (audio.probe, audio.read):
        with pytest.raises(AudioError, match=f"audio-missing: .*{hint}"):
            act(path)
    for plain in ("a.wav", "x/a'b.wav", "12:30/a.wav", "x/a~b.wav"):
        with pytest.raises(AudioError) as found:
            audio.probe(plain)
        assert found.value.detail == f"no such file: {plain}"


def test_names_may_be_any_bytes(tmp_path):
    path = os.fsdecode(os.fsencode(str(tmp_path)) + b"/caf\xe9\n.wav")
    soundfile.write(os.fsencode(path), tone(0.5), 16000, format="WAV")
    assert audio.probe(path).samples == len(audio.read(path)) == 8000


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_samples_are_libsndfile_s_to_the_bit(tmp_path, kind, subtype):
    """The commonest WAVs are read without it."""
    wave = np.random.default_rng(1).standard_normal((5000, 3)).astype(np.float32)
    path = str(tmp_path / "a.wav")
    soundfile.write(path, wave, 16000, format=kind, subtype=subtype)
    for start, end in ((0, None), (0.1, 0.2), (0.3, 9.0), (9.0, 10.0)):
        first, last = round(start * 16000), None if end is None else round(end * 16000)
        expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
        found, rate = audio.read_part(path, start, end)
        assert np.array_equal(found, expected[first:last]) and found.dtype == np.float32 and rate == 16000
        assert found.flags.writeable
