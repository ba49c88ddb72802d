"""Data stage: wav.scp and transcripts to a manifest and its rejects.

Every entry ends up in exactly one of the two: accepted + rejected = entries. The order is that of wav.scp, the bytes do
not depend on the number of workers.
"""

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from recipe import audio, datadir, manifest
from recipe.audio import AudioError
from recipe.files import RecipeError, json_line, open_atomic, read_table

logger = logging.getLogger(__name__)

REJECTS_HEADER = "key\tstage\treason\tdetail"
STAGE = "scp2jsonl"
CHUNK = 2000  # entries that one worker checks at a time


@dataclass(frozen=True)
class Checks:
    """Limits of an acceptable utterance."""

    min_seconds: float = 0.1
    max_seconds: float = 40.0
    max_tokens_per_second: float = 40.0  # a longer transcript cannot have been said
    allow_commands: bool = False


class Entry(NamedTuple):
    """What the data directory says of one key; `problem` is a (reason, detail) found while joining."""

    key: str
    source: str
    text: str | None
    prompt: str
    facts: dict
    problem: tuple[str, str] | None = None


@dataclass
class Counts:
    """The ledger of a manifest."""

    entries: int = 0
    accepted: int = 0
    rejected: Counter = field(default_factory=Counter)

    def summary(self) -> str:
        reasons = ", ".join(f"{reason} {n}" for reason, n in self.rejected.most_common())
        total = sum(self.rejected.values())
        return f"{self.entries} entries: {self.accepted} accepted, {total} rejected" + (
            f" ({reasons})" if reasons else ""
        )


def read_transcripts(path: str) -> tuple[dict[str, str], dict[str, str]]:
    """Read a `text` file: transcripts by key, and for keys that have several different ones what was found."""
    texts: dict[str, str] = {}
    conflicts: dict[str, str] = {}
    for number, key, text in read_table(path):
        if key in texts and texts[key] != text:
            conflicts[key] = f"{path}:{number}: {text!r} here, {texts[key]!r} before"
        texts.setdefault(key, text)
    return texts, conflicts


def join(scp_file: str, transcript_file: str, prompt: str, tables: dict[str, dict[str, str]]) -> Iterator[Entry]:
    """Join wav.scp with the transcripts and `tables` (field name -> value by key), in the order of wav.scp; then the
    transcripts that have no audio."""
    texts, conflicts = read_transcripts(transcript_file)
    sources: dict[str, str] = {}
    for number, key, source in read_table(scp_file):
        resolved = datadir.resolve(source, scp_file)
        problem = None
        if key in sources:
            same = sources[key] == resolved
            problem = ("duplicate-key" if same else "conflicting-key", f"{scp_file}:{number}: {source}")
        elif not source:
            problem = ("audio-missing", f"{scp_file}:{number}: nothing after the key")
        elif key in conflicts:
            problem = ("conflicting-transcripts", conflicts[key])
        sources.setdefault(key, resolved)
        facts = {name: table[key] for name, table in tables.items() if key in table}
        yield Entry(key, resolved, texts.get(key), prompt, facts, problem)
    for key in texts:
        if key not in sources:
            yield Entry(key, "", texts[key], prompt, {}, ("key-without-audio", f"in {transcript_file} only"))


_CONTROL = {"Cc", "Cs", "Co", "Cn"}


def check_text(text: str | None) -> tuple[str, str] | None:
    """The (reason, detail) for which a transcript is refused, or None."""
    if text is None:
        return "transcript-missing", "no transcript for this key"
    if not text:
        return "transcript-empty", "the transcript has no text"
    for position, char in enumerate(text):
        if unicodedata.category(char) in _CONTROL:
            return "control-character", f"U+{ord(char):04X} at character {position + 1}"
    return None


