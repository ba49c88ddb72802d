"""Data stage: entries to a manifest and its rejects.

Every entry ends up in exactly one of the two: accepted + rejected = entries. The order is that of the entries, and the
bytes depend neither on the number of workers nor on that of shards. Worker processes check text and audio, another one
loads the tokenizer and counts tokens, and the main process joins, hands out and writes.
"""

import logging
import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from recipe.audio import fetch
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.headers import AudioError
from recipe.data.checked import Accepted, Numbered, Rejected, one_line, read_checked, write_checked
from recipe.data.checks import check
from recipe.data.join import Entry
from recipe.data.rates import Rates, by_rate
from recipe.data.tokens import TokenCounter
from recipe.data.workers import map_chunks
from recipe.files import open_atomic
from recipe.settings.data import Checks
from recipe.settings.section import AUTO

logger = logging.getLogger(__name__)

REJECTS_HEADER = "key\tstage\treason\tdetail"
STAGE = "scp2jsonl"
CHUNK = 4000  # entries that a worker checks at a time, by their headers ...
CHUNK_FULL = 200  # ... or decoding them
WAITING = 8  # chunks kept while the tokenizer is being loaded
DOWNLOADS = 8  # at a time and worker
EXAMPLES = 3  # of each reason, in the message of a stopped run


@dataclass
class Ledger:
    """The ledger of a manifest."""

    entries: int = 0
    accepted: int = 0
    rejected: Counter = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)  # keys by reason

    def reject(self, key: str, reason: str) -> None:
        self.rejected[reason] += 1
        if len(found := self.examples.setdefault(reason, [])) < EXAMPLES:
            found.append(key)

    def summary(self) -> str:
        reasons = ", ".join(f"{reason} {n}" for reason, n in self.rejected.most_common())
        total = self.rejected.total()
        return f"{self.entries} entries: {self.accepted} accepted, {total} rejected" + (
            f" ({reasons})" if reasons else ""
        )


# --- Checking -----------------------------------------------------------------------------------------------------


def checked(
    entries: Iterable[Entry],
    tokenizer_dir: str,
    checks: Checks,
    scp_file: str | None = None,
    workers: int = 1,
    fetch_policy: FetchPolicy = DEFAULT,
) -> Iterator[Accepted | Rejected]:
    """Check entries one by one, in order. Relative paths count from the folder of `scp_file` (None: from here)."""
    chunks = _chunks(entries, CHUNK if checks.verify == "header" else CHUNK_FULL)
    work = partial(_check_rows, checks=checks, scp_file=scp_file, fetch_policy=fetch_policy)
    with TokenCounter(tokenizer_dir, workers) as tokens:
        waiting: deque[list[tuple]] = deque()  # checked while the tokenizer is being loaded
        for results in map_chunks(work, chunks, workers, _crashed):
            waiting.append(results)
            while waiting and (tokens.ready() or len(waiting) > WAITING):
                yield from _counted(waiting.popleft(), tokens)
        for results in waiting:
            yield from _counted(results, tokens)


def _counted(results: list[tuple], tokens: "TokenCounter") -> Iterator[Accepted | Rejected]:
    numbers = iter(tokens.count([result[2] for result in results if len(result) == 5]))
    for result in results:
        if len(result) == 5:
            key, seconds, _, head, tail = result
            number = next(numbers)
            yield Accepted(seconds, number, key, f"{head}{number}{tail}")
        else:
            yield Rejected._make(result)


def _chunks(entries: Iterable[Entry], size: int) -> Iterator[list[tuple]]:
    iterator = map(tuple, entries)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _check_rows(rows: list[tuple], checks: Checks, scp_file: str | None, fetch_policy: FetchPolicy) -> list[tuple]:
    """(key, seconds, text, fragments of the line) or (key, reason, detail) of each entry."""
    _download_all([row[2] for row in rows if row[2][:4].lower() == "http" and row[-1] is None], fetch_policy)
    results = []
    for row in rows:
        found = check(Entry._make(row), checks, scp_file, fetch_policy)
        if found.__class__ is tuple:
            results.append((row[1], *found))
        else:
            results.append((found.key, found.duration, found.text, *found.fragments()))
    return results


