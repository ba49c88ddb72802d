"""Recordings from URLs and commands: limits, retries, the cache."""

import gzip
import http.server
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
import soundfile
from conftest import ROOT, tone

from recipe.audio import attempts, fetch, web
from recipe.audio import reading as audio
from recipe.audio.fetch import FetchPolicy
from recipe.audio.reading import AudioError

QUICK = FetchPolicy(commands=True, timeout=2.0, megabytes=1.0, retries=2, pause=0.01)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An HTTP server over tmp_path/www. `requests` and `headers_sent` list what was asked; by path, `failures` has how
    often it fails first, `redirections` where it leads, `encoded` (Content-Encoding, bytes)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "www").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        requests: ClassVar[list] = []
        failures: ClassVar[dict] = {}
        redirections: ClassVar[dict] = {}
        encoded: ClassVar[dict] = {}
        headers_sent: ClassVar[list] = []

        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(tmp_path / "www"), **kwargs)

        def do_GET(self):
            self.requests.append(self.path)
            self.headers_sent.append(self.headers)
            if self.failures.get(self.path, 0) > 0:
                self.failures[self.path] -= 1
                self.send_error(503)
            elif self.path == "/short":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"x" * 50)
            elif self.path == "/cut":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nabc")
            elif self.path == "/garbage":
                self.wfile.write(b"no HTTP\r\n\r\n")
            elif self.path == "/drip":
                self.send_response(200)
                self.end_headers()
                while not stopped.wait(0.02):
                    self.wfile.write(b"x")
            elif self.path in self.redirections:
                self.send_response(302)
                self.send_header("Location", self.redirections[self.path])
                self.end_headers()
                while not stopped.is_set():
                    self.wfile.write(b"x" * 1000)
            elif self.path in self.encoded:
                encoding, content = self.encoded[self.path]
                self.send_response(200)
                self.send_header("Content-Encoding", encoding)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            elif self.path == "/slow":
                self.send_response(200)
                self.end_headers()
                stopped.wait(5)
            else:
                super().do_GET()

        def log_message(self, *args):
            pass

    stopped = threading.Event()
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    Handler.address = f"http://127.0.0.1:{running.server_port}"
    yield Handler
    stopped.set()
    running.shutdown()


def test_a_url_is_fetched_once_and_its_content_kept_once(server, tmp_path):
    soundfile.write(tmp_path / "www" / "a.wav", tone(0.5), 16000)
    (tmp_path / "www" / "b.wav").write_bytes((tmp_path / "www" / "a.wav").read_bytes())
    for name in ("a.wav", "b.wav", "a.wav"):
        assert audio.probe(f"{server.address}/{name}").samples == 8000
        assert len(audio.read(f"{server.address}/{name}", start=0.1, end=0.2)) == 1600
    assert server.requests == ["/a.wav", "/b.wav"]
    assert len(list((tmp_path / fetch.CACHE / "content").iterdir())) == 1


def test_a_url_may_have_letters_and_spaces_as_in_a_browser(server, tmp_path):
    soundfile.write(tmp_path / "www" / "你好 1.wav", tone(0.5), 16000)
    for name in ("你好 1.wav", "%E4%BD%A0%E5%A5%BD%201.wav"):
        assert audio.probe(f"{server.address}/{name}").samples == 8000
    with pytest.raises(AudioError, match=r"url-failed: http://127.0.0.1:x/a.wav: .*valid host or port \(attempt 1\)"):
        audio.probe("http://127.0.0.1:x/a.wav", fetch_policy=QUICK)


def test_another_address_may_hold_it_but_no_file(server, tmp_path):
    """The content of a redirection, here without end, is not waited for."""
    soundfile.write(tmp_path / "www" / "a.wav", tone(0.5), 16000)
    server.redirections |= {"/moved.wav": "/a.wav", "/file": (tmp_path / "www/a.wav").as_uri(), "/round": "/round"}
    assert audio.probe(f"{server.address}/moved.wav", fetch_policy=QUICK).samples == 8000
    with pytest.raises(AudioError, match=r"url-failed: .*file:.*\(attempt 1\)"):
        audio.probe(f"{server.address}/file", fetch_policy=QUICK)
    with pytest.raises(AudioError, match=r"url-failed: .*10 redirects.*\(attempt 1\)"):
        audio.probe(f"{server.address}/round", fetch_policy=QUICK)


