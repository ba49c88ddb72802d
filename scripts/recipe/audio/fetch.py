"""Recordings that are not local files: http(s) URLs, kept in a cache by content, and the output of commands."""

import contextlib
import hashlib
import os
import re
import selectors
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from recipe.audio.info import AudioError
from recipe.files import open_atomic
from recipe.settings.data import FetchSettings

if TYPE_CHECKING:
    import requests

_URL = re.compile(r"https?://", re.IGNORECASE)
_BLOCK = 1 << 20  # bytes read at a time
_COMPRESSIONS = {
    "gzip",
    "x-gzip",
    "deflate",
    "compress",
    "x-compress",
    "br",
    "zstd",
}  # the registered Content-Encodings
REDIRECTS = 10
CACHE = "exp/cache/audio"  # from the working directory, where all results of a workflow lie


_LIMITS = FetchSettings()


@dataclass(frozen=True)
class FetchPolicy:
    """What may be done for a recording that is no local file, and what it may cost."""

    commands: bool = False  # whether those in wav.scp may run
    timeout: float = _LIMITS.timeout  # seconds for one attempt at a URL, or for one command
    megabytes: float = _LIMITS.megabytes  # of 10^6 bytes, for one recording
    retries: int = _LIMITS.retries  # further attempts after a failure that may pass
    pause: float = 1.0  # seconds before the first of them, doubled each time


DEFAULT = FetchPolicy()


def policy_of(settings: FetchSettings, commands: bool = False) -> FetchPolicy:
    """The policy that a data section's `fetch` and `allow_commands` say."""
    return FetchPolicy(commands, settings.timeout, settings.megabytes, settings.retries)


def is_url(source: str) -> bool:
    """Whether a wav.scp entry is an http or https URL."""
    return _URL.match(source) is not None


def is_command(source: str) -> bool:
    """Whether a wav.scp entry is a shell command (`... |`)."""
    return source.rstrip().endswith("|")


def download(url: str, policy: FetchPolicy = DEFAULT, cache: str | os.PathLike = CACHE) -> str:
    """Path of a local copy of what `url` holds.

    The copy is called by the SHA-256 of its content, and a small file by that of the URL says which content it had:
    a URL is fetched once, and the same content is kept once. AudioError: `url-timeout` and `url-too-large` beyond the
    limits of `policy`, `url-failed` after an answer that is final or the last attempt, and at once where no URL of the
    same host was answered before.
    """
    contents, known = Path(cache, "content"), Path(cache, "urls", hashlib.sha256(url.encode()).hexdigest())
    if known.is_file():
        copy = contents / known.read_text(encoding="ascii").strip()
        if copy.is_file():
            return str(copy)
    copy = contents / _store(url, policy, contents)
    with open_atomic(known) as file:
        file.write(copy.name + "\n")
    return str(copy)


def _store(url: str, policy: FetchPolicy, contents: Path) -> str:
    """Name, among the `contents`, of what `url` holds. It comes into a folder of its own there and is renamed when it
    is whole: only then is its name known."""
    contents.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=contents, ignore_cleanup_errors=True) as folder:
        part = Path(folder, "part")
        name = _with_retries(url, policy, part) + _suffix(url)
        if not (contents / name).is_file():
            os.replace(part, contents / name)
    return name


def _suffix(url: str) -> str:
    match = re.search(r"\.[A-Za-z0-9]{1,5}\Z", url.split("?")[0].split("#")[0])
    return match[0].lower() if match else ""


def _with_retries(url: str, policy: FetchPolicy, part: Path) -> str:
    """Write what `url` holds to the file `part`, in as many attempts as allowed; returns its SHA-256."""
    # Loaded here: most stages find only local files in their lists and have no use for a client.
    import requests
    import tenacity
    import urllib3

    host = _host_of(url)
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(policy.retries + 1),
        wait=tenacity.wait_exponential(multiplier=policy.pause),
        retry=tenacity.retry_if_exception(_may_pass),
        reraise=True,
    )
    with host.asked_by(url):
        try:
            return attempts(_fetch, url, policy, part, host)
        # A file system that is full is no fault of the URL: other OSErrors go their way.
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            problem = f"{_problem(error)} (attempt {attempts.statistics['attempt_number']})"
            if isinstance(error, requests.ConnectionError | requests.Timeout) and not _is_garbage(error):
                host.problem = problem
            raise AudioError("url-failed", f"{url}: {problem}") from None


