"""Attempts at an address: again after a failure that may pass, and none at a host that was found dead."""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from recipe.audio.info import AudioError
from recipe.audio.policy import FetchPolicy

Answer = TypeVar("Answer")


class Failed(Exception):
    """An attempt that failed: whether another one may go better, and whether anybody answered at all."""

    def __init__(self, problem: str, may_pass: bool = False, unreachable: bool = False):
        super().__init__(problem)
        self.may_pass, self.unreachable = may_pass, unreachable


def tried(url: str, policy: FetchPolicy, ask: Callable[["Host"], Answer]) -> Answer:
    """What `ask` answers, called with the host of `url` in as many attempts as allowed; it tells the host when there is
    an answer. AudioError `url-failed` after the last attempt, or one after which none would go better; at once where no
    address of the host was answered before."""
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
            return attempts(ask, host)
        # A file system that is full is no fault of the URL: other OSErrors go their way.
        except (Failed, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            problem = f"{_problem(error)} (attempt {attempts.statistics['attempt_number']})"
            if _is_unreachable(error):
                host.problem = problem
            raise AudioError("url-failed", f"{url}: {problem}") from None


class Host:
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


_hosts: dict[str, Host] = {}
os.register_at_fork(after_in_child=lambda: [host.forked() for host in _hosts.values()])


def _host_of(url: str) -> Host:
    """The host of a URL, with scheme and port."""
    name = re.match(r"[^/]*//[^/?#]*", url)[0].lower()
    return _hosts.setdefault(name, Host(name))


def _is_unreachable(error: BaseException) -> bool:
    """Whether nobody answered."""
    import requests

    if isinstance(error, Failed):
        return error.unreachable
    return isinstance(error, requests.ConnectionError | requests.Timeout) and not _is_garbage(error)


def _is_garbage(error: BaseException) -> bool:
    """Whether a connection failed because of what was answered, which is none of HTTP."""
    import http.client

    found = _bottom(error)
    return isinstance(found, http.client.HTTPException) and not isinstance(found, ConnectionError)


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may go better: not with an address that is none or an answer that is final."""
    import requests
    import urllib3

    if isinstance(error, Failed):
        return error.may_pass
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
