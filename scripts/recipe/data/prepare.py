"""Data stage: entries to a manifest, its rejects, and remarks on what was accepted.

Every entry ends up in exactly one of the first two: accepted + rejected = entries. The order is that of the entries,
and the bytes depend neither on the number of workers nor on that of shards. Worker processes check text and audio,
another one loads the tokenizer and counts tokens, and the main process joins, hands out and writes.
"""

import logging
import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from recipe.audio import fetch
from recipe.audio.address import is_url, split_shard
from recipe.audio.fetch import FetchPolicy
from recipe.audio.headers import AudioError
from recipe.data import manifest, slices
from recipe.data.checked import (
    REJECTS_HEADER,
    Accepted,
    Numbered,
    Rejected,
    one_line,
    read_checked,
    write_checked,
)
from recipe.data.checks import CheckPolicy, check
from recipe.data.excluded import EXCLUDED
from recipe.data.index_writer import Indexed, IndexWriter, beside
from recipe.data.join import ORPHANS, Entry
from recipe.data.rates import Rates, by_rate
from recipe.data.tokens import TokenCounter
from recipe.data.workers import map_chunks
from recipe.files import open_atomic
from recipe.settings.section import AUTO

logger = logging.getLogger(__name__)

REMARKS_HEADER = "key\tstage\tremark\tdetail"
STAGE = "scp2jsonl"
_OF_ACCEPTED = 6  # values that a worker says of an accepted entry; of a rejected one it says three
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
    rejected: Counter = field(default_factory=Counter)  # by reason
    remarked: Counter = field(default_factory=Counter)  # accepted utterances by remark
    examples: dict[str, list[str]] = field(default_factory=dict)  # by reason: "key (detail)"

    def reject(self, item: Rejected) -> None:
        self.rejected[item.reason] += 1
        if len(found := self.examples.setdefault(item.reason, [])) < EXAMPLES:
            found.append(f"{_shown(item.key)} ({_shown(one_line(item.detail))})")

    @property
    def orphans(self) -> int:
        """Lines that are no fault of the set: those that belong to no recording or no utterance (a list of recordings
        may be a part of a larger set), and those that were excluded on purpose."""
        return sum(self.rejected[reason] for reason in (*ORPHANS, EXCLUDED))

    def summary(self) -> str:
        reasons, remarks = (
            ", ".join(f"{name} {n}" for name, n in counted.most_common()) for counted in (self.rejected, self.remarked)
        )
        total = self.rejected.total()
        return (
            f"{self.entries} entries: {self.accepted} accepted{f' (of these {remarks})' if remarks else ''}, "
            f"{total} rejected{f' ({reasons})' if reasons else ''}"
        )


