"""Mistakes in recordings, and in what wav.scp says of them."""

import io
import os
import random
import struct
from collections.abc import Callable

import numpy as np
import soundfile

from mistakes.kinds import ANY, FINE, WRONG, Mistake, NotHere, kind
from mistakes.lines import about
from mistakes.project import DataSet, is_root

RATE = 16000
# What containers begin with that need another decoder.
HEADS = {
    "m4a": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0",
    "mp4": b"\0\0\0\x18ftypmp42\0\0\0\0isommp42",
    "amr": b"#!AMR\n",
    "webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm",
    "wma": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
}


def speech(data: DataSet, key: str) -> np.ndarray:
    """Samples of an utterance, float."""
    path = data.value("wav.scp", key)
    return soundfile.read(data.file(path), dtype="float32")[0]


def encoded(samples: np.ndarray, rate: int = RATE, form: str = "WAV", subtype: str | None = None) -> bytes:
    """An audio file's bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def recording(name: str, make_file: Callable, fates=ANY, test=None) -> None:
    """A kind of mistake that gives an utterance another audio file: `make_file` gets the generator and the samples and
    returns the bytes, with the suffix of the name where it is not .wav."""

    def make(draw: random.Random, data: DataSet) -> Mistake:
        key = data.take(draw)
        made = make_file(draw, speech(data, key))
        content, suffix = made if isinstance(made, tuple) else (made, "wav")
        data.file(f"wav/other-{key}.{suffix}").write_bytes(content)
        data.set("wav.scp", key, f"{key} wav/other-{key}.{suffix}")
        return about(data, key, test if test and data.role == "test" else fates, bytes=len(content), suffix=suffix)

    kind("data", "kaldi", f"audio-{name}")(make)


def cut(form: str, suffix: str) -> Callable:
    """A file that lacks its end."""

    def make_file(draw, samples):
        whole = encoded(samples, form=form)
        return whole[: int(len(whole) * draw.uniform(0.3, 0.98))], suffix

    return make_file


def patched(*patches: tuple[int, bytes]) -> Callable:
    """A WAV with one of these (place, bytes) in its header."""

    def make_file(draw, samples):
        place, new = draw.choice(patches)
        whole = bytearray(encoded(samples))
        whole[place : place + len(new)] = new
        return bytes(whole)

    return make_file


def damaged(form: str, suffix: str) -> Callable:
    """A file with bytes overwritten in its middle."""

    def make_file(draw, samples):
        whole = bytearray(encoded(samples, form=form))
        place = len(whole) // 2 + draw.randint(-2000, 2000)
        whole[place : place + 200] = draw.randbytes(200)
        return bytes(whole), suffix

    return make_file


def scattered(value: float) -> Callable:
    """Float samples, some of which are no sound."""

    def make_file(draw, samples):
        changed = samples.copy()
        changed[[draw.randrange(len(samples)) for _ in range(draw.choice([1, 1, 10, 1000]))]] = value
        return encoded(changed, subtype="FLOAT")

    return make_file


def sizes(value: int) -> Callable:
    """A WAV whose sizes are those of a pipe or of a recorder that died."""
    return patched((40, struct.pack("<I", value)))


SECONDS = (41, 45, 60, 118, 124)
recording("zero-bytes", lambda d, s: b"", WRONG)
recording("garbage", lambda d, s: d.randbytes(d.randint(1, 20000)), WRONG)
recording("html", lambda d, s: b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 9, WRONG)
recording(
    "git-lfs",
    lambda d, s: b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n",
    WRONG,
)
recording("text", lambda d, s: (b"hello\n" * 99, d.choice(["wav", "flac", "mp3", "txt"])), WRONG)
recording("raw", lambda d, s: ((s * 32767).astype("<i2").tobytes(), d.choice(["wav", "pcm", "raw"])), WRONG)
recording("header-alone", lambda d, s: encoded(s)[: d.choice([4, 12, 20, 36, 40, 43, 44])], WRONG)
recording("cut-wav", cut("WAV", "wav"), WRONG, ANY)
recording("cut-flac", cut("FLAC", "flac"), ANY)
recording("cut-ogg", cut("OGG", "ogg"), ANY)
recording("cut-mp3", cut("MP3", "mp3"), ANY)
recording("damaged-flac", damaged("FLAC", "flac"), ANY)
recording("damaged-ogg", damaged("OGG", "ogg"), ANY)
recording("damaged-mp3", damaged("MP3", "mp3"), ANY)
recording("size-0", sizes(0), ANY)
recording("size-of-pipe", lambda d, s: sizes(d.choice([0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0x7FFFF000]))(d, s), ANY)
recording(
    "absurd-rate",
    patched(
        (24, struct.pack("<I", 0)),
        (24, struct.pack("<I", 1)),
        (24, b"\xff" * 4),
        (24, struct.pack("<I", 2**31 - 1)),
        (24, struct.pack("<I", 400)),
    ),
)
recording("absurd-channels", patched((22, b"\0\0"), (22, b"\xff\xff"), (22, b"\x00\x04")), ANY)
recording("absurd-width", patched((34, b"\0\0"), (34, b"\x07\0"), (34, b"\xff\xff"), (32, b"\0\0")), ANY)
recording("absurd-format", patched((20, b"\x34\x12"), (20, b"\0\0"), (20, b"\x55\0"), (8, b"EVAW"), (0, b"RIFX")), ANY)
recording("mp3-called-wav", lambda d, s: (encoded(s, form="MP3"), d.choice(["wav", "flac"])), ANY)
recording("flac-called-mp3", lambda d, s: (encoded(s, form="FLAC"), d.choice(["mp3", "wav", "ogg"])), ANY)
recording("ogg-called-wav", lambda d, s: (encoded(s, form="OGG"), "wav"), ANY)
recording("no-suffix", lambda d, s: (encoded(s), "x"), FINE)
recording(
    "other-container",
    lambda d, s: (lambda n: (HEADS[n] + d.randbytes(9000), d.choice([n, "wav"])))(d.choice([*HEADS])),
    WRONG,
)
recording("nan-sample", scattered(float("nan")), ANY)
recording("infinite-sample", scattered(float("inf")), ANY)
recording("huge-sample", scattered(1e30), ANY)
recording("silence", lambda d, s: encoded(np.zeros(RATE * 2)), ANY)
recording("one-value", lambda d, s: encoded(np.full(RATE * 2, d.choice([0.5, -1.0, 1e-5]))), ANY)
recording("clipped", lambda d, s: encoded(np.clip(s * 100, -1, 1)), ANY)
recording("no-samples", lambda d, s: encoded(np.zeros(0)), WRONG)
recording("few-samples", lambda d, s: encoded(s[: d.choice([1, 2, 80, 399])]), WRONG)
recording("very-short", lambda d, s: encoded(s[: d.choice([400, 401, 800, 1599])]), WRONG, ANY)
recording("very-long", lambda d, s: encoded(np.tile(s, 80)[: d.choice(SECONDS) * RATE]), WRONG, ANY)
recording("channels", lambda d, s: encoded(np.tile(s[:, None], d.choice([2, 3, 6, 8]))), FINE)
recording("one-channel-silent", lambda d, s: encoded(np.stack([s, 0 * s], 1)), FINE)
recording("odd-rate", lambda d, s: encoded(s, d.choice([6000, 7999, 11025, 22050, 44100, 48000, 96000, 192000])), ANY)
recording(
    "subtype",
    lambda d, s: encoded(
        s, subtype=d.choice(["PCM_U8", "PCM_24", "PCM_32", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"])
    ),
    FINE,
)
recording(
    "other-format",
    lambda d, s: (encoded(s, form=(f := d.choice(["AIFF", "AU", "CAF", "W64", "NIST", "VOC"]))), f.lower()),
    ANY,
)
recording("bytes-behind", lambda d, s: encoded(s) + d.randbytes(d.randint(1, 5000)), ANY)
recording("id3-before", lambda d, s: b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + encoded(s), ANY)


# --- What wav.scp says ------------------------------------------------------------------------------------------------


def source(name: str, change: Callable[[random.Random, DataSet, str, str], str], fates=WRONG) -> None:
    """A kind of mistake that changes what wav.scp says; `change` gets generator, set, key and the value."""

    def make(draw: random.Random, data: DataSet) -> Mistake:
        key = data.take(draw)
        value = change(draw, data, key, data.value("wav.scp", key))
        data.set("wav.scp", key, f"{key} {value}")
        return about(data, key, fates, value=value[:80])

    kind("data", "kaldi", f"scp-{name}")(make)


def linked(draw, data, key, value):
    """A link to nothing, to itself, to a folder, or a folder in its place."""
    path, what = data.file(f"wav/link-{key}.wav"), draw.choice(["nothing", "itself", "folder", "is-folder"])
    if what == "is-folder":
        path.mkdir()
    else:
        path.symlink_to({"nothing": "gone.wav", "itself": path.name, "folder": ".."}[what])
    return f"wav/{path.name}"


def renamed(*names: str):
    """The recording under another name, which is what wav.scp says."""

    def change(draw, data, key, value):
        name = draw.choice(names).replace("KEY", key)
        path = data.file(f"wav/{name}.flac")
        path.parent.mkdir(parents=True, exist_ok=True)
        data.file(value).rename(path)
        return f"wav/{path.relative_to(data.file('wav'))}"

    return change


def forbidden(draw, data, key, value):
    """A recording that may not be read."""
    if is_root():
        raise NotHere("nothing is forbidden to root")
    os.chmod(data.file(value), 0)
    return value


source("missing", lambda d, data, k, v: v.replace("wav/", d.choice(["wavs/", "./gone/", "../", "wav/x/"])))
source("other-suffix", lambda d, data, k, v: v.removesuffix("flac") + d.choice(["wav", "FLAC", "flac.gz", "mp3"]))
source("link", linked)
source("forbidden", forbidden)
source("home", lambda d, data, k, v: d.choice(["~/", "~root/", "$HOME/", "${DATA}/"]) + v)
source("file-url", lambda d, data, k, v: f"file://{data.file(v)}", ANY)
source(
    "cloud-url", lambda d, data, k, v: d.choice(["s3://bucket/", "gs://bucket/", "hdfs:///x/", "ftp://127.0.0.1/"]) + v
)
source("quoted", lambda d, data, k, v: d.choice([f'"{v}"', f"'{v}'", f'"{v}', f"{v},", f"({v})", f"{v};"]))
source(
    "backslashes", lambda d, data, k, v: d.choice([v.replace("/", "\\"), f"C:\\data\\{k}.wav", f"\\\\server\\{k}.wav"])
)
source("escaped", lambda d, data, k, v: v.replace("-", "%2D"))
source(
    "dead-url",
    lambda d, data, k, v: f"{d.choice(['http', 'https', 'HTTP'])}://127.0.0.1:{d.choice([9, 1, 65535])}/{k}.wav",
)
source(
    "bad-url",
    lambda d, data, k, v: d.choice(
        [
            "http://",
            "http:///x.wav",
            "https://[::1",
            "http://127.0.0.1:99999/x.wav",
            "http:// /x",
            "http://a b/x.wav",
            "http://\x01/x.wav",
        ]
    ),
)
source("ark-offset", lambda d, data, k, v: f"{v}:{d.choice(['0', '5', '99999999', '-1', '1' * 30])}", ANY)
source("ark-missing", lambda d, data, k, v: f"wav/gone.ark:{d.randint(0, 999)}")
source("device", lambda d, data, k, v: d.choice(["/dev/null", "-", "/dev/stdin", "/proc/self/mem", "/etc"]))
source("control-character", lambda d, data, k, v: v[:6] + d.choice(["\0", "\x01", "\x1b[31m", "\x7f"]) + v[6:])
source("invisible", lambda d, data, k, v: v + d.choice(["\u200b", "\ufeff", "\u3000", "\u00a0"]), ANY)
source("very-long", lambda d, data, k, v: "wav/" + d.choice(["x" * 300, "y/" * 3000]) + ".wav")
source("two-paths", lambda d, data, k, v: f"{v} {v}")
source("markup-in-path", renamed("<|startofspeech|>KEY", "KEY<|endofspeech|>", "KEY<|im_end|>"), ANY)
source(
    "odd-name",
    renamed(
        "a b KEY",
        "录音 KEY",
        "it's KEY",
        'a "KEY"',
        "KEY;x",
        "{KEY}",
        "KEY%20",
        "KEY$x",
        "-KEY",
        "KEY😀",
        "KEY#1",
        "KEY?",
        "KEY*",
        "[KEY]",
        "KEY\\x",
    ),
    ANY,
)
source("colon-name", renamed("KEY:12", "12:KEY", "KEY:"), ANY)
source("same-for-two", lambda d, data, k, v: data.value("wav.scp", d.choice(data.free or [k])), ANY)


@kind("data", "kaldi")
def scp_bad_bytes(draw, data):
    """A path with bytes that are not UTF-8."""
    key = data.take(draw)
    raw = data.value("wav.scp", key).encode()
    data.set("wav.scp", key, key.encode() + b" " + raw[:5] + draw.choice([b"\xff", b"\xc4\xe3", b"\xe9"]) + raw[5:])
    return about(data, key, WRONG)


def command(name: str, line: str, allowed=WRONG) -> None:
    """A command in wav.scp, which is run where `allow_commands` says so; FILE is the recording."""

    def make(draw: random.Random, data: DataSet) -> Mistake:
        key = data.take(draw)
        path = data.file(data.value("wav.scp", key))
        data.set("wav.scp", key, f"{key} {line.replace('FILE', str(path))}")
        return about(data, key, allowed if data.commands else WRONG, line=line, allowed=data.commands)

    kind("data", "kaldi", f"command-{name}")(make)


command("cat", "cat FILE |", FINE)
command("fails", "false |")
command("of-nothing", "cat /nothing/here.wav |")
command("unknown", "nosuchprogram FILE -t wav - |")
command("silent", "true |")
command("text", "echo hello |")
command("cut", "head -c 3000 FILE |", ANY)
command("endless", "yes |")
command("slow", "sleep 1000 |")
command("breaks", "cat FILE; exit 3 |")
command("broken-quote", "cat 'FILE |")
command("stderr", "cat FILE; echo warning >&2 |", FINE)
command("stdin", "cat |")
command("killed", "kill -9 $$ |")
command("half-pipe", "cat FILE", WRONG)
command("pipe-before", "| cat FILE", WRONG)
command("two-pipes", "cat FILE | cat |", FINE)
