"""Data stage: entries to a manifest and its rejects.

Every entry ends up in exactly one of the two: accepted + rejected = entries. The order is that of the entries, and the
bytes depend neither on the number of workers nor on that of shards. Worker processes check text and audio, another one
loads the tokenizer and counts tokens, and the main process joins, hands out and writes.

A shard's result is a `checked` file, one line an entry:
    + <tab> seconds <tab> tokens <tab> key <tab> line of the manifest
    - <tab> key <tab> reason <tab> detail
    = <tab> number of entries                   (the last line, without which the file is not whole)
"""

import logging
import math
import multiprocessing
import os
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import NamedTuple

from recipe.audio import fetch
from recipe.audio.headers import AudioError
from recipe.data.checks import Checks, check
from recipe.data.join import Entry
from recipe.data.workers import Worker, map_chunks
from recipe.files import RecipeError, open_atomic, read_lines

logger = logging.getLogger(__name__)

REJECTS_HEADER = "key\tstage\treason\tdetail"
STAGE = "scp2jsonl"
CHUNK = 4000  # entries that a worker checks at a time, by their headers ...
CHUNK_FULL = 200  # ... or decoding them
WAITING = 8  # chunks kept while the tokenizer is being loaded
TOKEN_BATCH = 200  # larger ones are no faster, smaller ones leave threads idle
DOWNLOADS = 8  # at a time and worker
EXAMPLES = 3  # of each reason, in the message of a stopped run


@dataclass
class Counts:
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


class Accepted(NamedTuple):
    seconds: float
    tokens: int
    key: str
    line: str


class Rejected(NamedTuple):
    key: str
    reason: str
    detail: str


# --- Checking -----------------------------------------------------------------------------------------------------


def checked(
    entries: Iterable[Entry], tokenizer_dir: str, checks: Checks, scp_file: str | None = None, workers: int = 1
) -> Iterator[Accepted | Rejected]:
    """Check entries one by one, in order. Relative paths count from the folder of `scp_file` (None: from here)."""
    chunks = _chunks(entries, CHUNK if checks.verify == "header" else CHUNK_FULL)
    work = partial(_check_rows, checks=checks, scp_file=scp_file)
    with _Tokens(tokenizer_dir, workers) as tokens:
        waiting: deque[list[tuple]] = deque()  # checked while the tokenizer is being loaded
        for results in map_chunks(work, chunks, workers, _crashed):
            waiting.append(results)
            while waiting and (tokens.ready() or len(waiting) > WAITING):
                yield from _counted(waiting.popleft(), tokens)
        for results in waiting:
            yield from _counted(results, tokens)


def _counted(results: list[tuple], tokens: "_Tokens") -> Iterator[Accepted | Rejected]:
    numbers = iter(tokens.count([result[2] for result in results if len(result) == 5]))
    for result in results:
        if len(result) == 5:
            key, seconds, _, head, tail = result
            number = next(numbers)
            yield Accepted(seconds, number, key, f"{head}{number}{tail}")
        else:
            yield Rejected._make(result)


class _Tokens:
    """Counts tokens in a process of its own, which loads the tokenizer (half a second for the published one) while
    others check; with one worker in this process."""

    def __init__(self, tokenizer_dir: str, workers: int):
        self._dir = tokenizer_dir
        self._workers = workers
        self._counter: Callable | None = None
        self._process: Worker | None = None
        self._loading = False

    def __enter__(self) -> "_Tokens":
        if self._workers > 1:
            self._process = Worker(self._work, lambda text: 0)
            self._process.send([])
            self._loading = True
        return self

    def __exit__(self, *_) -> None:
        if self._process:
            self._process.stop()

    def _work(self, texts: list[str]) -> list[int]:
        if self._counter is None:
            self._counter = token_counter(self._dir, self._workers)
        return self._counter(texts)

    def ready(self) -> bool:
        return not self._loading or self._process.ready()

    def count(self, texts: list[str]) -> list[int]:
        if self._process is None:
            return self._work(texts)
        if self._loading:
            self._process.receive()
            self._loading = False
        self._process.send(texts)
        return self._process.receive()


