"""Asking object storage, s3:// and gs://, by fsspec and its packages s3fs and gcsfs. They find credentials where all
programs do: in the environment, in ~/.aws or gcloud's files, or of the machine."""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from recipe.audio.attempts import Failed, Host
from recipe.audio.info import AudioError
from recipe.audio.policy import FetchPolicy

BLOCK = 8 << 20  # bytes asked for at a time
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
INSTALL = "uv pip install --group storage"

# What their clients raise beside OSErrors: (module, class), of those modules that are loaded.
_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"), ("aiohttp", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"), ("gcsfs.retry", "HttpError"),
)  # fmt: skip
_UNREACHABLE = (
    ("botocore.exceptions", "ConnectionError"), ("botocore.exceptions", "HTTPClientError"),
    ("aiohttp", "ClientConnectionError"),
)  # fmt: skip
_FINAL = (
    ("botocore.exceptions", "NoCredentialsError"), ("botocore.exceptions", "PartialCredentialsError"),
    ("botocore.exceptions", "ParamValidationError"), ("google.auth.exceptions", "GoogleAuthError"),
)  # fmt: skip
_FINAL_HERE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True)
class StoredObject:
    """An object: its size in bytes, its ETag, and its content."""

    size: int
    etag: str | None
    url: str
    policy: FetchPolicy

    def blocks(self) -> Iterator[bytes]:
        """The content block by block, so that it is never whole in memory."""
        deadline = time.monotonic() + self.policy.timeout
        for start in range(0, self.size, BLOCK):
            yield read(self.url, self.policy, start, min(start + BLOCK, self.size))
            if time.monotonic() > deadline:
                raise AudioError("url-timeout", f"{self.url}: more than {self.policy.timeout:g} s")


@contextmanager
def asked(url: str, policy: FetchPolicy, host: Host) -> Iterator[StoredObject]:
    """Ask for an object, for the time of the context; Failed says why there is none."""
    system, path = _opened(url, policy)
    try:
        facts = _answer(lambda: system.info(path))
    except Failed as error:
        if not error.unreachable:
            host.answered()
        raise
    host.answered()
    if facts.get("type") == "directory":
        raise Failed("is a folder")
    yield StoredObject(facts["size"], facts.get("ETag") or facts.get("etag"), url, policy)


def read(url: str, policy: FetchPolicy, start: int, end: int) -> bytes:
    """The bytes of an object from `start` to before `end`; Failed says why they cannot be had."""
    system, path = _opened(url, policy)
    found = _answer(lambda: system.cat_file(path, start=start, end=end))
    if len(found) != end - start:
        raise Failed(f"{len(found)} bytes came of {end - start}", may_pass=True)
    return found


def _opened(url: str, policy: FetchPolicy) -> tuple[Any, str]:
    """fsspec's file system for an address, and its path there. Each process and thread has its own, by fsspec."""
    scheme = url.partition("://")[0].lower()
    try:
        import fsspec

        importlib.import_module(_PACKAGES[scheme])
    except ImportError:
        raise Failed(f"{_PACKAGES[scheme]}, which reads {scheme}://, is not installed: {INSTALL}") from None
    if scheme != "s3":
        return fsspec.filesystem(scheme), url.partition("://")[2]
    # Attempts are ours.
    limits = {"connect_timeout": policy.timeout, "read_timeout": policy.timeout, "retries": {"max_attempts": 1}}
    system = fsspec.filesystem(scheme, use_listings_cache=False, config_kwargs=limits)
    system.retries = 1
    return system, url.partition("://")[2]


def _answer(ask: Callable[[], Any]) -> Any:
    """What a call of a file system gives; its errors as Failed."""
    try:
        return ask()
    except (OSError, *_loaded(_ERRORS)) as error:
        final = isinstance(error, (*_FINAL_HERE, *_loaded(_FINAL)))
        unreachable = isinstance(error, (ConnectionError, TimeoutError, *_loaded(_UNREACHABLE)))
        problem = str(error) or type(error).__name__
        if isinstance(error, FileNotFoundError):
            problem = "no such object"
        raise Failed(problem, may_pass=not final, unreachable=unreachable and not final) from None


def _loaded(names: tuple[tuple[str, str], ...]) -> tuple[type[BaseException], ...]:
    """Classes of modules that are loaded: what is not cannot have raised anything."""
    return tuple(getattr(sys.modules[module], name) for module, name in names if module in sys.modules)