def _shown(text: str) -> str:
    """Text as a terminal can show it."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


# --- Checking -----------------------------------------------------------------------------------------------------


def checked(
    entries: Iterable[Entry],
    tokenizer_dir: str,
    policy: CheckPolicy,
    workers: int = 1,
) -> Iterator[Accepted | Rejected]:
    """Check entries one by one, in order."""
    chunks = _chunks(entries, CHUNK if policy.checks.verify == "header" else CHUNK_FULL)
    work = partial(_check_rows, policy=policy)
    with TokenCounter(tokenizer_dir, workers) as tokens:
        waiting: deque[list[tuple]] = deque()  # checked while the tokenizer is being loaded
        for results in map_chunks(work, chunks, workers, _crashed):
            waiting.append(results)
            while waiting and (tokens.ready() or len(waiting) > WAITING):
                yield from _counted(waiting.popleft(), tokens)
        for results in waiting:
            yield from _counted(results, tokens)


def _counted(results: list[tuple], tokens: "TokenCounter") -> Iterator[Accepted | Rejected]:
    numbers = iter(tokens.count([result[2] for result in results if len(result) == _OF_ACCEPTED]))
    for result in results:
        if len(result) == _OF_ACCEPTED:
            key, seconds, _, head, tail, remarks = result
            number = next(numbers)
            yield Accepted(seconds, number, key, f"{head}{number}{tail}", remarks)
        else:
            yield Rejected._make(result)


def _chunks(entries: Iterable[Entry], size: int) -> Iterator[list[tuple]]:
    iterator = map(tuple, entries)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _check_rows(rows: list[tuple], policy: CheckPolicy) -> list[tuple]:
    """(key, seconds, text, two fragments of the line, remarks) or (key, reason, detail) of each entry."""
    _download_all([row[2] for row in rows if "://" in row[2] and row[-1] is None], policy.fetch_policy)
    results = []
    for row in rows:
        found, remarks = check(Entry._make(row), policy)
        if found is None:
            results.append((row[1], *remarks[0]))
        else:
            results.append((found.key, found.duration, found.text, *found.fragments(), remarks))
    return results


def _download_all(sources: list[str], fetch_policy: FetchPolicy) -> None:
    """Fill the cache with several downloads at a time; what fails fails again, with its reason, when it is checked."""
    urls = [source for source in sources if is_url(source) and not split_shard(source)]
    if len(urls) > 1:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for future in [pool.submit(fetch.download, url, fetch_policy) for url in urls]:
                with suppress(AudioError):
                    future.result()


def _crashed(row: tuple) -> tuple[str, str, str]:
    return row[1], "decoder-crashed", f"{row[2]}: reading it ended the process"


# --- Writing ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DataOutputs:
    """The files that the data stage writes; `remarks` may be None."""

    jsonl: str
    rejects: str
    remarks: str | None = None


def prepare(
    entries: Iterable[Entry],
    tokenizer_dir: str,
    policy: CheckPolicy,
    outputs: DataOutputs,
    workers: int = 1,
) -> Ledger:
    """Check entries and write the manifest, the rejects and the remarks, all in the order of the entries."""
    numbered = Numbered(entries)
    items = checked(numbered, tokenizer_dir, policy, workers)
    if policy.learns:
        with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
            file = os.path.join(folder, "checked")
            write_checked(items, numbered, file)
            return merge([file], policy, outputs)
    return _write(items, policy.rates, lambda: numbered.count, outputs)


def prepare_shard(
    entries: Iterable[Entry], tokenizer_dir: str, policy: CheckPolicy, checked_file: str, workers: int = 1
) -> None:
    """Check a shard's entries; `merge` makes the manifest of all shards."""
    numbered = Numbered(entries)
    write_checked(checked(numbered, tokenizer_dir, policy, workers), numbered, checked_file)


def merge(
    checked_files: Sequence[str], policy: CheckPolicy, outputs: DataOutputs, slices_dir: str | None = None
) -> Ledger:
    """Make the outputs of the shards' results, given in the order of the shards: parts of a set that follow each other,
    or those of its slices in `slices_dir`."""
    read = partial(slices.joined, slices_dir) if slices_dir else read_checked
    limits = policy.rates
    if policy.learns:
        rates = Rates()
        for item in read(checked_files, []):
            rates.add(item)
        learned = rates.limits()
        limits = tuple(found if fixed == AUTO else fixed for fixed, found in zip(limits, learned, strict=True))
        logger.info("tokens per second: %.3g to %.3g accepted", *limits)
    stated: list[int] = []
    return _write(read(checked_files, stated), limits, lambda: sum(stated), outputs)


def _write(
    items: Iterable[Accepted | Rejected],
    limits: tuple[float, float],
    entries: Callable[[], int],
    outputs: DataOutputs,
) -> Ledger:
    counts = Ledger()
    index = IndexWriter(beside(outputs.jsonl))
    with index, ExitStack() as stack:
        accepted = stack.enter_context(open_atomic(outputs.jsonl, "wb"))
        rejected = stack.enter_context(open_atomic(outputs.rejects))
        remarked = stack.enter_context(open_atomic(outputs.remarks)) if outputs.remarks else None
        rejected.write(REJECTS_HEADER + "\n")
        if remarked:
            remarked.write(REMARKS_HEADER + "\n")
        for item in items:
            item = by_rate(item, *limits)
            if item.__class__ is Accepted:
                counts.accepted += 1
                index.add(accepted.tell(), _indexed(item))
                accepted.write(f"{item.line}\n".encode())
                for remark, detail in item.remarks:
                    counts.remarked[remark] += 1
                    if remarked:
                        remarked.write(_row(item.key, remark, detail))
            else:
                counts.reject(item)
                rejected.write(_row(item.key, item.reason, item.detail))
        counts.entries = entries()
        if counts.accepted + counts.rejected.total() != counts.entries:
            raise AssertionError(f"the ledger does not add up: {counts}")
    index.finish(outputs.jsonl)
    return counts


def _indexed(item: Accepted) -> Indexed:
    frames, prompt, after, language = manifest.glance(item.line)
    return Indexed(item.key, frames, item.tokens, prompt, after, round(item.seconds, 4), language)


def _row(key: str, name: str, detail: str) -> str:
    return f"{key}\t{STAGE}\t{name}\t{one_line(detail)}\n"
