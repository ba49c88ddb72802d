"""Recordings that lack their end: what is there is read where that is asked for, and never passes for the whole."""

import io
import struct

import kaldiio
import numpy as np
import pytest
import soundfile
from conftest import tone

from recipe.audio import reading as audio
from recipe.audio.reading import AudioError

KINDS = [
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"),
    ("WAVEX", "FLOAT"), ("RF64", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("MP3", "MPEG_LAYER_III"),
    ("OGG", "VORBIS"), ("OGG", "OPUS"), ("AIFF", "PCM_16"), ("NIST", "PCM_16"), ("AU", "PCM_16"), ("W64", "PCM_16"),
]  # fmt: skip
EXACT = {"PCM_16", "PCM_24", "ULAW", "FLOAT"}  # what is read of a part is read of the whole


def encoded(wave, kind="WAV", subtype="PCM_16", rate=16000):
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def lacks(source):
    """What probing says is missing, and that training refuses the recording for it."""
    info = audio.probe(source)
    assert info.incomplete
    with pytest.raises(AudioError, match="audio-truncated"):
        audio.read_part(source)
    return info


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_cut_recording_is_read_as_far_as_it_goes(tmp_path, kind, subtype, channels):
    if (subtype, channels) == ("GSM610", 2):
        return  # there is no such file
    wave = np.stack([tone(20.0, seed) for seed in range(channels)], axis=1)
    path = tmp_path / "a"
    path.write_bytes(encoded(wave, kind, subtype))
    whole, content = audio.read_part(str(path))[0], path.read_bytes()
    assert audio.probe(str(path)).incomplete is None
    for share in (0.95, 0.5, 0.3):
        path.write_bytes(content[: int(len(content) * share)])
        info = lacks(str(path))
        assert 0.5 * share * len(wave) < info.samples < min(1.5 * share, 1) * len(wave)
        found, rate = audio.read_part(str(path), incomplete=True)
        assert (len(found), rate, found.shape[1]) == (info.samples, 16000, channels)
        assert np.corrcoef(found[:8000].T.ravel(), whole[:8000].T.ravel())[0, 1] > 0.99
        if subtype in EXACT:
            assert np.array_equal(found, whole[: len(found)])
        end = info.samples / 16000
        for incomplete in (False, True):  # a part that is there
            part, _ = audio.read_part(str(path), end - 0.4, end - 0.1, incomplete=incomplete)
            assert len(part) == 4800
            if subtype in EXACT:
                assert np.array_equal(part, whole[round((end - 0.4) * 16000) :][:4800])
        with pytest.raises(AudioError, match="audio-truncated"):
            audio.read_part(str(path), end - 0.4, end + 0.1)
        assert len(audio.read_part(str(path), end - 0.4, end + 0.1, incomplete=True)[0]) == 6400
        assert len(audio.read_part(str(path), end + 1, end + 2, incomplete=True)[0]) == 0


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_a_few_bytes_are_missed(tmp_path, kind, subtype):
    """Some milliseconds of minutes are as much of a fault, and what is left is there to be read."""
    content = encoded(tone(20.0), kind, subtype)
    (tmp_path / "whole").write_bytes(content)
    samples = len(audio.read(str(tmp_path / "whole"), 16000))
    for lost in (1, 18, 100):
        (tmp_path / "a").write_bytes(content[:-lost])
        info = lacks(str(tmp_path / "a"))
        lost_most = 17000 if kind == "OGG" else 8192  # a page of one second, or a block
        assert samples - lost_most <= info.samples < samples + 400
        assert len(audio.read(str(tmp_path / "a"), incomplete=True)) == info.samples


def test_what_has_no_audio_at_all_is_an_error(tmp_path):
    for kind, subtype in KINDS:
        content = encoded(tone(1.0), kind, subtype)
        for size in (3, 12, 24, 25 if kind == "AU" else 44):  # the header of AU is the shortest
            (tmp_path / "a").write_bytes(content[:size])
            for act in (audio.probe, audio.read_part, lambda source: audio.read_part(source, incomplete=True)):
                with pytest.raises(AudioError):
                    act(str(tmp_path / "a"))


def with_sizes(content, riff, data):
    """A WAV of PCM with other sizes in its header."""
    return content[:4] + struct.pack("<I", riff) + content[8:40] + struct.pack("<I", data) + content[44:]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize(
    ("riff", "data"),
    [(0, 0), (36, 0), (8, 0), (4132, 4096), (0, 4096), (None, 0), (None, 0xFFFFFFFF), (0x10000024, 0x10000000),
     (0, 0x7FFFFFFF)],
)  # fmt: skip
def test_of_a_recorder_that_died_all_is_read(tmp_path, subtype, riff, data):
    """Sizes of nothing, of the last time they were written, or of what was to come."""
    content = encoded(tone(3.0), "WAV", subtype)
    whole, _ = audio.read_part(str(write(tmp_path / "whole.wav", content)))
    source = str(write(tmp_path / "a.wav", with_sizes(content, len(content) - 8 if riff is None else riff, data)))
    info = lacks(source)
    assert (info.samples, info.rate, info.channels) == (48000, 16000, 1)
    assert str(data) in info.incomplete and str(len(content) - 44) in info.incomplete
    assert np.array_equal(audio.read_part(source, incomplete=True)[0], whole)
    for incomplete in (False, True):
        assert np.array_equal(audio.read_part(source, 1.0, 2.5, incomplete=incomplete)[0], whole[16000:40000])


@pytest.mark.parametrize("kind", ["RF64", "WAV"])
def test_of_a_recorder_that_died_other_codings_are_read(tmp_path, kind):
    """RF64 has its sizes in a chunk of their own; ADPCM's are libsndfile's to count."""
    subtype = "PCM_16" if kind == "RF64" else "IMA_ADPCM"
    content = bytearray(encoded(tone(3.0), kind, subtype))
    if kind == "RF64":
        content[20:44] = bytes(24)
    else:
        place = content.index(b"data") + 4
        content[4:8] = content[place : place + 4] = bytes(4)
    info = lacks(str(write(tmp_path / "a.wav", content)))
    assert 48000 <= info.samples < 49000
    assert len(audio.read(str(tmp_path / "a.wav"), incomplete=True)) == info.samples


def write(path, content):
    path.write_bytes(content)
    return path


def test_what_stands_behind_the_audio_is_none(tmp_path):
    """Chunks, tags of other formats, zeros to the next block of a disk, and a few bytes: the recording is whole."""
    content = encoded(tone(1.0))
    chunk = b"LIST" + struct.pack("<I", 40000) + b"INFOISFT" + b"x" * 39992
    for behind in (chunk, b"ID3\4" + b"\xff" * 50000, b"TAG" + b"\xff" * 125, bytes(65536), b"\xff\xfe" * 500):
        assert audio.probe(str(write(tmp_path / "a.wav", content + behind))) == audio.AudioInfo(16000, 16000, 1)
        assert len(audio.read(str(tmp_path / "a.wav"))) == 16000
    empty = encoded(np.zeros(0)) + chunk  # no audio, but something to say
    assert audio.probe(str(write(tmp_path / "a.wav", empty))) == audio.AudioInfo(0, 16000, 1)


@pytest.mark.parametrize("data", [0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_what_came_through_a_pipe_is_whole(tmp_path, data):
    """Both sizes are those that programs write which do not know them."""
    content = encoded(tone(1.0))
    for riff in {data, min(data + 36, 0xFFFFFFFF)}:
        source = str(write(tmp_path / "a.wav", with_sizes(content, riff, data)))
        assert audio.probe(source) == audio.AudioInfo(16000, 16000, 1)
        assert len(audio.read(source)) == 16000 and len(audio.read(source, start=0.5, end=0.75)) == 4000


def test_real_cases(shared):
    source = str(shared / "cases" / "sox-pipe-twice.wav")
    assert audio.probe(source) == audio.AudioInfo(15972, 8000, 1)
    assert len(audio.read(source, 8000)) == 15972
    damaged = str(shared / "cases" / "damaged-middle.flac")
    for incomplete in (False, True):
        for part in ((0.0, None), (0.8, 1.4)):
            with pytest.raises(AudioError, match="audio-unreadable"):
                audio.read_part(damaged, *part, incomplete=incomplete)
        assert len(audio.read(damaged, start=0.0, end=0.2, incomplete=incomplete)) == 3200


def test_a_flac_that_is_damaged_and_cut_stays_unreadable_where_it_is_damaged(tmp_path):
    content = bytearray(encoded(tone(10.0), "FLAC"))
    place = len(content) * 2 // 5
    content[place : place + 200] = b"\x55" * 200
    source = str(write(tmp_path / "a.flac", content[: len(content) * 4 // 5]))
    assert 7.5 < lacks(source).seconds < 8.1
    with pytest.raises(AudioError, match="audio-unreadable"):
        audio.read(source, incomplete=True)
    assert len(audio.read(source, start=6.0, end=7.0)) == 16000


def test_a_flac_without_its_length_is_read(tmp_path):
    """As programs write it through a pipe."""
    wave = tone(5.0)
    content = bytearray(encoded(wave, "FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    source = str(write(tmp_path / "a.flac", content))
    assert audio.probe(source) == audio.AudioInfo(80000, 16000, 1)
    assert np.allclose(audio.read(source), wave, atol=1e-4)
    assert len(audio.read(source, start=4.0, end=4.5)) == 8000
    source = str(write(tmp_path / "b.flac", content[:-300]))
    assert 70000 < lacks(source).samples < 80000


def test_every_byte_of_a_flac_counts(tmp_path):
    """Whether the last frame is whole is known by its checksum, wherever the file is cut."""
    content = encoded(tone(1.0), "FLAC")
    for lost in range(1, 3000, 7):
        source = str(write(tmp_path / "a.flac", content[:-lost]))
        info = audio.probe(source)
        assert info.incomplete and info.samples in (12288, 8192)
    assert len(audio.read(source, incomplete=True)) == info.samples


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_an_mp3_without_a_length_shows_a_frame_that_is_cut(tmp_path, rate):
    content = encoded(tone(3.0, rate=rate), "MP3", "MPEG_LAYER_III", rate)
    place = max(content.find(b"Xing"), content.find(b"Info"))
    content = content[:place] + bytes(120) + content[place + 120 :]
    assert audio.probe(str(write(tmp_path / "a.mp3", content))).incomplete is None
    assert audio.probe(str(write(tmp_path / "a.mp3", content + b"TAG" + b"x" * 125))).incomplete is None
    assert "frame lacks 10 bytes" in lacks(str(write(tmp_path / "a.mp3", content[:-10]))).incomplete


def test_the_last_entry_of_a_cut_ark(tmp_path):
    wave = tone(2.0)
    for kind, subtype in (("WAV", "PCM_16"), ("WAV", "IMA_ADPCM"), ("WAV", "FLOAT"), ("FLAC", "PCM_16")):
        entry = encoded(wave, kind, subtype)
        ark = write(tmp_path / "a.ark", b"a " + entry + b"b " + entry[: len(entry) * 3 // 4])
        first, second = f"{ark}:2", f"{ark}:{len(entry) + 4}"
        assert audio.probe(first).incomplete is None
        whole, _ = audio.read_part(first)
        info = lacks(second)
        found, _ = audio.read_part(second, incomplete=True)
        assert len(found) == info.samples and 0.6 < len(found) / len(whole) < 0.76
        assert np.array_equal(found, whole[: len(found)])
        assert np.array_equal(audio.read_part(second, 0.25, 0.5)[0], whole[4000:8000])
    for written in ({}, {"write_function": "soundfile"}):  # the second: kaldiio's own container
        kaldiio.save_ark(str(ark), {"u": (16000, (wave * 9999).astype(np.int16))}, **written)
        ark.write_bytes(ark.read_bytes()[:-20000])
        info = lacks(f"{ark}:2")
        assert len(audio.read(f"{ark}:2", incomplete=True)) == info.samples > 16000


def test_of_an_entry_of_an_ark_with_a_damaged_length_nothing_is_guessed(tmp_path):
    """What lies behind it belongs to others."""
    entry = encoded(tone(1.0))
    for sizes in ((len(entry) - 8, 0x10000000), (0xFFFFFFFF, 0xFFFFFFFF), (0x80000024, 0x80000000)):
        ark = write(tmp_path / "a.ark", b"a " + with_sizes(entry, *sizes) + b"b " + entry)
        for act in (audio.probe, lambda source: audio.read(source, incomplete=True)):
            with pytest.raises(AudioError, match="audio-truncated"):
                act(f"{ark}:2")


def test_a_recording_that_was_cut_after_it_was_checked_is_not_read_shorter(tmp_path):
    for kind, subtype in (("WAV", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS")):
        content = encoded(tone(3.0), kind, subtype)
        source = str(write(tmp_path / "a", content))
        seconds = audio.probe(source).seconds
        write(tmp_path / "a", content[: len(content) * 2 // 3])
        for end in (None, seconds):
            with pytest.raises(AudioError, match="audio-truncated"):
                audio.read(source, end=end)


def test_more_than_four_gigabytes(tmp_path):
    """Sizes have 32 bits. The file takes no space: it is a hole."""
    content = with_sizes(encoded(tone(1.0)), 0, 0)
    source = tmp_path / "a.wav"
    with open(source, "wb") as file:
        file.write(content)
        file.truncate(5 << 30)
    info = audio.probe(str(source))
    assert info.incomplete and info.samples == ((5 << 30) - 44) // 2
    end = info.seconds
    assert len(audio.read(str(source), start=end - 1, end=end - 0.5)) == 8000
