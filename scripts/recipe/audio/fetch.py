"""Recordings that are not local files: what addresses hold, kept in a cache by content, and what commands put out."""

import contextlib
import hashlib
import os
import re
import selectors
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from recipe.audio import attempts, storage, web
from recipe.audio import cache as bounded
from recipe.audio.address import identity, is_object, path_of
from recipe.audio.attempts import Host
from recipe.audio.cache import CACHE
from recipe.audio.info import AudioError
from recipe.audio.policy import DEFAULT, FetchPolicy, policy_of
from recipe.files import open_atomic

__all__ = [
    "CACHE", "DEFAULT", "FetchPolicy", "command_output", "download", "policy_of", "read_pipe",
]  # fmt: skip

_BLOCK = 1 << 20  # bytes read at a time from a command


def download(url: str, policy: FetchPolicy = DEFAULT, cache: str | os.PathLike = CACHE) -> str:
    """Path of a local copy of what `url` holds.

    The copy is called by the SHA-256 of its content, and a small file by that of the URL, without a signature, says
    which content it had: a recording is fetched once, and the same content is kept once. An address that differs in its
    query alone is asked for, and its content left where it answers with an ETag that is known. AudioError:
    `url-timeout` and `url-too-large` beyond the limits of `policy`, `url-failed` after an answer that is final or the
    last attempt, and at once where no URL of the same host was answered before.
    """
    contents, known = Path(cache, "content"), Path(cache, "urls", _digest(identity(url)))
    copy = _copy(contents, known)
    if copy is None:
        copy = _store(url, policy, Path(cache))
        _note(known, copy)
    bounded.used(copy)
    return str(copy)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _copy(contents: Path, known: Path) -> Path | None:
    """The copy that a file among the URLs names, if both are there."""
    if not known.is_file():
        return None
    copy = contents / known.read_text(encoding="ascii").strip()
    return copy if copy.is_file() else None


def _note(known: Path, copy: Path) -> None:
    with open_atomic(known) as file:
        file.write(copy.name + "\n")


def _store(url: str, policy: FetchPolicy, cache: Path) -> Path:
    """The copy, among the contents of a `cache`, of what `url` holds. It comes into a folder of its own there and is
    renamed when it is whole: only then is its name known."""
    contents = cache / "content"
    contents.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=contents, ignore_cleanup_errors=True) as folder:
        part = Path(folder, "part")
        name, etag = attempts.tried(url, policy, lambda host: _fetch(url, policy, part, cache, host))
        copy = contents / name
        if not copy.is_file():
            size = part.stat().st_size
            os.replace(part, copy)
            bounded.added(cache, size)
    if etag:
        _note(_tagged(cache, url, etag), copy)
    return copy


def _tagged(cache: Path, url: str, etag: str) -> Path:
    """The file that says which content is at a path, whatever the query, under an ETag."""
    return cache / "urls" / _digest(f"{path_of(url)} {etag}")


def _suffix(url: str) -> str:
    match = re.search(r"\.[A-Za-z0-9]{1,5}\Z", path_of(url))
    return match[0].lower() if match else ""


def _fetch(url: str, policy: FetchPolicy, part: Path, cache: Path, host: Host) -> tuple[str, str | None]:
    """One attempt: write what `url` holds to the file `part`, unless the `cache` has it; returns its name in the cache,
    and its ETag.

    Raises AudioError beyond a limit of `policy`, `Failed`, and the errors of requests and, while content comes, of
    urllib3.
    """
    asked = storage.asked if is_object(url) else web.asked
    with asked(url, policy, host) as answer:
        copy = _copy(cache / "content", _tagged(cache, url, answer.etag)) if answer.etag else None
        if copy and copy.stat().st_size == answer.size:
            return copy.name, answer.etag
        digest, size = hashlib.sha256(), 0
        with open(part, "wb") as file:
            for block in answer.blocks():
                size += len(block)
                if size > policy.megabytes * 1e6:
                    raise AudioError("url-too-large", f"{url}: more than {policy.megabytes:g} MB")
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    return digest.hexdigest() + _suffix(url), answer.etag


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