def _download_all(urls: list[str], fetch_policy: FetchPolicy) -> None:
    """Fill the cache with several downloads at a time; what fails fails again, with its reason, when it is checked."""
    if len(urls) > 1:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for future in [pool.submit(fetch.download, url, fetch_policy) for url in urls if fetch.is_url(url)]:
                with suppress(AudioError):
                    future.result()


def _crashed(row: tuple) -> tuple[str, str, str]:
    return row[1], "decoder-crashed", f"{row[2]}: reading it ended the process"


# --- Limits of the speech rate ------------------------------------------------------------------------------------


# --- Writing ------------------------------------------------------------------------------------------------------


def prepare(
    entries: Iterable[Entry],
    tokenizer_dir: str,
    checks: Checks,
    jsonl_file: str,
    rejects_file: str,
    scp_file: str | None = None,
    workers: int = 1,
    fetch_policy: FetchPolicy = DEFAULT,
) -> Ledger:
    """Check entries and write the manifest and the rejects, both in the order of the entries."""
    numbered = Numbered(entries)
    items = checked(numbered, tokenizer_dir, checks, scp_file, workers, fetch_policy)
    if checks.learns:
        with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
            file = os.path.join(folder, "checked")
            write_checked(items, numbered, file)
            return merge([file], checks, jsonl_file, rejects_file)
    limits = checks.min_tokens_per_second, checks.max_tokens_per_second
    return _write(items, limits, lambda: numbered.count, jsonl_file, rejects_file)


def prepare_shard(
    entries: Iterable[Entry],
    tokenizer_dir: str,
    checks: Checks,
    checked_file: str,
    scp_file: str | None = None,
    workers: int = 1,
    fetch_policy: FetchPolicy = DEFAULT,
) -> None:
    """Check a shard's entries; `merge` makes the manifest of all shards."""
    numbered = Numbered(entries)
    write_checked(checked(numbered, tokenizer_dir, checks, scp_file, workers, fetch_policy), numbered, checked_file)


def merge(checked_files: Sequence[str], checks: Checks, jsonl_file: str, rejects_file: str) -> Ledger:
    """Make the manifest and the rejects of the shards' results, given in the order of the shards."""
    limits = checks.min_tokens_per_second, checks.max_tokens_per_second
    if checks.learns:
        rates = Rates()
        for item in read_checked(checked_files, []):
            rates.add(item)
        learned = rates.limits()
        limits = tuple(found if fixed == AUTO else fixed for fixed, found in zip(limits, learned, strict=True))
        logger.info("tokens per second: %.3g to %.3g accepted", *limits)
    stated: list[int] = []
    return _write(read_checked(checked_files, stated), limits, lambda: sum(stated), jsonl_file, rejects_file)


def _write(
    items: Iterable[Accepted | Rejected],
    limits: tuple[float, float],
    entries: Callable[[], int],
    jsonl_file: str,
    rejects_file: str,
) -> Ledger:
    counts = Ledger()
    with open_atomic(jsonl_file) as accepted, open_atomic(rejects_file) as rejected:
        rejected.write(REJECTS_HEADER + "\n")
        for item in items:
            item = by_rate(item, *limits)
            if item.__class__ is Accepted:
                counts.accepted += 1
                accepted.write(item.line + "\n")
            else:
                counts.reject(item.key, item.reason)
                rejected.write(f"{item.key}\t{STAGE}\t{item.reason}\t{one_line(item.detail)}\n")
        counts.entries = entries()
        if counts.accepted + counts.rejected.total() != counts.entries:
            raise AssertionError(f"the ledger does not add up: {counts}")
    return counts