def test_what_was_compressed_on_the_way_is_kept_as_it_was(server, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    content = (tmp_path / "a.wav").read_bytes()
    server.encoded |= {"/a.wav": ("gzip", gzip.compress(content)), "/b.wav": ("br", content)}
    with open(fetch.download(f"{server.address}/a.wav", QUICK), "rb") as copy:
        assert copy.read() == content
    assert server.headers_sent[0]["Accept-Encoding"] == "identity"
    with pytest.raises(AudioError, match=r"url-failed: .*\(br\) \(attempt 1\)"):
        fetch.download(f"{server.address}/b.wav", QUICK)
    server.encoded["/large.wav"] = ("gzip", gzip.compress(bytes(2_000_000)))
    with pytest.raises(AudioError, match="url-too-large"):
        fetch.download(f"{server.address}/large.wav", QUICK)


def test_no_credentials_are_sent(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "www" / "a.wav").write_bytes(b"a")
    fetch.download(f"{server.address}/a.wav", QUICK)
    assert server.headers_sent[0]["Authorization"] is None


def test_a_download_is_never_whole_in_memory(server, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "BLOCK", 1 << 14)
    for name in ("a", "b"):
        (tmp_path / "www" / name).write_bytes(name.encode() * 3_000_000)
    policy = FetchPolicy(megabytes=5)
    fetch.download(f"{server.address}/a", policy)  # what is loaded and compiled once
    tracemalloc.start()
    try:
        fetch.download(f"{server.address}/b", policy)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_failures_that_may_pass_are_tried_again(server, tmp_path):
    soundfile.write(tmp_path / "www" / "a.wav", tone(0.5), 16000)
    server.failures["/a.wav"] = 2
    assert audio.probe(f"{server.address}/a.wav", fetch_policy=QUICK).samples == 8000
    server.failures["/b.wav"] = 3
    with pytest.raises(AudioError, match=r"url-failed.*HTTP status 503 \(attempt 3\)"):
        audio.probe(f"{server.address}/b.wav", fetch_policy=QUICK)


def test_each_pause_is_twice_the_one_before(server, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.failures["/a.wav"] = 9
    with pytest.raises(AudioError, match=r"HTTP status 503 \(attempt 4\)"):
        fetch.download(f"{server.address}/a.wav", FetchPolicy(pause=0.5))
    assert pauses == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("path", "message", "requests"),
    [("/none.wav", r"HTTP status 404 \(attempt 1\)", 1), ("/short", r"closed after 50 of 100 bytes \(attempt 3\)", 3),
     ("/cut", "url-failed: .*IncompleteRead", 3), ("/garbage", "url-failed: .*no HTTP", 3),
     ("/large.wav", "url-too-large: .*more than 1 MB", 1)],
)  # fmt: skip
def test_what_cannot_be_had_is_said(server, tmp_path, path, message, requests):
    (tmp_path / "www" / "large.wav").write_bytes(b"\0" * 2_000_000)
    with pytest.raises(AudioError, match=message):
        audio.read(server.address + path, fetch_policy=QUICK)
    assert len(server.requests) == requests
    assert not list((tmp_path / fetch.CACHE / "content").iterdir())


def test_a_server_that_says_nothing_is_left(server):
    with pytest.raises(AudioError, match=r"url-failed|url-timeout"):
        audio.probe(f"{server.address}/slow", fetch_policy=FetchPolicy(timeout=0.3, retries=0))
    with pytest.raises(AudioError, match=r"url-failed: .*/a.wav: \[Errno \d+\] Connection refused \(attempt 3\)"):
        audio.probe("http://127.0.0.1:9/a.wav", fetch_policy=QUICK)
    with pytest.raises(AudioError, match=r"url-timeout: .*more than 0.3 s"):
        audio.probe(f"{server.address}/drip", fetch_policy=FetchPolicy(timeout=0.3))
    assert server.requests == ["/slow", "/drip"]


def test_no_client_is_loaded_for_local_files(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    program = "import sys; from recipe.audio import reading; reading.read('a.wav')"
    program += "; sys.exit(any(name in sys.modules for name in ('requests', 'tenacity', 'urllib3')))"
    environment = {"PYTHONPATH": str(ROOT / "scripts")}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)


def test_a_command_ends_with_its_time(tmp_path):
    with pytest.raises(AudioError, match="command-timeout"):
        audio.read("sleep 20 | cat |", fetch_policy=FetchPolicy(commands=True, timeout=0.3))
    with pytest.raises(AudioError, match="command-timeout"):
        audio.read("sleep 20 & exec >&- |", fetch_policy=FetchPolicy(commands=True, timeout=0.3))
    with pytest.raises(AudioError, match=r"command-failed: exit status 3: second"):
        audio.read("echo first >&2; echo second >&2; exit 3 |", fetch_policy=QUICK)
    with pytest.raises(AudioError, match="command-too-large"):
        audio.read("cat /dev/zero |", fetch_policy=QUICK)
    with pytest.raises(AudioError, match="audio-empty"):
        audio.read("true |", fetch_policy=QUICK)


def streamed(path, size, riff=None):
    """A WAV whose header gives `size` for its audio, as programs write into a pipe."""
    content = bytearray(path.read_bytes())
    content[4:8] = (size + 36 & 0xFFFFFFFF if riff is None else riff).to_bytes(4, "little")
    content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB])