def _chunks(entries: Iterable[Entry], size: int) -> Iterator[list[tuple]]:
    iterator = map(tuple, entries)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _check_rows(rows: list[tuple], checks: Checks, scp_file: str | None) -> list[tuple]:
    """(key, seconds, text, fragments of the line) or (key, reason, detail) of each entry."""
    _download_all([row[2] for row in rows if row[2][:4].lower() == "http" and row[-1] is None], checks)
    results = []
    for row in rows:
        found = check(Entry._make(row), checks, scp_file)
        if found.__class__ is tuple:
            results.append((row[1], *found))
        else:
            results.append((found.key, found.duration, found.text, *found.fragments()))
    return results


def _download_all(urls: list[str], checks: Checks) -> None:
    """Fill the cache with several downloads at a time; what fails fails again, with its reason, when it is checked."""
    if len(urls) > 1:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for future in [pool.submit(fetch.download, url, checks.fetch_policy) for url in urls if fetch.is_url(url)]:
                with suppress(AudioError):
                    future.result()


def _crashed(row: tuple) -> tuple[str, str, str]:
    return row[1], "decoder-crashed", f"{row[2]}: reading it ended the process"


def token_counter(tokenizer_dir: str, threads: int = 1) -> Callable[[Sequence[str]], list[int]]:
    """A function that counts the tokens of texts with the tokenizer (tokenizer.json) of a model directory."""
    os.environ.setdefault("RAYON_NUM_THREADS", str(threads))
    # Where the library was in use before this process was forked, its threads are gone and it would wait for them.
    forked = "tokenizers" in sys.modules and multiprocessing.parent_process() is not None
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 and not forked else "false"
    import tokenizers  # transformers takes seconds to import, and is not needed to count

    try:
        tokenizer = tokenizers.Tokenizer.from_file(f"{tokenizer_dir}/tokenizer.json")
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception, with the cause as text only
        raise RecipeError(f"{tokenizer_dir}/tokenizer.json: cannot be loaded ({error})") from None

    encode = tokenizer.encode_batch_fast  # without the places of the tokens in the text

    def count(texts: Sequence[str]) -> list[int]:
        batches = (texts[i : i + TOKEN_BATCH] for i in range(0, len(texts), TOKEN_BATCH))
        return [len(found) for batch in batches for found in encode(batch, add_special_tokens=False)]

    return count


# --- Limits of the speech rate ------------------------------------------------------------------------------------

_BINS = 32  # an octave
LEARN_FROM = 100  # utterances, at least
WIDEST, NARROWEST = 40.0, 4.0  # tokens a second where nothing could be learned; least factor around the median


class Rates:
    """Histogram of tokens per second, from which the usual range is learned; of the same size for any corpus."""

    def __init__(self):
        self._bins: Counter = Counter()

    def add(self, item: Accepted | Rejected) -> None:
        if item.__class__ is Accepted and item.tokens:
            self._bins[round(_BINS * math.log2(item.tokens / item.seconds))] += 1

    def limits(self) -> tuple[float, float]:
        """(least, most) tokens per second: around the median, six robust standard deviations of the logarithm either
        way, or a factor of NARROWEST where that is more."""
        if self._bins.total() < LEARN_FROM:
            return Checks.min_tokens_per_second, WIDEST
        middle = _median(self._bins)
        spread = Counter()
        for place, number in self._bins.items():
            spread[abs(place - middle)] += number
        octaves = max(math.log2(NARROWEST), 6 * 1.4826 * _median(spread) / _BINS)
        return 2 ** (middle / _BINS - octaves), 2 ** (middle / _BINS + octaves)


def _median(bins: Counter) -> int:
    left = bins.total() / 2
    for place in sorted(bins):
        left -= bins[place]
        if left <= 0:
            return place
    raise ValueError("no values")


def _by_rate(item: Accepted | Rejected, least: float, most: float) -> Accepted | Rejected:
    if item.__class__ is Rejected or least * item.seconds <= item.tokens <= most * item.seconds:
        return item
    short = item.tokens < least * item.seconds
    reason = "transcript-too-short" if short else "transcript-too-long"
    limit = f"at least {least:.3g}" if short else f"at most {most:.3g}"
    return Rejected(item.key, reason, f"{item.tokens} tokens in {item.seconds:.2f} s, {limit} a second")