class _Host:
    """What is known of a host in this process. Until it has answered, one URL of it is tried at a time: a host that is
    dead costs its attempts once, however many URLs it has and however many threads ask."""

    def __init__(self, name: str):
        self.name = name
        self.problem: str | None = None  # why it is taken for dead
        self._answers = False
        self._busy = False
        self._changed = threading.Condition()

    def answered(self) -> None:
        """Anything came from it: it is not dead, whatever happens later."""
        with self._changed:
            self._answers = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def asked_by(self, url: str) -> Iterator[None]:
        """A context in which a URL may be tried; AudioError if none of the host answered before."""
        with self._changed:
            self._changed.wait_for(lambda: self._answers or self.problem or not self._busy)
            if self.problem and not self._answers:
                raise AudioError("url-failed", f"{url}: {self.name} did not answer before: {self.problem}")
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def forked(self) -> None:
        """In a process that was forked meanwhile there are no threads to wait for."""
        self._busy, self._changed = False, threading.Condition()


_hosts: dict[str, _Host] = {}
os.register_at_fork(after_in_child=lambda: [host.forked() for host in _hosts.values()])


def _host_of(url: str) -> _Host:
    """The host of a URL, with scheme and port."""
    name = re.match(r"[^/]*//[^/?#]*", url)[0].lower()
    return _hosts.setdefault(name, _Host(name))


def _is_garbage(error: BaseException) -> bool:
    """Whether a connection failed because of what was answered, which is none of HTTP."""
    import http.client

    found = _bottom(error)
    return isinstance(found, http.client.HTTPException) and not isinstance(found, ConnectionError)


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may go better: not with an address that is none or an answer that is final."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return error.response.status_code >= 500 or error.response.status_code in (408, 425, 429)
    if isinstance(error, ValueError | requests.TooManyRedirects):  # requests' errors of addresses are ValueErrors
        return False
    return isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError)


def _problem(error: BaseException) -> str:
    """What went wrong at the bottom of an error: around it, each layer of the client has wrapped its own."""
    import urllib3

    error = _bottom(error)
    if isinstance(error, urllib3.exceptions.IncompleteRead):
        return f"connection closed after {error.partial} of {error.partial + error.expected} bytes"
    return str(error) or type(error).__name__


def _bottom(error: BaseException) -> BaseException:
    while inner := error.__cause__ or next((arg for arg in _parts(error) if isinstance(arg, Exception)), None):
        error = inner
    return error


def _parts(error: BaseException) -> tuple:
    return (getattr(error, "reason", None), *error.args)


def _fetch(url: str, policy: FetchPolicy, part: Path, host: _Host) -> str:
    """One attempt: write what `url` holds to the file `part`; returns its SHA-256.

    Raises AudioError beyond a limit of `policy`, and the errors of requests and, while content comes, of urllib3.
    """
    import requests

    attempt = _Attempt(url, policy, time.monotonic() + policy.timeout, host)
    with requests.Session() as session:
        session.max_redirects = REDIRECTS
        session.headers["Accept-Encoding"] = "identity"  # sound hardly shrinks, and the limit is on what is kept
        session.auth = _anonymous
        session.hooks["response"].append(attempt.answered)
        with session.get(url, stream=True, timeout=policy.timeout) as response, open(part, "wb") as file:
            _check_answer(response)
            return attempt.write(response, file)


