"""Recordings that are not local files: http(s) URLs, kept in a cache by content, and the output of commands."""

import argparse
import contextlib
import hashlib
import os
import re
import selectors
import string
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from recipe.audio.headers import AudioError
from recipe.files import open_atomic

_URL = re.compile(r"https?://", re.IGNORECASE)
_BLOCK = 1 << 20  # bytes read at a time
CACHE = "exp/cache/audio"  # from the working directory, where all results of a workflow lie


@dataclass(frozen=True)
class FetchPolicy:
    """What may be done for a recording that is no local file, and what it may cost."""

    commands: bool = False  # whether those in wav.scp may run
    timeout: float = 60.0  # seconds for one download or command
    megabytes: float = 500.0
    retries: int = 3  # further attempts after a failure that may pass
    pause: float = 1.0  # seconds before the first of them, doubled each time


DEFAULT = FetchPolicy()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a stage that reads audio, for `from_arguments`."""
    group = parser.add_argument_group("recordings that are no local files")
    group.add_argument("--allow-commands", action="store_true", help="run commands that wav.scp holds")
    group.add_argument("--fetch-timeout", type=float, default=DEFAULT.timeout, help="seconds, of a URL or command")
    group.add_argument("--fetch-megabytes", type=float, default=DEFAULT.megabytes, help="of a URL or command")
    group.add_argument("--fetch-retries", type=int, default=DEFAULT.retries, help="of a URL")


def from_arguments(args: argparse.Namespace) -> FetchPolicy:
    return FetchPolicy(args.allow_commands, args.fetch_timeout, args.fetch_megabytes, args.fetch_retries)


def is_url(source: str) -> bool:
    return _URL.match(source) is not None


def is_command(source: str) -> bool:
    """Whether a wav.scp entry is a shell command (`... |`)."""
    return source.rstrip().endswith("|")


def download(url: str, policy: FetchPolicy = DEFAULT, cache: str | os.PathLike = CACHE) -> str:
    """Path of a local copy of what `url` holds.

    The copy is called by the SHA-256 of its content, and a small file by that of the URL says which content it had:
    a URL is fetched once, and the same content is kept once.
    """
    cache = Path(cache)
    known = cache / "urls" / hashlib.sha256(url.encode()).hexdigest()
    if known.is_file():
        copy = cache / "content" / known.read_text(encoding="ascii").strip()
        if copy.is_file():
            return str(copy)
    content = _with_retries(url, policy)
    name = hashlib.sha256(content).hexdigest() + _suffix(url)
    copy = cache / "content" / name
    if not copy.is_file():
        with open_atomic(copy, "wb") as file:
            file.write(content)
    with open_atomic(known) as file:
        file.write(name + "\n")
    return str(copy)


def _suffix(url: str) -> str:
    match = re.search(r"\.[A-Za-z0-9]{1,5}\Z", url.split("?")[0].split("#")[0])
    return match[0].lower() if match else ""


def _with_retries(url: str, policy: FetchPolicy) -> bytes:
    import http.client
    import urllib.error

    pause = policy.pause
    for attempt in range(policy.retries + 1):
        try:
            return _fetch(url, policy)
        except urllib.error.HTTPError as error:
            problem = f"HTTP status {error.code}"
            if error.code < 500 and error.code not in (408, 425, 429):
                break
        except (ValueError, http.client.InvalidURL) as error:
            problem = str(error)
            break
        except (OSError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", None) or error) or type(error).__name__
        if attempt < policy.retries:
            time.sleep(pause)
            pause *= 2
    raise AudioError("url-failed", f"{url}: {problem} (attempt {attempt + 1})")


def _fetch(url: str, policy: FetchPolicy) -> bytes:
    import urllib.parse
    import urllib.request

    most = int(policy.megabytes * 1e6)
    deadline = time.monotonic() + policy.timeout
    content = bytearray()
    sent = urllib.parse.quote(url, safe=string.punctuation)  # spaces and letters beyond ASCII, as a browser does
    # is_url let only http and https pass, and redirections of urllib lead to no file.
    with urllib.request.urlopen(sent, timeout=policy.timeout) as response:
        while block := response.read1(_BLOCK):
            content += block
            if len(content) > most:
                raise AudioError("url-too-large", f"{url}: more than {policy.megabytes:g} MB")
            if time.monotonic() > deadline:
                raise AudioError("url-timeout", f"{url}: more than {policy.timeout:g} s")
        stated = response.headers.get("Content-Length")
    if stated is not None and stated.isdigit() and int(stated) != len(content):
        raise OSError(f"connection closed after {len(content)} of {stated} bytes")
    return bytes(content)


def command_output(source: str, policy: FetchPolicy = DEFAULT) -> bytes:
    """Standard output of a wav.scp entry that is a command. The whole process group ends with a limit."""
    import signal
    import subprocess

    if not policy.commands:
        raise AudioError("command-refused", "wav.scp holds a shell command; set allow_commands: true to run it")
    deadline = time.monotonic() + policy.timeout
    with tempfile.TemporaryFile() as messages:
        # The user allowed commands: wav.scp is then a program of theirs, run as Kaldi runs it.
        process = subprocess.Popen(  # noqa: S602
            source.rstrip()[:-1],
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=messages,
            start_new_session=True,
        )
        try:
            output = _read_pipe(process.stdout, deadline, policy, source)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
                raise AudioError("command-timeout", f"more than {policy.timeout:g} s: {source}") from None
            raise
        if status != 0:
            messages.seek(0)
            tail = messages.read().decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise AudioError("command-failed", f"exit status {status}: {tail[0]}")
    return output


def _read_pipe(pipe: IO[bytes], deadline: float, policy: FetchPolicy, source: str) -> bytes:
    """All that comes until the pipe is closed; TimeoutError at the deadline, AudioError beyond the limit of size."""
    output = bytearray()
    with pipe, selectors.DefaultSelector() as waiting:
        waiting.register(pipe, selectors.EVENT_READ)
        while waiting.select(max(0.0, deadline - time.monotonic())):
            block = os.read(pipe.fileno(), _BLOCK)
            if not block:
                return bytes(output)
            output += block
            if len(output) > policy.megabytes * 1e6:
                raise AudioError("command-too-large", f"more than {policy.megabytes:g} MB: {source}")
    raise TimeoutError
