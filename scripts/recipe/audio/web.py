"""Asking http(s) servers: without credentials, within a time, for all of a file or a range of its bytes."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recipe.audio.attempts import Failed, Host
from recipe.audio.info import AudioError
from recipe.audio.policy import FetchPolicy

if TYPE_CHECKING:
    import requests

REDIRECTS = 10
BLOCK = 1 << 20  # bytes read at a time
# The registered Content-Encodings.
_COMPRESSIONS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"}

_threads = threading.local()  # a session, and whose it is


@dataclass(frozen=True)
class Answer:
    """What a server answers: how large the content is, if it says so, its strong ETag, and the content itself."""

    size: int | None
    etag: str | None
    limits: "_Limits"
    response: "requests.Response"

    def blocks(self) -> Iterator[bytes]:
        """The content block by block, so that it is never whole in memory."""
        # read1, of what has come: a read of whole blocks would let a server that drips pass its time.
        while block := self.response.raw.read1(BLOCK, decode_content=True):
            self.limits.check_time()
            yield block


@dataclass(frozen=True)
class _Limits:
    """Those of one attempt; `deadline` is a time of time.monotonic."""

    url: str
    policy: FetchPolicy
    deadline: float
    host: Host

    def check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise AudioError("url-timeout", f"{self.url}: more than {self.policy.timeout:g} s")

    def answered(self, response: "requests.Response", **_: object) -> None:
        """requests calls this with each answer. The content of a redirection, which it would read whole, is left."""
        self.host.answered()
        if response.is_redirect:
            response.close()
        self.check_time()


@contextmanager
def asked(url: str, policy: FetchPolicy, host: Host, span: tuple[int, int] | None = None) -> Iterator[Answer]:
    """Ask for what `url` holds, or for its bytes from the first to before the second of a `span`; for the time of the
    context. Raises AudioError beyond a limit of `policy`, and the errors of requests."""
    limits = _Limits(url, policy, time.monotonic() + policy.timeout, host)
    headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
    hooks = {"response": limits.answered}
    with _session().get(url, headers=headers, hooks=hooks, stream=True, timeout=policy.timeout) as response:
        _check(response)
        if span and response.status_code != 206:
            raise Failed(f"answers no requests for ranges of bytes (HTTP status {response.status_code})")
        etag = response.headers.get("ETag")
        yield Answer(_size(response, span), None if not etag or etag.startswith("W/") else etag, limits, response)


def _size(response: "requests.Response", span: tuple[int, int] | None) -> int | None:
    """Bytes of all of the content."""
    stated = response.headers.get("Content-Range", "").rpartition("/")[2] if span else ""
    stated = stated or response.headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() else None


def _session() -> "requests.Session":
    """This thread's session, which keeps connections open. A forked process has one of its own, for two cannot read
    from one connection."""
    if getattr(_threads, "process", None) != os.getpid():
        _threads.process, _threads.session = os.getpid(), _new_session()
    return _threads.session


def _new_session() -> "requests.Session":
    import requests

    session = requests.Session()
    session.max_redirects = REDIRECTS
    session.headers["Accept-Encoding"] = "identity"  # sound hardly shrinks, and the limit is on what is kept
    session.auth = _anonymous
    return session


def _anonymous(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    """No credentials: requests would otherwise look into ~/.netrc for whatever host a list names."""
    return request


def _check(response: "requests.Response") -> None:
    """requests.HTTPError unless there is content, in a form that can be undone."""
    import requests

    if not 200 <= response.status_code < 300:
        raise requests.HTTPError(f"HTTP status {response.status_code}", response=response)
    encodings = {name.strip() for name in response.headers.get("Content-Encoding", "").lower().split(",")}
    if unknown := encodings & _COMPRESSIONS - set(response.raw.CONTENT_DECODERS):
        raise requests.HTTPError(f"compressed on the way, unasked ({', '.join(unknown)})", response=response)
