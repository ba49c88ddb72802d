"""Recordings that libsndfile does not read: by PyAV or the program ffmpeg, or a clear word where neither is there."""

import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, tone

try:
    import av
except ImportError:
    av = None

from recipe.audio import containers
from recipe.audio import reading as audio
from recipe.audio.fetch import FetchPolicy
from recipe.audio.reading import AudioError

CASES = {"call1.m4a": (31944, 16000), "call2.webm": (96040, 48000), "call5.amr": (16000, 8000)}
FORMATS = [  # suffix, FFmpeg's format, codec, rate
    ("m4a", "ipod", "aac", 44100), ("mp4", "mp4", "aac", 16000), ("3gp", "3gp", "aac", 16000),
    ("mov", "mov", "alac", 16000),
    ("webm", "webm", "libopus", 48000), ("mka", "matroska", "flac", 16000), ("wma", "asf", "wmav2", 16000),
    ("aac", "adts", "aac", 16000), ("avi", "avi", "mp2", 16000), ("ts", "mpegts", "aac", 16000),
    ("wv", "wv", "wavpack", 16000), ("flv", "flv", "aac", 44100), ("tta", "tta", "tta", 16000),
]  # fmt: skip
SAMPLE_FORMATS = {"alac": "s16p", "flac": "s16", "wavpack": "s16p", "tta": "s16", "mp2": "s16", "libopus": "s16"}
LOSSLESS = {"alac", "flac", "wavpack", "tta"}