@dataclass(frozen=True)
class _Attempt:
    """The limits of one attempt; `deadline` is a time of time.monotonic."""

    url: str
    policy: FetchPolicy
    deadline: float
    host: _Host

    def check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise AudioError("url-timeout", f"{self.url}: more than {self.policy.timeout:g} s")

    def answered(self, response: "requests.Response", **_: object) -> None:
        """requests calls this with each answer. The content of a redirection, which it would read whole, is left."""
        self.host.answered()
        if response.is_redirect:
            response.close()
        self.check_time()

    def write(self, response: "requests.Response", file: IO[bytes]) -> str:
        """Write the content block by block, so that it is never whole in memory; returns its SHA-256."""
        digest, size = hashlib.sha256(), 0
        # read1, of what has come: a read of whole blocks would let a server that drips pass its time.
        while block := response.raw.read1(_BLOCK, decode_content=True):
            self.check_time()
            size += len(block)
            if size > self.policy.megabytes * 1e6:
                raise AudioError("url-too-large", f"{self.url}: more than {self.policy.megabytes:g} MB")
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return digest.hexdigest()


def _anonymous(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    """No credentials: requests would otherwise look into ~/.netrc for whatever host a list names."""
    return request


def _check_answer(response: "requests.Response") -> None:
    """requests.HTTPError unless there is content, in a form that can be undone."""
    import requests

    if not 200 <= response.status_code < 300:
        raise requests.HTTPError(f"HTTP status {response.status_code}", response=response)
    encodings = {name.strip() for name in response.headers.get("Content-Encoding", "").lower().split(",")}
    if unknown := encodings & _COMPRESSIONS - set(response.raw.CONTENT_DECODERS):
        raise requests.HTTPError(f"compressed on the way, unasked ({', '.join(unknown)})", response=response)


# What becomes of a command's exit status where bash runs it: that of any member of its pipeline counts. One that was
# ended because a later one had enough (SIGPIPE) did not fail.
_STATUSES = """

for status in "${PIPESTATUS[@]}"; do case $status in 0|141) ;; *) exit "$status" ;; esac; done
"""


@contextlib.contextmanager
def command_output(source: str, policy: FetchPolicy = DEFAULT) -> Iterator[str]:
    """Path of a file, for the time of the context, with the standard output of a wav.scp entry that is a command. A
    shell runs it as Kaldi does, bash where it is there.

    AudioError: `command-refused` where `policy` allows none, `command-timeout` and `command-too-large` beyond its
    limits, which end the whole process group, `command-failed` at any exit status but 0, with bash also that of a
    command within a pipeline.
    """
    if not policy.commands:
        raise AudioError("command-refused", "wav.scp holds a shell command; set allow_commands: true to run it")
    output = _output_of(source, policy)
    with tempfile.NamedTemporaryFile(prefix="command-") as file:
        file.write(output)
        file.flush()
        yield file.name


def _shell(command: str) -> list[str]:
    bash = shutil.which("bash")
    return [bash, "-o", "pipefail", "-c", command + _STATUSES] if bash else ["/bin/sh", "-c", command]


def _output_of(source: str, policy: FetchPolicy) -> bytes:
    import signal
    import subprocess

    deadline = time.monotonic() + policy.timeout
    with tempfile.TemporaryFile() as messages:
        # The user allowed commands: wav.scp is then a program of theirs, run as Kaldi runs it.
        process = subprocess.Popen(
            _shell(source.rstrip()[:-1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=messages,
            start_new_session=True,
        )
        try:
            output = read_pipe(process.stdout, deadline, int(policy.megabytes * 1e6))
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
                raise AudioError("command-timeout", f"more than {policy.timeout:g} s: {source}") from None
            if isinstance(error, OverflowError):
                raise AudioError("command-too-large", f"more than {policy.megabytes:g} MB: {source}") from None
            raise
        if status != 0:
            messages.seek(0)
            tail = messages.read().decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise AudioError("command-failed", f"exit status {status}: {tail[0]}")
    return output


def read_pipe(pipe: IO[bytes], deadline: float, most: int) -> bytes:
    """All that comes until the pipe is closed; TimeoutError at the deadline (of time.monotonic), OverflowError beyond
    `most` bytes."""
    output = bytearray()
    with pipe, selectors.DefaultSelector() as waiting:
        waiting.register(pipe, selectors.EVENT_READ)
        while waiting.select(max(0.0, deadline - time.monotonic())):
            block = os.read(pipe.fileno(), _BLOCK)
            if not block:
                return bytes(output)
            output += block
            if len(output) > most:
                raise OverflowError
    raise TimeoutError