def check(entry: Entry, count_tokens, checks: Checks) -> manifest.Utterance | tuple[str, str]:
    """The manifest line of an entry, or the (reason, detail) of its rejection."""
    problem = entry.problem or check_text(entry.text)
    if problem:
        return problem
    try:
        info = audio.probe(entry.source, checks.allow_commands)
    except AudioError as error:
        return error.reason, error.detail
    if info.samples == 0:
        return "audio-empty", f"{entry.source}: no samples"
    seconds = info.seconds
    if seconds < checks.min_seconds or seconds * audio.SAMPLING_RATE < audio.MIN_SAMPLES:
        return "audio-too-short", f"{seconds:.3f} s, at least {max(checks.min_seconds, 0.025):g} s needed"
    if seconds > checks.max_seconds:
        return "audio-too-long", f"{seconds:.3f} s, at most {checks.max_seconds:g} s allowed"
    text = unicodedata.normalize("NFC", entry.text)
    tokens = count_tokens(text)
    if tokens > checks.max_tokens_per_second * seconds:
        return (
            "transcript-too-long",
            f"{tokens} tokens in {seconds:.2f} s, at most {checks.max_tokens_per_second:g} a second",
        )
    return manifest.Utterance(
        entry.key, entry.source, entry.prompt, text, manifest.speech_length(seconds), tokens, seconds, **entry.facts
    )


_worker: dict = {}  # what a worker process keeps between chunks


def _start_worker(tokenizer_dir: str, checks: Checks) -> None:
    _worker["count"] = token_counter(tokenizer_dir)
    _worker["checks"] = checks


def _check_chunk(entries: list[Entry]) -> list[tuple[str, str | None, tuple[str, str] | None]]:
    """(key, manifest line or None, rejection or None) of each entry."""
    results = []
    for entry in entries:
        found = check(entry, _worker["count"], _worker["checks"])
        if isinstance(found, manifest.Utterance):
            results.append((entry.key, json_line(found.to_json()), None))
        else:
            results.append((entry.key, None, found))
    return results


def token_counter(tokenizer_dir: str):
    """A function that counts the tokens of a text with the tokenizer (tokenizer.json) of a model directory."""
    import tokenizers  # transformers takes seconds to import, and is not needed to count

    try:
        tokenizer = tokenizers.Tokenizer.from_file(f"{tokenizer_dir}/tokenizer.json")
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception, with the cause as text only
        raise RecipeError(f"{tokenizer_dir}/tokenizer.json: cannot be loaded ({error})") from None
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def prepare(
    entries: Iterable[Entry], tokenizer_dir: str, checks: Checks, jsonl_file: str, rejects_file: str, workers: int = 1
) -> Counts:
    """Check entries and write the manifest and the rejects, both in the order of the entries."""
    counts = Counts()
    chunks = _chunks(entries)
    pool = (
        ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(tokenizer_dir, checks))
        if workers > 1
        else nullcontext()
    )
    with open_atomic(jsonl_file) as accepted, open_atomic(rejects_file) as rejected, pool:
        rejected.write(REJECTS_HEADER + "\n")
        if workers > 1:
            results = _bounded_map(pool, chunks, workers)
        else:
            _start_worker(tokenizer_dir, checks)
            results = map(_check_chunk, chunks)
        for chunk in results:
            for key, line, problem in chunk:
                counts.entries += 1
                if problem is None:
                    counts.accepted += 1
                    accepted.write(line + "\n")
                else:
                    counts.rejected[problem[0]] += 1
                    rejected.write("\t".join((key, STAGE, problem[0], _one_line(problem[1]))) + "\n")
    if counts.accepted + sum(counts.rejected.values()) != counts.entries:
        raise AssertionError(f"the ledger does not add up: {counts}")
    return counts


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    iterator = iter(entries)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _bounded_map(pool: ProcessPoolExecutor, chunks: Iterator[list[Entry]], workers: int):
    """Results in order, with only a few chunks in memory (Executor.map would take them all at once)."""
    waiting = [pool.submit(_check_chunk, chunk) for chunk in islice(chunks, 2 * workers)]
    while waiting:
        yield waiting.pop(0).result()
        waiting.extend(pool.submit(_check_chunk, chunk) for chunk in islice(chunks, 1))


def _one_line(text: str) -> str:
    return " ".join(text.split())