def make(path, wave, format, codec, rate, video=False, streams=1, **options):
    """Write samples [samples, channels] by PyAV; returns the path."""
    if av is None:
        pytest.skip("needs av to write it")
    layout = {1: "mono", 2: "stereo"}[wave.shape[1]]
    with av.open(str(path), "w", format=format, options=options) as container:
        pictures = container.add_stream("mpeg4", rate=5) if video else None
        if video:
            pictures.width = pictures.height = 64
            pictures.pix_fmt = "yuv420p"
        outputs = [container.add_stream(codec, rate=rate, layout=layout) for _ in range(streams)]
        for stream in outputs:
            stream.bit_rate = 64000
            stream.codec_context.format = SAMPLE_FORMATS.get(codec, "fltp")
        container.start_encoding()
        for number, stream in enumerate(outputs):
            samples = (wave * 32767 / (number + 1)).astype(np.int16)
            for place in range(0, len(samples), 1024):
                part = np.ascontiguousarray(samples[place : place + 1024].reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
                frame.rate, frame.pts = rate, place
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        if video:
            for number in range(5):
                picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                picture.pts = number
                container.mux(pictures.encode(picture))
            container.mux(pictures.encode(None))
    return str(path)


@pytest.fixture(params=["PyAV", "ffmpeg"])
def decoder(request, monkeypatch):
    """Each of the two decoders; skips where it is not there."""
    containers.decoder.cache_clear()
    if request.param == "PyAV":
        pytest.importorskip("av")
    else:
        if shutil.which("ffmpeg") is None:
            pytest.skip("needs ffmpeg on the path")
        monkeypatch.setitem(sys.modules, "av", None)
    yield request.param
    containers.decoder.cache_clear()


@pytest.mark.parametrize("name", CASES)
def test_real_recordings(shared, decoder, name):
    source = str(shared / "cases" / name)
    samples, rate = CASES[name]
    assert audio.probe(source) == audio.AudioInfo(samples, rate, 1)
    found, found_rate = audio.read_part(source)
    assert (found.shape, found_rate, found.dtype) == ((samples, 1), rate, np.float32)
    assert 0.02 < np.sqrt(np.mean(found**2)) < 0.5
    part, _ = audio.read_part(source, 0.5, 1.5)
    assert len(part) == rate and np.corrcoef(part[:, 0], found[rate // 2 : rate // 2 + rate, 0])[0, 1] > 0.999
    assert len(audio.read(source)) == pytest.approx(samples * 16000 / rate, abs=1)


@pytest.mark.parametrize(("suffix", "format", "codec", "rate"), FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_is_known_by_its_content(tmp_path, decoder, suffix, format, codec, rate, channels):
    wave = np.stack([tone(3.0, seed, rate) for seed in range(channels)], axis=1)
    source = make(tmp_path / f"a.{suffix}", wave, format, codec, rate)
    os.rename(source, tmp_path / "a.wav")
    info = audio.probe(str(tmp_path / "a.wav"))
    found, found_rate = audio.read_part(str(tmp_path / "a.wav"))
    assert (info.samples, info.rate, info.channels) == (len(found), found_rate, channels) and not info.incomplete
    assert found_rate == rate and abs(len(found) - len(wave)) < 4800
    if codec in LOSSLESS:
        assert np.allclose(found[: len(wave)], wave, atol=1e-4)
    else:
        assert _similar(found, wave) > 0.8


def _similar(found, wave):
    """How like two recordings are, at the best shift: encoders delay."""
    spectra = [np.fft.rfft(np.pad(one[:, 0], (0, 4096)), 1 << 18) for one in (found, wave)]
    shifts = np.fft.irfft(spectra[0] * spectra[1].conj())
    return np.abs(shifts).max() / np.linalg.norm(found[:, 0]) / np.linalg.norm(wave[:, 0])


@pytest.mark.parametrize(("suffix", "format", "codec", "rate"), FORMATS)
def test_a_part_of_a_long_recording_is_found(tmp_path, decoder, suffix, format, codec, rate):
    wave = tone(40.0, 1, rate)[:, None]
    source = make(tmp_path / f"a.{suffix}", wave, format, codec, rate)
    whole, _ = audio.read_part(source)
    for start, end in ((1.0, 2.0), (25.0, 26.5), (38.5, 39.0)):
        part, _ = audio.read_part(source, start, end)
        expected = whole[round(start * rate) : round(end * rate)]
        assert len(part) == len(expected)
        # Times of some formats are in milliseconds, and a decoder that begins there has another memory.
        shifts = range(-rate // 500, rate // 500)
        best = max(
            np.corrcoef(np.roll(part, shift, 0)[1000:-1000, 0], expected[1000:-1000, 0])[0, 1] for shift in shifts
        )
        assert best > 0.98
        if codec in LOSSLESS:
            assert np.abs(part - expected).max() < 1e-4
    assert abs(len(audio.read_part(source, 39.5, 45.0)[0]) - (len(whole) - round(39.5 * rate))) <= rate // 500


def test_of_several_streams_the_first_and_no_pictures(tmp_path, decoder):
    wave = np.stack([tone(2.0), np.zeros(32000, np.float32)], axis=1)
    source = make(tmp_path / "a.mkv", wave, "matroska", "flac", 16000, video=True, streams=2)
    found, rate = audio.read_part(source)
    assert rate == 16000 and np.allclose(found, wave, atol=1e-4)
    assert not audio.read(source, channel=1).any()


def test_pictures_alone_are_no_recording(tmp_path, decoder):
    source = make(tmp_path / "a.mkv", np.zeros((0, 1), np.float32), "matroska", "flac", 16000, video=True, streams=0)
    for act in (audio.probe, audio.read):
        with pytest.raises(AudioError, match=r"audio-unreadable: .*a.mkv.*audio stream"):
            act(source)


CUT = [("m4a", "ipod", "aac", {"movflags": "faststart"}), ("mka", "matroska", "flac", {}), ("aac", "adts", "aac", {})]


@pytest.mark.parametrize(("suffix", "format", "codec", "options"), CUT)
def test_a_recording_that_lacks_its_end_is_read_as_far_as_it_goes(tmp_path, decoder, suffix, format, codec, options):
    source = make(tmp_path / f"a.{suffix}", tone(5.0)[:, None], format, codec, 16000, **options)
    content = (tmp_path / f"a.{suffix}").read_bytes()
    whole, _ = audio.read_part(source)
    (tmp_path / f"a.{suffix}").write_bytes(content[: len(content) * 4 // 5 + 11])
    info = audio.probe(source)
    assert info.incomplete and 0.6 * len(whole) < info.samples < 0.9 * len(whole)
    with pytest.raises(AudioError, match=f"audio-truncated: .*a.{suffix}"):
        audio.read(source)
    found, _ = audio.read_part(source, incomplete=True)
    assert len(found) == info.samples and np.allclose(found[:40000], whole[:40000], atol=1e-4)
    assert len(audio.read(source, start=1.0, end=2.0)) == 16000


def test_an_index_that_was_to_come_last_is_missed(tmp_path, decoder):
    source = make(tmp_path / "a.m4a", tone(5.0)[:, None], "ipod", "aac", 16000)
    content = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(content[: len(content) // 2])
    for act in (audio.probe, audio.read, lambda source: audio.read(source, incomplete=True)):
        with pytest.raises(AudioError, match=r"audio-truncated: .*a.m4a"):
            act(source)


def test_damage_is_no_traceback(tmp_path, decoder):
    random = np.random.default_rng(3)
    for _, format, codec, rate in FORMATS[::2] if decoder == "PyAV" else FORMATS[::4]:
        make(tmp_path / "a", tone(1.0, 0, rate)[:, None], format, codec, rate)
        content = (tmp_path / "a").read_bytes()
        for trial in range(12 if decoder == "PyAV" else 4):
            damaged = bytearray(content)
            if trial % 2:
                del damaged[random.integers(len(content)) :]
            for place in random.integers(8, len(content), 30):
                if place < len(damaged):
                    damaged[place] = random.integers(256)
            (tmp_path / "b").write_bytes(damaged)
            for act in (
                audio.probe,
                audio.read_part,
                lambda source: audio.read_part(source, 0.2, 0.4, incomplete=True),
            ):
                try:
                    act(str(tmp_path / "b"))
                except AudioError as error:
                    assert error.reason.startswith("audio-"), error


def test_a_playlist_in_disguise_names_no_file(tmp_path, decoder):
    """What FFmpeg would follow is not even looked at."""
    make(tmp_path / "secret.m4a", tone(1.0)[:, None], "ipod", "aac", 16000)
    for text in ("ffconcat version 1.0\nfile secret.m4a\n", "#EXTM3U\n#EXTINF:1,\nsecret.m4a\n"):
        (tmp_path / "a.m4a").write_text(text)
        with pytest.raises(AudioError, match="audio-unreadable"):
            audio.read(str(tmp_path / "a.m4a"))


def test_what_goes_beyond_the_limits_is_refused(tmp_path, decoder, monkeypatch):
    source = make(tmp_path / "a.m4a", tone(3.0)[:, None], "ipod", "aac", 16000)
    monkeypatch.setattr(containers, "MAX_VALUES", 20000)
    for act in (audio.probe, audio.read):
        with pytest.raises(AudioError, match=r"audio-unreadable: .*(20000 samples|beyond what is read)"):
            act(source)


def test_without_a_decoder_it_is_said_what_to_install(shared, monkeypatch):
    containers.decoder.cache_clear()
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setenv("PATH", "")
    try:
        for name in CASES:
            for act in (audio.probe, audio.read):
                with pytest.raises(AudioError, match=rf"no-decoder: .*{name}: .*pip install av.*ffmpeg"):
                    act(str(shared / "cases" / name))
    finally:
        containers.decoder.cache_clear()


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A program in the place of ffmpeg, of which the test says what it does."""

    def install(script):
        (tmp_path / "bin").mkdir(exist_ok=True)
        program = tmp_path / "bin" / "ffmpeg"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    containers.decoder.cache_clear()
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(12))
    yield install
    containers.decoder.cache_clear()


def test_the_program_has_its_time_and_says_what_is_wrong(tmp_path, stand_in, caplog):
    source = str(tmp_path / "a.m4a")
    stand_in("exec sleep 20")
    with pytest.raises(AudioError, match=r"decoder-timeout: .*a.m4a: .*0.3 s"):
        audio.read(source, fetch_policy=FetchPolicy(timeout=0.3))
    stand_in("echo first >&2; echo no such codec >&2; exit 3")
    with pytest.raises(AudioError, match=r"audio-unreadable: .*a.m4a: MP4.*: no such codec"):
        audio.read(source)
    sample = r"'.snd\0\0\0\030\377\377\377\377\0\0\0\06\0\0\037\100\0\0\0\01\077\0\0\0'"  # 0.5 at 8 kHz, in AU
    stand_in(f'echo "$@" > {tmp_path}/asked; printf {sample}')
    with caplog.at_level("INFO"):
        containers.decoder.cache_clear()
        for _ in range(2):
            samples, rate = audio.read_part(source)
    assert (samples.tolist(), rate) == ([[0.5]], 8000)
    assert caplog.text.count("bin/ffmpeg") == 1
    asked = (tmp_path / "asked").read_text()
    assert "-nostdin" in asked and "-protocol_whitelist file,pipe" in asked and "-f mov" in asked


def test_headers_and_containers_load_no_decoder_for_other_files(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    code = "import sys; from recipe.audio import headers; headers.probe_file('a.wav')"
    code += "; sys.exit(any(name in sys.modules for name in ('av', 'numpy', 'soundfile')))"
    environment = {"PYTHONPATH": str(ROOT / "scripts")}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