def test_what_a_command_prints_is_read_to_its_end(tmp_path, size):
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    for riff in (None, size, 0xFFFFFFFF):
        streamed(tmp_path / "a.wav", size, riff)
        source = f"cat {tmp_path}/a.wav | cat - |"
        assert audio.probe(source, QUICK) == audio.AudioInfo(8000, 16000, 1)
        assert len(audio.read(source, start=0.25, end=0.375, fetch_policy=QUICK)) == 2000


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "IMA_ADPCM"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
     ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")],
)  # fmt: skip
def test_a_pipe_that_broke_is_refused(tmp_path, kind, subtype):
    """What a command prints has to be whole, also where a recording that lacks its end is read."""
    soundfile.write(tmp_path / "a", tone(5.0), 16000, format=kind, subtype=subtype)
    size = (tmp_path / "a").stat().st_size
    assert audio.probe(f"cat {tmp_path}/a |", QUICK).seconds >= 5
    for count in (size * 2 // 3, size - 10):
        source = f"head -c {count} {tmp_path}/a |"
        for act in (audio.probe, lambda s, p: audio.read_part(s, 0.0, 1.0, p, incomplete=True)):
            with pytest.raises(AudioError, match=r"audio-(truncated|unreadable): .*output of the command"):
                act(source, QUICK)


def test_every_member_of_a_pipeline_has_to_succeed(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    whole = f"cat {tmp_path}/a.wav"
    for source, status in (
        (f"({whole}; exit 3) | cat |", 3), (f"{whole} | (cat; exit 4) | cat |", 4), (f"{whole} | (cat; exit 5) |", 5),
        (f"(exit 6) | (yes; exit 1) | {whole} |", 6), (f"{whole} none |", 1), (f"{whole} # a | b\n exit 8 |", 8),
    ):  # fmt: skip
        for incomplete in (False, True):
            with pytest.raises(AudioError, match=f"command-failed: exit status {status}"):
                audio.read_part(source, fetch_policy=QUICK, incomplete=incomplete)


def test_who_had_enough_may_leave(tmp_path):
    """A member that SIGPIPE ended did not fail: a later one took what it wanted."""
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16000)
    for source in (f"yes | (head -n 1 >&2; cat {tmp_path}/a.wav) |", f"(yes | head -n 1 >&2); cat {tmp_path}/a.wav |"):
        assert len(audio.read(source, fetch_policy=QUICK)) == 8000


def test_a_command_may_print_what_ffmpeg_reads(shared):
    pytest.importorskip("av")
    file = shlex.quote(f"{shared}/cases/call1.m4a")
    assert audio.probe(f"cat {file} |", QUICK).samples == 31944
    with pytest.raises(AudioError, match=r"audio-\w+: .*output of the command"):
        audio.read(f"head -c 9000 {file} |", fetch_policy=QUICK)


@pytest.fixture
def dead_host(monkeypatch):
    """Attempts at a host where nobody answers are counted, and none of this process is known to be dead."""
    import requests

    monkeypatch.setattr(attempts, "_hosts", {})
    asked = []

    def get(self, url, **_):
        asked.append(url)
        time.sleep(0.05)
        raise requests.ConnectTimeout("nobody there")

    monkeypatch.setattr(requests.Session, "get", get)
    return asked


def test_a_dead_host_costs_its_attempts_once(dead_host, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(5):
        with pytest.raises(AudioError, match=f"url-failed: http://dead.example:81/{number}.wav: .*") as found:
            fetch.download(f"http://dead.example:81/{number}.wav", QUICK)
        later = "http://dead.example:81 did not answer before: nobody there (attempt 3)"
        assert found.value.detail.endswith("nobody there (attempt 3)") and (later in found.value.detail) == (number > 0)
    assert len(dead_host) == 3
    for other in ("http://dead.example:82/a.wav", "https://dead.example:81/a.wav", "http://other.example:81/a.wav"):
        with pytest.raises(AudioError, match=r"nobody there \(attempt 3\)"):
            fetch.download(other, QUICK)
    assert len(dead_host) == 12


def test_threads_wait_for_what_one_of_them_finds_out(dead_host, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(fetch.download, f"http://dead.example/{number}.wav", QUICK) for number in range(40)]
        assert all(isinstance(one.exception(), AudioError) for one in found)
    assert len(dead_host) == 3


def test_a_host_that_answers_is_not_dead_and_no_one_waits(server, tmp_path, monkeypatch):
    """Whatever it answers, and whatever happens to another URL of it."""
    soundfile.write(tmp_path / "www" / "a.wav", tone(0.5), 16000)
    server.failures["/b.wav"] = 9
    for path in ("/none.wav", "/b.wav", "/short", "/garbage", "/slow"):
        monkeypatch.setattr(attempts, "_hosts", {})
        with pytest.raises(AudioError, match="url-"):
            fetch.download(server.address + path, FetchPolicy(timeout=0.3, retries=0))
        name = f"after{path[:3].replace('/', '-')}.wav"
        (tmp_path / "www" / name).write_bytes((tmp_path / "www" / "a.wav").read_bytes())
        assert audio.probe(f"{server.address}/{name}", QUICK).samples == 8000
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(fetch.download, f"{server.address}/drip", FetchPolicy(timeout=1.5))
        time.sleep(0.3)
        begin = time.monotonic()
        (tmp_path / "www" / "c.wav").write_bytes((tmp_path / "www" / "a.wav").read_bytes())
        assert audio.probe(f"{server.address}/c.wav", QUICK).samples == 8000
        assert time.monotonic() - begin < 1
        assert isinstance(slow.exception(), AudioError)


def test_a_process_forked_meanwhile_waits_for_no_one(dead_host, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    host = attempts._host_of("http://dead.example/a.wav")
    with host.asked_by("http://dead.example/a.wav"):
        child = os.fork()
        if not child:
            try:
                fetch.download("http://dead.example/b.wav", FetchPolicy(retries=0))
            except AudioError:
                os._exit(7)
            os._exit(1)
        for _ in range(100):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                break
            time.sleep(0.05)
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