# --- Writing ------------------------------------------------------------------------------------------------------


def prepare(
    entries: Iterable[Entry],
    tokenizer_dir: str,
    checks: Checks,
    jsonl_file: str,
    rejects_file: str,
    scp_file: str | None = None,
    workers: int = 1,
) -> Counts:
    """Check entries and write the manifest and the rejects, both in the order of the entries."""
    numbered = _Numbered(entries)
    items = checked(numbered, tokenizer_dir, checks, scp_file, workers)
    if _learns(checks):
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
) -> None:
    """Check a shard's entries; `merge` makes the manifest of all shards."""
    numbered = _Numbered(entries)
    write_checked(checked(numbered, tokenizer_dir, checks, scp_file, workers), numbered, checked_file)


def merge(checked_files: Sequence[str], checks: Checks, jsonl_file: str, rejects_file: str) -> Counts:
    """Make the manifest and the rejects of the shards' results, given in the order of the shards."""
    limits = checks.min_tokens_per_second, checks.max_tokens_per_second
    if _learns(checks):
        rates = Rates()
        for item in read_checked(checked_files, []):
            rates.add(item)
        learned = rates.limits()
        limits = tuple(fixed if fixed is not None else found for fixed, found in zip(limits, learned, strict=True))
        logger.info("tokens per second: %.3g to %.3g accepted", *limits)
    stated: list[int] = []
    return _write(read_checked(checked_files, stated), limits, lambda: sum(stated), jsonl_file, rejects_file)


def _learns(checks: Checks) -> bool:
    return checks.min_tokens_per_second is None or checks.max_tokens_per_second is None


class _Numbered:
    """Counts what is taken of an iterable: the ledger is compared with it."""

    def __init__(self, entries: Iterable[Entry]):
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.count += 1
            yield entry


def _write(
    items: Iterable[Accepted | Rejected],
    limits: tuple[float, float],
    entries: Callable[[], int],
    jsonl_file: str,
    rejects_file: str,
) -> Counts:
    counts = Counts()
    with open_atomic(jsonl_file) as accepted, open_atomic(rejects_file) as rejected:
        rejected.write(REJECTS_HEADER + "\n")
        for item in items:
            item = _by_rate(item, *limits)
            if item.__class__ is Accepted:
                counts.accepted += 1
                accepted.write(item.line + "\n")
            else:
                counts.reject(item.key, item.reason)
                rejected.write(f"{item.key}\t{STAGE}\t{item.reason}\t{_one_line(item.detail)}\n")
        counts.entries = entries()
        if counts.accepted + counts.rejected.total() != counts.entries:
            raise AssertionError(f"the ledger does not add up: {counts}")
    return counts


def write_checked(items: Iterable[Accepted | Rejected], numbered: _Numbered, path: str) -> None:
    with open_atomic(path) as file:
        for item in items:
            if item.__class__ is Accepted:
                file.write(f"+\t{item.seconds!r}\t{item.tokens}\t{item.key}\t{item.line}\n")
            else:
                file.write(f"-\t{item.key}\t{item.reason}\t{_one_line(item.detail)}\n")
        file.write(f"=\t{numbered.count}\n")


def read_checked(paths: Sequence[str], stated: list[int]) -> Iterator[Accepted | Rejected]:
    """The items of `checked` files; what each says of its number of entries is added to `stated`."""
    for path in paths:
        whole = False
        for _, line in read_lines(path):
            kind, _, rest = line.partition("\t")
            if kind == "+":
                seconds, tokens, key, text = rest.split("\t", 3)
                yield Accepted(float(seconds), int(tokens), key, text)
            elif kind == "-":
                yield Rejected._make(rest.split("\t"))
            else:
                stated.append(int(rest))
                whole = True
        if not whole:
            raise RecipeError(f"{path}: ends early; delete it and run its shard again")


def _one_line(text: str) -> str:
    """Text without tabs and line ends, and with what is not UTF-8 (a path's odd bytes) escaped."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())
